"""What is true of every candidate source, and of each."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.arrays import array_bytes
from shortlist_bundle.content import ContentTable
from shortlist_bundle.store import BundleStore
from shortlist_domain.errors import BundleInvalid
from shortlist_domain.stages import ActorFeatures, ItemDelta, Source
from shortlist_retrieval.engine import Shelf
from shortlist_retrieval.loading import LoadedBundle
from shortlist_retrieval.selection import Selection
from shortlist_retrieval.sources import SOURCES
from shortlist_retrieval.sources.base import CandidateSource, Query
from shortlist_retrieval.sources.content import ContentSource
from shortlist_retrieval.sources.item_neighbours import ItemNeighboursSource
from shortlist_retrieval.sources.newest import NewestSource
from shortlist_retrieval.sources.popular import PopularSource
from shortlist_retrieval.sources.two_tower import TwoTowerSource
from shortlist_retrieval.wiring import load_shelf
from shortlist_testing.tiny_bundle import NOW_S, actors, item_ids, publish, tiny_files, tiny_times

N = 60
MAKERS: dict[Source, Callable[[LoadedBundle], CandidateSource]] = {
    Source.TWO_TOWER: TwoTowerSource,
    Source.ITEM_NEIGHBOURS: ItemNeighboursSource,
    Source.POPULAR: PopularSource,
    Source.CONTENT: ContentSource,
    Source.NEWEST: NewestSource,
}


def actor_with(*rows: int, **attributes: str) -> ActorFeatures:
    return ActorFeatures(
        now_s=NOW_S,
        attributes=attributes,
        history_rows=array("I", rows),
        history_values=array("f", [4.0] * len(rows)),
        history_times_s=array("d", [NOW_S - 60.0] * len(rows)),
    )


def query(actor: ActorFeatures, k: int = 20, excluded: tuple[int, ...] = (), anchors: tuple[int, ...] = ()) -> Query:
    selection = Selection(N, np.array(excluded, np.int64))
    return Query(actor, np.array(anchors, np.int64), selection, min(k, selection.count))


def test_every_registered_source_is_under_contract() -> None:
    assert MAKERS.keys() == SOURCES.keys() == set(Source)


@pytest.mark.parametrize("name", MAKERS)
class TestCandidateSource:
    """Runs for every entry of MAKERS."""

    @pytest.fixture
    def source(self, name: Source, shelf: Shelf) -> CandidateSource:
        return MAKERS[name](shelf.bundle)

    def test_is_called_by_its_registered_name(self, source: CandidateSource, name: Source) -> None:
        assert source.name == name.value

    @pytest.mark.parametrize("k", [0, 1, 7, 60])
    @pytest.mark.parametrize("excluded", [(), (0, 1, 2, 3), tuple(range(59)), tuple(range(60))])
    @pytest.mark.parametrize("anchors", [(), (5,), (5, 6)])
    def test_proposes_allowed_rows_once_with_falling_scores(
        self, source: CandidateSource, k: int, excluded: tuple[int, ...], anchors: tuple[int, ...]
    ) -> None:
        for actor in actors(N):
            asked = query(actor, k, excluded, anchors)
            found = source.propose(asked)
            rows = found.rows.tolist()
            assert len(rows) == len(set(rows)) == len(found.scores) <= asked.k
            assert not set(rows) & set(excluded)
            assert np.isfinite(found.scores).all()
            assert np.all(np.diff(found.scores) <= 0)
            assert found.anchors is None or len(found.anchors) == len(rows)

    def test_says_the_same_twice(self, source: CandidateSource) -> None:
        for actor in actors(N):
            first, second = source.propose(query(actor)), source.propose(query(actor))
            assert first.rows.tolist() == second.rows.tolist()
            assert first.scores.tolist() == second.scores.tolist()


def test_two_tower_finds_the_nearest_items_of_the_actors_embedding(shelf: Shelf) -> None:
    actor = actor_with(4)
    found = TwoTowerSource(shelf.bundle).propose(query(actor, 5))
    embedding = shelf.bundle.embed(actor)
    assert found.rows.tolist() == np.argsort(-(shelf.bundle.embeddings @ embedding), kind="stable")[:5].tolist()
    assert found.actor_embedding is not None
    assert found.actor_embedding.tolist() == embedding.tolist()


def test_the_last_event_changes_what_two_tower_proposes(shelf: Shelf) -> None:
    source = TwoTowerSource(shelf.bundle)
    one = source.propose(query(actor_with(4, 8, 12), 8)).rows % 4
    other = source.propose(query(actor_with(4, 8, 13), 8)).rows % 4
    assert (one == 0).sum() > (other == 0).sum()
    assert (other == 1).sum() > (one == 1).sum()


def test_neighbours_add_up_and_name_the_event_that_gave_most(shelf: Shelf) -> None:
    lists, similarities = shelf.bundle.neighbour_rows, shelf.bundle.neighbour_scores
    history = (4, 8, 4)
    expected: dict[int, float] = {}
    strongest: dict[int, tuple[float, int]] = {}
    for position, seed in enumerate(history):
        for row, similarity in zip(lists[seed].tolist(), similarities[seed].tolist(), strict=True):
            if row >= 0:
                expected[row] = expected.get(row, 0.0) + similarity
                strongest[row] = max(strongest.get(row, (0.0, 0)), (similarity, position))
    found = ItemNeighboursSource(shelf.bundle).propose(query(actor_with(*history), 60))
    assert found.anchors is not None
    assert set(found.rows.tolist()) == set(expected)
    np.testing.assert_allclose(found.scores, [expected[row] for row in found.rows.tolist()], rtol=1e-6)
    assert found.anchors.tolist() == [history[strongest[row][1]] for row in found.rows.tolist()]


def test_neighbours_of_nobody_are_none(shelf: Shelf) -> None:
    assert ItemNeighboursSource(shelf.bundle).propose(query(actor_with())).rows.tolist() == []


def content_of(shelf: Shelf) -> ContentTable:
    assert shelf.bundle.content is not None
    return shelf.bundle.content


def test_content_ranks_by_likeness_to_what_was_liked_lately_and_names_the_event_that_gave_most(shelf: Shelf) -> None:
    table = content_of(shelf)
    history, values = (4, 9, 13, 10, 6), (4.0, 5.0, 1.0, 3.0, 4.0)
    # Half-life 5, mean 3, deviation 1; row 10 has no content, and a value two deviations below the mean counts nothing.
    weights = [2 ** (-4 / 5) * 1.5, 2 ** (-3 / 5) * 2.0, 0.0, 0.0, 1.5]
    expected = sum(w * table.vectors @ table.vectors[row] for w, row in zip(weights, history, strict=True))
    actor = replace(actor_with(*history), history_values=array("f", values))
    found = ContentSource(shelf.bundle).propose(query(actor, 60))
    scores = np.asarray(expected) / sum(weights)
    liked = [row for row in np.argsort(-scores, kind="stable").tolist() if scores[row] > 0.0]
    assert found.rows.tolist() == liked
    np.testing.assert_allclose(found.scores, scores[liked], rtol=1e-5)
    given = [
        [w * float(table.vectors[row] @ table.vectors[h]) for w, h in zip(weights, history, strict=True)]
        for row in liked
    ]
    assert found.anchors is not None
    assert found.anchors.tolist() == [history[int(np.argmax(each))] for each in given]


def test_content_is_like_the_anchors_where_there_are_any(shelf: Shelf) -> None:
    table = content_of(shelf)
    found = ContentSource(shelf.bundle).propose(query(actor_with(4, 8), 10, excluded=(1, 6), anchors=(1, 6)))
    scores = table.vectors @ (table.vectors[1] + table.vectors[6])
    scores[[1, 6]] = -1.0
    assert found.rows.tolist() == np.argsort(-scores, kind="stable")[:10].tolist()
    assert found.anchors is not None
    assert set(found.anchors.tolist()) == {1, 6}


@pytest.mark.parametrize("rows", [(), (5, 10), (4, 8)])
def test_content_says_nothing_of_those_who_met_nothing_with_content_or_liked_none_of_it(
    shelf: Shelf, rows: tuple[int, ...]
) -> None:
    actor = replace(actor_with(*rows), history_values=array("f", [1.0] * len(rows)))
    assert ContentSource(shelf.bundle).propose(query(actor)).rows.tolist() == []


def test_a_bundle_without_content_serves_and_its_content_source_proposes_nothing(fresh_shelf: Shelf) -> None:
    assert fresh_shelf.bundle.content is None
    assert ContentSource(fresh_shelf.bundle).propose(query(actor_with(4))).rows.tolist() == []
    assert ContentSource(fresh_shelf.bundle).propose(query(actor_with(), anchors=(4,))).rows.tolist() == []


def test_popular_gives_a_stranger_the_list_of_the_first_segment_known(shelf: Shelf) -> None:
    source = PopularSource(shelf.bundle)
    of_women = source.propose(query(actor_with(gender="F"), 10)).rows.tolist()
    of_men = source.propose(query(actor_with(gender="M"), 10)).rows.tolist()
    of_all = source.propose(query(actor_with(gender="unheard of"), 10)).rows.tolist()
    assert of_women != of_men
    assert of_all == shelf.bundle.popular.overall[:10].tolist()


def test_popular_follows_the_live_counters(fresh_shelf: Shelf) -> None:
    source = PopularSource(fresh_shelf.bundle)
    loser = int(source.propose(query(actor_with(1), 60)).rows[-1])
    fresh_shelf.bundle.counters.apply([ItemDelta(item_ids(N)[loser], 1e6, 4e6)])
    fresh_shelf.bundle._order = (
        *fresh_shelf.bundle._order[:1],
        0.0,
        *fresh_shelf.bundle._order[2:],
    )  # as if a second had passed
    assert int(source.propose(query(actor_with(1), 60)).rows[0]) == loser


def test_newest_gives_whoever_asks_what_came_last_and_leaves_out_what_came_nobody_knows_when(shelf: Shelf) -> None:
    known, times_s = tiny_times(N).T
    expected = [row for row in np.argsort(-times_s, kind="stable").tolist() if known[row]]
    found = NewestSource(shelf.bundle).propose(query(actor_with(4), 60))
    assert found.rows.tolist() == expected
    assert found.scores.tolist() == pytest.approx([times_s[row] / 86_400.0 for row in expected], abs=0.01)
    assert (
        NewestSource(shelf.bundle).propose(query(actor_with(), 3, tuple(expected[:2]))).rows.tolist() == expected[2:5]
    )
    assert NewestSource(shelf.bundle).propose(query(actor_with(), anchors=(4,))).rows.tolist() == []


def test_a_bundle_of_before_serves_and_its_newest_source_proposes_nothing(tmp_path: Path) -> None:
    files = tiny_files()
    del files[layout.ITEM_TIMES]
    release = publish(tmp_path, files)
    shelf = load_shelf(BundleStore(tmp_path).open(release))
    assert NewestSource(shelf.bundle).propose(query(actor_with(4))).rows.tolist() == []


@pytest.mark.parametrize(
    "table", [np.zeros((N - 1, 2)), np.zeros((N, 1)), np.full((N, 2), np.nan), np.zeros((N, 2), "f4")]
)
def test_times_that_do_not_fit_are_refused(tmp_path: Path, table: NDArray[np.generic]) -> None:
    release = publish(tmp_path, {**tiny_files(), layout.ITEM_TIMES: array_bytes(table)})
    with pytest.raises(BundleInvalid, match=r"item_times\.npy"):
        load_shelf(BundleStore(tmp_path).open(release))
