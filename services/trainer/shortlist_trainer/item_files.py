"""The items table as the files of a bundle that are made of it alone."""

from __future__ import annotations

import io
import json
from datetime import date

import polars as pl


def items_file(items: pl.DataFrame) -> bytes:
    """Return the content of ``items.arrow``."""
    buffer = io.BytesIO()
    items.write_ipc(buffer, compression="uncompressed")
    return buffer.getvalue()


def shown_fields(items: pl.DataFrame) -> list[bytes]:
    """Return what a caller may show of each item, JSON: its columns without the id and without what is missing."""
    rows = items.drop("item_id").to_dicts()
    return [json_bytes({k: _shown(v) for k, v in row.items() if v is not None and v == v}) for row in rows]


def json_bytes(content: object) -> bytes:
    """Return ``content`` as JSON, the same bytes for the same content."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()


def _shown(value: object) -> object:
    """Return a time in the form of RFC 3339, anything else as it is."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, date) else value
