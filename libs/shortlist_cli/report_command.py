"""``shortlist report``: the page of a run, or several runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of training runs, or files that `shortlist evaluate --json` wrote.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write.", show_default="report.html in the run's folder, comparison.html here for several"
        ),
    ] = None,
) -> None:
    """Write a page with tables and plots: of one run, or several side by side. It needs nothing from elsewhere.

    Examples:
      shortlist report var/runs/ml-100k

      shortlist report var/runs/gru var/runs/transformer --out comparison.html

      shortlist report before.json after.json
    """
    from shortlist_domain.errors import ShortlistError
    from shortlist_trainer.evaluation.results import write_text
    from shortlist_trainer.pages.run_page import REPORT
    from shortlist_trainer.pages.sides import report_of

    try:
        content = report_of(runs)
        if out is None:
            only = runs[0]
            alone = only.with_suffix(".html") if only.is_file() else only / REPORT
            out = alone if len(runs) == 1 else Path("comparison.html")
        write_text(content, out)
    except (ShortlistError, OSError) as error:
        typer.secho(f"report: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{out} ({len(content.encode()) / 1e3:,.0f} kB)")
