"""Candidates under a filter, and what becomes of the answer where nothing passes."""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Collection, Iterable
from typing import Protocol

from shortlist_domain.filters import EVERYTHING, NOTHING, Node
from shortlist_gateway.actor import KnownActor
from shortlist_gateway.candidates import Candidates
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.filters.predicate import Predicate, passing, predicate
from shortlist_gateway.filters.resolve import Resolved, asks_for_history, resolved
from shortlist_gateway.query import Cause, Level, Slate


class Find(Protocol):
    """Finds candidates among the rows and under the conditions given."""

    def __call__(
        self, excluded: set[int], allowed: set[int] | None, condition: Node | None = None, *, is_static: bool = False
    ) -> Awaitable[Candidates]:
        """Return candidates; static ones come from memory and ask nothing of a stage."""
        ...


async def filtered(
    slate: Slate,
    node: Node,
    actor: KnownActor,
    excluded: set[int],
    allowed: set[int] | None,
    find: Find,
    *,
    is_relaxed: bool,
) -> Candidates:
    """Return candidates that pass ``node``, a canonical tree; where none does and that is asked for, as if without it.

    An answer without candidates is declared as EMPTY_SELECTION, one without the filter as FILTER_RELAXED. What comes
    into the slate from elsewhere asks ``slate.passes``.
    """
    if slate.features_present_fraction == 0.0 and asks_for_history(node):
        slate.warnings.append(
            "what the actor has done is not known at the moment; seen(...) of the filter holds for nothing"
        )
    own = resolved(node, actor, slate.catalogue)
    slate.passes = passes_of(own, slate.catalogue)
    candidates = Candidates(array("I"), array("f"), {}, array("f"))
    if own.node != NOTHING:
        within = allowed if own.allowed is None else set(own.allowed) if allowed is None else allowed & own.allowed
        condition = None if own.node == EVERYTHING else own.node
        candidates = await find(excluded | own.excluded, within, condition)
    if not candidates.rows and is_relaxed and own != Resolved(EVERYTHING):  # else there is nothing to drop
        slate.degrade(Level.PARTIAL, Cause.FILTER_RELAXED)
        slate.passes = None
        candidates = await find(excluded, allowed, is_static=candidates.is_static)
    if not candidates.rows and (allowed is not None or own != Resolved(EVERYTHING)):  # else the sources had nothing
        slate.degrade(Level.PARTIAL, Cause.EMPTY_SELECTION)
    return candidates


def warn_of_history(slate: Slate, nodes: Iterable[Node], field: str) -> None:
    """Say that conditions of ``field`` on what the actor has done hold for nothing, where that could not be read."""
    if slate.features_present_fraction == 0.0 and any(map(asks_for_history, nodes)):
        said = "what the actor has done is not known at the moment; seen(...) holds for nothing"
        slate.warnings.append(f"{field}: {said}")


def passing_of(own: Resolved, catalogue: Catalogue, rows: Collection[int]) -> set[int]:
    """Return those of ``rows`` that pass a filter, as it is for one actor."""
    left = set(rows) - own.excluded
    return passing(own.node, catalogue, left if own.allowed is None else left & own.allowed)


def passes_of(own: Resolved, catalogue: Catalogue) -> Predicate:
    """Return whether the item of a row passes a filter, as it is for one actor."""
    on_attributes, excluded, allowed = predicate(own.node, catalogue), own.excluded, own.allowed
    return lambda row: row not in excluded and (allowed is None or row in allowed) and on_attributes(row)
