"""Texts and pictures by item id: what is read, joined, renamed, left out and refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import polars as pl
import pytest

from shortlist_content.inputs import RenamedPictures, column_texts, file_texts, joined, pictures_in
from shortlist_content.movielens_content import film_content
from shortlist_data.assemble import assemble
from shortlist_data.dataset import Dataset, ReadReport
from shortlist_data.errors import DataRefused
from shortlist_testing.tiny_encoders import picture

ITEMS = pl.DataFrame(
    {
        "item_id": ["1", "2", "3", "4"],
        "title": ["Heat (1995)", "Really?", None, " "],
        "genres": [["Action", "Crime"], [], None, []],
        "year": [1995.0, 1999.5, None, None],
    }
)


@pytest.fixture
def dataset() -> Dataset:
    events = pl.DataFrame({"user_id": ["u"], "item_id": ["1"], "value": [1.0], "time_s": [0.0]})
    users = pl.DataFrame({"user_id": ["u"]})
    return assemble("films", events, users, ITEMS, item_attributes=("genres",), report=ReadReport("by hand"))


def test_columns_become_sentences_in_their_order_without_what_is_missing(dataset: Dataset) -> None:
    assert column_texts(dataset, ("title", "genres", "year")) == {
        "1": "Heat (1995). Action, Crime. 1995.",
        "2": "Really? 1999.5.",
    }
    assert column_texts(dataset, ("genres",)) == {"1": "Action, Crime."}


def test_a_column_that_is_not_there_is_refused_with_those_that_are(dataset: Dataset) -> None:
    with pytest.raises(DataRefused, match="no column plot; there are title, genres, year"):
        column_texts(dataset, ("title", "plot"))


def test_texts_are_read_from_csv_and_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('item_id,text,other\n1,"A dog, a war",x\n2,,\n3,  ,\n')
    (tmp_path / "a.jsonl").write_text('{"item_id": 1, "text": "A dog"}\n\n{"item_id": "x y", "text": null}\n')
    assert file_texts(tmp_path / "a.csv") == {"1": "A dog, a war"}
    assert file_texts(tmp_path / "a.jsonl") == {"1": "A dog"}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", "", "neither"),
        ("a.csv", "id,text\n1,x\n", "no column item_id"),
        ("a.csv", "", "no column item_id, text"),
        ("a.csv", "item_id,text\n1,x\n1,y\n", ":3: the item '1' is there a second time"),
        ("a.csv", "item_id,text\n,x\n", ":2: item_id is ''"),
        ("a.jsonl", '{"item_id": 1}\n', ":1: not an object"),
        ("a.jsonl", '{"item_id": 1, "text": "x"}\n[1]\n', ":2: not an object"),
        ("a.jsonl", '{"item_id": 1.0, "text": "x"}\n', ":1: item_id is 1.0"),
        ("a.jsonl", '{"item_id": true, "text": "x"}\n', ":1: item_id is True"),
        ("a.jsonl", '{"item_id": 1, "text": 7}\n', ":1: text is 7"),
        ("a.jsonl", "x\n", ":1: not an object"),
    ],
)
def test_texts_that_cannot_be_read_are_refused_with_their_line(
    tmp_path: Path, name: str, content: str, told: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataRefused) as refused:
        file_texts(tmp_path / name)
    assert told in str(refused.value)


def test_what_is_not_utf8_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"item_id,text\n1,\xff\n")
    for path in (tmp_path / "a.csv", tmp_path / "b.csv"):
        with pytest.raises(DataRefused, match="cannot be read"):
            file_texts(path)


def test_texts_of_two_sources_stand_one_after_the_other() -> None:
    assert joined({"1": "A.", "2": "B."}, {"2": "C.", "3": "D."}) == {"1": "A.", "2": "B. C.", "3": "D."}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "posters"
    made.mkdir()
    for name in ("1.jpg", "2.PNG", "notes.txt", ".3.jpg"):
        (made / name).write_bytes(picture((1, 2, 3)))
    return made


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_pictures_go_by_the_name_of_their_file_in_folders_and_archives(folder: Path, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"deep/er/{p.name}": p.read_bytes() for p in folder.iterdir()})
    for pictures in (pictures_in(folder), pictures_in(path)):
        assert list(pictures.ids) == ["1", "2"]
        assert pictures.read("2") == picture((1, 2, 3))


def test_places_without_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.zip").write_bytes(b"no archive")
    for path, told in (("empty", "holds no picture"), ("a.zip", "not a whole zip"), ("nowhere", "does not exist")):
        with pytest.raises(DataRefused, match=told):
            pictures_in(tmp_path / path)
    with pytest.raises(DataRefused, match="two pictures of the item '1'"):
        pictures_in(zipped(tmp_path / "b.zip", {"a/1.jpg": b"", "b/1.png": b""}))


def test_a_file_too_large_for_a_picture_is_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shortlist_content.inputs.MAX_PICTURE_BYTES", 10)
    for pictures in (pictures_in(folder), pictures_in(zipped(tmp_path / "a.zip", {"1.jpg": b"x" * 11}))):
        with pytest.raises(OSError, match="more than"):
            pictures.read("1")


def test_renamed_pictures_are_those_that_have_a_name_here(folder: Path) -> None:
    pictures = RenamedPictures(pictures_in(folder), {"a": "2", "b": "9"})
    assert list(pictures.ids) == ["a"]
    assert pictures.read("a") == picture((1, 2, 3))


LINKS = b"movie_id,title,imdbId,tmdbId\n"
RECORDS = {
    "x/ml-100k.links_artificial.csv": LINKS + b'7,Heat,0113277,1\n8,"Other, The",,\n9,Babe,0112431,2\n',
    "x/ml-1m.links_artificial.csv": LINKS + b"6,Heat,0113277,1\n34,Babe,0112431,2\n",
    "x/ml-100k.omdb.jsonl": b'{"item_id": 7, "omdb": {"Plot": "Cops."}}\n{"item_id": 8, "omdb": null}\n',
    "x/ml-1m.omdb.jsonl": b'{"item_id": 6, "omdb": {"Plot": "Cops."}}\n{"item_id": 34, "omdb": {"Plot": "N/A"}}\n',
    "x/ml-1m.dbpedia_abstracts.json": json.dumps({"6": "A film.", "34": "A pig."}).encode(),
}


@pytest.fixture
def archives(tmp_path: Path) -> list[Path]:
    posters = {f"ml-1m-posters/{i}.jpg": picture((i, i, i)) for i in (6, 34, 7)}
    return [zipped(tmp_path / "records.zip", RECORDS), zipped(tmp_path / "posters.zip", posters)]


def test_films_of_ml_1m_have_plot_abstract_and_poster(archives: list[Path]) -> None:
    films = film_content("ml-1m", archives)
    assert films.texts == {"6": "Cops. A film.", "34": "A pig."}
    assert films.pictures is not None
    assert list(films.pictures.ids) == ["34", "6", "7"]
    assert films.source == "records.zip"


def test_films_of_ml_100k_find_abstract_and_poster_by_their_imdb_id_not_by_number(archives: list[Path]) -> None:
    films = film_content("ml-100k", list(reversed(archives)))
    assert films.texts == {"7": "Cops. A film.", "9": "A pig."}
    assert films.pictures is not None
    assert list(films.pictures.ids) == ["7", "9"]
    assert films.pictures.read("7") == picture((6, 6, 6))


def test_posters_alone_do_for_ml_1m_only(archives: list[Path]) -> None:
    assert film_content("ml-1m", archives[1:]).texts == {}
    with pytest.raises(DataRefused, match="give the film records as well"):
        film_content("ml-100k", archives[1:])


@pytest.mark.parametrize("which", [(0, 0), (1, 1)])
def test_an_archive_is_given_once(archives: list[Path], which: tuple[int, int]) -> None:
    with pytest.raises(DataRefused, match="a second time"):
        film_content("ml-1m", [archives[i] for i in which])


def test_other_data_sets_and_other_archives_are_refused(archives: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="ml-100k and ml-1m, not bookshop"):
        film_content("bookshop", archives)
    with pytest.raises(DataRefused, match="archive of film records"):
        film_content("ml-1m", [zipped(tmp_path / "else.zip", {"a.txt": b""})])


@pytest.mark.parametrize("name", sorted(RECORDS.keys() - {"x/ml-1m.omdb.jsonl"}))
def test_damaged_film_records_are_refused(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "records.zip", {**RECORDS, name: b"\xff\xfe[1, 2"})
    with pytest.raises(DataRefused, match="cannot be read"):
        film_content("ml-100k", [path])
