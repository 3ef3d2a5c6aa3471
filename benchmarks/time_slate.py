"""Times what constraints cost: boosting and spreading 500 candidates, and drawing from a pool of 100 with propensities.

Run: `python benchmarks/time_slate.py`. CPU time stands beside wall time, since other work on the machine moves the latter.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from shortlist_bundle.item_attributes import ItemAttributes, item_attributes_file
from shortlist_domain.filters import AttributeKind, bound, canonical
from shortlist_domain.stages import RankResult
from shortlist_gateway.candidates import from_caller
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.filters.expression import parsed
from shortlist_gateway.filters.resolve import Resolved
from shortlist_gateway.filters.search import passing_of
from shortlist_gateway.slate.boosts import boosted, products
from shortlist_gateway.slate.chance import POLICIES, Policy, Pool
from shortlist_ranking.diversity import METHODS

CANDIDATES, POSITIONS, DIMENSIONS = 500, 50, 64
ITEMS = 20_000
GENRES = ["Comedy", "Drama", "Western", "Action", "Horror", "Romance"]
BOOSTS = {'genres:"Comedy"': 2.0, 'year >= 1990 AND language = "en"': 1.5, "in_colour = false": 0.1}
POOL = 100
SECONDS = 2.0


def main() -> None:
    """Print percentiles of each."""
    rng = np.random.default_rng(0)
    # Vectors that cluster, as those of items do.
    centres = rng.normal(size=(20, DIMENSIONS))
    scattered = centres[rng.integers(0, 20, CANDIDATES)] + 0.5 * rng.normal(size=(CANDIDATES, DIMENSIONS))
    vectors = scattered.astype(np.float32)
    relevance = np.sort(rng.random(CANDIDATES))[::-1]
    nothing = np.empty((0, DIMENSIONS), np.float32)
    say(f"{len(BOOSTS)} boosts of {CANDIDATES}", boosting())
    for name, method in METHODS.items():
        say(f"{name}: {POSITIONS} of {CANDIDATES}", lambda m=method: m(relevance, vectors, 0.5, POSITIONS, nothing))
    scores = sorted(rng.normal(size=POOL).tolist(), reverse=True)
    clicks = [1.0 / (1.0 + np.exp(-score)) for score in scores]
    pool = Pool(scores, clicks, rng.integers(0, 500, POOL).astype(float).tolist())
    chance = Random(0)  # noqa: S311
    for name, policy in POLICIES.items():
        for n in (1, 3, 10):

            def draw(make: Callable[[Pool, float], Policy] = policy, n: int = n) -> None:
                made = make(pool, 0.5)
                made.propensities(made.draw(chance, n))

            say(f"{name}: {n} of {POOL}", draw)


def boosting() -> Callable[[], object]:
    """Return what finds the factors of candidates out of a catalogue, and applies them."""
    rng = Random(0)  # noqa: S311
    columns: Mapping[str, tuple[AttributeKind, Sequence[Any]]] = {
        "genres": (AttributeKind.TEXTS, [rng.sample(GENRES, 2) for _ in range(ITEMS)]),
        "year": (AttributeKind.NUMBER, [float(rng.randint(1950, 2020)) for _ in range(ITEMS)]),
        "language": (AttributeKind.TEXT, [rng.choice(["en", "fr", "de"]) for _ in range(ITEMS)]),
        "in_colour": (AttributeKind.FLAG, [rng.random() < 0.8 for _ in range(ITEMS)]),
    }
    attributes = ItemAttributes(item_attributes_file(ITEMS, columns), ITEMS)
    catalogue = cast(Catalogue, SimpleNamespace(attributes=attributes))
    conditions = []
    for expression, factor in BOOSTS.items():
        bound_form = bound(parsed(expression), attributes.schema, "{}".format, [])
        conditions.append((Resolved(canonical(bound_form, attributes.schema)), factor))
    rows = array("I", rng.sample(range(ITEMS), CANDIDATES))
    scores = array("f", [rng.random() for _ in rows])
    candidates, ranked = from_caller(rows), RankResult("", scores, scores, scores)

    def boost() -> object:
        passing = ((passing_of(condition, catalogue, rows), factor) for condition, factor in conditions)
        return boosted(candidates, ranked, products(passing, rows))

    return boost


def say(name: str, call: Callable[[], object]) -> None:
    """Repeat ``call`` for some time and print how long one takes."""
    took = []
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        started = time.perf_counter(), time.thread_time()
        call()
        took.append((time.perf_counter() - started[0], time.thread_time() - started[1]))
    wall, cpu = (np.percentile(column, (50, 99)) * 1e3 for column in np.array(took).T)
    print(f"{name}: CPU p50 {cpu[0]:.2f} ms, p99 {cpu[1]:.2f} ms; wall p50 {wall[0]:.2f} ms, p99 {wall[1]:.2f} ms")


if __name__ == "__main__":
    main()
