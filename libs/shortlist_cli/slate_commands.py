"""``shortlist slates``: the log of what was served."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shortlist_feature_store.store import FeatureStore

app = typer.Typer(no_args_is_help=True, help="Take served slates out of the log.")

_VALKEY = Path("var/valkey")
_CALL_S = 30.0


@app.callback()
def slates() -> None:
    """Take served slates out of the log."""


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder that gets a Parquet file for each lot of slates.")],
    redis_url: Annotated[
        str | None,
        typer.Option(
            envvar="SHORTLIST_FEATURE_STORE_REDIS_URL",
            help="Redis or Valkey of the feature store. Without it, a Valkey of our own that nobody serves from.",
        ),
    ] = None,
    valkey: Annotated[Path, typer.Option(help="Folder of our own Valkey, where no URL is given.")] = _VALKEY,
    rows: Annotated[int, typer.Option(min=1, max=100_000, help="Most slates in one file.")] = 5_000,
    consumer: Annotated[
        str, typer.Option(help="Who exports: exports that run at once need a name each, and keep it.")
    ] = "export",
) -> None:
    """Write the slates that were logged since the last export to Parquet, and end.

    A slate counts as exported once its file is on the disk. An export that was killed is made good by the next one
    of the same name.

    Example: shortlist slates export --out var/slates --redis-url redis://127.0.0.1:6379/0
    """
    import asyncio

    from shortlist_cli.slate_files import ExportRuns, RecordRefused
    from shortlist_domain.errors import ShortlistError

    try:
        written, lost = asyncio.run(_export(out, redis_url or "", valkey, rows, consumer))
    except (ExportRuns, RecordRefused, ShortlistError, OSError, ValueError) as error:
        typer.secho(f"slates export: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    typer.echo(
        f"{written:,} slates in {out}" + (f"; {lost:,} had left the log before they were written" if lost else "")
    )


async def _export(out: Path, redis_url: str, valkey: Path, rows: int, consumer: str) -> tuple[int, int]:
    from pydantic import SecretStr

    from shortlist_feature_store.settings import FeatureStoreSettings
    from shortlist_feature_store.wiring import open_store

    settings = FeatureStoreSettings(redis_url=SecretStr(redis_url), valkey_folder=valkey)
    async with open_store(settings, may_be_memory=False) as store:
        return await export_from(store, out, rows, consumer)


async def export_from(store: FeatureStore, out: Path, rows: int, consumer: str) -> tuple[int, int]:
    """Empty the log of ``store`` into ``out``.

    Returns:
        Slates written, and entries that were taken before and have left the log unwritten.

    Raises:
        shortlist_cli.slate_files.ExportRuns: Another one of the same name is at it.
        shortlist_cli.slate_files.RecordRefused: A record is not understood here; it stays in the log.
        OSError: A file cannot be written; its slates stay in the log.
    """
    from shortlist_cli.slate_files import only_export, write_slates
    from shortlist_domain.deadline import Deadline

    written = lost = 0
    with only_export(out, consumer):
        while entries := await store.take_slates(consumer, rows, Deadline.after(_CALL_S)):
            new, gone = write_slates(out, entries)
            written, lost = written + new, lost + gone
            await store.confirm_slates([entry.entry_id for entry in entries], Deadline.after(_CALL_S))
    return written, lost
