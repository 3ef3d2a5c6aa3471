"""``shortlist demo``: from nothing to a shortlist, with the commands that a person would use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    var: Annotated[Path, typer.Option(help="Work folder: data, bundles, the embedded store.")] = Path("var"),
    port: Annotated[int, typer.Option(help="Port of the gateway; 0 takes a free one.")] = 50051,
    once: Annotated[bool, typer.Option("--once", help="End after the questions instead of serving on.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Passed on to `shortlist train`, as in two_tower.epochs=2.")
    ] = None,
) -> None:
    """Get ml-100k, train, publish, serve, and ask for shortlists over gRPC.

    Each step is a command of its own and is printed before it runs; steps that are done already are skipped.

    Example: shortlist demo --once
    """
    from rich.console import Console

    from shortlist_cli.demo.steps import Demo, DemoFailed

    try:
        Demo(var, port, tuple(settings or ()), Console()).run(once=once)
    except DemoFailed as failure:
        typer.secho(f"demo: {failure}", fg="red", err=True)
        raise typer.Exit(1) from None
