"""A lookback that the request gives to a filter that its config keeps, over the platform."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shortlist.common.v1 import selection_pb2
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_testing.platform import Platform, running_platform

from .config_calls import Configs
from .named_filters import DURATION, IDS, NUMBER, TEXT, TEXTS, ask, ids, kept, named
from .questions import refused
from .slates import DAY_S, event, write

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANYTHING = selection_pb2.Constraints(exclude_seen=selection_pb2.ExcludeSeen(disabled=True))
DAYS = timedelta(days=1)


async def test_a_window_is_as_long_as_the_request_says(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, configs: Configs, name: str, user: str
) -> None:
    tree = selection_pb2.FilterDefinition(name="tree", parameters=[{"name": "window", "kind": DURATION}])
    tree.ast.negation.history.event_types.append("click")
    tree.ast.negation.history.lookback_parameter = "window"
    unseen = kept("unseen", 'NOT seen("click", $window)', window=DURATION)
    typed = kept("typed", "NOT seen($types, $window)", types=TEXTS, window=DURATION)
    await configs.put(name, filters=[unseen, typed, tree])
    assert list((await configs.get(name)).config.filters) == [unseen, typed, tree]
    old = event(IDS[2], "click", age_s=10 * DAY_S)
    await write(platform, user, old, event(IDS[3], "click", age_s=DAY_S / 2), event(IDS[4], "view", age_s=DAY_S / 2))
    for window, gone in ((0.1 * DAYS, set()), (1 * DAYS, {IDS[3]}), (30 * DAYS, {IDS[2], IDS[3]})):
        for filter_ in (
            named("unseen", window=window),
            named("tree", window=window),
            named("typed", types=["click"], window=window),
        ):
            answer = await recommendation.Recommend(ask(name, filter_, user, constraints=ANYTHING), timeout=5)
            assert ids(answer) == set(IDS) - gone


async def test_what_is_wrong_with_a_window_is_refused_with_what_is_permitted(
    recommendation: RecommendationServiceAsyncStub, configs: Configs, name: str
) -> None:
    await configs.put(name, filters=[kept("unseen", "NOT seen($window)", window=DURATION)])
    for filter_, expected in (
        (named("unseen", window="30d"), "filter.named.parameters[0].text: is a text; the parameter 'window' is a dur"),
        (named("unseen", window=0 * DAYS), "filter.named.parameters[0].duration: is 0 s and 0 ns; it must be in (0 s,"),
        (named("unseen", window=-1 * DAYS), "filter.named.parameters[0].duration: is -86400 s and 0 ns; it must be in"),
        (named("unseen"), "filter.named.parameters: lacks 'window', a duration"),
    ):
        for is_dry in (False, True):
            said = await refused(recommendation.Recommend(ask(name, filter_, validate_only=is_dry), timeout=5))
            assert said.startswith(expected), said
    for definition, expected in (
        (kept("f", "year > $w", w=DURATION), "config.filters[0].expression: names $w for what an attribute is"),
        (kept("f", "seen($w)", w=NUMBER), "config.filters[0].expression: names $w for a type of event"),
        (kept("f", "seen($w, $t)", w=DURATION, t=TEXT), "config.filters[0].expression: has a duration before the end"),
    ):
        said = await refused(configs.put(name, filters=[definition]))
        assert said.startswith(expected), said


async def test_a_file_says_windows_as_json_says_durations(tmp_path: Path, user: str) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    content = """
filters:
- name: again
  expression: seen("click", $window)
  parameters:
  - {name: window, kind: PARAMETER_KIND_DURATION}
constraints:
  exclude_seen: {disabled: true}
  promotions:
  - slots: 1
    filter: {named: {name: again, parameters: [{name: window, duration: WINDOW}]}}
"""
    (folder / "home.yaml").write_text(content.replace("WINDOW", "86400s"))
    (folder / "wrong.yaml").write_text(content.replace("WINDOW", "1d"))
    async with running_platform(tmp_path, config_folder=folder) as platform:
        await write(platform, user, event(IDS[2], "click", age_s=10 * DAY_S), event(IDS[3], "click", age_s=60.0))
        records = await Configs(platform.channel).all()
        assert list(records["home"].problems) == []
        assert "1d" in str(records["wrong"].problems)
        stub: RecommendationServiceAsyncStub = RecommendationServiceStub(platform.channel)
        home = named("again", window=1 * DAYS)
        answer = await stub.Recommend(ask("home", home, user), timeout=5)
        assert ids(answer) == {IDS[3]}
