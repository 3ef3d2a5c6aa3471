"""Turns scored candidates into results: order, limits, size."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import repeat

from shortlist_domain.stages import RankResult
from shortlist_gateway.candidates import Candidates
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.query import Query, Shown, Slate
from shortlist_gateway.slate.boosts import LEAST, boosted
from shortlist_gateway.slate.caps import Caps
from shortlist_gateway.slate.diversity import spread_first
from shortlist_gateway.slate.exploration import drawn, explored_positions, safe_pool
from shortlist_gateway.slate.order import boosted_order, kept_relevance, ranked_order, rotated_order, rotated_scores
from shortlist_gateway.slate.pins import placed
from shortlist_gateway.slate.promotions import reserved
from shortlist_gateway.slate.rules import NO_RULES

NO_PINS: Mapping[int, int] = {}
NOT_SHOWN: Mapping[int, float] = {}


def compose(
    slate: Slate,
    query: Query,
    candidates: Candidates,
    ranked: RankResult | None,
    pinned: Mapping[int, int] = NO_PINS,
    shown_at: Mapping[int, float] = NOT_SHOWN,
    boosts: Sequence[float] = (),
) -> list[Shown]:
    """Return the slate that keeps to the query's limits, by its rules where it has any.

    Args:
        slate: Gets the warnings.
        query: Size, limits and rules.
        candidates: With the pinned ones among them; what may not appear at all is not.
        ranked: Their scores, for as many as could be ranked.
        pinned: Candidates that are pinned, by their position in the slate, ascending.
        shown_at: When an item was last shown to the actor, by row.
        boosts: Factors on the relevance of each candidate; empty: 1 each.
    """
    if query.rules is NO_RULES:
        return in_order(candidates, ranked, slate.catalogue, query.slate_size, query.minimum_click_probability)
    return compose_by_rules(slate, query, candidates, ranked, pinned, shown_at, boosts)


def in_order(
    candidates: Candidates,
    ranked: RankResult | None,
    catalogue: Catalogue,
    slate_size: int,
    minimum_click: float | None = None,
) -> list[Shown]:
    """Return the slate, at most ``slate_size`` results; whatever fails a limit is replaced by the next in order."""
    writer = _Writer(candidates, ranked, catalogue)
    results: list[Shown] = []
    for position in ranked_order(ranked, len(candidates.rows)):
        if len(results) >= slate_size:
            break
        if minimum_click is None or writer.reaches(position, minimum_click):
            results.append(writer.shown(position))
    return results


def compose_by_rules(
    slate: Slate,
    query: Query,
    candidates: Candidates,
    ranked: RankResult | None,
    pinned: Mapping[int, int],
    shown_at: Mapping[int, float],
    boosts: Sequence[float] = (),
) -> list[Shown]:
    """Return the slate that keeps to ``query.rules``, in the order of precedence of the contract.

    Pins come first, then the minimum score, boosts, rotation, diversity, promotions, caps, exploration; what fails is
    replaced by the next in order, and what had to give way is said in the slate's warnings. Arguments as
    :func:`compose`.
    """
    rules = query.rules
    candidates, ranked = boosted(candidates, ranked, boosts)
    writer = _Writer(candidates, ranked, slate.catalogue)
    order = boosted_order(ranked, candidates.scores) if boosts else ranked_order(ranked, len(candidates.rows))
    kept: Sequence[float] = ()
    if rules.rotation and shown_at:
        kept = kept_relevance(candidates.rows, shown_at, rules.rotation, query.now_s)
        order = rotated_order(writer.scores(), kept, writer.n_ranked)
    free = query.slate_size - len(pinned)
    order = spread_first(slate, query, ranked, order, free)
    slate.order = order
    caps = Caps(rules.caps, slate.catalogue)
    for candidate in pinned.values():
        caps.take(caps.values(candidates.rows[candidate]))
    fixed = set(pinned.values())
    least = query.minimum_click_probability
    eligible = [c for c in order if c not in fixed and (least is None or writer.reaches(c, least))]
    promoted, warnings = reserved(slate.promotions, eligible, tuple(pinned.values()), caps, candidates, free)
    slate.warnings.extend(warnings)
    n_explored = explored_positions(slate, query, ranked)
    n_drawn = min(n_explored, free - len(promoted))
    chosen = _taken(eligible, caps, candidates, free - n_drawn, frozenset(promoted))
    propensities: dict[int, float] = {}
    if n_explored and rules.exploration and ranked:
        left = _others(eligible, chosen)
        pool = safe_pool((c for c in left if c < writer.n_ranked), caps, candidates, n_drawn)
        n_drawn = min(n_drawn, len(pool))
        if n_drawn < rules.exploration.slots:
            slate.warnings.append(
                f"constraints.exploration: {n_drawn} of {rules.exploration.slots} positions were left to chance, "
                "for want of positions or candidates"
            )
        if kept:
            ranked = replace(ranked, scores=array("f", rotated_scores(ranked.scores, kept)))
            boosts = [boost * max(LEAST, factor) for boost, factor in zip(boosts or repeat(1.0), kept, strict=False)]
        seed = query.chance_id or query.request_id
        propensities = drawn(rules.exploration, pool, ranked, n_drawn, seed, boosts)
        for candidate in propensities:
            caps.take(caps.values(candidates.rows[candidate]))
        chosen += propensities
        chosen += _taken(_others(eligible, chosen), caps, candidates, free - len(chosen))
    slate.warnings.extend(caps.warnings())
    results = placed(pinned, chosen)
    if any(results.index(candidate) != position for position, candidate in pinned.items()):
        slate.warnings.append("constraints.pins: the slate is shorter than a pin's position, which moved up")
    return [writer.shown(candidate, propensities.get(candidate, 1.0)) for candidate in results]


def _taken(
    eligible: Iterable[int], caps: Caps, candidates: Candidates, n: int, kept: Set[int] = frozenset()
) -> list[int]:
    """Return the first ``n`` of ``eligible`` that keep to the caps, and count them there.

    Those of ``kept``, at most ``n``, are among them, and are counted already.
    """
    taken: list[int] = []
    waiting = len(kept)
    for candidate in eligible:
        if len(taken) >= n:
            break
        if candidate in kept:
            waiting -= 1
            taken.append(candidate)
            continue
        if len(taken) + waiting >= n:
            continue
        values = caps.values(candidates.rows[candidate])
        if caps.admits(values):
            caps.take(values)
            taken.append(candidate)
    return taken


def _others(eligible: Iterable[int], chosen: Iterable[int]) -> Iterator[int]:
    """Return those of ``eligible`` that are not chosen, in order."""
    taken = set(chosen)
    return (candidate for candidate in eligible if candidate not in taken)


class _Writer:
    """Writes results from columns."""

    def __init__(self, candidates: Candidates, ranked: RankResult | None, catalogue: Catalogue) -> None:
        empty: array[float] = array("f")
        self._candidates = candidates
        self._catalogue = catalogue
        self._scores, self._click, self._rating = (
            (ranked.scores, ranked.click, ranked.rating) if ranked else (empty, empty, empty)
        )
        self.n_ranked = len(self._scores)

    def scores(self) -> Sequence[float]:
        """Return a score for each candidate: the ranker's, then retrieval's for those that were not ranked."""
        return [*self._scores, *self._candidates.scores[self.n_ranked :]]

    def reaches(self, candidate: int, least: float) -> bool:
        """Whether the candidate has at least this click probability; true where it was not ranked."""
        return candidate >= self.n_ranked or self._click[candidate] >= least

    def shown(self, candidate: int, propensity: float = 1.0) -> Shown:
        """Return the result."""
        candidates = self._candidates
        row = candidates.rows[candidate]
        is_ranked = candidate < self.n_ranked
        return Shown(
            item_id=self._catalogue.item_id(row),
            score=self._scores[candidate] if is_ranked else candidates.scores[candidate],
            click=self._click[candidate] if is_ranked else None,
            rating=self._rating[candidate] if is_ranked else None,
            origins=candidates.origins[candidate],
            row=row,
            propensity=propensity,
        )
