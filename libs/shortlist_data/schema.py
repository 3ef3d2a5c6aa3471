"""The schema file: which columns of somebody's tables are users, items, values, times and attributes.

::

    name: bookshop
    interactions:
      path: ratings.csv            # relative to this file; .csv, .tsv, .txt or .parquet
      user: customer
      item: isbn
      value: stars                 # left out: every row counts 1.0
      time: {column: at, format: iso8601}      # or: time: at   (seconds since 1970)
                                               # or, where no time is known: time: {order: rows}
    users:                         # optional
      path: customers.csv
      id: customer
      attributes: {country: categorical, segment: categorical}
    items:                         # optional
      path: books.parquet
      id: isbn
      title: name
      attributes:
        genres: {kind: multi, separator: "|"}
        publisher: categorical
        year: number
    limits: {bad_share: 0.05, users: 10, items: 10, interactions: 100}     # optional; these are the defaults

Keys of a table: ``format`` (``csv`` or ``parquet``; default: by the file's ending), ``delimiter`` (default ``,``, and a
tabulator for ``.tsv``; several characters as in ``::`` are fine), ``encoding`` (``utf-8`` or ``latin-1``), ``columns``
(names of all columns, in order, of a text file without a header line). Of users and items also ``strict`` (``true``: an
interaction with an id that the table lacks is left out and counted; default: it is kept without attributes). Of an
attribute also ``column``, where the column has another name. Kinds: ``categorical`` (users and items), ``multi`` and
``number`` (items); ``flag`` (true or false, yes or no, 1 or 0) and ``time`` (items; ``format`` as of the interactions'
times, default ``iso8601``), which no model reads: they are for filters and for display.

``time: {order: rows}`` says that the rows are in order of time, which is all that is known of it; see
:func:`shortlist_data.interactions.row_times`.

Ids are text. What is text stays as it is (``007``); whole numbers of Parquet become their digits; other types are
refused.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from shortlist_data.columns import TimeFormat
from shortlist_data.errors import DataRefused
from shortlist_data.rejects import shortened
from shortlist_domain.ids import MAX_ATTRIBUTE_NAME_BYTES

_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_RESERVED = frozenset({"user_id", "item_id", "title"})


class TableFormat(StrEnum):
    """File formats that are read."""

    CSV = "csv"
    PARQUET = "parquet"


class AttributeKind(StrEnum):
    """What an attribute's column holds."""

    CATEGORICAL = "categorical"
    MULTI = "multi"
    NUMBER = "number"
    FLAG = "flag"
    TIME = "time"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TimeColumn(_Strict):
    """The column of times."""

    column: str | None = Field(default=None, min_length=1)
    format: TimeFormat = TimeFormat.SECONDS
    order: Literal["rows"] | None = None
    """Instead of a column: the rows of the file are in order of time."""

    @model_validator(mode="after")
    def _one_of_both(self) -> TimeColumn:
        if (self.column is None) == (self.order is None):
            raise ValueError("name the column of times, or write order: rows where the rows are in order of time")
        return self


class Attribute(_Strict):
    """An attribute of users or items."""

    kind: AttributeKind
    separator: str = Field(default="|", min_length=1)
    """Between the values of a ``multi`` attribute in text."""

    column: str | None = None
    """Name of the column, where it is not the attribute's."""

    format: TimeFormat = TimeFormat.ISO8601
    """How a ``time`` is told."""


def _shorthand(key: str) -> BeforeValidator:
    """Accept ``x`` for ``{key: x}``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class Table(_Strict):
    """A file and how to read it."""

    path: str = Field(min_length=1)
    format: TableFormat | None = None
    delimiter: str | None = Field(default=None, min_length=1)
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    columns: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Names of all columns, where a text file has no header line."""

    @model_validator(mode="after")
    def _format_is_known(self) -> Table:
        if self.columns is not None and len(set(self.columns)) < len(self.columns):
            raise ValueError("columns names one twice")
        if self.format is None and Path(self.path).suffix.lower() not in FORMAT_BY_SUFFIX:
            raise ValueError(f"the ending of {self.path!r} tells no format; add format: csv or format: parquet")
        return self


