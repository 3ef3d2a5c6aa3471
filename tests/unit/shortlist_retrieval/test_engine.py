"""The retrieval engine."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shortlist_bundle.host import BundleHost
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, BundleMismatch, InvalidRequest, UpstreamFailed
from shortlist_domain.stages import NO_ANCHOR, ActorFeatures, RetrieveRequest
from shortlist_retrieval.engine import RetrievalEngine, Shelf
from shortlist_retrieval.selection import Selection
from shortlist_retrieval.sources.base import Proposals, Query
from shortlist_testing.tiny_bundle import NOW_S, actors

N = 60
MEMBER = actors(N)[0]


def soon() -> Deadline:
    return Deadline.after(10.0)


def request(shelf: Shelf, **changes: object) -> RetrieveRequest:
    return replace(RetrieveRequest(shelf.bundle.bundle_id, MEMBER, 20), **changes)  # type: ignore[arg-type]


class Failing:
    """A source that cannot."""

    def __init__(self, name: str) -> None:
        self.name = name

    def propose(self, query: Query) -> Proposals:
        raise RuntimeError("no disk today")


async def test_candidates_are_distinct_allowed_and_best_first(engine: RetrievalEngine, shelf: Shelf) -> None:
    result = await engine.retrieve(request(shelf, exclude_rows=MEMBER.history_rows), soon())
    assert len(result.rows) == len(set(result.rows)) == 20
    assert not set(result.rows) & set(MEMBER.history_rows)
    assert list(result.scores) == sorted(result.scores, reverse=True)
    assert result.failed_sources == ()
    assert result.actor_embedding.tolist() == shelf.bundle.embed(MEMBER).tolist()


async def test_provenance_points_at_candidates_and_covers_each(engine: RetrievalEngine, shelf: Shelf) -> None:
    result = await engine.retrieve(request(shelf), soon())
    covered = set()
    for word in result.provenance:
        lengths = {len(word.candidates), len(word.ranks), len(word.scores), len(word.anchors)}
        assert len(lengths) == 1
        assert word.candidates.tolist() == sorted(set(word.candidates))
        covered |= set(word.candidates)
        by_rank = sorted(zip(word.ranks, word.scores, strict=True))
        assert [score for _, score in by_rank] == sorted(word.scores, reverse=True)
        if word.source in {"item_neighbours", "content"}:
            assert set(word.anchors) <= set(MEMBER.history_rows)
        else:
            assert set(word.anchors) == {NO_ANCHOR}
        if word.source == "two_tower":
            scores = shelf.bundle.embeddings[[result.rows[c] for c in word.candidates]] @ shelf.bundle.embed(MEMBER)
            np.testing.assert_allclose(word.scores, scores, rtol=1e-5)
    assert covered == set(range(20))


@pytest.mark.parametrize("allowed", [(), (3,), (3, 4, 5, 3), tuple(range(60))])
async def test_an_allow_list_is_honoured(engine: RetrievalEngine, shelf: Shelf, allowed: tuple[int, ...]) -> None:
    asked = request(shelf, candidate_count=60, allow_rows=array("I", allowed), exclude_rows=array("I", [4]))
    result = await engine.retrieve(asked, soon())
    assert set(result.rows) == set(allowed) - {4}


async def test_more_than_there_are_gives_all_there_are(engine: RetrievalEngine, shelf: Shelf) -> None:
    assert sorted((await engine.retrieve(request(shelf, candidate_count=2000), soon())).rows) == list(range(N))


async def test_anchors_replace_the_history_and_do_not_come_back(engine: RetrievalEngine, shelf: Shelf) -> None:
    anchors = array("I", [5, 9])
    result = await engine.retrieve(request(shelf, anchor_rows=anchors, candidate_count=10), soon())
    assert not set(result.rows) & {5, 9}
    assert {word.source for word in result.provenance} == {"two_tower", "item_neighbours", "content"}
    # Rows 5 and 9 are of the genre 1; so is what is like them.
    assert sum(row % 4 == 1 for row in result.rows) >= 8
    stranger = request(shelf, anchor_rows=anchors, candidate_count=10, actor=ActorFeatures(NOW_S))
    assert (await engine.retrieve(stranger, soon())).rows == result.rows


async def test_a_stranger_gets_candidates(engine: RetrievalEngine, shelf: Shelf) -> None:
    result = await engine.retrieve(request(shelf, actor=ActorFeatures(NOW_S)), soon())
    assert len(result.rows) == 20


async def test_quotas_of_the_request_win(engine: RetrievalEngine, shelf: Shelf) -> None:
    popular = await engine.retrieve(request(shelf, quotas={"popular": 1.0}), soon())
    own = await engine.retrieve(request(shelf), soon())
    assert set(popular.rows) == set(shelf.sources[2].propose(_everything(shelf)).rows.tolist())
    assert set(popular.rows) != set(own.rows)


async def test_only_the_sources_that_are_named_are_asked(engine: RetrievalEngine, shelf: Shelf) -> None:
    result = await engine.retrieve(request(shelf, sources=("popular", "item_neighbours")), soon())
    assert {word.source for word in result.provenance} == {"popular", "item_neighbours"}
    assert len(result.actor_embedding) == 0, "no tower was run"


async def test_newest_is_asked_where_it_is_named_and_not_otherwise(
    host: BundleHost[Shelf], engine: RetrievalEngine, shelf: Shelf
) -> None:
    async def asked(**fields: Any) -> set[str]:
        return {word.source for word in (await engine.retrieve(request(shelf, **fields), soon())).provenance}

    usual = await asked()
    assert usual == {source.name for source in shelf.sources} - {"newest"}
    assert await asked(sources=("newest",)) == {"newest"}
    assert await asked(quotas={"newest": 0.2, "two_tower": 0.8}) == usual | {"newest"}


async def test_weights_of_the_request_decide_the_order(engine: RetrievalEngine, shelf: Shelf) -> None:
    for heavy, light in (("popular", "two_tower"), ("two_tower", "popular")):
        asked = request(shelf, sources=(heavy, light), weights={heavy: 1000.0, light: 0.001})
        result = await engine.retrieve(asked, soon())
        (word,) = (word for word in result.provenance if word.source == heavy)
        assert list(word.ranks) == sorted(word.ranks)
        assert all(score > 0.0 for score in result.scores)


def _everything(shelf: Shelf) -> Query:
    return Query(MEMBER, np.empty(0, np.int64), Selection(N, np.empty(0, np.int64)), 20)


async def test_a_failing_source_is_named_and_the_others_answer(
    host: BundleHost[Shelf], engine: RetrievalEngine, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "sources", (Failing("two_tower"), *shelf.sources[1:]))
    result = await engine.retrieve(request(shelf), soon())
    assert result.failed_sources == ("two_tower",)
    assert len(result.rows) == 20
    assert len(result.actor_embedding) == 0


async def test_all_sources_failing_is_an_error(
    engine: RetrievalEngine, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "sources", (Failing("two_tower"), Failing("popular")))
    with pytest.raises(UpstreamFailed, match="no disk today"):
        await engine.retrieve(request(shelf), soon())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"candidate_count": 0}, "candidate_count"),
        ({"candidate_count": 2001}, "candidate_count"),
        ({"exclude_rows": array("I", [1, 60])}, "exclude_rows[1]"),
        ({"allow_rows": array("I", [60])}, "allow_rows[0]"),
        ({"anchor_rows": array("I", [2**32 - 1])}, "anchor_rows[0]"),
        ({"quotas": {"psychic": 0.1}}, "quotas[0].source"),
        ({"quotas": {"popular": float("nan")}}, "quotas[0].share"),
        ({"quotas": {"popular": 0.6, "two_tower": 0.6}}, "quotas"),
        ({"sources": ("popular", "psychic")}, "sources[1]"),
        ({"weights": {"psychic": 1.0}}, "weights[0].source"),
        ({"weights": {"popular": 0.0}}, "weights[0].weight"),
        ({"weights": {"popular": 1000.5}}, "weights[0].weight"),
        ({"weights": {"popular": float("nan")}}, "weights[0].weight"),
        ({"actor": replace(MEMBER, history_values=array("f"))}, "actor.history_values"),
        ({"actor": replace(MEMBER, history_rows=array("I", [99] * 35))}, "actor.history_rows[0]"),
        ({"actor": ActorFeatures(float("nan"))}, "actor.now_s"),
        ({"actor": ActorFeatures(float("inf"))}, "actor.now_s"),
    ],
)
async def test_what_is_wrong_with_a_request_is_named(
    engine: RetrievalEngine, shelf: Shelf, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await engine.retrieve(request(shelf, **changes), soon())
    assert [v.field for v in caught.value.violations] == [field]


async def test_another_bundle_is_a_mismatch(engine: RetrievalEngine, shelf: Shelf) -> None:
    with pytest.raises(BundleMismatch):
        await engine.retrieve(request(shelf, bundle_id="other"), soon())


async def test_no_time_left_is_said_before_any_work(engine: RetrievalEngine, shelf: Shelf) -> None:
    with pytest.raises(BudgetExceeded):
        await engine.retrieve(request(shelf), Deadline.after(-1.0))


async def test_histories_with_values_that_are_no_numbers_still_answer(engine: RetrievalEngine, shelf: Shelf) -> None:
    odd = replace(
        MEMBER,
        numbers={"user_count": float("nan"), "user_mean": float("inf")},
        history_values=array("f", [float("nan")] * 35),
        history_times_s=array("d", [float("-inf")] * 35),
    )
    assert len((await engine.retrieve(request(shelf, actor=odd), soon())).rows) == 20


async def test_embedding_an_actor_equals_the_golden_answer(engine: RetrievalEngine, shelf: Shelf) -> None:
    embedding = await engine.embed_actor(shelf.bundle.bundle_id, MEMBER, soon())
    assert embedding.tolist() == shelf.bundle.embed(MEMBER).tolist()
