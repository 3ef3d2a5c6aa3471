"""Candidates on their way to a slate: from retrieval, from the popular lists, or from the caller."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol

from shortlist_domain.stages import NO_ANCHOR, POPULAR_SEGMENT, Provenance, RetrieveResult, Source
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.query import Origin, ReasonKind

CALLER = "caller"

_RANK = attrgetter("rank")

_Reasons = Mapping[str, ReasonKind]

REASONS: _Reasons = {
    Source.TWO_TOWER: ReasonKind.TASTE,
    Source.ITEM_NEIGHBOURS: ReasonKind.SIMILAR_ITEM,
    Source.POPULAR: ReasonKind.POPULAR,
    POPULAR_SEGMENT: ReasonKind.POPULAR_SEGMENT,
    Source.CONTENT: ReasonKind.SIMILAR_CONTENT,
    Source.NEWEST: ReasonKind.NEWEST,
}

REASONS_FOR_ITEMS: _Reasons = {**REASONS, Source.TWO_TOWER: ReasonKind.ALIKE}

_OF_NO_TASTE = (Source.POPULAR, POPULAR_SEGMENT, Source.NEWEST)
_REASONS_FOR_STRANGERS: _Reasons = {source: REASONS[source] for source in _OF_NO_TASTE}


class Origins(Protocol):
    """Where candidates came from, by position; read for those that are shown."""

    def __getitem__(self, position: int, /) -> Sequence[Origin]: ...


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates, best first."""

    rows: array[int]
    scores: array[float]
    origins: Origins
    """Origins by position."""

    actor_embedding: array[float]
    is_fused: bool = False
    """Whether the scores are those of retrieval's fusion, which count in ranking."""

    is_static: bool = False
    """Whether nothing of this was computed for the actor."""


class _Columns:
    """Origins read from provenance columns, only for the positions that are shown."""

    def __init__(self, provenance: Sequence[Provenance], catalogue: Catalogue, reasons: _Reasons) -> None:
        self._provenance = provenance
        self._catalogue = catalogue
        self._reasons = reasons

    def __getitem__(self, position: int) -> Sequence[Origin]:
        found = []
        for column in self._provenance:
            index = bisect_left(column.candidates, position)
            if index < len(column.candidates) and column.candidates[index] == position:
                anchor = column.anchors[index] if column.anchors else NO_ANCHOR
                found.append(
                    Origin(
                        source=column.source,
                        rank=column.ranks[index],
                        score=column.scores[index],
                        reason=self._reasons.get(column.source),
                        anchor_item_id="" if anchor == NO_ANCHOR else self._catalogue.item_id(anchor),
                    )
                )
        found.sort(key=_RANK)
        return found


def from_retrieval(result: RetrieveResult, catalogue: Catalogue, *, has_history: bool, has_anchors: bool) -> Candidates:
    """Return retrieval's candidates. Without a history, and where items are asked about, nobody's taste is a reason."""
    reasons = REASONS_FOR_ITEMS if has_anchors else REASONS if has_history else _REASONS_FOR_STRANGERS
    origins = _Columns(result.provenance, catalogue, reasons)
    return Candidates(result.rows, result.scores, origins, result.actor_embedding, is_fused=True)


def from_popular(
    catalogue: Catalogue,
    attributes: Mapping[str, str],
    excluded: Collection[int],
    allowed: Collection[int] | None,
    count: int,
    passes: Callable[[int], bool] | None = None,
) -> Candidates:
    """Return popular items from memory: the actor's segment first, then everybody's.

    Scores fall from 1 towards 0 with the rank, since counts of a segment and of everybody do not compare.
    """
    segment, rows = catalogue.popular(attributes)
    source, reason = (POPULAR_SEGMENT, ReasonKind.POPULAR_SEGMENT) if segment else (Source.POPULAR, ReasonKind.POPULAR)
    chosen: dict[int, Origin] = {}
    for name, why, ordered in ((source, reason, rows), (Source.POPULAR, ReasonKind.POPULAR, catalogue.popular_overall)):
        for rank, row in enumerate(ordered):
            if len(chosen) >= count:
                break
            if row in excluded or row in chosen or (allowed is not None and row not in allowed):
                continue
            if passes is None or passes(row):
                chosen[row] = Origin(name, rank, 1.0 / (rank + 1), why)
    if allowed is not None:
        # An allow list may hold nothing popular; its items are still better than none.
        for row in sorted(allowed):
            is_left = len(chosen) < count and row not in excluded and row not in chosen
            if is_left and (passes is None or passes(row)):
                chosen[row] = Origin(CALLER, 0, 0.0, ReasonKind.REQUESTED)
    n = len(chosen)
    return Candidates(
        rows=array("I", chosen),
        scores=array("f", ((n - position) / n for position in range(n))),
        origins={position: (origin,) for position, origin in enumerate(chosen.values())},
        actor_embedding=array("f"),
        is_static=True,
    )


def from_caller(rows: Sequence[int]) -> Candidates:
    """Return the caller's own list."""
    return Candidates(
        rows=array("I", rows),
        scores=array("f", bytes(4 * len(rows))),
        origins={position: (Origin(CALLER, position, 0.0, ReasonKind.REQUESTED),) for position in range(len(rows))},
        actor_embedding=array("f"),
    )
