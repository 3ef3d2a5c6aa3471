"""``shortlist benchmark``: published tables, reproduced with our models beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from shortlist_trainer.benchmarks.table import Table


def benchmark(
    table: Annotated[
        str, typer.Argument(help="Table to run; without one, the tables there are.", show_default=False)
    ] = "",
    archive: Annotated[Path | None, typer.Option(help="Archive of the data, instead of a download.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Model of the table; may be repeated.", show_default="all")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seed; may be repeated.", show_default="1 2 3")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the result files.")] = Path("benchmarks/tables"),
    work: Annotated[Path, typer.Option(help="Folder of checkpoints; an interrupted run continues.")] = Path(
        "var/benchmarks"
    ),
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        typer.Option(help="cpu, cuda, or auto: the GPU where there is one. It fits neural models."),
    ] = "auto",
    validate: Annotated[
        bool, typer.Option("--validate", help="Measure on a validation part, leave test alone, and write nothing.")
    ] = False,
) -> None:
    """Run the models of a published benchmark and print them beside the published rows.

    Each finished model and seed is written at once.

    Examples:
      shortlist benchmark

      shortlist benchmark ml-1m-sequential --archive ~/Downloads/ml-1m.zip

      shortlist benchmark ml-100k --model ease --model ials --seed 7
    """
    from rich.console import Console
    from rich.progress import Progress

    from shortlist_domain.errors import ShortlistError
    from shortlist_trainer.benchmarks import TABLES, results
    from shortlist_trainer.benchmarks.run import remember, run_table
    from shortlist_trainer.devices import device_named

    console = Console()
    if not table:
        for each in TABLES.values():
            console.print(f"{each.name}: {each.title}; models {', '.join(each.entries)}", highlight=False)
        return
    if table not in TABLES:
        typer.secho(f"benchmark: there is no table {table!r}; there are {', '.join(TABLES)}", fg="red", err=True)
        raise typer.Exit(2)
    chosen, path = TABLES[table], out / f"{table}.json"
    rows: list[dict[str, Any]] = [] if validate else results.read(path)
    try:
        fitted_on = device_named(device)
        whole = chosen.load(archive)
        with Progress(console=console, transient=True) as bar:
            tasks: dict[str, Any] = {}

            def report(part: str, done: int, total: int, loss: float) -> None:
                if part not in tasks:
                    tasks[part] = bar.add_task(part, total=total)
                bar.update(tasks[part], completed=done, total=total)

            runs = run_table(
                chosen, whole, model or (), seed or (1, 2, 3), work, report, device=fitted_on, validate=validate
            )
            for row in runs:
                tasks.clear()
                console.print(_line(row), highlight=False)
                if validate:
                    rows.append(row)
                else:
                    remember(path, chosen, lambda: results.read(path), row)
                    rows = results.read(path)
    except (ShortlistError, OSError) as error:
        typer.secho(f"benchmark: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as stop:
        typer.secho("benchmark: stopped; the same command continues after the last epoch", err=True)
        raise typer.Exit(130) from stop
    console.print(_shown(chosen, rows))


def _line(row: dict[str, Any]) -> str:
    metrics = ", ".join(f"{name} {value['mean']:.4f}" for name, value in row["metrics"].items())
    return f"{row['model']}, seed {row['seed']}: {metrics} on {row['part']} ({row['seconds']['fit']:.0f} s)"


def _shown(table: Table[Any], rows: list[dict[str, Any]]) -> RichTable:
    from rich.table import Table as RichTable

    from shortlist_trainer.benchmarks.results import over_seeds

    shown = RichTable(title=table.title)
    shown.add_column("model")
    for metric in table.metrics:
        shown.add_column(metric, justify="right")
    for published in table.published:
        cells = [f"{published.metrics[m]:.4f}" if m in published.metrics else "" for m in table.metrics]
        shown.add_row(f"{published.model} (published)", *cells)
    shown.add_section()
    for name in dict.fromkeys(row["model"] for row in rows):
        cells = []
        for metric in table.metrics:
            mean, least, most, n = over_seeds(rows, name, metric)
            cells.append(f"{mean:.4f}" if n == 1 else f"{mean:.4f} ({least:.4f} to {most:.4f})")
        shown.add_row(name, *cells)
    return shown
