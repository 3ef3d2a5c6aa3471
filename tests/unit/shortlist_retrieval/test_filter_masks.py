"""Filters over all items at once, against the same tree looked at item by item."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from shortlist_bundle import blob_table
from shortlist_bundle.item_attributes import ItemAttributes, item_attributes_file
from shortlist_bundle.item_ids import ItemIds
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import InvalidRequest
from shortlist_domain.filters import ID, All, Comparison, History, Node, Not, Operator, Word
from shortlist_domain.filters import Any as AnyOf
from shortlist_domain.stages import ActorFeatures, RetrieveRequest
from shortlist_retrieval import filter_masks
from shortlist_retrieval.engine import RetrievalEngine, Shelf
from shortlist_retrieval.filter_masks import FilterMasks
from shortlist_retrieval.selection import Selection
from shortlist_retrieval.sources import popular
from shortlist_retrieval.sources.base import Query
from shortlist_testing.filter_trees import ITEMS, N_ITEMS, trees, truth
from shortlist_testing.tiny_bundle import NOW_S, actors, item_ids, tiny_attributes

IDS = ItemIds(blob_table.BlobTable(blob_table.encode(i.encode() for i in item_ids(N_ITEMS))))
ATTRIBUTES = ItemAttributes(item_attributes_file(N_ITEMS, tiny_attributes(N_ITEMS)), N_ITEMS)
MASKS = FilterMasks(ATTRIBUTES, IDS)
COMEDY = Comparison("genres", Operator.HAS, "Comedy")


@settings(max_examples=500, deadline=None)
@given(trees())
def test_a_mask_is_true_where_the_tree_is_true_of_the_item(node: Node) -> None:
    mask = MASKS.mask(MASKS.checked(node))
    assert mask.tolist() == [truth(node, item) is True for item in ITEMS]


def test_a_missing_value_passes_no_comparison_and_no_negation() -> None:
    passing = [
        MASKS.mask(MASKS.checked(node))
        for node in (
            Comparison("year", Operator.EQUAL, 1988.0),
            Comparison("year", Operator.NOT_EQUAL, 1988.0),
            Comparison("year", Operator.LESS, 3000.0),
            Not(Comparison("year", Operator.LESS, 3000.0)),
        )
    ]
    missing = [item["year"] is None for item in ITEMS]
    assert any(missing)
    assert not np.any([mask[missing] for mask in passing])
    present = MASKS.mask(MASKS.checked(Not(Comparison("year", Operator.PRESENT))))
    assert present.tolist() == missing


def test_masks_are_kept_by_what_they_mean_and_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_masks, "CACHED_BYTES", 3 * N_ITEMS)
    masks = FilterMasks(ATTRIBUTES, IDS)
    one = masks.mask(masks.checked(All((COMEDY, Comparison("year", Operator.GREATER, 1990.0)))))
    same = masks.mask(masks.checked(All((Comparison("year", Operator.GREATER, Word("1990")), COMEDY))))
    assert same is one
    assert not one.flags.writeable
    for year in range(10):
        masks.mask(masks.checked(Comparison("year", Operator.EQUAL, float(year))))
    assert len(masks._masks) == 3


def test_what_names_ids_is_not_kept_but_its_other_parts_are() -> None:
    masks = FilterMasks(ATTRIBUTES, IDS)
    for row in range(5):
        either = AnyOf((COMEDY, Comparison(ID, Operator.EQUAL, (item_ids(N_ITEMS)[row], "nowhere"))))
        mask = masks.mask(masks.checked(either))
        assert mask.tolist() == [truth(either, item) is True for item in ITEMS]
    assert len(masks._masks) == 1


@pytest.mark.parametrize("allowed", [1, 2, 3, 30, 59])
def test_popular_items_are_in_order_however_few_pass(
    shelf: Shelf, allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(popular, "_FEW_SHARE", 0.2)
    counts, order = shelf.bundle.live_order()
    mask = np.zeros(N_ITEMS, np.bool_)
    mask[np.random.default_rng(allowed).permutation(N_ITEMS)[:allowed]] = True
    selection = Selection(N_ITEMS, np.empty(0, np.int64), None, mask)
    asked = Query(ActorFeatures(now_s=NOW_S), np.empty(0, np.int64), selection, 10)
    found = popular.PopularSource(shelf.bundle).propose(asked)
    assert found.rows.tolist() == [row for row in order if mask[row]][:10]
    assert found.scores.tolist() == counts[found.rows].tolist()


def test_what_becomes_of_a_callers_largest_tree_is_taken() -> None:
    joined = All(tuple(Comparison("year", Operator.GREATER, float(-year)) for year in range(1000)))
    assert MASKS.mask(MASKS.checked(joined)).any()
    history = Comparison(ID, Operator.EQUAL, tuple(f"item-{n:03d}" for n in range(20_000)))
    assert MASKS.mask(MASKS.checked(Not(AnyOf((history, COMEDY))))).any()


async def test_nothing_comes_back_that_does_not_pass(engine: RetrievalEngine, shelf: Shelf) -> None:
    member = actors(N_ITEMS)[0]
    asked = RetrieveRequest(shelf.bundle.bundle_id, member, 60, filter=COMEDY, exclude_rows=array("I", [0]))
    result = await engine.retrieve(asked, Deadline.after(10.0))
    comedies = {row for row, item in enumerate(ITEMS) if item["genres"] == ["Comedy"]}
    assert set(result.rows) == comedies - {0}
    asked = replace(asked, allow_rows=array("I", [0, 1, 4]))
    assert list((await engine.retrieve(asked, Deadline.after(10.0))).rows) == [4]


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (Comparison("colour", Operator.EQUAL, "red"), "filter.ast.comparison.field"),
        (Comparison("actor.age", Operator.EQUAL, "25"), "not known here"),
        (Not(History()), "not known here"),
        (All((COMEDY,) * 10_001), "joins 10001"),
    ],
)
async def test_what_retrieval_cannot_know_is_refused(
    engine: RetrievalEngine, shelf: Shelf, node: Node, said: str
) -> None:
    asked = RetrieveRequest(shelf.bundle.bundle_id, actors(N_ITEMS)[0], 10, filter=node)
    with pytest.raises(InvalidRequest, match=said):
        await engine.retrieve(asked, Deadline.after(10.0))
