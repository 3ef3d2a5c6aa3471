"""A seeded world with a known structure: for oracles, for scale, and for tests that must be able to lose.

Items lie in clusters (their ``genre``, told by the attribute four times out of five) and are unequally popular. Each
user prefers one cluster, which the attribute ``taste`` tells seven times out of ten. After an item, its *successor*
(the next one in a ring through its cluster) follows with a fixed probability, so that an encoder of sequences can beat
every method that looks at sets. With ``drift``, users move to another cluster in the course of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shortlist_data.assemble import assemble
from shortlist_data.dataset import Dataset, ReadReport

START_S = 1_700_000_000.0
SPAN_S = 180 * 86_400.0
CLUSTERS = 8
SUCCESSOR_SHARE = 0.4
"""Probability that an event is on the successor of the user's previous item."""

LOYALTY = 0.8
"""Probability that any other event is in the user's cluster."""


@dataclass(frozen=True, slots=True)
class _World:
    cluster: NDArray[np.int64]
    members: list[NDArray[np.int64]]
    odds: list[NDArray[np.float64]]
    """Cumulative popularity within each cluster; the last entry covers the catalogue."""

    successor: NDArray[np.int64]


def simulate(users: int, items: int, events: int, seed: int, drift: float = 0.0) -> Dataset:
    """Return a simulated data set. Nobody meets an item twice; the same arguments give the same world.

    Args:
        users: Number of users, at least 1; each has an event if ``events >= users``.
        items: Number of items, at least 16. Ids are zero-padded numbers.
        events: Number of events, at most half of ``users * items``.
        seed: Seed of everything.
        drift: Share of the users that change clusters half-way, in [0, 1].

    Raises:
        ValueError: An argument is out of range.
    """
    if users < 1 or items < 2 * CLUSTERS or not 1 <= events <= users * items // 2 or not 0 <= drift <= 1:
        raise ValueError(
            f"users={users} (1 or more), items={items} ({2 * CLUSTERS} or more), events={events} (1 to users * items / "
            f"2) or drift={drift} (0 to 1) is out of range"
        )
    random = np.random.default_rng(seed)
    world = _world(items, random)
    home = random.integers(0, CLUSTERS, users)
    later = np.where(random.random(users) < drift, random.integers(0, CLUSTERS, users), home)
    lengths = _lengths(users, items, events, random)
    user_rows, item_rows, step = _walk(world, home, later, lengths, random)
    is_home = np.where(step * 2 < lengths[user_rows], home[user_rows], later[user_rows]) == world.cluster[item_rows]
    values = np.clip(np.rint(random.normal(np.where(is_home, 4.2, 2.9), 0.7)), 1, 5)
    frame = pl.DataFrame(
        {
            "user_id": _ids("u", user_rows, users),
            "item_id": _ids("i", item_rows, items),
            "value": values,
            "time_s": _times(user_rows, step, lengths, random),
        }
    )
    return assemble(
        f"simulated-{seed}",
        frame,
        _user_table(home, random),
        _item_table(world.cluster, random),
        user_attributes=("taste", "region"),
        item_attributes=("genre",),
        item_numbers=("year",),
        report=ReadReport(f"simulator, seed {seed}", {"interactions": events, "users": users, "items": items}),
    )


def _world(items: int, random: np.random.Generator) -> _World:
    cluster = random.permutation(np.arange(items) % CLUSTERS)
    popularity = 1.0 / (random.permutation(items) + 5.0)
    members = [np.flatnonzero(cluster == c) for c in range(CLUSTERS)] + [np.arange(items)]
    successor = np.empty(items, np.int64)
    for group in members[:CLUSTERS]:
        ring = random.permutation(group)
        successor[ring] = np.roll(ring, -1)
    odds = [np.cumsum(popularity[group]) / popularity[group].sum() for group in members]
    return _World(cluster, members, odds, successor)