class Interactions(Table):
    """The table of interactions."""

    user: str = Field(min_length=1)
    item: str = Field(min_length=1)
    value: str | None = None
    time: Annotated[TimeColumn, _shorthand("column")]


class Entities(Table):
    """A table of users."""

    id: str = Field(min_length=1)
    attributes: dict[str, Annotated[Attribute, _shorthand("kind")]] = Field(default_factory=dict)
    strict: bool = False

    @model_validator(mode="after")
    def _names_are_free(self) -> Entities:
        if taken := sorted(_RESERVED & self.attributes.keys()):
            raise ValueError(f"attributes may not be called {', '.join(taken)}; use another name and `column`")
        return self


class Users(Entities):
    """The table of users."""

    @model_validator(mode="after")
    def _kinds_are_served(self) -> Users:
        for name, attribute in self.attributes.items():
            if not 0 < len(name.encode()) <= MAX_ATTRIBUTE_NAME_BYTES:
                raise ValueError(f"attribute {name!r:.80}: a name has 1 to {MAX_ATTRIBUTE_NAME_BYTES} bytes")
            if attribute.kind is not AttributeKind.CATEGORICAL:
                raise ValueError(f"attribute {name!r} has kind {attribute.kind.value}; users can have categorical ones")
        return self


class Items(Entities):
    """The table of items."""

    title: str | None = None


class LimitsSection(_Strict):
    """What the data must have at least; see :class:`shortlist_data.enough.Limits`."""

    bad_share: float = Field(default=0.05, ge=0, le=1)
    users: int = Field(default=10, ge=2)
    items: int = Field(default=10, ge=2)
    interactions: int = Field(default=100, ge=3)


class Schema(_Strict):
    """Content of a schema file."""

    name: str = Field(pattern=_NAME)
    interactions: Interactions
    users: Users | None = None
    items: Items | None = None
    limits: LimitsSection = LimitsSection()


FORMAT_BY_SUFFIX = {
    ".csv": TableFormat.CSV,
    ".tsv": TableFormat.CSV,
    ".txt": TableFormat.CSV,
    ".parquet": TableFormat.PARQUET,
}


def read_schema(path: Path) -> Schema:
    """Read a schema file.

    Raises:
        DataRefused: Absent, not YAML, or with a key or value that is not allowed; names file and key.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataRefused(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataRefused(f"{path} is not a schema: it is not text in UTF-8") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise DataRefused(f"{where} is not YAML: {getattr(error, 'problem', None) or 'it cannot be parsed'}") from error
    if not isinstance(raw, dict):
        raise DataRefused(
            f"{path} is not a schema: it should be a mapping with the keys {', '.join(Schema.model_fields)}"
        )
    try:
        return Schema.model_validate(raw)
    except ValidationError as error:
        raise DataRefused(f"{path}: " + "; ".join(map(_told, error.errors()))) from error


def _told(error: object) -> str:
    """Return one finding of pydantic as ``key: what is wrong (what is allowed)``."""
    finding = dict(error)  # type: ignore[call-overload]
    key = ".".join(str(part) for part in finding["loc"]) or "schema"
    message = str(finding["msg"]).removeprefix("Value error, ")
    if finding["type"] == "extra_forbidden":
        return f"{key}: there is no such key; allowed: {', '.join(_allowed(finding['loc'][:-1]))}"
    if finding["type"] == "missing":
        hint = "; where the rows are in order of time, write time: {order: rows}" if key == "interactions.time" else ""
        return f"{key}: is required{hint}"
    if finding["type"] == "value_error":
        return f"{key}: {message}"
    return f"{key}: {message[:1].lower()}{message[1:]}, found {shortened(finding['input'])}"


def _allowed(loc: tuple[object, ...]) -> list[str]:
    """Return the keys that a section may have."""
    sections: dict[object, type[BaseModel]] = {
        "interactions": Interactions,
        "users": Users,
        "items": Items,
        "limits": LimitsSection,
    }
    if not loc:
        return list(Schema.model_fields)
    if "attributes" in loc:
        return list(Attribute.model_fields)
    return list(TimeColumn.model_fields if "time" in loc else sections[loc[0]].model_fields)
