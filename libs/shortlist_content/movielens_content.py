"""Archives that say more of MovieLens films: OMDb records with plots, DBpedia abstracts, posters.

One archive holds ``<edition>.omdb.jsonl`` and ``<edition>.links_artificial.csv`` of both editions and
``ml-1m.dbpedia_abstracts.json``; another one ``ml-1m-posters/<item id>.jpg``. Abstracts and posters go by the ids of
ml-1m; for ml-100k they are found by the film's IMDb id, which the links of both editions have.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shortlist_content.inputs import Pictures, RenamedPictures, pictures_in
from shortlist_data.archives import read_members
from shortlist_data.errors import DataRefused

EDITIONS = ("ml-100k", "ml-1m")
COLUMNS = ("title", "genres")
"""Columns of the items table that come before plot and abstract."""

_NAMED_BY = "ml-1m"
_ABSTRACTS = "ml-1m.dbpedia_abstracts.json"
_NOTHING = {"", "N/A"}


@dataclass(frozen=True, slots=True)
class FilmContent:
    """What the archives given say of the films of one edition."""

    texts: Mapping[str, str]
    """Plot and abstract by item id; empty where no archive has any."""

    pictures: Pictures | None
    source: str
    """Names of the archives of the texts."""


def film_content(edition: str, archives: Sequence[Path]) -> FilmContent:
    """Return what ``archives`` say of the films of ``edition``.

    Raises:
        DataRefused: The data set is not an edition of MovieLens; an archive is neither of the two, or there twice; or
            posters are given for ml-100k without the archive that says which film of ml-1m each is.
    """
    if edition not in EDITIONS:
        raise DataRefused(f"--archive is for {' and '.join(EDITIONS)}, not {edition}; use --text-file and --images")
    told: dict[str, bytes] = {}
    shown: Pictures | None = None
    names = [f"{one}.{kind}" for one in EDITIONS for kind in ("links_artificial.csv", "omdb.jsonl")]
    source = ""
    for path in archives:
        try:
            files = read_members(path, [[*names, _ABSTRACTS]], "archive of film records")
        except DataRefused as not_records:
            try:
                pictures = pictures_in(path)
            except DataRefused:
                raise not_records from None
            if shown is not None:
                raise DataRefused(f"--archive {path}: posters are given a second time") from None
            shown = pictures
            continue
        if told:
            raise DataRefused(f"--archive {path}: film records are given a second time")
        told, source = files, path.name
    theirs: Mapping[str, str] = {}
    if edition != _NAMED_BY:
        if not told:
            raise DataRefused(f"posters go by the ids of {_NAMED_BY}; for {edition} give the film records as well")
        theirs = _same_films(told, edition)
        shown = RenamedPictures(shown, theirs) if shown is not None else None
    if not told:
        return FilmContent({}, shown, "")
    try:
        plots = _plots(told[f"{edition}.omdb.jsonl"])
        abstracts = json.loads(told[_ABSTRACTS])
        if edition != _NAMED_BY:
            abstracts = {ours: abstracts[other] for ours, other in theirs.items() if other in abstracts}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataRefused(f"{source}: film records cannot be read: {error!r}") from error
    ids = {**plots, **abstracts}
    texts = {i: " ".join(part for part in (plots.get(i), abstracts.get(i)) if part).strip() for i in ids}
    return FilmContent({i: text for i, text in texts.items() if text}, shown, source)


def _plots(content: bytes) -> dict[str, str]:
    plots: dict[str, str] = {}
    for line in content.decode("utf-8").split("\n"):
        if line.strip():
            record = json.loads(line)
            plot = str((record.get("omdb") or {}).get("Plot", "")).strip()
            if plot not in _NOTHING:
                plots[str(record["item_id"])] = plot
    return plots


def _same_films(files: Mapping[str, bytes], edition: str) -> dict[str, str]:
    """Return the id in ml-1m of every film of ``edition`` that is there too."""
    ours, theirs = (_imdb_ids(files[f"{one}.links_artificial.csv"]) for one in (edition, _NAMED_BY))
    by_imdb = {imdb: item_id for item_id, imdb in theirs.items()}
    return {item_id: by_imdb[imdb] for item_id, imdb in ours.items() if imdb in by_imdb}


def _imdb_ids(content: bytes) -> dict[str, str]:
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8")))
        return {row["movie_id"]: row["imdbId"] for row in rows if row["imdbId"] not in _NOTHING}
    except (ValueError, KeyError, csv.Error) as error:
        raise DataRefused(f"the links between films cannot be read: {error!r}") from error
