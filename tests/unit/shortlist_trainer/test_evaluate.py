"""The protocols: ranks, relevant items, and the popularity list against an independent count."""

from __future__ import annotations

import numpy as np
import pytest

from shortlist_bundle.fusion import fuse
from shortlist_data.dataset import Dataset
from shortlist_evaluation.metrics import event_metrics
from shortlist_evaluation.popularity import rolling_popularity_ranks
from shortlist_trainer.actors import before_events, frozen_at
from shortlist_trainer.candidates import Neighbours, Retrieval, rolling
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.config import SplitConfig
from shortlist_trainer.evaluate import held_out_places, ordered, rank_in, rank_metrics, relevant_after
from shortlist_trainer.fit_towers import fit_towers
from shortlist_trainer.popular_lists import popular_lists
from shortlist_trainer.prepare import Prepared, prepare
from shortlist_trainer.ranker_samples import ranker_inputs, sample_moments

from .conftest import dataset_of, quick


@pytest.fixture(scope="module")
def prepared(world: Dataset) -> Prepared:
    return prepare(world, SplitConfig())


@pytest.fixture(scope="module")
def retrieval(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Retrieval:
    config = quick("two_tower.epochs=1")
    checkpoints = Checkpoints(tmp_path_factory.mktemp("checkpoints"), "", resume=False)
    towers = fit_towers(prepared, config.two_tower, 1, checkpoints, lambda *_: None)
    none = Neighbours(np.full((80, 1), -1, np.int32), np.zeros((80, 1), np.float32))
    return Retrieval(prepared, towers, none, popular_lists(prepared, config.popular), config.fusion)


def test_the_rank_is_the_position_in_the_list() -> None:
    assert rank_in(np.array([[4, 2, -1], [7, 8, 9]], np.int32), np.array([2, 3])).tolist() == [1, 2**31 - 1]


def test_the_metrics_of_a_rank_are_as_defined() -> None:
    metrics = rank_metrics(np.array([0, 1, 9, 10, 60]), recall_at=50)
    np.testing.assert_allclose(metrics["ndcg@10"], [1.0, 1 / np.log2(3), 1 / np.log2(11), 0.0, 0.0])
    assert metrics["hit@10"].tolist() == [1, 1, 1, 0, 0]
    assert metrics["recall@50"].tolist() == [1, 1, 1, 1, 0]


def test_ordering_by_score_keeps_padding_last() -> None:
    rows = np.array([[3, 5, 1, -1]], np.int32)
    assert ordered(rows, np.array([[0.1, 0.9, 0.1, 7.0]])).tolist() == [[5, 3, 1, -1]]


def test_relevant_are_the_items_met_after_the_cut_and_not_before() -> None:
    data = dataset_of(
        [("a", "x", 1, 0), ("b", "x", 1, 1), ("a", "x", 1, 5), ("a", "y", 1, 6), ("b", "x", 1, 7), ("c", "z", 1, 2)]
    )
    prepared = prepare_by_hand(data)
    users, relevant = relevant_after(prepared, 3, 6)
    assert users.tolist() == [0, 1]
    assert [r.tolist() for r in relevant] == [[1], []]


def prepare_by_hand(data: Dataset) -> Prepared:
    from shortlist_data.split import TimeSplit
    from shortlist_trainer.actors import categories_of
    from shortlist_trainer.sequences import sequences_of

    features = np.zeros((len(data.item_ids), 0), np.float32)
    return Prepared(data, sequences_of(data), categories_of(data), features, (), TimeSplit(3, 4), 2)


def test_repeats_of_an_item_are_not_evaluated() -> None:
    data = dataset_of([("a", "x", 1, 0), ("b", "x", 1, 1), ("a", "x", 1, 5), ("a", "y", 1, 6), ("b", "x", 1, 7)])
    prepared = prepare_by_hand(data)
    places = held_out_places(prepared, 0, 5, most=100, seed=1)
    assert prepared.sequences.event[places].tolist() == [0, 1, 3]


def test_a_sample_of_events_is_seeded_and_in_the_order_of_time(prepared: Prepared) -> None:
    some, again = (held_out_places(prepared, 9000, 10_000, most=200, seed=4) for _ in range(2))
    np.testing.assert_array_equal(some, again)
    assert len(some) == 200
    assert (np.diff(prepared.sequences.event[some]) > 0).all()


def test_the_popularity_list_agrees_with_an_independent_rolling_count(
    prepared: Prepared, retrieval: Retrieval, world: Dataset
) -> None:
    places = held_out_places(prepared, 9000, 10_000, most=10_000, seed=1)
    found = []
    for part, _, candidates in rolling(prepared, retrieval, before_events(prepared.sequences, places)):
        found.append(rank_in(candidates.lists["popular"], prepared.sequences.items[places[part]]))
    ranks = rolling_popularity_ranks(
        world.user_rows, world.item_rows, world.times_s, 80, prepared.sequences.event[places]
    )
    # Lists break ties by row, the reference averages over them; so each rank lies within its block of ties.
    position = np.concatenate(found)
    assert ((position >= ranks.better) & (position <= ranks.better + ranks.tied)).all()
    own = rank_metrics(position, 50)["ndcg@10"].mean()
    assert own == pytest.approx(event_metrics(ranks, 10).ndcg.mean(), rel=0.02)


def test_an_actor_without_events_is_proposed_the_popular_list_of_the_segment(
    prepared: Prepared, retrieval: Retrieval
) -> None:
    popular = popular_lists(prepared, quick().popular)
    users = np.array([0, 1], np.int32)
    moments = frozen_at(prepared.sequences, users, 0, now_s=1.7e9)
    counters = np.zeros((1, 80, 2))
    counters[0, :, 0] = np.arange(80)
    candidates = retrieval.candidates(moments, counters)
    assert candidates.lists["popular"][0, :3].tolist() == [79, 78, 77]
    for row, user in enumerate(users):
        segment = popular.segment_of(prepared.categories, int(user))
        assert segment is not None
        both = {"two_tower": candidates.lists["two_tower"][row], "popular": np.array(segment, np.int32)}
        expected = fuse(both, quick().fusion.quotas, quick().fusion.candidates)
        assert candidates.fused[row, : len(expected)].tolist() == expected.tolist()


def test_nothing_that_was_seen_is_proposed(prepared: Prepared, retrieval: Retrieval) -> None:
    places = held_out_places(prepared, 9000, 10_000, most=300, seed=2)
    sequences = prepared.sequences
    for _, here, candidates in rolling(prepared, retrieval, before_events(sequences, places)):
        for row in range(len(here)):
            seen = sequences.items[sequences.start[here.users[row]] : here.known[row]]
            for rows in (*candidates.lists.values(), candidates.fused):
                assert not np.isin(rows[row], seen).any()


def test_ranker_inputs_carry_what_was_known_before_the_event(prepared: Prepared, retrieval: Retrieval) -> None:
    places = held_out_places(prepared, 9000, 10_000, most=100, seed=3)
    sequences = prepared.sequences
    for part, here, candidates in rolling(prepared, retrieval, before_events(sequences, places)):
        items = sequences.items[places[part]][:, None].astype(np.int32)
        numbers = ranker_inputs(here, candidates, items).item_numbers
        np.testing.assert_allclose(numbers[:, 0, 0], sequences.item_count[places[part]])
        np.testing.assert_allclose(numbers[:, 0, 1], sequences.item_mean[places[part]], rtol=1e-5)


def test_training_moments_of_the_ranker_never_know_their_event(prepared: Prepared) -> None:
    config = quick("ranker.queries=100000", "ranker.visit_share=0.3", "ranker.far_share=0.5").ranker
    moments, places = sample_moments(prepared, config, seed=1)
    sequences = prepared.sequences
    assert len(places) == prepared.split.train_end - prepared.fit_end
    assert (sequences.event[places] >= prepared.fit_end).all()
    assert (np.diff(moments.now_s) >= 0).all()
    assert (moments.known <= sequences.moment[places]).all()
    assert (moments.known >= sequences.start[moments.users]).all()
    assert (moments.now_s <= sequences.times_s[places]).all()
    has = moments.known > sequences.start[moments.users]
    assert (sequences.times_s[moments.known[has] - 1] < moments.now_s[has]).all()