def _lengths(users: int, items: int, events: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return events per user: skewed, adding up to ``events``, none above the catalogue, none 0 if there are enough."""
    least = int(events >= users)
    share = random.pareto(2.0, users) + 0.2
    wanted = least + np.floor(share / share.sum() * (events - least * users)).astype(np.int64)
    lengths: NDArray[np.int64] = np.minimum(wanted, items)
    while (rest := events - int(lengths.sum())) > 0:
        room = np.flatnonzero(lengths < items)
        chosen = random.choice(room, size=min(rest, len(room)), replace=False)
        lengths[chosen] += 1
    return lengths


def _walk(
    world: _World,
    home: NDArray[np.int64],
    later: NDArray[np.int64],
    lengths: NDArray[np.int64],
    random: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Let all users take their steps at once; returns user row, item row and step number of each event."""
    history = np.full((len(home), int(lengths.max())), -1, np.int64)
    for step in range(history.shape[1]):
        active = np.flatnonzero(lengths > step)
        taste = np.where(step * 2 < lengths, home, later)[active]
        chosen = np.full(len(active), -1, np.int64)
        if step > 0:
            follows = random.random(len(active)) < SUCCESSOR_SHARE
            chosen[follows] = world.successor[history[active[follows], step - 1]]
        for _ in range(12):
            chosen = np.where((history[active, :step] == chosen[:, None]).any(axis=1), -1, chosen)
            open_ = np.flatnonzero(chosen < 0)
            if len(open_) == 0:
                break
            pool = np.where(random.random(len(open_)) < LOYALTY, taste[open_], CLUSTERS)
            chosen[open_] = _drawn(world, pool, random)
        history[active, step] = chosen
        for user in active[(history[active, :step] == chosen[:, None]).any(axis=1)]:  # all tries met old items
            history[user, step] = random.choice(np.setdiff1d(world.members[-1], history[user, :step]))
    user_rows, steps = np.nonzero(history >= 0)
    item_rows: NDArray[np.int64] = history[user_rows, steps]
    return user_rows, item_rows, steps


def _drawn(world: _World, pool: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    drawn = np.empty(len(pool), np.int64)
    for index, (members, odds) in enumerate(zip(world.members, world.odds, strict=True)):
        here = np.flatnonzero(pool == index)
        drawn[here] = members[np.minimum(np.searchsorted(odds, random.random(len(here))), len(members) - 1)]
    return drawn


def _times(
    user_rows: NDArray[np.int64], step: NDArray[np.int64], lengths: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.float64]:
    """Return times in whole seconds: a user appears somewhere in the span and then comes back every few hours."""
    first = random.random(len(lengths)) * SPAN_S * 0.8
    pause = (SPAN_S - first) * (0.2 + 0.8 * random.random(len(lengths))) / np.maximum(lengths, 1)
    jitter = random.random(len(user_rows)) * 0.9
    return np.floor(START_S + first[user_rows] + (step + jitter) * pause[user_rows])


def _user_table(home: NDArray[np.int64], random: np.random.Generator) -> pl.DataFrame:
    told = np.where(random.random(len(home)) < 0.7, home, random.integers(0, CLUSTERS, len(home)))
    region = random.integers(0, 5, len(home))
    return pl.DataFrame(
        {
            "user_id": _ids("u", np.arange(len(home)), len(home)),
            "taste": [f"t{t}" for t in told],
            "region": [f"r{r}" for r in region],
        }
    )


def _item_table(cluster: NDArray[np.int64], random: np.random.Generator) -> pl.DataFrame:
    n = len(cluster)
    told = np.where(random.random(n) < 0.8, cluster, random.integers(0, CLUSTERS, n))
    extra = random.integers(0, CLUSTERS, n)
    genres = [
        sorted({f"g{a}", f"g{b}"} if two else {f"g{a}"}) for a, b, two in zip(told, extra, extra < 3, strict=True)
    ]
    ids = _ids("i", np.arange(n), n)
    return pl.DataFrame(
        {
            "item_id": ids,
            "title": [f"Item {i[1:]}" for i in ids],
            "genre": genres,
            "year": random.integers(1950, 2024, n).astype(np.float64),
        }
    )


def _ids(prefix: str, rows: NDArray[np.int64], total: int) -> list[str]:
    width = len(str(total - 1))
    return [f"{prefix}{row:0{width}d}" for row in rows]
