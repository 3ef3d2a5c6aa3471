"""Filters that serving configs keep: checked when the config is put, and what becomes of them later."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shortlist.common.v1 import answer_pb2, selection_pb2
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_bundle import layout
from shortlist_testing.platform import running_platform
from shortlist_testing.tiny_bundle import publish, tiny_files

from .config_calls import Configs
from .questions import refused

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub
from .named_filters import COMEDIES, IDS, NUMBER, RECENT, TEXT, TEXTS, ask, ids, kept, named, passing

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_filters_are_kept_with_the_config(configs: Configs, name: str) -> None:
    record = await configs.put(name, filters=[RECENT, kept("fixed", "year > 1990")])
    assert list(record.problems) == []
    assert list((await configs.get(name)).config.filters) == [RECENT, kept("fixed", "year > 1990")]


async def test_what_is_wrong_with_a_kept_filter_is_named_when_the_config_is_put(configs: Configs, name: str) -> None:
    cases: list[tuple[selection_pb2.FilterDefinition, str]] = [
        (kept("Wrong", "year > 1"), "config.filters[0].name: is 'Wrong'; it must be 1 to 64 lower-case letters"),
        (kept("f", "year >"), "config.filters[0].expression: has the end at character 7"),
        (kept("f", "year > $y"), "config.filters[0].expression: names the parameter $y, which is not among"),
        (kept("f", "year > 1", y=NUMBER), "config.filters[0].parameters[0].name: is 'y', which the condition does not"),
        (kept("f", "colour = red"), "config.filters[0].expression: there is no attribute 'colour' to filter by"),
        (kept("f", "year > $y", y=TEXT), "config.filters[0].expression: 'year' is a number"),
        (kept("f", "year > $y", y=selection_pb2.PARAMETER_KIND_UNSPECIFIED), "config.filters[0].parameters[0].kind"),
    ]
    for definition, expected in cases:
        for is_dry in (False, True):
            said = await refused(configs.put(name, filters=[definition], validate_only=is_dry))
            assert said.startswith(expected), said
    assert name not in await configs.all()
    said = await refused(configs.put(name, filters=[RECENT, RECENT]))
    assert said.startswith("config.filters[1].name: is 'recent' a second time")


async def test_promotions_of_a_config_may_name_its_filters(configs: Configs, name: str) -> None:
    def promoting(filter_name: str, **values: Any) -> selection_pb2.Constraints:
        named = {"name": filter_name, "parameters": [{"name": n, "number": value} for n, value in values.items()]}
        return selection_pb2.Constraints(promotions=[{"filter": {"named": named}, "slots": 1}])

    since = kept("since", "year >= $y", y=NUMBER)
    record = await configs.put(name, filters=[since], constraints=promoting("since", y=2000.0))
    assert list(record.problems) == []
    said = await refused(configs.put(name, filters=[since], constraints=promoting("other", y=2000.0)))
    assert said.startswith("config.constraints.promotions[0].filter.named.name: is 'other'")
    said = await refused(configs.put(name, filters=[since], constraints=promoting("since")))
    assert said.startswith("config.constraints.promotions[0].filter.named.parameters: lacks 'y', a finite number")


async def test_a_filter_from_a_file_is_one_like_any_other(tmp_path: Path) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    content = """
filters:
- name: recent
  expression: year >= $since AND NOT title = "it's"
  parameters:
  - {name: since, kind: PARAMETER_KIND_NUMBER}
"""
    (folder / "home.yaml").write_text(content)
    async with running_platform(tmp_path, config_folder=folder) as platform:
        stub: RecommendationServiceAsyncStub = RecommendationServiceStub(platform.channel)
        answer = await stub.Recommend(ask("home", named("recent", since=2000.0)), timeout=5)
        assert ids(answer) == passing(lambda item: (item["year"] or 0) >= 2000)


async def test_a_filter_that_does_not_fit_a_new_bundle_is_said_of_the_config_and_to_who_names_it(
    tmp_path: Path,
) -> None:
    async with running_platform(tmp_path) as platform:
        configs = Configs(platform.channel)
        stub: RecommendationServiceAsyncStub = RecommendationServiceStub(platform.channel)
        await configs.put("home", filters=[RECENT, kept("by-id", "id:$ids", ids=TEXTS)])
        bare = tiny_files(seed=1)
        del bare[layout.ITEM_ATTRIBUTES]
        release = publish(tmp_path / "bundles", bare)
        async with asyncio.timeout(10):
            while (await stub.Recommend(ask("home", named("by-id", ids=IDS[:3])), timeout=5)).meta.bundle.bundle_id != (
                release.bundle_id
            ):
                await asyncio.sleep(0.05)
        record = await configs.get("home")
        assert len(record.problems) == 2, "an attribute each"
        assert all(problem.startswith("filters[0].expression there is no attribute") for problem in record.problems)
        said = await refused(stub.Recommend(ask("home", COMEDIES), timeout=5))
        assert said.startswith("filter.named: there is no attribute")
        answer = await stub.Recommend(ask("home", named("by-id", ids=IDS[:3])), timeout=5)
        assert ids(answer) == set(IDS[:3])
        assert answer_pb2.DEGRADATION_CAUSE_CONFIG_UNFIT not in answer.meta.degradation.causes
