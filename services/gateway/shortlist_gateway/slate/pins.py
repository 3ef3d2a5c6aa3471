"""Items at fixed positions."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from shortlist_gateway.candidates import CALLER, Candidates
from shortlist_gateway.query import Origin, ReasonKind, Slate
from shortlist_gateway.slate.rules import Pin

T = TypeVar("T")


def pinned_rows(
    slate: Slate, pins: Sequence[Pin], excluded: Collection[int], allowed: Collection[int] | None
) -> dict[int, int]:
    """Return the rows that are pinned, by their position, ascending.

    What the catalogue does not have becomes a missing id; what may not appear is left out, with a warning.
    """
    pinned: dict[int, int] = {}
    for pin in pins:
        row = slate.catalogue.row(pin.item_id)
        if row is None:
            slate.missing_ids[pin.item_id] = None
        elif row in excluded:
            slate.warnings.append(f"constraints.pins: {pin.item_id!r} is excluded and was left out")
        elif allowed is not None and row not in allowed:
            slate.warnings.append(f"constraints.pins: {pin.item_id!r} is not among the allowed items and was left out")
        elif slate.passes is not None and not slate.passes(row):
            slate.warnings.append(f"constraints.pins: {pin.item_id!r} does not pass the filter and was left out")
        else:
            pinned[pin.position] = row
    return pinned


def with_pins(
    slate: Slate,
    pins: Sequence[Pin],
    candidates: Candidates,
    excluded: Collection[int],
    allowed: Collection[int] | None,
) -> tuple[Candidates, Mapping[int, int]]:
    """Return the candidates with those that are pinned among them, and where these are, by position in the slate.

    Args:
        slate: Gets the missing ids and the warnings.
        pins: By position, ascending.
        candidates: From retrieval.
        excluded: Rows that may not appear.
        allowed: Rows that alone may appear; ``None``: all.
    """
    if not pins:
        return candidates, {}
    return with_rows(candidates, pinned_rows(slate, pins, excluded, allowed))


def with_rows(candidates: Candidates, pinned: Mapping[int, int]) -> tuple[Candidates, Mapping[int, int]]:
    """Return the candidates with the ``pinned`` rows among them, and where these are, by their slate position.

    What retrieval did not propose comes last, with the score of the last candidate.
    """
    rows = array("I", candidates.rows)
    at: dict[int, int] = {}
    for position, row in pinned.items():
        try:
            at[position] = candidates.rows.index(row)
        except ValueError:
            at[position] = len(rows)
            rows.append(row)
    least = candidates.scores[-1:] or array("f", [1.0])
    scores = candidates.scores + least * (len(rows) - len(candidates.rows))
    return replace(candidates, rows=rows, scores=scores, origins=_PinnedOrigins(candidates, at)), at


class _PinnedOrigins:
    """Origins with the caller's word before those of the sources."""

    def __init__(self, candidates: Candidates, at: Mapping[int, int]) -> None:
        self._origins = candidates.origins
        self._n = len(candidates.rows)
        self._pin_at = {candidate: position for position, candidate in at.items()}

    def __getitem__(self, position: int) -> Sequence[Origin]:
        found = self._origins[position] if position < self._n else ()
        if position not in self._pin_at:
            return found
        return (Origin(CALLER, self._pin_at[position], 0.0, ReasonKind.REQUESTED), *found)


def placed(pinned: Mapping[int, T], others: Sequence[T]) -> list[T]:
    """Return ``others`` in order with the pinned ones at their positions; without gaps, where others do not suffice.

    Args:
        pinned: By position, ascending.
        others: Fill the positions between.
    """
    slate: list[T] = []
    rest = iter(others)
    for position, item in pinned.items():
        while len(slate) < position:
            try:
                slate.append(next(rest))
            except StopIteration:
                break
        slate.append(item)
    slate.extend(rest)
    return slate
