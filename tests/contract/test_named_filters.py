"""Filters that serving configs keep: checked when the config is put, asked for by name and value, over the platform."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from shortlist.common.v1 import selection_pb2
from shortlist_testing.platform import Platform

from .config_calls import Configs
from .questions import refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT, NUMBER, TEXTS = (
    selection_pb2.PARAMETER_KIND_TEXT,
    selection_pb2.PARAMETER_KIND_NUMBER,
    selection_pb2.PARAMETER_KIND_TEXTS,
)


@pytest.fixture
def configs(platform: Platform) -> Configs:
    return Configs(platform.channel)


@pytest.fixture
def name() -> str:
    return f"c-{uuid.uuid4().hex[:12]}"


def kept(name: str, expression: str, **kinds: selection_pb2.ParameterKind) -> selection_pb2.FilterDefinition:
    parameters = [selection_pb2.FilterParameter(name=n, kind=kind) for n, kind in kinds.items()]
    return selection_pb2.FilterDefinition(name=name, expression=expression, parameters=parameters)


RECENT = kept("recent", "year >= $since AND genres:$liked", since=NUMBER, liked=TEXTS)


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
