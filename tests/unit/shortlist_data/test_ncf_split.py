"""The NCF split: read as published, refused where its files do not fit."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from shortlist_data.errors import DataRefused
from shortlist_data.ncf_split import read_ncf_split

TRAIN = "0\t2\t5\t100\n0\t1\t3\t101\n1\t2\t4\t90\n2\t11\t1\t95\n"
TEST = "0\t3\t4\t200\n1\t0\t5\t210\n"
NEGATIVE = "(0,3)\t4\t5\n(1,0)\t3\t0\n"


def archive(folder: Path, train: str = TRAIN, test: str = TEST, negative: str = NEGATIVE) -> Path:
    path = folder / "ncf.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in (("train.rating", train), ("test.rating", test), ("test.negative", negative)):
            file.writestr(f"ncf/ml-1m.{name}", content)
    return path


def test_rows_are_the_numbers_of_the_files_and_events_are_in_order_of_time(tmp_path: Path) -> None:
    split = read_ncf_split(archive(tmp_path))
    known = split.known
    assert len(known.user_ids) == 3
    assert len(known.item_ids) == 12
    assert known.user_rows.tolist() == [1, 2, 0, 0]
    assert known.item_rows.tolist() == [2, 11, 2, 1]
    assert known.values.tolist() == [4, 1, 5, 3]
    assert split.users.tolist() == [0, 1]
    assert split.items.tolist() == [[3, 4, 5], [0, 3, 0]]
    assert split.times_s.tolist() == [200, 210]


@pytest.mark.parametrize(
    ("part", "content", "said"),
    [
        ("train", "", "empty"),
        ("train", "0\t2\tx\t1\n", "user, item, rating and time"),
        ("train", "0\t2\n", "with tabs between"),
        ("train", "0\t2\t\t1\n", "a number is missing"),
        ("train", "-1\t2\t5\t1\n", "negative"),
        ("test", "0\t4\t4\t200\n1\t0\t5\t210\n", "not those of"),
        ("test", "0\t3\t4\t200\n", "not those of"),
        ("negative", "0,3\t4\t5\n", "line 1 is not"),
        ("negative", "(0,3)\t4\t5\n(1,0)\tx\t0\n", "line 2 is not"),
        ("negative", "(0,3)\t4\t5\n(1,0)\t3\n", "equally many"),
        ("negative", "", "empty"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, part: str, content: str, said: str) -> None:
    with pytest.raises(DataRefused, match=said):
        read_ncf_split(archive(tmp_path, **{part: content}))


def test_without_an_archive_it_says_what_is_needed() -> None:
    with pytest.raises(DataRefused, match="--archive"):
        read_ncf_split(None)


def test_another_archive_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.txt", "x")
    with pytest.raises(DataRefused, match=r"ml-1m\.train\.rating"):
        read_ncf_split(path)
