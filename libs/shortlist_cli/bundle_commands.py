"""``shortlist bundles``: what was published, whether it is whole, the way back, and items between trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(no_args_is_help=True, help="Look at published bundles, verify them, roll back, add items.")

Store = Annotated[Path, typer.Option("--store", help="Folder with bundles and releases.")]
_STORE = Path("var/bundles")


@app.command("list")
def list_releases(store: Store = _STORE) -> None:
    """List releases, newest first.

    Example: shortlist bundles list --store var/bundles
    """
    from rich.table import Table

    from shortlist_bundle.store import BundleStore
    from shortlist_cli.show import page
    from shortlist_domain.errors import BundleInvalid

    bundles = BundleStore(store)
    releases = bundles.releases()
    if not releases:
        _fail(f"{store} holds no release; `shortlist train` publishes one")
    table = Table()
    for heading in ("generation", "bundle", "released", "data", "retrieval", "ranker"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "bundle")  # whole: `rollback` takes it
    for release in reversed(releases):
        try:
            manifest = bundles.open(release).manifest
        except BundleInvalid as error:
            table.add_row(str(release.generation), release.bundle_id, release.released_at, f"[red]{error}[/]", "", "")
            continue
        window = manifest.data_window
        data = f"{window.dataset}: {window.interactions:,} events, {window.items:,} items"
        data += f" + {manifest.added_items:,} added" if manifest.added_items else ""
        models = (manifest.models.get("retrieval", ""), manifest.models.get("ranker", ""))
        table.add_row(str(release.generation), release.bundle_id, release.released_at, data, *models)
    page().print(table)


@app.command()
def verify(
    bundle_id: Annotated[str, typer.Argument(help="Bundle to verify; the current one where left out.")] = "",
    store: Store = _STORE,
) -> None:
    """Check every file of a bundle against its manifest, and the manifest against the release.

    Example: shortlist bundles verify
    """
    from shortlist_bundle.store import BundleStore
    from shortlist_domain.errors import BundleInvalid

    bundles = BundleStore(store)
    try:
        releases = [r for r in bundles.releases() if bundle_id in ("", r.bundle_id)]
        if not releases:
            _fail(f"{store} holds no release of {bundle_id or 'any bundle'}")
        bundle = bundles.open(releases[-1])
        bundle.verify()
    except BundleInvalid as error:
        _fail(str(error))
    typer.echo(f"{bundle.bundle_id}: {len(bundle.manifest.files)} files are what the manifest says")


@app.command()
def rollback(
    bundle_id: Annotated[str, typer.Argument(help="Bundle to go back to; the one before where left out.")] = "",
    store: Store = _STORE,
) -> None:
    """Make an earlier bundle current again, as a new release. Running services follow within a second.

    Example: shortlist bundles rollback
    """
    from shortlist_bundle.store import BundleStore
    from shortlist_domain.errors import ShortlistError

    bundles = BundleStore(store)
    try:
        releases = bundles.releases()
        if not releases:
            _fail(f"{store} holds no release")
        current = releases[-1]
        earlier = [r.bundle_id for r in releases if r.bundle_id != current.bundle_id]
        target = bundle_id or (earlier[-1] if earlier else "")
        if not target:
            _fail(f"{current.bundle_id} is the only bundle that was ever released")
        release = bundles.publish(target, current.generation)
    except ShortlistError as error:
        _fail(str(error))
    typer.echo(f"generation {release.generation}: {release.bundle_id}")


@app.command("add-items")
def add_items_command(
    items: Annotated[
        Path, typer.Argument(help="CSV or Parquet: item_id, title and the attributes that the bundle's items have.")
    ],
    store: Store = _STORE,
    bundle_id: Annotated[str, typer.Option("--bundle", help="Bundle to add to; the current one where left out.")] = "",
    schema: Annotated[
        Path | None, typer.Option(help="Schema file of the data set; its section items says how the file is read.")
    ] = None,
    skip_known: Annotated[
        bool, typer.Option("--skip-known", help="Pass over items that the bundle has already.")
    ] = False,
    publish: Annotated[bool, typer.Option(help="Make the bundle with these items current.")] = True,
) -> None:
    """Add items to the current bundle without training anything, as another bundle. Services follow within seconds.

    Their embeddings are the item tower's, so they are found and ranked by what they are; everything else is as before.

    Example: shortlist bundles add-items new.csv
    """
    from shortlist_bundle.store import BundleStore
    from shortlist_cli.new_items import add_items
    from shortlist_domain.errors import ShortlistError

    try:
        added = add_items(
            BundleStore(store),
            items,
            bundle_id=bundle_id,
            schema=schema,
            skips_known=skip_known,
            publishes=publish,
        )
    except (ShortlistError, OSError) as error:
        _fail(f"add-items: {error}")
    if added is None:
        typer.echo(f"the bundle has all items of {items} already")
        return
    for attribute, values in added.unknown.items():
        named = ", ".join(repr(value) for value in values[:5]) + (", …" if len(values) > 5 else "")
        typer.secho(
            f"add-items: the models do not know {len(values)} of the values of {attribute} ({named}): "
            "filters find them, and nothing is learnt from them before the next training",
            fg="yellow",
            err=True,
        )
    manifest = added.bundle.manifest
    typer.echo(
        f"{added.items:,} items added to {added.base.bundle_id}: {manifest.bundle_id}, "
        f"{manifest.added_items:,} items that models know by their attributes alone"
    )
    if added.release is not None:
        typer.echo(f"published as generation {added.release.generation} in {store}")


def _fail(reason: str) -> NoReturn:
    typer.secho(reason, fg="red", err=True)
    raise typer.Exit(1)
