"""The leave-one-out split of MovieLens 1M that publications on neural collaborative filtering share.

Files as in the repository ``hexiangnan/neural_collaborative_filtering``: ``NAME.train.rating`` and ``NAME.test.rating``
with user, item, rating and time a line, ``NAME.test.negative`` with 99 items a user that the user did not meet.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shortlist_data.archives import read_members
from shortlist_data.assemble import assemble
from shortlist_data.dataset import Dataset, ReadReport
from shortlist_data.errors import DataRefused

NAME = "ml-1m"
_TRAIN, _TEST, _NEGATIVE = (f"{NAME}.{part}" for part in ("train.rating", "test.rating", "test.negative"))
_COLUMNS = {"user": pl.Int64, "item": pl.Int64, "value": pl.Float32, "time_s": pl.Float64}


@dataclass(frozen=True, slots=True)
class NcfSplit:
    """A data set and, for each user held out, one relevant item among others."""

    known: Dataset
    """Ids are the numbers of the files with leading zeros, so that rows are those numbers."""

    users: NDArray[np.int32]
    """User rows, ``(u,)``."""

    times_s: NDArray[np.float64]
    """When each met the relevant item, ``(u,)``."""

    items: NDArray[np.int32]
    """Item rows ``(u, 1 + negatives)``, the relevant one first."""


def read_ncf_split(path: Path | None) -> NcfSplit:
    """Read the split from an archive or a folder.

    Raises:
        DataRefused: No path is given, or a file is missing, damaged or does not fit the others.
    """
    if path is None:
        raise DataRefused(
            f"the split is not to be had by download; give a zip archive with {_TRAIN}, {_TEST} and {_NEGATIVE} "
            "(from hexiangnan/neural_collaborative_filtering) as --archive"
        )
    files = read_members(path, ((_TRAIN, _TEST, _NEGATIVE),), "the NCF split of MovieLens 1M")
    train, test = (_ratings(name, files[name]) for name in (_TRAIN, _TEST))
    users, items = _lists(files[_NEGATIVE])
    if users.tolist() != test["user"].to_list() or items[:, 0].tolist() != test["item"].to_list():
        raise DataRefused(f"{path}: users or items of {_NEGATIVE} are not those of {_TEST}")
    n_users = int(max(train["user"].max(), users.max(initial=0))) + 1
    n_items = int(max(train["item"].max(), items.max(initial=0))) + 1
    width = len(str(max(n_users, n_items) - 1))
    events = train.select(
        user_id=pl.col("user").cast(pl.String).str.zfill(width),
        item_id=pl.col("item").cast(pl.String).str.zfill(width),
        value="value",
        time_s="time_s",
    )
    known = assemble(
        f"{NAME}-ncf",
        events,
        pl.DataFrame({"user_id": [f"{row:0{width}d}" for row in range(n_users)]}),
        pl.DataFrame({"item_id": [f"{row:0{width}d}" for row in range(n_items)]}).with_columns(
            title=pl.lit(None, pl.String)
        ),
        report=ReadReport(path.name, {"interactions": len(train), "users": n_users, "items": n_items}),
    )
    return NcfSplit(known, users.astype(np.int32), test["time_s"].to_numpy(), items.astype(np.int32))


def _ratings(name: str, content: bytes) -> pl.DataFrame:
    try:
        frame = pl.read_csv(io.BytesIO(content), has_header=False, separator="\t", schema=_COLUMNS)
    except pl.exceptions.PolarsError as error:
        raise DataRefused(f"{name}: lines must hold user, item, rating and time with tabs between: {error}") from error
    is_whole = len(frame) > 0 and not any(frame.null_count().row(0))
    if not is_whole or frame.select(pl.min_horizontal(pl.col("user").min(), pl.col("item").min())).item() < 0:
        raise DataRefused(f"{name}: it is empty, or a number is missing or negative")
    return frame


def _lists(content: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return users ``(u,)`` and items ``(u, 100)`` of lines such as ``(0,25)<tab>1064<tab>174``."""
    users, lists = [], []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        head, *negatives = line.split("\t")
        pair = re.fullmatch(r"\((\d+),(\d+)\)", head)
        if pair is None or not all(field.isdecimal() for field in negatives):
            raise DataRefused(f"{_NEGATIVE}: line {number} is not of the form (user,item), item, item, …")
        users.append(int(pair[1]))
        lists.append([int(pair[2]), *map(int, negatives)])
    if not lists or len({len(each) for each in lists}) > 1 or len(lists[0]) < 2:
        raise DataRefused(f"{_NEGATIVE}: it is empty, or lines do not hold equally many items")
    return np.array(users, np.int64), np.array(lists, np.int64)
