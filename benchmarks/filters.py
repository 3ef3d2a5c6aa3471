"""Filtered search by how much passes: recall against exact, time against no filter, and nothing forbidden.

``python benchmarks/filters.py`` is small and quick; ``--items 1000000 --dim 64 --json FILE`` is what
services/retrieval/README.md shows; ``--answers 1000000`` searches that often under random filters and counts what may not
come back; ``--rules`` measures every kind of search at every share, which is where the thresholds of
``shortlist_retrieval.index`` come from.

One query at a time on one thread, 500 candidates. Each filtered search is followed by one without a filter, so that what
else the machine does falls on both alike; times are those of the thread's own work (CPU), which that hardly moves, and as a
caller waits (wall). A search includes making the selection from the kept mask; the first search under a filter, which
makes the mask, is timed by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_domain.filters import Node
from shortlist_retrieval import index as index_module
from shortlist_retrieval.index import VectorIndex, build_index, prepare_thread
from shortlist_retrieval.selection import Selection
from shortlist_testing.filtered_answers import SHARES, World, below, forbidden_in, world_of

CANDIDATES, RECALL_AT = 500, 50
NOTHING = np.empty(0, np.int64)
HEAD = (
    "| attribute | pass | recall@50 | least | CPU p50, p99 | no filter | p99 ratio | wall p99 ratio | first | forbidden |",
    "|---|---|---|---|---|---|---|---|---|---|",
)
RULES_SHARES = (0.01, 0.03, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)
SKIPPED: dict[str, Callable[[float], bool]] = {
    "scan": lambda share: share > 0.3,
    "fetch more": lambda share: share < 0.04,
}
"""Shares at which a search takes so long that it is not tried."""

EXPONENTS = (0.0, 0.25, 0.4, 0.5)
RULES_HEAD = (
    "| attribute | pass | scan | fetch more | " + " | ".join(f"bitmap, {e:g}" for e in EXPONENTS) + " |",
    "|---|---|---|---|---|---|---|---|",
)


def main() -> int:
    """Measure and print."""
    asked = _arguments()
    if asked.show:
        rows = json.loads(asked.show.read_text(encoding="utf-8"))["rows"]
        head, line = (RULES_HEAD, _rules_line) if "searches" in rows[0] else (HEAD, _line)
        print("\n".join((*head, *map(line, rows))))
        return 0
    prepare_thread()
    if asked.answers:
        started = time.perf_counter()
        items, forbidden = forbidden_in(asked.answers, asked.seed)
        taken_s = time.perf_counter() - started
        print(f"{asked.answers:,} answers with {items:,} items, {forbidden} of them forbidden; {taken_s:.0f} s")
        return int(forbidden > 0)
    started = time.perf_counter()
    world = world_of(asked.items, asked.dim, asked.seed, queries=256 + asked.queries)
    content, facts = build_index(world.embeddings, world.queries[:256])
    index = VectorIndex(content, world.embeddings, lambda _: None)
    print(f"{asked.items:,} x {asked.dim}, {index.kind}, nprobe {facts['nprobe']:.0f} of {facts['nlist']:.0f} cells")
    measure, head, line = (_by_each_search, RULES_HEAD, _rules_line) if asked.rules else (_measured, HEAD, _line)
    print("\n".join(head))
    rows = []
    for name in ("anywhere", "together"):
        for share in RULES_SHARES if asked.rules else SHARES:
            row = {"attribute": name, "share": share, **measure(world, index, below(name, share))}
            rows.append(row)
            print(line(row), flush=True)
    found = {
        "rows": rows,
        "candidates": CANDIDATES,
        "queries": asked.queries,
        "index": facts,
        "machine": _machine(),
        "seed": asked.seed,
        "command": "python " + " ".join(["benchmarks/filters.py", *sys.argv[1:]]),
        "taken_s": round(time.perf_counter() - started),
    }
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def _by_each_search(world: World, index: VectorIndex, node: Node) -> dict[str, Any]:
    """Measure every kind of search, whichever the rule would take."""
    mask = world.masks.mask(world.masks.checked(node))
    passing = np.flatnonzero(mask)
    selection = Selection(len(mask), NOTHING, None, mask)
    k, share = min(CANDIDATES, len(passing)), len(passing) / len(mask)

    def bitmap(exponent: float, query: NDArray[np.float32]) -> NDArray[np.int32]:
        index_module.PROBE_EXPONENT = exponent
        return index._selected(query, k, selection, share)[0]

    searches: dict[str, Callable[[NDArray[np.float32]], NDArray[np.int32]]] = {
        "scan": lambda query: index._scan(query, k, selection)[0],
        "fetch more": lambda query: index._fetched(query, k, selection)[0],
        **{f"bitmap {exponent:g}": partial(bitmap, exponent) for exponent in EXPONENTS},
    }
    kept = index_module.PROBE_EXPONENT
    found: dict[str, Any] = {
        name: {"cpu": [], "recall": []} for name in searches if name not in SKIPPED or not SKIPPED[name](share)
    }
    truths = [_exact(world.embeddings, passing, query) for query in world.queries[256:]]
    for name, of in found.items():  # not by query: the second search for one would find its cells in the caches
        for query, truth in zip(world.queries[256:], truths, strict=True):
            started = time.thread_time()
            rows = searches[name](query)
            of["cpu"].append((time.thread_time() - started) * 1e3)
            of["recall"].append(len(np.intersect1d(truth, rows[:RECALL_AT])) / len(truth))
    index_module.PROBE_EXPONENT = kept
    medians = {
        name: {"cpu_ms": round(float(np.median(of["cpu"])), 2), "recall": round(float(np.mean(of["recall"])), 3)}
        for name, of in found.items()
    }
    return {"passing": len(passing), "searches": medians}


def _rules_line(row: dict[str, Any]) -> str:
    cells = (row["searches"].get(name) for name in ("scan", "fetch more", *(f"bitmap {e:g}" for e in EXPONENTS)))
    said = (f"{cell['cpu_ms']:.1f} ms, {cell['recall']:.3f}" if cell else "" for cell in cells)
    return f"| `{row['attribute']}` | {row['share'] * 100:g} % | {' | '.join(said)} |"


def _measured(world: World, index: VectorIndex, node: Node) -> dict[str, Any]:
    n = len(world.embeddings)
    started = time.thread_time()
    mask = world.masks.mask(world.masks.checked(node))
    first_s = time.thread_time() - started
    passing = np.flatnonzero(mask)
    recalls, times, forbidden = [], [], 0
    for query in world.queries[256:]:
        filtered, plain = (_timed(index, query, n, each) for each in (mask, None))
        times.append((*filtered[1:], *plain[1:]))
        rows = filtered[0]
        forbidden += int(np.count_nonzero(~mask[rows])) + len(rows) - len(np.unique(rows))
        truth = _exact(world.embeddings, passing, query)
        recalls.append(len(np.intersect1d(truth, rows[:RECALL_AT])) / len(truth))
    cpu, wall, plain_cpu, plain_wall = np.array(times).T * 1e3
    p99 = {name: float(np.quantile(of, 0.99)) for name, of in (("cpu", cpu), ("plain", plain_cpu))}
    return {
        "passing": len(passing),
        "recall": round(float(np.mean(recalls)), 4),
        "least_recall": round(float(np.min(recalls)), 2),
        "cpu_ms": {"p50": round(float(np.median(cpu)), 3), "p99": round(p99["cpu"], 3)},
        "unfiltered_cpu_ms": {"p50": round(float(np.median(plain_cpu)), 3), "p99": round(p99["plain"], 3)},
        "p99_ratio": round(p99["cpu"] / p99["plain"], 2),
        "wall_p99_ratio": round(float(np.quantile(wall, 0.99) / np.quantile(plain_wall, 0.99)), 2),
        "mask_cpu_ms": round(first_s * 1e3, 2),
        "forbidden": forbidden,
    }


def _timed(
    index: VectorIndex, query: NDArray[np.float32], n: int, mask: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int32], float, float]:
    wall, cpu = time.perf_counter(), time.thread_time()
    rows, _ = index.search(query, CANDIDATES, Selection(n, NOTHING, None, mask))
    return rows, time.thread_time() - cpu, time.perf_counter() - wall


def _exact(
    embeddings: NDArray[np.float32], passing: NDArray[np.int64], query: NDArray[np.float32]
) -> NDArray[np.int64]:
    scores = embeddings[passing] @ query if len(passing) < len(embeddings) else embeddings @ query
    k = min(RECALL_AT, len(passing))
    return passing[np.argpartition(-scores, k - 1)[:k]]


def _line(row: dict[str, Any]) -> str:
    cpu, plain = row["cpu_ms"], row["unfiltered_cpu_ms"]
    return (
        f"| `{row['attribute']}` | {row['share'] * 100:g} % | {row['recall']:.3f} | {row['least_recall']:.2f}"
        f" | {cpu['p50']:.2f}, {cpu['p99']:.2f} ms | {plain['p50']:.2f}, {plain['p99']:.2f} ms | {row['p99_ratio']:.2f}"
        f" | {row['wall_p99_ratio']:.2f} | {row['mask_cpu_ms']:.1f} ms | {row['forbidden']} |"
    )


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("faiss-cpu", "numpy")},
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=16)
    parser.add_argument("--queries", type=int, default=200, help="searches of each kind and share (default: 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--answers", type=int, default=0, help="count forbidden items in so many answers instead")
    parser.add_argument("--rules", action="store_true", help="measure every kind of search at every share instead")
    parser.add_argument("--json", type=Path, help="file to write what was measured to")
    parser.add_argument("--show", type=Path, help="print the table of such a file, and measure nothing")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
