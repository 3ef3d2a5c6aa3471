"""Tables of metrics with intervals: for a page, for a program, for a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist_evaluation.intervals import Interval, bootstrap_columns
from shortlist_evaluation.significance import randomisation_tests

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One recommended list (a model, a source, the pipeline)."""

    name: str
    metrics: Mapping[str, Interval]
    """Mean and interval by metric, as in ``ndcg@10``."""

    differences: Mapping[str, Interval] = field(default_factory=dict)
    """Mean and interval of the paired difference to the baseline; empty for the baseline itself."""

    p_values: Mapping[str, float] = field(default_factory=dict)
    """Of the paired randomisation test against the baseline, where it was asked for."""


@dataclass(frozen=True, slots=True)
class MetricTable:
    """Rows under one protocol; every row was measured on the same users or events."""

    title: str
    baseline: str
    """Name of the row that differences refer to."""

    rows: tuple[MetricRow, ...]
    evaluated: int
    """Users or events behind every mean."""

    left_out: int = 0
    """Users or events that could not be evaluated, such as users without a relevant item."""

    notes: tuple[str, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics, in order of appearance."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.metrics))

    def to_markdown(self) -> str:
        """Return the table as GitHub-flavoured Markdown, with its title and notes."""
        lines = [f"**{self.title}** ({self._subtitle()})", ""]
        lines.append("| list | " + " | ".join(self._headings()) + " |")
        lines.append("|---" * (1 + len(self._headings())) + "|")
        lines.extend("| " + " | ".join([_escaped(row.name), *self._cells(row)]) + " |" for row in self.rows)
        if self.notes:
            lines.extend(["", *(f"- {note}" for note in self.notes)])
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """Return the table as JSON, readable by :meth:`from_json`. Means without a value are null."""
        return json.dumps(_without_nan(asdict(self)), indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, content: str) -> MetricTable:
        """Return the table that :meth:`to_json` wrote."""
        raw = json.loads(content)
        rows = tuple(
            MetricRow(r["name"], _intervals(r["metrics"]), _intervals(r["differences"]), r.get("p_values", {}))
            for r in raw.pop("rows")
        )
        return cls(**{**raw, "notes": tuple(raw["notes"])}, rows=rows)

    def to_rich(self) -> Table:
        """Return the table for a terminal: a line for each list and metric, which fits in 80 columns."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        # Text, not str: names may hold what rich would take for markup. No frame: with one, `item_neighbours`,
        # `recall@200` and two intervals are wider than 80 columns, and a figure that is cut reads as another one.
        table = Table(
            title=Text(self.title),
            caption=Text("\n".join((self._subtitle(), *self.notes))),
            box=SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            collapse_padding=True,
        )
        is_tested = any(row.p_values for row in self.rows)
        for heading, side in (("list", "left"), ("metric", "left"), ("mean", "right")):
            table.add_column(heading, justify=side, overflow="fold")  # type: ignore[arg-type]
        table.add_column(Text(f"Δ to {self.baseline}"), justify="right", overflow="fold")
        if is_tested:
            table.add_column("p", justify="right", no_wrap=True)
        for row in self.rows:
            for at, name in enumerate(self.metrics):
                cells = [_cell(row.metrics.get(name), ""), _cell(row.differences.get(name), "+")]
                if is_tested:
                    cells.append(f"{row.p_values[name]:.4f}" if name in row.p_values else "")
                is_last = at == len(self.metrics) - 1
                table.add_row(*map(Text, ("" if at else row.name, name, *cells)), end_section=is_last)
        return table

    def _subtitle(self) -> str:
        return (
            f"{self.evaluated:,} evaluated, {self.left_out:,} left out; mean [95 % interval]; Δ is to {self.baseline}"
        )

    def _headings(self) -> list[str]:
        return [*self.metrics, *(f"Δ {name}" for name in self.metrics)]

    def _cells(self, row: MetricRow) -> list[str]:
        own = [_cell(row.metrics.get(name), "") for name in self.metrics]
        return own + [_cell(row.differences.get(name), "+") for name in self.metrics]


def compared(
    title: str,
    baseline: str,
    lists: Mapping[str, Mapping[str, NDArray[np.floating]]],
    *,
    seed: int,
    groups: NDArray[np.generic] | None = None,
    resamples: int = 2000,
    left_out: int = 0,
    notes: tuple[str, ...] = (),
    permutations: int = 0,
) -> MetricTable:
    """Return the table of several lists with bootstrap intervals, and paired ones for the difference to a baseline.

    Args:
        title: What was measured, and on what.
        baseline: Key of ``lists`` that the others are compared with.
        lists: By name of the list, by metric, one number per user or event; position by position about the same one.
        seed: Seed of the resampling.
        groups: User of each number where there is one per event, see :func:`shortlist_evaluation.intervals.bootstrap`.
        resamples: Number of resamples.
        left_out: Users or events not evaluated.
        notes: Sentences to print below.
        permutations: Of the paired randomisation test of each difference; 0: no test.

    Raises:
        ValueError: There is no such baseline, or columns differ in length.
    """
    if baseline not in lists:
        raise ValueError(f"baseline {baseline!r} is not one of {', '.join(lists)}")
    lengths = {len(values) for columns in lists.values() for values in columns.values()}
    if len(lengths) != 1:
        raise ValueError(f"all columns must be about the same users or events; lengths are {sorted(lengths)}")
    rows = [
        _row(name, columns, {} if name == baseline else lists[baseline], seed, resamples, groups, permutations)
        for name, columns in lists.items()
    ]
    return MetricTable(title, baseline, tuple(rows), lengths.pop(), left_out, notes)


def _row(
    name: str,
    columns: Mapping[str, NDArray[np.floating]],
    against: Mapping[str, NDArray[np.floating]],
    seed: int,
    resamples: int,
    groups: NDArray[np.generic] | None,
    permutations: int,
) -> MetricRow:
    shared = [metric for metric in columns if metric in against]
    own = [np.asarray(values, np.float64) for values in columns.values()]
    apart = [np.asarray(columns[metric], np.float64) - np.asarray(against[metric], np.float64) for metric in shared]
    # One set of resamples for everything: drawing them is most of the work.
    found = bootstrap_columns(np.stack([*own, *apart], axis=1), seed, resamples, groups)
    p_values: dict[str, float] = {}
    if permutations and shared and len(own[0]):
        tested = randomisation_tests(np.stack(apart, axis=1), seed, permutations, groups)
        p_values = dict(zip(shared, tested, strict=True))
    means = dict(zip(columns, found[: len(own)], strict=True))
    return MetricRow(name, means, dict(zip(shared, found[len(own) :], strict=True)), p_values)


def _cell(interval: Interval | None, sign: str) -> str:
    if interval is None or np.isnan(interval.mean):
        return ""
    if np.isnan(interval.low):
        return f"{interval.mean:{sign}.4f}"
    return f"{interval.mean:{sign}.4f} [{interval.low:{sign}.4f}, {interval.high:{sign}.4f}]"


def _escaped(name: str) -> str:
    return name.replace("|", "\\|")


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _intervals(raw: Mapping[str, Mapping[str, float | None]]) -> dict[str, Interval]:
    return {name: Interval(_number(v["mean"]), _number(v["low"]), _number(v["high"])) for name, v in raw.items()}


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
