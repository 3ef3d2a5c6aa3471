"""The search among users against all cosines, worked out apart from it."""

from __future__ import annotations

import dataclasses
import io
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.host import BundleHost
from shortlist_bundle.store import BundleStore
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BundleLacks, BundleMismatch, InvalidRequest
from shortlist_domain.stages import ActorFeatures
from shortlist_domain.user_search import UsersRequest, UsersResult
from shortlist_retrieval.engine import RetrievalEngine, Shelf
from shortlist_retrieval.index import VectorIndex, build_index
from shortlist_retrieval.selection import Selection
from shortlist_retrieval.users import load_users
from shortlist_retrieval.wiring import load_shelf
from shortlist_rpc.executor import BoundedExecutor
from shortlist_testing.tiny_bundle import NOW_S, tiny_bundle, tiny_embeddings, tiny_files, tiny_user

COUNT = 24
DAY_S = 86_400.0


class World:
    def __init__(self, folder: Path, executor: BoundedExecutor, *, users: bool = True) -> None:
        self.bundle_id = tiny_bundle(folder, users=users).bundle_id
        host: BundleHost[Shelf] = BundleHost(BundleStore(folder), load_shelf)
        assert host.poll()
        self._engine = RetrievalEngine(host, executor)

    async def like(self, actor: ActorFeatures, user_count: int = COUNT, **changes: object) -> UsersResult:
        request = UsersRequest(**{"bundle_id": self.bundle_id, "actor": actor, "user_count": user_count, **changes})  # type: ignore[arg-type]
        return await self._engine.retrieve_users(request, Deadline.after(5.0))


@pytest.fixture
def executor() -> Iterator[BoundedExecutor]:
    made = BoundedExecutor(1, 16, "retrieval")
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, executor: BoundedExecutor) -> World:
    return World(tmp_path, executor)


def cosines(actor: ActorFeatures) -> NDArray[np.float64]:
    """Return the cosine of ``actor``'s vector with every user's, in double precision, without the bias."""
    every = tiny_embeddings([actor, *(tiny_user(n) for n in range(COUNT))])[:, :-1].astype(np.float64)
    own, users = every[0], every[1:]
    found: NDArray[np.float64] = users @ own / (np.linalg.norm(users, axis=1) * np.linalg.norm(own))
    return found


def actor(*rows: int, attributes: dict[str, str] | None = None) -> ActorFeatures:
    n = len(rows)
    return ActorFeatures(
        now_s=NOW_S,
        attributes=attributes or {},
        numbers={"user_count": float(n), "user_mean": 4.0},
        history_rows=array("I", rows),
        history_values=array("f", [4.0] * n),
        history_times_s=array("d", [NOW_S - 60.0 * (n - i) for i in range(n)]),
    )


@pytest.mark.parametrize("who", [actor(4), actor(1, 2, 3), actor(17, 21, attributes={"gender": "F"}), tiny_user(7)])
async def test_users_come_by_their_cosine(world: World, who: ActorFeatures) -> None:
    found = await world.like(who)
    exact = cosines(who)
    assert sorted(found.rows) == list(range(COUNT))
    np.testing.assert_allclose(found.scores, exact[list(found.rows)], atol=1e-5)
    assert list(found.scores) == sorted(found.scores, reverse=True)
    few = await world.like(who, 5)
    np.testing.assert_allclose(few.scores, np.sort(exact)[::-1][:5], atol=1e-5)


async def test_somebody_who_did_what_a_user_did_is_that_users_like_whenever_that_was_asked(world: World) -> None:
    for number in (0, 5, 23):
        later = dataclasses.replace(tiny_user(number), now_s=NOW_S + 400.5 * DAY_S)
        found = await world.like(later, 1)
        assert list(found.rows) == [number]
        assert found.scores[0] == pytest.approx(1.0, abs=1e-5)


async def test_excluded_users_do_not_come_back(world: World) -> None:
    best = (await world.like(actor(4), 3)).rows
    found = await world.like(actor(4), exclude_rows=array("I", [*best, best[0]]))
    assert set(found.rows) == set(range(COUNT)) - set(best)
    everybody = array("I", range(COUNT))
    assert not (await world.like(actor(4), exclude_rows=everybody)).rows


