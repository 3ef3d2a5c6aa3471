"""Samples to figures: percentiles, statuses, and the machine they were taken on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from shortlist_bundle.store import BundleStore
from shortlist_cli.bench.load import Load, Sample

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 100.0)


def percentile(ordered: Sequence[float], p: float) -> float:
    """Return the ``p``-th percentile of ascending values, by the nearest rank: a value that really occurred."""
    if not ordered:
        return float("nan")
    rank = max(1, -(-len(ordered) * p // 100))
    return ordered[int(rank) - 1]


def figures(samples: Sequence[Sample], load: Load, var: Path, process: int | None) -> dict[str, Any]:
    """Return everything that a reader needs to judge the run, ready for JSON."""
    latencies = sorted(s.latency_s for s in samples if s.code == "OK")
    stages: dict[str, list[float]] = {}
    for sample in samples:
        for name, seconds in sample.stages:
            stages.setdefault(name, []).append(seconds)
    release = BundleStore(var / "bundles").current()
    return {
        "latency_ms": {f"p{p:g}": round(percentile(latencies, p) * 1000, 3) for p in PERCENTILES},
        "stage_p50_ms": {n: round(percentile(sorted(v), 50.0) * 1000, 3) for n, v in stages.items()},
        "requests": len(samples),
        "failed": sum(s.code != "OK" for s in samples),
        "statuses": dict(Counter(s.code for s in samples)),
        "degradation": dict(Counter(s.level for s in samples if s.code == "OK")),
        "load": {
            "rps": load.rps,
            "duration_s": load.duration_s,
            "candidates": load.candidates,
            "slate_size": load.slate_size,
            "seed": load.seed,
            "arrivals": "open loop, fixed interval, latency from the due time",
        },
        "bundle": release.bundle_id if release else "",
        "server_peak_rss_mb": _peak_rss_mb(process),
        "machine": {
            "cores": os.cpu_count(),
            "processor": _processor(),
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("grpcio", "faiss-cpu", "onnxruntime", "redis")},
        },
    }


def table(result: dict[str, Any]) -> Table:
    """Return the figures for people."""
    view = Table(title=f"{result['bundle']} on {result['machine']['cores']} cores", title_justify="left")
    view.add_column("figure")
    view.add_column("value", justify="right")
    for name, value in result["latency_ms"].items():
        view.add_row(f"latency {name}", f"{value:.2f} ms")
    for name, value in result["stage_p50_ms"].items():
        view.add_row(f"{name} p50", f"{value:.2f} ms")
    view.add_row("requests", str(result["requests"]))
    view.add_row("statuses", ", ".join(f"{k} {v}" for k, v in result["statuses"].items()))
    view.add_row("degradation", ", ".join(f"{k} {v}" for k, v in result["degradation"].items()))
    if result["server_peak_rss_mb"]:
        view.add_row("server peak memory", f"{result['server_peak_rss_mb']} MB")
    return view


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _peak_rss_mb(process: int | None) -> int | None:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), None)
