"""Writes the figures in ``benchmarks/`` between the markers of two pages; ``--check`` only compares.

README.md has the short of it, ``benchmarks/README.md`` every table.

The figures are data files that a command wrote: ``quality/<data set>.json`` from the
``evaluation.json`` of ``shortlist train``, one run per seed, ``tables/<table>.json`` by ``shortlist benchmark``,
``latency/*.json`` by ``shortlist bench --json``. Nothing in these tables is typed by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MARKERS = re.compile(r"(<!-- measured:begin -->\n).*?(<!-- measured:end -->)", re.DOTALL)
METRICS = ("ndcg@10", "recall@200")
SHORT = (
    ("frozen/pipeline/ndcg@10", "frozen NDCG@10"),
    ("rolling/pipeline/ndcg@10", "rolling NDCG@10"),
    ("frozen/two_tower/recall@200", "frozen recall@200"),
    ("rolling/two_tower/recall@200", "rolling recall@200"),
)


def main() -> int:
    """Render, and write or compare."""
    pages = {HERE.parent / "README.md": in_short, HERE / "README.md": in_full}
    for path, lines in pages.items():
        text = path.read_text()
        body = "\n".join(lines())
        rendered = MARKERS.sub(lambda found, body=body: f"{found[1]}{body}\n{found[2]}", text)
        if "--check" not in sys.argv[1:]:
            path.write_text(rendered)
        elif rendered != text:
            sys.stderr.write(f"{path.name} does not show the figures of benchmarks/: run `make measured`\n")
            return 1
    return 0


def in_short() -> Iterator[str]:
    """Yield the lines of README.md."""
    yield "**Quality** of what `shortlist train` publishes, on later events than any model was fitted on, whole catalogue, seen items"
    yield "excluded. *Frozen*: one list per user from what was known at the cut; *rolling*: each event predicted from all that came"
    yield "before it, as served. NDCG@10 of the whole pipeline and recall@200 of the two-tower, means over seeds: ours, popularity's, and"
    yield "the lowest end of the seeds' 95 % intervals of the paired difference."
    yield ""
    yield "| data | seeds | " + " | ".join(title for _, title in SHORT) + " |"
    yield "| --- | --- |" + " --- |" * len(SHORT)
    for name, figures in _files("quality"):
        cells = []
        for key, _ in SHORT:
            over = figures["summary"][key]
            cells.append(
                f"**{over['mean']:.3f}**, {over['popular']:.3f}, {over['least_lower_bound_of_difference']:+.3f}"
            )
        yield f"| {name} | {len(figures['runs'])} | " + " | ".join(cells) + " |"
    yield ""
    yield "**Published tables**, run again with our models under the same protocol: the best published row and the best of ours, by the"
    yield "table's first metric."
    yield ""
    yield "| table | metric | published | ours | seeds |"
    yield "| --- | --- | --- | --- | --- |"
    for name, table in _files("tables"):
        metric = table["metrics"][0]
        published = max(table["published"], key=lambda row: row["metrics"].get(metric, 0.0), default=None)
        theirs = f"*{published['metrics'][metric]:.4f}*, {published['model']}" if published else "an ablation"
        ours = {row["model"]: _means(table, row["model"], metric) for row in table["rows"]}
        best = max(ours, key=lambda model: sum(ours[model]) / len(ours[model]))
        mean = sum(ours[best]) / len(ours[best])
        yield f"| {name} | {metric} | {theirs} | {mean:.4f}, `{best}` | {len(ours[best])} |"
    yield ""
    yield from _latencies()
    yield ""
    yield "[Every table](benchmarks/README.md): by list, seed and slice, with the commands, machines and versions; and what falls short, of"
    yield "[quality](benchmarks/quality/README.md), [tables](benchmarks/tables/README.md) and [latency](benchmarks/latency/README.md)."


def in_full() -> Iterator[str]:
    """Yield the lines of ``benchmarks/README.md``."""
    yield "**Quality**, on later events than any model was fitted on (global cut of time, 80/10/10 where the command says nothing"
    yield "else), whole catalogue, seen items"
    yield "excluded; mean and 95 % interval of a bootstrap over users, and of the paired difference to popularity. *Frozen*: one"
    yield "list per user from what was known at the cut, relevant is all that came after. *Rolling*: each event predicted from"
    yield "all that came before it, as served. Choices were made on validation only. [Protocol and caveats](quality/README.md):"
    yield "among them, 30 % of the timestamps of the ml-1m copy at hand are interpolated between exact neighbours, none of the test."
    for name, figures in _files("quality"):
        yield ""
        yield f"**{name}**, `{figures['command']}`:"
        yield ""
        yield from _quality(figures)
    yield ""
    yield "**Published tables**, run again with our models under the same protocol: `shortlist benchmark TABLE`. Ours are means over"
    yield "seeds, with the range where there are several; published rows are in italics, as their sources print them."
    yield "[How settings were chosen, and what falls short](tables/README.md)."
    for _, table in _files("tables"):
        yield ""
        yield from _table(table)
    yield ""
    yield from _latencies()
    for machine in {_machine(run): None for _, run in _files("latency")}:
        yield ""
        yield machine


def _files(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((HERE / folder).glob("*.json")):
        yield path.stem, json.loads(path.read_text())


def _latencies() -> Iterator[str]:
    yield "**Latency** of `shortlist serve`, gateway to answer and back over gRPC on loopback, load generator on the same cores;"
    yield "open loop at a fixed rate, counted from the moment each request was due. The aim is p50 below 6 ms and p99 below 20 ms at"
    yield "50 requests/s."
    yield ""
    yield "| data, candidates | requests/s | p50 | p99 | max | stages p50: actor, retrieve, rank | status, degradation |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for _, run in _files("latency"):
        yield _latency(run)


def _quality(figures: dict[str, Any]) -> Iterator[str]:
    first, *others = figures["runs"]
    for table in first["tables"][:2]:
        yield f"{table['title']}, seed {first['seed']} ({table['evaluated']:,} evaluated)"
        yield ""
        yield "| list | " + " | ".join(f"{m} | Δ popular" for m in METRICS) + " |"
        yield "| --- |" + " --- | --- |" * len(METRICS)
        for row in table["rows"]:
            cells = []
            for metric in METRICS:
                cells += [_interval(row["metrics"][metric]), _interval(row["differences"].get(metric), sign="+")]
            yield f"| {row['name']} | " + " | ".join(cells) + " |"
        yield ""
    seeds = ", ".join(str(run["seed"]) for run in figures["runs"])
    if figures.get("slices"):
        yield from _slices(figures["slices"], seeds)
    if others:
        yield f"Over seeds {seeds}:"
        for name, over in figures["summary"].items():
            yield (
                f"`{name}` {over['mean']:.4f} ({over['least']:.4f} to {over['most']:.4f}; popular {over['popular']:.4f}; lowest"
                f" bound of the difference {over['least_lower_bound_of_difference']:+.4f}),"
            )
        yield "each interval a paired bootstrap over users."
        yield ""
    data, machine = figures["dataset"], figures["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    took = "/".join(f"{run['seconds']['total']:.0f}" for run in figures["runs"]) + " s"
    if figures.get("resumed"):
        took = "resumed from checkpoints, so that the time says nothing,"
    peak = max(run["peak_memory_mb"] for run in figures["runs"])
    yield (
        f"{data['events']:,} events, {data['users']:,} users, {data['items']:,} items; {took} with"
        f" {machine['threads']} thread on {machine['cores']} cores, peak {peak} MB; {versions}."
    )


def _slices(slices: list[dict[str, Any]], seeds: str) -> Iterator[str]:
    yield f"Where little is known, seeds {seeds}: users without an event before the test, items that retrieval was not fitted on."
    yield "Means, and in brackets the lowest end of the seeds' 95 % intervals of the paired difference to popularity: above zero,"
    yield "every seed is surely better."
    yield ""
    yield "| slice | evaluated | " + " | ".join(f"popular {m} | two_tower | fusion | pipeline" for m in METRICS) + " |"
    yield "| --- | --- |" + " --- | --- | --- | --- |" * len(METRICS)
    for each in slices:
        cells = []
        for metric in METRICS:
            lists = {name: each["lists"][name][metric] for name in ("two_tower", "fusion", "pipeline")}
            cells.append(f"{lists['pipeline']['popular']:.4f}")
            cells += [f"{x['mean']:.4f} ({x['least_lower_bound_of_difference']:+.4f})" for x in lists.values()]
        yield f"| {each['title']} | {each['evaluated']:,} | " + " | ".join(cells) + " |"
    yield ""


def _table(table: dict[str, Any]) -> Iterator[str]:
    metrics = table["metrics"]
    yield f"{table['title']}. {table['protocol']}"
    yield ""
    yield "| model | " + " | ".join(metrics) + " | seeds | fit |"
    yield "| --- |" + " --- |" * (len(metrics) + 2)
    for published in table["published"]:
        cells = [f"*{published['metrics'][m]:.4f}*" if m in published["metrics"] else "" for m in metrics]
        yield f"| *{published['model']}* ({published['source']}) | " + " | ".join(cells) + " |  |  |"
    for name in dict.fromkeys(row["model"] for row in table["rows"]):
        rows = [row for row in table["rows"] if row["model"] == name]
        cells = []
        for metric in metrics:
            means = _means(table, name, metric)
            spread = f" ({min(means):.4f} to {max(means):.4f})" if len(means) > 1 else ""
            cells.append(f"{sum(means) / len(means):.4f}{spread}")
        seconds = max(row["seconds"]["fit"] for row in rows)
        yield f"| `{name}`: {rows[0]['note']} | " + " | ".join(cells) + f" | {len(rows)} | {seconds:.0f} s |"
    yield ""
    wanted = ", ".join(f"{metric} {value}" for metric, value in table["to_reach"].items())
    aim = f", to reach: {wanted}" if wanted else ""
    machine, versions = table["rows"][0]["machine"], table["rows"][0]["versions"]
    yield (
        f"`{table['command']}`{aim}; {machine['cores']} cores of {machine['processor']}, one thread a model; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + "."
    )


def _means(table: dict[str, Any], model: str, metric: str) -> list[float]:
    return [row["metrics"][metric]["mean"] for row in table["rows"] if row["model"] == model]


def _interval(interval: dict[str, float] | None, sign: str = "") -> str:
    if interval is None:
        return ""
    return f"{interval['mean']:{sign}.4f} [{interval['low']:{sign}.4f}, {interval['high']:{sign}.4f}]"


def _latency(run: dict[str, Any]) -> str:
    latency, stages, load = run["latency_ms"], run["stage_p50_ms"], run["load"]
    said = "; ".join(", ".join(f"{k} {v}" for k, v in run[name].items()) for name in ("statuses", "degradation"))
    parts = ", ".join(f"{stages[name]:.1f}" for name in ("read_actor", "retrieve", "rank"))
    name = run["bundle"].rsplit("-", 1)[0]
    return (
        f"| {name}, {load['candidates']} | {load['rps']:g} | {latency['p50']:.1f} ms | {latency['p99']:.1f} ms |"
        f" {latency['p100']:.1f} ms | {parts} ms | {said} |"
    )


def _machine(run: dict[str, Any]) -> str:
    machine = dict(run["machine"])
    cores, processor = machine.pop("cores"), machine.pop("processor")
    versions = ", ".join(f"{name} {version}" for name, version in machine.items())
    return f"`shortlist bench --rps {run['load']['rps']:g}`, {cores} cores of {processor}; {versions}."


if __name__ == "__main__":
    sys.exit(main())
