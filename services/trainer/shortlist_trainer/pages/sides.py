"""Folders of runs and result files, as the sides of a comparison or as one page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from shortlist_data.errors import DataRefused
from shortlist_trainer.pages.comparison_page import Side, comparison_page
from shortlist_trainer.pages.evaluation_page import Content, evaluation_page, tables_in
from shortlist_trainer.pages.run_page import read_run, run_page


def report_of(places: Sequence[Path]) -> str:
    """Return the page of one run or result file, or several side by side.

    Args:
        places: Folders of runs, or files that `shortlist evaluate --json` wrote; at least one.

    Raises:
        DataRefused: One of them is neither, or is there twice.
    """
    if len({place.resolve() for place in places}) < len(places):
        raise DataRefused("a run is named more than once")
    if len(places) == 1:
        place = places[0]
        return evaluation_page(read_result(place)) if place.is_file() else run_page(read_run(place))
    return comparison_page([_side(place, name) for place, name in zip(places, _names(places), strict=True)])


def read_result(path: Path) -> Content:
    """Return the content of a result file.

    Raises:
        DataRefused: It is not one.
    """
    try:
        content: Content = json.loads(path.read_text(encoding="utf-8"))
        _ = tables_in(content), content["title"], content["protocol"], content["dataset"], content["settings"]
        return content
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataRefused(f"{path} is not a file that `shortlist evaluate --json` wrote ({error!r})") from error


def _side(place: Path, name: str) -> Side:
    if place.is_file():
        content = read_result(place)
        return Side(name, tables_in(content), content["settings"], content["dataset"], content.get("seconds", {}))
    run = read_run(place)
    found = run.evaluation
    tables = [*run.tables, *(tables_in(run.stages) if run.stages else ())]
    return Side(name, tables, found["config"], found["dataset"], found["seconds"])


def _names(places: Sequence[Path]) -> list[str]:
    """Return the shortest ends of the paths that are all different."""
    resolved = [place.resolve() for place in places]
    for parts in range(1, max(len(each.parts) for each in resolved) + 1):
        names = ["/".join(each.parts[-parts:]).lstrip("/") for each in resolved]
        if len(set(names)) == len(names):
            return names
    return [str(each) for each in resolved]
