"""Times every ranker as exported, 500 candidates at once on one thread, and prints a table.

Weights are random: what a run takes depends on the shape alone, which is that of ml-1m with the settings of its size.
Rankers take turns, so that what else the machine does falls on all of them alike.
"""

from __future__ import annotations

import itertools
import os
import platform
import sys
import time
from importlib.metadata import version

import numpy as np

from shortlist_bundle.session import Session
from shortlist_models.rankers import RANKERS, STRUCTURED, RankerShape
from shortlist_models.rankers.base import HISTORY_INPUTS, ITEM_INPUTS, USER_INPUTS
from shortlist_models.rankers.served import HEADS, ranker_file

CANDIDATES, LENGTH, ROUNDS, WARM_UP = 500, 50, 500, 20
SHAPE = {"embedding_width": 65, "feature_columns": 20, "category_sizes": (2, 7, 21)}


def main() -> int:
    """Time them and print."""
    variants = [
        (name, structure, attention)
        for name, structure, attention in itertools.product(RANKERS, ("parallel", "stacked"), (False, True))
        if structure == "parallel" or name in STRUCTURED
    ]
    random = np.random.default_rng(1)
    inputs = _inputs(random)
    sessions = []
    for name, structure, attention in variants:
        ranker = RANKERS[name](RankerShape(**SHAPE, structure=structure, attention=attention)).eval()
        content = ranker_file(ranker, LENGTH)
        sessions.append(Session(content, (*USER_INPUTS, *HISTORY_INPUTS, *ITEM_INPUTS), HEADS))
    taken = np.zeros((WARM_UP + ROUNDS, len(sessions)))
    for number in range(WARM_UP + ROUNDS):
        for at, session in enumerate(sessions):
            started = time.perf_counter()
            session.run(inputs)
            taken[number, at] = time.perf_counter() - started
    print("| ranker | structure | p50 | with attention |")
    print("|---|---|---|---|")
    p50 = dict(zip(variants, np.median(taken[WARM_UP:], axis=0) * 1e3, strict=True))
    for name, structure, attention in variants:
        if not attention:
            with_it = p50[name, structure, True]
            print(
                f"| `{name}` | {structure if name in STRUCTURED else ''} | {p50[name, structure, False]:.2f} ms"
                f" | {with_it:.2f} ms |"
            )
    versions = ", ".join(f"{package} {version(package)}" for package in ("onnxruntime", "torch", "numpy"))
    print(f"{os.cpu_count()} cores of {platform.machine()}; {versions}; {ROUNDS} rounds.")
    return 0


def _inputs(random: np.random.Generator) -> dict[str, np.ndarray]:
    width, columns, sizes = SHAPE["embedding_width"], SHAPE["feature_columns"], SHAPE["category_sizes"]
    normal = {
        "user_embedding": (1, width),
        "user_numbers": (1, 3),
        "context": (1, 3),
        "history_values": (1, LENGTH),
        "history_embeddings": (1, LENGTH, width),
        "item_features": (CANDIDATES, columns),
        "item_numbers": (CANDIDATES, 3),
        "item_embeddings": (CANDIDATES, width),
    }
    return {
        **{name: random.normal(size=size).astype(np.float32) for name, size in normal.items()},
        "has_history": np.array([True]),
        "age_s": np.array([3600.0], np.float32),
        "user_categories": np.array([[1] * len(sizes)]),
        "history_rows": np.arange(LENGTH)[None],
        "history_ages_s": np.full((1, LENGTH), 3600.0, np.float32),
    }


if __name__ == "__main__":
    sys.exit(main())
