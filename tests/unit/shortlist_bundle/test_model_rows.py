"""Events on items that no model knows stay away from the models."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from shortlist_bundle.model_rows import ModelRows
from shortlist_domain.errors import BundleInvalid
from shortlist_domain.stages import ActorFeatures
from shortlist_testing.tiny_bundle import MANIFEST

ACTOR = ActorFeatures(
    now_s=100.0,
    attributes={"gender": "F"},
    history_rows=array("I", [3, 8, 0, 9, 7]),
    history_values=array("f", [1.0, 2.0, 3.0, 4.0, 5.0]),
    history_times_s=array("d", [10.0, 20.0, 30.0, 40.0, 50.0]),
)


def test_events_on_added_items_are_left_out_with_their_values_and_times() -> None:
    seen = ModelRows(replace(MANIFEST, added_items=2), 10).of(ACTOR)
    assert list(seen.history_rows) == [3, 0, 7]
    assert list(seen.history_values) == [1.0, 3.0, 5.0]
    assert list(seen.history_times_s) == [10.0, 30.0, 50.0]
    assert (seen.now_s, seen.attributes) == (100.0, {"gender": "F"})


def test_an_actor_without_such_events_is_the_same() -> None:
    assert ModelRows(MANIFEST, 10).of(ACTOR) is ACTOR
    stranger = ActorFeatures(now_s=1.0)
    rows = ModelRows(replace(MANIFEST, added_items=1), 10)
    assert rows.of(stranger) is stranger
    known = replace(ACTOR, history_rows=array("I", [3, 8, 0, 8, 7]))
    assert rows.of(known) is known


@pytest.mark.parametrize("added", [-1, 10, 11])
def test_a_number_of_added_items_that_cannot_be_is_refused(added: int) -> None:
    with pytest.raises(BundleInvalid, match="were added after the training"):
        ModelRows(replace(MANIFEST, added_items=added), 10)
