"""Features with status and age."""

from __future__ import annotations

import math
from array import array

from shortlist_domain.features import FEATURES, Entity, Freshness
from shortlist_domain.stages import ActorState, ItemDelta
from shortlist_feature_store.views import item_columns, kept_features, user_columns

DAY_S = 86_400.0
NOW_S = 1_700_000_000.0


def actor(*values: float, ago_s: float = 0.0) -> ActorState:
    return ActorState(
        values=array("f", values), times_s=array("d", [NOW_S - ago_s] * len(values)), known=True, version=1
    )


def test_user_features_say_whether_they_are_present_stale_defaulted_or_missing() -> None:
    actors = [actor(2.0, 4.0, ago_s=60), actor(5.0, ago_s=31 * DAY_S), actor(), ActorState()]
    mean, count = user_columns(["user_mean", "user_count"], actors, NOW_S)
    assert list(mean.values) == [3.0, 5.0, 0.0, 0.0]
    assert list(count.values) == [2.0, 1.0, 0.0, 0.0]
    assert mean.statuses == [Freshness.PRESENT, Freshness.STALE, Freshness.DEFAULTED, Freshness.MISSING]
    assert list(mean.ages_s)[:2] == [60.0, 31 * DAY_S]
    assert all(math.isnan(age) for age in mean.ages_s[2:])


def test_item_features_are_as_old_as_the_last_write_of_the_tenant() -> None:
    totals = [ItemDelta("a", 4.0, 10.0), ItemDelta("b", 0.0, 0.0), None]
    (mean,) = item_columns(["item_mean"], totals, NOW_S - 60, NOW_S)
    assert list(mean.values) == [2.5, 0.0, 0.0]
    assert mean.statuses == [Freshness.PRESENT, Freshness.DEFAULTED, Freshness.MISSING]
    assert mean.ages_s[0] == 60.0
    (mean,) = item_columns(["item_mean"], totals[:1], NOW_S - 2 * DAY_S, NOW_S)
    assert mean.statuses == [Freshness.STALE]


def test_an_event_ahead_of_our_clock_is_not_of_negative_age() -> None:
    (count,) = user_columns(["user_count"], [actor(1.0, ago_s=-10)], NOW_S)
    assert list(count.ages_s) == [0.0]


def test_every_user_and_item_feature_of_the_catalogue_is_kept() -> None:
    kept = [spec.name for entity in Entity for spec in kept_features(entity)]
    assert kept == [spec.name for spec in FEATURES if spec.entity in (Entity.USER, Entity.ITEM)]
