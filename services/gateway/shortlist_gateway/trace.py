"""What the stages gave each other for one slate: what debugging and explanations read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shortlist_domain.stages import RankResult
from shortlist_gateway.actor import KnownActor
from shortlist_gateway.candidates import CALLER, Candidates
from shortlist_gateway.query import Origin
from shortlist_gateway.slate.order import ranked_order


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one candidate stood."""

    retrieval_rank: int | None
    """``None``, as its score, where only the caller named it."""

    retrieval_score: float | None
    origins: tuple[Origin, ...]
    ranking_rank: int
    """Place in the order that constraints start from."""

    ranking_score: float | None
    """``None``, as all that follows, where it was not ranked."""

    click: float | None
    rating: float | None
    item_numbers: dict[str, float]
    """Features of the item that the ranker read; empty where the query did not ask for them."""

    boost: float | None
    """Factor on its relevance, which the scores do not have; ``None`` where nothing is boosted."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Values between the stages. Nothing is computed before somebody asks."""

    actor: KnownActor
    excluded: Collection[int]
    allowed: Collection[int] | None
    candidates: Candidates
    ranked: RankResult | None
    boosts: Sequence[float] = ()
    """Factors on the relevance of each candidate; empty where nothing is boosted."""

    def standings(self, rows: Collection[int]) -> dict[int, Standing]:
        """Return where the candidates among ``rows`` stood, by row."""
        wanted = set(rows)
        places = {at: place for place, at in enumerate(ranked_order(self.ranked, len(self.candidates.rows)))}
        return {row: self._standing(at, places[at]) for at, row in enumerate(self.candidates.rows) if row in wanted}

    def _standing(self, at: int, place: int) -> Standing:
        ranked = self.ranked if self.ranked and at < len(self.ranked.scores) else None
        origins = tuple(self.candidates.origins[at])
        is_retrieved = any(origin.source != CALLER for origin in origins)
        return Standing(
            retrieval_rank=at if is_retrieved else None,
            retrieval_score=self.candidates.scores[at] if is_retrieved else None,
            origins=origins,
            ranking_rank=place,
            ranking_score=ranked.scores[at] if ranked else None,
            click=ranked.click[at] if ranked else None,
            rating=ranked.rating[at] if ranked else None,
            item_numbers={name: column[at] for name, column in ranked.item_numbers.items()} if ranked else {},
            boost=self.boosts[at] if self.boosts else None,
        )
