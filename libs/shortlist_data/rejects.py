"""Account of what reading leaves out: nothing is lost without a reason, a number and a few samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import polars as pl

from shortlist_data.dataset import ReadReport, Skipped
from shortlist_data.errors import DataRefused

LINE = "\x1fline"
"""Column with the number of the line that a row begins on; a name that no file has."""

SAMPLES = 3
"""Samples kept per reason."""


class Rejects:
    """Collects the rows that one reading leaves out."""

    def __init__(self) -> None:
        self._skipped: dict[tuple[str, str, bool], tuple[int, list[str]]] = {}

    def add(self, table: str, reason: str, count: int, samples: Iterable[str] = (), *, is_bad: bool = True) -> None:
        """Add ``count`` rows of ``table``; none changes nothing."""
        if count == 0:
            return
        known, kept = self._skipped.get((table, reason, is_bad), (0, []))
        kept.extend(sample for _, sample in zip(range(SAMPLES - len(kept)), samples, strict=False))
        self._skipped[table, reason, is_bad] = (known + count, kept)

    def note(
        self,
        table: str,
        where: str,
        reasons: pl.Series,
        lines: pl.Series,
        shown: Callable[[int], object],
        *,
        is_bad: bool = True,
    ) -> pl.Series:
        """Add the rows whose entry in ``reasons`` is not null and return where it is null: the mask of good rows.

        Args:
            table: Table that the rows belong to.
            where: File, for the samples.
            reasons: Why each row is left out, null where it is not.
            lines: Line of each row.
            shown: Position of a row to what a sample shows of it.
            is_bad: See :class:`Skipped`.
        """
        good = reasons.is_null()
        if good.all():
            return good
        wrong = pl.DataFrame({"reason": reasons}).with_row_index("row").filter(pl.col("reason").is_not_null())
        told = wrong.group_by("reason", maintain_order=True).agg(pl.len(), pl.col("row").head(SAMPLES))
        for reason, count, rows in told.iter_rows():
            samples = [f"{where}:{lines[row]}: {shortened(shown(row))}" for row in rows]
            self.add(table, reason, count, samples, is_bad=is_bad)
        return good

    def report(self, source: str, rows: Mapping[str, int]) -> ReadReport:
        """Return everything collected."""
        skipped = tuple(
            Skipped(table, reason, count, tuple(samples), is_bad)
            for (table, reason, is_bad), (count, samples) in self._skipped.items()
        )
        return ReadReport(source, dict(rows), skipped)


def refuse_above(report: ReadReport, bad_share: float) -> None:
    """Raise where more than ``bad_share`` of a table's rows are bad.

    Raises:
        DataRefused: With the reasons, most frequent first, and a sample of each.
    """
    for table, rows in report.rows.items():
        bad = report.bad(table)
        if bad <= bad_share * rows:
            continue
        reasons = sorted((s for s in report.skipped if s.table == table and s.is_bad), key=lambda s: -s.count)
        told = "; ".join(f"{s.count:,} x {s.reason}" + (f" ({s.samples[0]})" if s.samples else "") for s in reasons[:4])
        raise DataRefused(
            f"{bad:,} of {rows:,} rows of {table} are bad ({bad / rows:.1%}, at most {bad_share:.1%} may be): {told}"
        )


def shortened(value: object, limit: int = 60) -> str:
    """Return ``value`` quoted as in Python, cut to ``limit`` characters, so that no control character is printed."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