async def test_a_user_of_the_bundle_may_stand_in(world: World) -> None:
    found = await world.like(ActorFeatures(now_s=NOW_S), user_row=9)
    np.testing.assert_allclose(found.scores, cosines(tiny_user(9))[list(found.rows)], atol=1e-5)
    assert found.rows[0] == 9


def lifts(*items: int) -> NDArray[np.float64]:
    """Return each user's geometric mean of the softmax of ``items``, over its mean over users, in double precision."""
    table = np.load(io.BytesIO(tiny_files()[layout.ITEM_EMBEDDINGS])).astype(np.float64)
    logits = tiny_embeddings([tiny_user(n) for n in range(COUNT)]).astype(np.float64) @ table.T
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    each = np.exp(np.log(shares[:, list(items)]).mean(axis=1))
    found: NDArray[np.float64] = each / each.mean()
    return found


@pytest.mark.parametrize("items", [[7], [3, 41], list(range(20))])
async def test_users_come_by_how_much_their_next_event_is_expected_on_items(world: World, items: list[int]) -> None:
    found = await world.like(ActorFeatures(NOW_S), item_rows=array("I", [*items, items[0]]))
    exact = lifts(*items)
    assert sorted(found.rows) == list(range(COUNT))
    np.testing.assert_allclose(found.scores, exact[list(found.rows)], rtol=1e-4)
    assert list(found.scores) == sorted(found.scores, reverse=True)
    assert np.mean(found.scores) == pytest.approx(1.0, rel=1e-4)
    few = await world.like(ActorFeatures(NOW_S), 5, item_rows=array("I", items), exclude_rows=found.rows[:2])
    assert few.rows == found.rows[2:7]
    assert few.scores == found.scores[2:7], "who is excluded stays in the average"


async def test_nobody_is_found_for_an_item_of_which_the_tower_knows_nothing(
    tmp_path: Path, executor: BoundedExecutor
) -> None:
    table = np.load(io.BytesIO(tiny_files()[layout.ITEM_EMBEDDINGS]))
    space = load_users(BundleStore(tmp_path).open(tiny_bundle(tmp_path, users=True)), table.shape[1])
    assert space is not None
    nothing = np.zeros(table.shape[1] - 1, np.float32)
    assert [len(column) for column in space.likeliest(nothing, 5, np.empty(0, np.int64))] == [0, 0]
    far = 1e4 * table[0, :-1]
    rows, found = space.likeliest(far, COUNT, np.empty(0, np.int64))
    assert len(rows) == COUNT
    assert np.isfinite(found).all(), "however sure the tower is"


async def test_nobody_is_like_somebody_of_whom_the_tower_knows_nothing(world: World) -> None:
    found = await world.like(ActorFeatures(now_s=NOW_S))
    assert (list(found.rows), list(found.scores)) == ([], [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user_count": 0}, "user_count"),
        ({"user_count": 1001}, "user_count"),
        ({"exclude_rows": array("I", [3, 24])}, "exclude_rows[1]"),
        ({"user_row": 24}, "user_row"),
        ({"item_rows": array("I", [59, 60])}, "item_rows[1]"),
        ({"item_rows": array("I", [1]), "user_row": 1}, "item_rows"),
        ({"actor": actor(60)}, "actor.history_rows[0]"),
    ],
)
async def test_what_is_out_of_range_is_named(world: World, changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await world.like(**{"actor": actor(4), **changes})  # type: ignore[arg-type]
    assert [violation.field for violation in caught.value.violations] == [field]


async def test_a_bundle_without_users_says_how_to_have_them(tmp_path: Path, executor: BoundedExecutor) -> None:
    without = World(tmp_path, executor, users=False)
    with pytest.raises(BundleLacks, match=r"users\.vectors=true"):
        await without.like(actor(4))
    with pytest.raises(BundleMismatch):
        await without.like(actor(4), bundle_id="another")


def test_many_users_are_searched_as_exactly_as_many_items() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(5000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, found = VectorIndex(build_index(vectors)[0], vectors).search(vectors[7], 50, Selection(5000, np.array([7])))
    exact = vectors.astype(np.float64) @ vectors[7].astype(np.float64)
    exact[7] = -2.0
    np.testing.assert_allclose(found, np.sort(exact)[::-1][:50], atol=1e-5)
    assert 7 not in rows
