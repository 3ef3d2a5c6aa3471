"""Times the two ways of spreading a slate: 50 of 500 candidates, one thread. Run: `python benchmarks/time_diversity.py`."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time

import numpy as np

from shortlist_ranking.diversity import METHODS

CANDIDATES, POSITIONS, DIMENSIONS = 500, 50, 64
REPETITIONS = 2000


def main() -> None:
    """Print percentiles of each method, over vectors that cluster as those of items do."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, DIMENSIONS))
    vectors = (centres[rng.integers(0, 20, CANDIDATES)] + 0.5 * rng.normal(size=(CANDIDATES, DIMENSIONS))).astype(
        np.float32
    )
    relevance = np.sort(rng.random(CANDIDATES))[::-1]
    nothing = np.empty((0, DIMENSIONS), np.float32)
    for name, method in METHODS.items():
        took = np.empty((REPETITIONS, 2))
        for repetition in range(REPETITIONS):
            started = time.perf_counter(), time.thread_time()
            method(relevance, vectors, 0.5, POSITIONS, nothing)
            took[repetition] = time.perf_counter() - started[0], time.thread_time() - started[1]
        print(f"{name}: {POSITIONS} of {CANDIDATES} at {DIMENSIONS} dimensions")
        for clock, column in (("wall", 0), ("CPU", 1)):
            p50, p99 = np.percentile(took[:, column] * 1e3, (50, 99))
            print(f"  {clock} time: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


if __name__ == "__main__":
    main()
