"""``shortlist load``: put a prepared data set into the feature store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_VALKEY = Path("var/valkey")


def load(
    data: Annotated[Path, typer.Argument(help="Folder of a prepared data set, as `shortlist data get` makes one.")],
    redis_url: Annotated[
        str | None,
        typer.Option(
            envvar="SHORTLIST_FEATURE_STORE_REDIS_URL",
            help="Redis or Valkey to load into: redis://, rediss:// or unix://. Without it, a Valkey of our own.",
        ),
    ] = None,
    valkey: Annotated[Path, typer.Option(help="Folder of our own Valkey, where no URL is given.")] = _VALKEY,
    tenant: Annotated[str, typer.Option(help="Whose data it is; empty is the default tenant.")] = "",
) -> None:
    """Load users' attributes, events and item counters. Repeating it is harmless, and finishes an interrupted load.

    A data set tells no types of events: all are loaded as of the type rating, and so they count in seen("rating").

    Examples:
      shortlist load var/data/ml-1m

      shortlist load var/data/ml-1m --redis-url redis://127.0.0.1:6379/0 --tenant shop
    """
    import asyncio

    from shortlist_data.errors import DataRefused
    from shortlist_domain.errors import ShortlistError

    try:
        asyncio.run(_load(data, redis_url or "", valkey, tenant))
    except (DataRefused, ShortlistError, OSError, ValueError) as error:
        typer.secho(f"load: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


async def _load(data: Path, redis_url: str, valkey: Path, tenant: str) -> None:
    from pydantic import SecretStr
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from shortlist_domain.deadline import Deadline
    from shortlist_feature_store.load import LoadReport, load
    from shortlist_feature_store.settings import FeatureStoreSettings
    from shortlist_feature_store.wiring import open_store

    settings = FeatureStoreSettings(redis_url=SecretStr(redis_url), valkey_folder=valkey)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with open_store(settings, may_be_memory=False) as store:
        await store.ping(Deadline.after(5.0))
        with Progress(*columns, transient=True) as bar:
            task = bar.add_task("events", total=None)

            def show(report: LoadReport) -> None:
                bar.update(task, completed=report.events, total=report.events_in_all)

            report = await load(store, data, tenant, show)
    rate = report.events / report.seconds if report.seconds else 0.0
    typer.echo(
        f"{report.users:,} users, {report.events:,} events ({report.added:,} of them new) "
        f"in {report.seconds:.1f} s, {rate:,.0f} events/s"
    )
