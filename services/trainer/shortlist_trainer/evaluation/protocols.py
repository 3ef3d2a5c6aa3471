"""Protocols by name: what is held out, what is relevant, and the seal on it until every model is fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_trainer.benchmarks.table import Sealed
from shortlist_trainer.histories import HeldOut, only
from shortlist_trainer.holdouts import last_of_each_user, latest, latest_of_each_user, share_of_each_user


@dataclass(frozen=True, slots=True)
class Rules:
    """How a data set is cut."""

    protocol: str
    """A name of :data:`PROTOCOLS`."""

    share: float = 0.2
    """Share of the events that is held out, in (0, 1); leave-one-out takes no share."""

    seed: int = 1
    """Of a random cut."""

    positive_from: float | None = None
    """Events with a value below this one are taken out before the cut; ``None`` keeps all."""

    warm_only: bool = False
    """Leave out users and items without a known event, as some publications do."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to cut a data set."""

    text: str
    """What is held out, in a sentence; ``{share}`` and ``{seed}`` are filled in."""

    held: Callable[[Dataset, Rules], NDArray[np.bool_]]
    """Mask of the events that are held out."""


PROTOCOLS: Mapping[str, Protocol] = {
    "leave-one-out": Protocol(
        "the last event of every user with two or more is held out", lambda data, _: last_of_each_user(data)
    ),
    "random": Protocol(
        "a random {share} of each user's events is held out (seed {seed}); later events are known, so this is no "
        "forecast",
        lambda data, rules: share_of_each_user(data, rules.share, rules.seed),
    ),
    "per-user-time": Protocol(
        "the latest {share} of each user's events is held out",
        lambda data, rules: latest_of_each_user(data, rules.share),
    ),
    "global-time": Protocol(
        "the latest {share} of all events is held out; nothing known is later than any of it",
        lambda data, rules: latest(data, rules.share),
    ),
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Held-out events that are not evaluated, by reason."""

    seen: int
    """On an item that the user met before: what was seen is never recommended."""

    repeated: int
    """A second event on the same item."""

    cold: int
    """Of users or items without a known event, where those are left out."""

    sure: int = 0
    """Of users to whom every item that they have not met is relevant: there is nothing to tell it from."""


@dataclass(frozen=True, slots=True)
class Test:
    """The held-out part."""

    __test__ = False  # not a test class, whatever its name says to pytest

    held_out: HeldOut
    values: NDArray[np.float32]
    """Rating or strength of each held-out pair, in the order of ``held_out.rows``."""

    left_out: LeftOut


def cut(whole: Dataset, rules: Rules) -> tuple[Dataset, Sealed[Test]]:
    """Return the known part of ``whole`` and, sealed, what is held out.

    Raises:
        DataRefused: No such protocol, a share outside (0, 1), or one of the parts would be empty.
    """
    if rules.protocol not in PROTOCOLS:
        raise DataRefused(f"there is no protocol {rules.protocol!r}; there are {', '.join(PROTOCOLS)}")
    if not 0.0 < rules.share < 1.0:
        raise DataRefused(f"share {rules.share:g} must be above 0 and below 1")
    kept = whole
    if rules.positive_from is not None:
        kept = only(whole, whole.values >= rules.positive_from)
        if not kept.events:
            highest = f"the highest value is {whole.values.max():g}" if whole.events else "there are no events"
            raise DataRefused(f"{whole.name}: no event is {rules.positive_from:g} or higher; {highest}")
    held = PROTOCOLS[rules.protocol].held(kept, rules)
    test = _held_out(kept, held, rules)
    if not held.any() or held.all() or not len(test.held_out.users):
        raise DataRefused(
            f"{whole.name}: {rules.protocol} leaves {int((~held).sum()):,} events known and {int(held.sum()):,} held "
            f"out, of which {len(test.held_out.rows):,} can be evaluated ({described(test.left_out) or 'none left out'}"
            "); bring more events, or choose another protocol or share"
        )
    return only(kept, ~held), Sealed(test)


def cut_at(whole: Dataset, event: int) -> tuple[Dataset, Sealed[Test]]:
    """Return the events before ``event`` and, sealed, those from there on; everybody is asked for at the cut.

    Raises:
        DataRefused: One of the parts would be empty.
    """
    held = np.arange(whole.events) >= event
    test = _held_out(whole, held, Rules("global-time"))
    if held.all() or not len(test.held_out.users):
        raise DataRefused(
            f"{whole.name}: {event:,} events are known and {whole.events - event:,} held out, of which "
            f"{len(test.held_out.rows):,} can be evaluated ({described(test.left_out) or 'none left out'})"
        )
    now_s = np.full(len(test.held_out.users), whole.times_s[event - 1])
    return only(whole, ~held), Sealed(replace(test, held_out=replace(test.held_out, now_s=now_s)))


def text_of(rules: Rules) -> str:
    """Return what ``rules`` say, in one sentence."""
    text = PROTOCOLS[rules.protocol].text.format(share=f"{rules.share:.0%}", seed=rules.seed)
    positive = "" if rules.positive_from is None else f"events below {rules.positive_from:g} are taken out; "
    warm = "; users and items without a known event are left out" if rules.warm_only else ""
    return f"{positive}{text}{warm}."


def described(left_out: LeftOut) -> str:
    """Return what is not evaluated, in words; empty where nothing is."""
    parts = (
        (left_out.seen, "on items met before"),
        (left_out.repeated, "repeated"),
        (left_out.cold, "of users or items without a known event"),
        (left_out.sure, "of users to whom all that is left is relevant"),
    )
    return ", ".join(f"{number:,} {words}" for number, words in parts if number)


def _held_out(dataset: Dataset, held: NDArray[np.bool_], rules: Rules) -> Test:
    """Return what is relevant to whom: the items first met in the held-out part."""
    n = max(1, len(dataset.item_ids))
    pair = dataset.user_rows.astype(np.int64) * n + dataset.item_rows
    at = np.flatnonzero(held)
    is_seen = np.isin(pair[at], pair[~held])
    first = np.zeros(len(at), np.bool_)
    first[np.unique(pair[at], return_index=True)[1]] = True
    wanted = ~is_seen & first
    is_cold = np.zeros(len(at), np.bool_)
    known_users, known_items = dataset.user_rows[~held], dataset.item_rows[~held]
    if rules.warm_only:
        is_cold = ~(np.isin(dataset.user_rows[at], known_users) & np.isin(dataset.item_rows[at], known_items))
    left_out = LeftOut(int(is_seen.sum()), int((~is_seen & ~first).sum()), int((wanted & is_cold).sum()))
    at = at[wanted & ~is_cold]
    at = at[np.argsort(dataset.user_rows[at], kind="stable")]
    users, start, counts = np.unique(dataset.user_rows[at], return_index=True, return_counts=True)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    # Nobody is asked about before the last event that is known of them.
    last_known = np.full(len(dataset.user_ids), -np.inf)
    np.maximum.at(last_known, known_users, dataset.times_s[~held])
    now_s = np.maximum(dataset.times_s[at[start]], last_known[users]) if len(users) else np.zeros(0)
    held_out = HeldOut(users.astype(np.int32), now_s, indptr, dataset.item_rows[at])
    return Test(held_out, dataset.values[at], left_out)
