"""Policies that leave positions to chance, and the probability with which each of them shows an item at a position.

A policy fills the positions ``0`` to ``n - 1`` from a pool that is in order, best first; without chance they would hold
the first ``n`` of it. Probabilities are those of an item at a position over all draws, whatever the other positions
hold: what inverse propensity weighting by position divides by.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import repeat
from random import Random
from statistics import NormalDist
from typing import Protocol


class ExplorationMethod(StrEnum):
    """Ways of exploring; the names of ``ExplorationMethod`` on the wire, in lower case."""

    EPSILON_GREEDY = "epsilon_greedy"
    SOFTMAX = "softmax"
    THOMPSON = "thompson"


@dataclass(frozen=True, slots=True)
class Pool:
    """Items that may be drawn, best first."""

    scores: Sequence[float]
    clicks: Sequence[float]
    """Calibrated click probabilities, in [0, 1]."""

    counts: Sequence[float]
    """Events on each item so far, at least 0; empty where the method reads none."""

    boosts: Sequence[float] = ()
    """Factors above 0 on the relevance of each; they are in the scores, and not in the clicks. Empty: 1 each."""


class Policy(Protocol):
    """One way of exploring, over one pool."""

    def draw(self, rng: Random, n: int) -> list[int]:
        """Return what is shown at ``n`` positions, as places in the pool; none twice."""
        ...

    def propensities(self, shown: Sequence[int]) -> list[float]:
        """Return the probability of each of ``shown``, in order, at its position, in (0, 1]."""
        ...


class EpsilonGreedy:
    """Each position holds, with probability epsilon and by itself, another item than its own: any, equally likely."""

    def __init__(self, pool: Pool, epsilon: float) -> None:
        self._size = len(pool.scores)
        self._epsilon = epsilon

    def draw(self, rng: Random, n: int) -> list[int]:
        """Return what is shown; see :class:`Policy`. Where others do not suffice, the last positions have them."""
        others = list(range(n, self._size))
        shown = list(range(n))
        for position in range(max(0, n - len(others)), n):
            if rng.random() < self._epsilon:
                shown[position] = others.pop(int(rng.random() * len(others)))
        return shown

    def propensities(self, shown: Sequence[int]) -> list[float]:
        """Return probabilities; see :class:`Policy`. Draws without replacement leave every other one equally likely."""
        n, n_others = len(shown), self._size - len(shown)
        fixed = max(0, n - n_others)
        found = []
        for position, place in enumerate(shown):
            by_chance = self._epsilon if position >= fixed else 0.0
            if place < n:
                found.append(1.0 - by_chance if place == position else 0.0)
            else:
                found.append(by_chance / n_others)
        return found


class Softmax:
    """Items are drawn one after the other, without replacement, in proportion to ``exp(score / temperature)``.

    That is Plackett and Luce's law, and a race: an item arrives after a time that is exponential with its weight as
    rate, and is shown in the order of arrival. The race gives the probability of any position as an integral over time.
    For that alone, what lies further apart than chance can bridge is taken as if it lay just so far apart, so that
    every propensity is a number to divide by.
    """

    GAP = 30.0
    """Greatest difference of two logarithms of weights, of one of the best and the next, and of the last of these and
    any other: of 10^13 draws, one lets the two change places."""

    NEVER = 1e-15
    """Probability of an arrival below which it is left out of the sums."""

    STEP = 0.25
    """Of the trapezoidal rule over the logarithm of time, which converges geometrically for these integrands."""

    EARLIEST = 12.0
    LATEST = 3.7
    """Logarithms of time beyond which an arrival among the first ones adds less than 1e-10 of the whole."""

    def __init__(self, pool: Pool, temperature: float) -> None:
        highest = max(pool.scores)
        self._log_weights = [(score - highest) / temperature for score in pool.scores]

    def draw(self, rng: Random, n: int) -> list[int]:
        """Return what is shown; see :class:`Policy`."""
        arrivals = []
        for place, log_weight in enumerate(self._log_weights):
            waited = -math.log(1.0 - rng.random())
            arrivals.append((math.log(waited) - log_weight if waited else -math.inf, place))
        return [place for _, place in sorted(arrivals)[:n]]

    def propensities(self, shown: Sequence[int]) -> list[float]:
        """Return probabilities; see :class:`Policy`."""
        weights = self._weights(len(shown))
        first = weights[shown[0]] / math.fsum(weights)
        if len(shown) == 1:
            return [first]
        of_others = [weight for place, weight in enumerate(weights) if place not in shown]
        heaviest = max(of_others, default=0.0)
        totals = [0.0] * len(shown)
        for log_time in self._nodes(weights, len(shown)):
            time = math.exp(log_time)
            others = [1.0, *(0.0 for _ in shown[1:])]
            if heaviest * time > self.NEVER:
                others = exactly((-math.expm1(-weight * time) for weight in of_others), len(shown) - 1)
            arrived = [-math.expm1(-weights[place] * time) for place in shown]
            for position, place in enumerate(shown):
                density = weights[place] * time * math.exp(-weights[place] * time)
                if position and density > self.NEVER:
                    rest = (arrived[other] for other in range(len(shown)) if other != position)
                    totals[position] += density * exactly(rest, position, others)[position]
        return [first, *(min(1.0, max(total * self.STEP, sys.float_info.min)) for total in totals[1:])]

    def _weights(self, n: int) -> list[float]:
        """Return weights that are as good as the true ones for ``n`` positions, the ``n``-th greatest being 1."""
        order = sorted(range(len(self._log_weights)), key=self._log_weights.__getitem__, reverse=True)
        last = order[n - 1]
        found = [max(-self.GAP, log_weight - self._log_weights[last]) for log_weight in self._log_weights]
        found[last] = 0.0
        for better, worse in zip(order[n - 2 :: -1] if n > 1 else (), order[n - 1 : 0 : -1], strict=True):
            found[better] = found[worse] + min(self.GAP, self._log_weights[better] - self._log_weights[worse])
        return [math.exp(log_weight) for log_weight in found]

    def _nodes(self, weights: Sequence[float], n: int) -> Iterable[float]:
        """Return logarithms of the times at which one of the first ``n`` may arrive."""
        earliest = -math.log(math.fsum(weights)) - self.EARLIEST
        # Late, the n-th is yet to arrive only where all but n - 1 are: those with the least weights, the longest.
        least = math.fsum(sorted(weights)[: len(weights) - n + 1])
        count = math.ceil((self.LATEST - math.log(least) - earliest) / self.STEP) + 1
        return (earliest + self.STEP * number for number in range(count))


class Thompson:
    """Items are shown in the order of draws from what is believed of their click probability.

    Belief is normal, with the mean and variance of the Beta distribution with parameters ``p (count + 1)`` and
    ``(1 - p) (count + 1)``: ``p`` is the calibrated probability, ``count`` the number of events on the item; the
    deviation is multiplied by ``strength``. It is drawn at ``QUANTILES`` equally likely values, so that probabilities
    are counted, not estimated. What is drawn is multiplied by the item's boost, and divided by it where it is below 0,
    so that a greater boost never makes less of a draw. Of equal draws, the one that is earlier in the pool comes first.
    Normal beliefs: Agrawal and Goyal, AISTATS 2013.
    """

    QUANTILES = 32
    _NORMAL = tuple(NormalDist().inv_cdf((number + 0.5) / 32) for number in range(32))

    def __init__(self, pool: Pool, strength: float) -> None:
        self._beliefs = []
        for click, count, boost in zip(
            pool.clicks, pool.counts, pool.boosts or repeat(1.0, len(pool.clicks)), strict=True
        ):
            deviation = strength * math.sqrt(click * (1.0 - click) / (count + 2.0))
            drawn = (click + deviation * normal for normal in self._NORMAL)
            self._beliefs.append([value * boost if value > 0.0 else value / boost for value in drawn])

    def draw(self, rng: Random, n: int) -> list[int]:
        """Return what is shown; see :class:`Policy`."""
        draws = [(-belief[int(rng.random() * self.QUANTILES)], place) for place, belief in enumerate(self._beliefs)]
        return [place for _, place in sorted(draws)[:n]]

    def propensities(self, shown: Sequence[int]) -> list[float]:
        """Return probabilities; see :class:`Policy`."""
        return [
            math.fsum(self._at(place, position, value) for value in self._beliefs[place]) / self.QUANTILES
            for position, place in enumerate(shown)
        ]

    def _at(self, place: int, position: int, value: float) -> float:
        """Return the probability that an item that drew ``value`` comes ``position``-th."""
        before = []
        surely = 0
        for other, belief in enumerate(self._beliefs):
            if other != place:
                below = bisect_left(belief, value) if other < place else bisect_right(belief, value)
                if below == 0:
                    surely += 1
                    if surely > position:
                        return 0.0
                elif below < self.QUANTILES:
                    before.append(1.0 - below / self.QUANTILES)
        return exactly(before, position - surely)[position - surely]


def exactly(probabilities: Iterable[float], most: int, start: Sequence[float] = (1.0,)) -> list[float]:
    """Return the probability that exactly 0, 1, ..., ``most`` of independent events happen.

    Args:
        probabilities: Of the events.
        most: Greatest number that is asked about.
        start: The same of other events, which are counted in.
    """
    found = [*start[: most + 1], *(0.0 for _ in range(most + 1 - len(start)))]
    for probability in probabilities:
        missing = 1.0 - probability
        for number in range(most, 0, -1):
            found[number] = found[number] * missing + found[number - 1] * probability
        found[0] *= missing
    return found


POLICIES: Mapping[ExplorationMethod, Callable[[Pool, float], Policy]] = {
    ExplorationMethod.EPSILON_GREEDY: EpsilonGreedy,
    ExplorationMethod.SOFTMAX: Softmax,
    ExplorationMethod.THOMPSON: Thompson,
}
"""Makers of a policy, from its pool and its strength, which is above 0."""

MOST_STRENGTH: Mapping[ExplorationMethod, float] = {
    ExplorationMethod.EPSILON_GREEDY: 1.0,
    ExplorationMethod.SOFTMAX: 100.0,
    ExplorationMethod.THOMPSON: 100.0,
}
"""Greatest epsilon, temperature, or factor on the deviation."""
