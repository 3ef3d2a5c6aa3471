"""Evaluations on a terminal, and the progress of long parts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from shortlist_cli.show import page
from shortlist_trainer.evaluation.results import Evaluation


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each part while the context lasts; on a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def report(part: str, done: int, total: int) -> None:
            if part not in tasks:
                tasks[part] = bar.add_task(part, total=total)
            bar.update(tasks[part], completed=done, total=total)

        yield report


def show(evaluation: Evaluation, console: Console | None = None) -> None:
    """Print what was held out, the tables, what does not apply, and the seconds."""
    to = page(console)
    facts = ", ".join(f"{_number(value)} {name}" for name, value in evaluation.dataset.items() if name != "name")
    to.print(f"[bold]{escape(evaluation.title)}[/]: {escape(facts)}", highlight=False)
    to.print(escape(evaluation.protocol), highlight=False)
    for table in evaluation.tables:
        to.print(table.to_rich())
    for note in evaluation.notes:
        to.print(escape(note), highlight=False)
    for name, parts in evaluation.seconds.items():
        spent = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in parts.items())
        to.print(f"{escape(name)}: {spent}", highlight=False)


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
