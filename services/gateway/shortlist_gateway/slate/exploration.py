"""Which positions of a slate are left to chance, which items take part, and what is said of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random

from shortlist_domain.stages import RankResult
from shortlist_gateway.candidates import Candidates
from shortlist_gateway.query import Query, Slate
from shortlist_gateway.slate.caps import Caps, Value
from shortlist_gateway.slate.chance import POLICIES, ExplorationMethod, Pool
from shortlist_gateway.slate.rules import Exploration

MOST_IN_POOL = 100
"""Items that take part in a draw at most: the best that are left."""

ITEM_COUNT = "item_count"


def explored_positions(slate: Slate, query: Query, ranked: RankResult | None) -> int:
    """Return how many positions are left to chance; where fewer than asked for, the slate's warnings say why.

    The pages after the first are not explored: what chance put on an earlier one is shown already.
    """
    exploration = query.rules.exploration
    if exploration is None or query.shown_rows:
        return 0
    why = ""
    if ranked is None:
        why = "candidates could not be ranked"
    elif exploration.method is ExplorationMethod.THOMPSON and ITEM_COUNT not in ranked.item_numbers:
        why = f"the ranker of this bundle reads no {ITEM_COUNT}"
    if why:
        slate.warnings.append(f"constraints.exploration: was not applied, since {why}")
        return 0
    return exploration.slots


def safe_pool(eligible: Iterable[int], caps: Caps, candidates: Candidates, n: int) -> list[int]:
    """Return the candidates that may be drawn for ``n`` positions, in order: any ``n`` of them keep to the caps.

    The first ``n`` are those that the positions would hold without chance. A value with room for fewer than ``n`` items
    has no more than that in the pool, so that no draw needs a second look, and propensities are exact.

    Args:
        eligible: Candidates that were ranked and are not on the slate, in order.
        caps: With everything counted that is on the slate.
        candidates: Rows of the candidates.
        n: Positions left to chance.
    """
    pool: list[int] = []
    within: Counter[Value] = Counter()
    for candidate in eligible:
        if len(pool) == MOST_IN_POOL:
            break
        values = caps.values(candidates.rows[candidate])
        if all(caps.room(value) >= n or within[value] < caps.room(value) for value in values):
            within.update(values)
            pool.append(candidate)
    return pool


def drawn(
    exploration: Exploration,
    pool: Sequence[int],
    ranked: RankResult,
    n: int,
    request_id: str,
    boosts: Sequence[float] = (),
) -> dict[int, float]:
    """Return candidates for ``n`` positions, in order, with the propensity of each at its position.

    The draw depends on the request's id and on the pool alone, so that a repeated request has the same slate.

    Args:
        exploration: Method and strength.
        pool: Candidates that may be drawn, best first, at least ``n``.
        ranked: Their scores and, for Thompson sampling, counters.
        n: Positions to fill.
        request_id: Seeds the draw.
        boosts: Factors on the relevance of all candidates, rotation's among them, which the scores have already; empty:
            1 each.
    """
    if not n:
        return {}
    counts = ranked.item_numbers.get(ITEM_COUNT)
    standing = Pool(
        scores=[ranked.scores[candidate] for candidate in pool],
        clicks=[ranked.click[candidate] for candidate in pool],
        counts=[max(0.0, counts[candidate]) for candidate in pool] if counts else (),
        boosts=[boosts[candidate] for candidate in pool] if boosts else (),
    )
    seed = hashlib.sha256(b"exploration\x00" + request_id.encode("utf-8", "surrogatepass")).digest()
    policy = POLICIES[exploration.method](standing, exploration.strength)
    shown = policy.draw(Random(int.from_bytes(seed, "big")), n)  # noqa: S311 - to be repeated, not to be secret
    return {pool[place]: p for place, p in zip(shown, policy.propensities(shown), strict=True)}
