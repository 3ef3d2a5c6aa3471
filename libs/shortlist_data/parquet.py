"""Parquet files, whole or refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from shortlist_data.errors import DataRefused


def read_parquet(path: Path) -> pl.DataFrame:
    """Return the table in ``path``.

    Raises:
        DataRefused: Absent, or not a Parquet file, or a damaged one.
    """
    if not path.is_file():
        raise DataRefused(f"{path} does not exist or is not a file")
    try:
        return pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataRefused(f"{path} is not a Parquet file that can be read: {_first_line(error)}") from error
    except BaseException as error:
        # On damaged pages polars panics, with an exception outside of Exception that it does not export.
        if type(error).__name__ != "PanicException":
            raise
        raise DataRefused(f"{path} is a damaged Parquet file: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:160]
