"""Delimited text to columns of text: quoting, line numbers, and an account of rows that do not fit."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

import polars as pl

from shortlist_data.errors import DataRefused
from shortlist_data.rejects import LINE, Rejects, shortened

_CHUNK_BYTES = 64 << 20
_LONGEST_RECORD = 100
"""Lines that a quoted record may span; beyond that a quote was never closed."""

NOT_TEXT = "the bytes are not UTF-8 text"
_BOM = b"\xef\xbb\xbf"


def read_delimited(
    content: bytes,
    where: str,
    table: str,
    rejects: Rejects,
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
    names: Sequence[str] | None = None,
) -> tuple[pl.DataFrame, int]:
    """Return the columns of a text file as they stand in it, plus :data:`LINE` (Int64, from 1), and the rows found.

    Rows with another number of fields, bytes that are no text, or quotes that do not close are left out and counted.
    Lines end with LF or CRLF (or all with CR); a byte order mark is ignored; fields may be quoted with ``"`` where the
    delimiter is one character.

    Args:
        content: The file.
        where: Its name, for messages.
        table: Table that it is, for the account.
        rejects: The account.
        delimiter: What separates fields; several characters are fine.
        encoding: ``utf-8`` or ``latin-1``.
        names: Names of the columns where the file has no header line.

    Raises:
        DataRefused: Empty, not text, or a header with a name twice.
    """
    content = content.removeprefix(_BOM)
    if not content.strip():
        raise DataRefused(f"{where} is empty")
    if b"\x00" in content[:4096]:
        raise DataRefused(f"{where} is not text (it has NUL bytes): is it an archive, or UTF-16? Text in UTF-8 is read")
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")  # lines that end with CR alone
    first_line = 1
    if names is None:
        blank = len(content) - len(content.lstrip(b"\r\n"))
        first_line += content[:blank].count(b"\n") + 1
        head, _, content = content[blank:].partition(b"\n")
        names = _header(head, where, delimiter, encoding)
    if len(delimiter) == 1 and b'"' in content:
        return _quoted(content, where, table, rejects, delimiter, encoding, names, first_line)
    frames: list[pl.DataFrame] = []
    found = 0
    for chunk in _chunks(content):
        lines = _lines(chunk, encoding, first_line)
        first_line += len(lines)
        frame = _split(lines, where, table, rejects, delimiter, names)
        found += len(lines) - frame[1]
        frames.append(frame[0])
    return (pl.concat(frames) if frames else _empty(names)), found


def _header(head: bytes, where: str, delimiter: str, encoding: str) -> list[str]:
    try:
        text = head.decode(encoding).removesuffix("\r")
        names = next(csv.reader([text], delimiter=delimiter), []) if len(delimiter) == 1 else text.split(delimiter)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataRefused(f"{where}: the header is not a line of text in {encoding} ({error})") from error
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataRefused(f"{where}: the header names {', '.join(map(repr, repeated))} twice")
    return names


def _empty(names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema={**dict.fromkeys(names, pl.String), LINE: pl.Int64})


def _chunks(content: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(content):
        end = len(content)
        if end - start > _CHUNK_BYTES:
            end = content.find(b"\n", start + _CHUNK_BYTES) + 1 or len(content)
        yield content[start:end]
        start = end


def _lines(chunk: bytes, encoding: str, first_line: int) -> pl.DataFrame:
    """Return ``raw`` (String, null where bytes are no text) and the line number of every line."""
    chunk = chunk.removesuffix(b"\n")
    try:
        raw = pl.Series("raw", [chunk.decode(encoding)]).str.split("\n").explode()
    except UnicodeDecodeError:
        raw = pl.Series("raw", [_text(line) for line in chunk.split(b"\n")], dtype=pl.String)
    raw = raw.str.strip_suffix("\r")
    return pl.DataFrame({"raw": raw, LINE: pl.int_range(first_line, first_line + len(raw), eager=True)})


def _text(line: bytes) -> str | None:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _split(
    lines: pl.DataFrame, where: str, table: str, rejects: Rejects, delimiter: str, names: Sequence[str]
) -> tuple[pl.DataFrame, int]:
    """Return the fields of the lines that have as many as there are names, and the number of empty lines."""
    empty = lines.filter(pl.col("raw") == "")
    samples = (f"{where}:{line}" for line in empty[LINE])
    rejects.add(table, "empty line", len(empty), samples, is_bad=False)
    fields = lines.filter(pl.col("raw").is_null() | (pl.col("raw") != "")).with_columns(
        fields=pl.col("raw").str.split(delimiter)
    )
    reasons = fields.select(_misfit(pl.col("fields").list.len(), len(names), pl.col("raw").is_null())).to_series()
    kept = fields.filter(rejects.note(table, where, reasons, fields[LINE], lambda row: fields["raw"][row]))
    columns = [pl.col("fields").list.get(i).alias(name) for i, name in enumerate(names)]
    return kept.select(*columns, pl.col(LINE)), len(empty)


def _misfit(count: pl.Expr, wanted: int, is_no_text: pl.Expr) -> pl.Expr:
    return (
        pl.when(is_no_text)
        .then(pl.lit(NOT_TEXT))
        .when(count < wanted)
        .then(pl.lit(f"fewer than {wanted} fields"))
        .when(count > wanted)
        .then(pl.lit(f"more than {wanted} fields"))
    )


class _Unclosed(Exception):
    """A quote was opened and not closed for longer than any record is."""


class _Feed:
    """Lines for :func:`csv.reader`, which tells where a record began."""

    def __init__(self, lines: list[str], position: int) -> None:
        self._lines = lines
        self.position = position
        self.record_start = position

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if self.position >= len(self._lines):
            raise StopIteration
        if self.position - self.record_start >= _LONGEST_RECORD:
            raise _Unclosed
        self.position += 1
        return self._lines[self.position - 1] + "\n"


def _quoted(
    content: bytes,
    where: str,
    table: str,
    rejects: Rejects,
    delimiter: str,
    encoding: str,
    names: Sequence[str],
    first_line: int,
) -> tuple[pl.DataFrame, int]:
    """Read by the rules of RFC 4180, record by record; a record that breaks them costs only its own first line."""
    lines = content.removesuffix(b"\n").decode(encoding, "surrogateescape").split("\n")
    kept: list[list[str]] = []
    numbers: list[int] = []
    found = 0
    feed = _Feed(lines, 0)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.record_start = feed.position
        reason = None
        fields: list[str] = []
        try:
            fields = next(reader)
        except StopIteration:
            break
        except (csv.Error, _Unclosed) as error:
            is_long = "field larger than" in str(error)
            reason = (
                f"a field is longer than {csv.field_size_limit():,} characters" if is_long else "quotes do not match"
            )
            feed = _Feed(lines, feed.record_start + 1)
            reader = csv.reader(feed, delimiter=delimiter, strict=True)
            feed.record_start -= 1
        start = feed.record_start
        if reason is None and not fields:
            rejects.add(table, "empty line", 1, [f"{where}:{first_line + start}"], is_bad=False)
            continue
        found += 1
        reason = reason or _record_misfit(fields, len(names))
        if reason is None:
            kept.append(fields)
            numbers.append(first_line + start)
        else:
            shown = lines[start].encode(errors="replace").decode()
            rejects.add(table, reason, 1, [f"{where}:{first_line + start}: {shortened(shown)}"])
    columns = dict(zip(names, map(list, zip(*kept, strict=True)), strict=True)) if kept else {}
    frame = pl.DataFrame({**columns, LINE: numbers}, schema=_empty(names).schema) if kept else _empty(names)
    return frame, found


def _record_misfit(fields: list[str], wanted: int) -> str | None:
    if len(fields) != wanted:
        return f"{'fewer' if len(fields) < wanted else 'more'} than {wanted} fields"
    if any("\udc80" <= character <= "\udcff" for field in fields if not field.isascii() for character in field):
        return NOT_TEXT
    return None
