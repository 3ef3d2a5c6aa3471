"""Times what constraints cost: spreading 50 of 500 candidates, and drawing from a pool of 100 with propensities.

Run: `python benchmarks/time_slate.py`. CPU time stands beside wall time, since other work on the machine moves the latter.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Callable
from random import Random

import numpy as np

from shortlist_gateway.slate.chance import POLICIES, Pool
from shortlist_ranking.diversity import METHODS

CANDIDATES, POSITIONS, DIMENSIONS = 500, 50, 64
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
    for name, method in METHODS.items():
        say(f"{name}: {POSITIONS} of {CANDIDATES}", lambda m=method: m(relevance, vectors, 0.5, POSITIONS, nothing))
    scores = sorted(rng.normal(size=POOL).tolist(), reverse=True)
    clicks = [1.0 / (1.0 + np.exp(-score)) for score in scores]
    pool = Pool(scores, clicks, rng.integers(0, 500, POOL).astype(float).tolist())
    chance = Random(0)  # noqa: S311
    for name, policy in POLICIES.items():
        for n in (1, 3, 10):

            def draw(make=policy, n=n) -> None:
                made = make(pool, 0.5)
                made.propensities(made.draw(chance, n))

            say(f"{name}: {n} of {POOL}", draw)


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
