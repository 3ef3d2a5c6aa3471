"""Lists of stages, or of a server, to an evaluation: the tables of models, and the funnel from stage to stage."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_evaluation.metrics import list_metrics
from shortlist_evaluation.report import MetricTable, compared
from shortlist_trainer.evaluation import protocols
from shortlist_trainer.evaluation.heads import Heads, head_tables, reliability
from shortlist_trainer.evaluation.outcomes import Listed
from shortlist_trainer.evaluation.protocols import Test
from shortlist_trainer.evaluation.results import Evaluation, dataset_facts
from shortlist_trainer.evaluation.scoring import known_counts
from shortlist_trainer.evaluation.tables import Measured, tables_of
from shortlist_trainer.histories import histories_of

DEPTHS = (10, 20, 50, 100, 200, 500, 1000)
"""Where the funnel is looked at."""

ORDER = "The order of a list is what counts; serving puts the lower row first where scores are equal."


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, and of whom."""

    whole: Dataset
    known: Dataset
    test: Test
    title: str
    protocol: str
    ks: tuple[int, ...]
    seed: int = 1
    resamples: int = 2000
    permutations: int = 10_000
    settings: Mapping[str, Any] = field(default_factory=dict)


def popularity_lists(known: Dataset, test: Test, most: int) -> NDArray[np.int32]:
    """Return what everybody else met most, without what each user has met, ``(u, most)``, lower row first."""
    order = np.argsort(-known_counts(known), kind="stable").astype(np.int32)
    histories = histories_of(known, test.held_out.users, test.held_out.now_s)
    lists = np.full((len(test.held_out.users), most), -1, np.int32)
    for at in range(len(lists)):
        seen = histories.rows[histories.indptr[at] : histories.indptr[at + 1]]
        front = order[: most + len(seen)]
        found = front[~np.isin(front, seen)][:most]
        lists[at, : len(found)] = found
    return lists


def padded(lists: list[NDArray[np.int32]], width: int) -> NDArray[np.int32]:
    """Return lists of any length as one array ``(u, width)``, padded with -1; what the data set lacks is left out."""
    rows = np.full((len(lists), width), -1, np.int32)
    for at, each in enumerate(lists):
        known = each[each >= 0][:width]
        rows[at, : len(known)] = known
    return rows


def evaluate_lists(
    asked: Question,
    lists: Mapping[str, NDArray[np.int32]],
    against: str,
    *,
    heads: Heads | None = None,
    notes: tuple[str, ...] = (),
    seconds: Mapping[str, Mapping[str, float]] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Return the evaluation of ``lists``, ``(u, width)`` each, by name.

    Raises:
        DataRefused: Fewer than two users, or a list length beyond the catalogue.
    """
    started = time.perf_counter()
    check(asked)
    measured = Measured(
        dataset=asked.known,
        title=asked.title,
        test=asked.test,
        outcomes={name: Listed(rows, asked.test.held_out) for name, rows in lists.items()},
        ratings={},
        counts=known_counts(asked.known),
        ties=ORDER,
    )
    tables, own_notes = tables_of(measured, asked.ks, against, None, asked.seed, asked.resamples, asked.permutations)
    funnel = _funnel(asked, lists, against)
    extra, head_notes = head_tables(asked.title, heads, asked.seed, asked.resamples) if heads else ((), [])
    held = {"held-out pairs": len(asked.test.held_out.rows), "evaluated users": len(asked.test.held_out.users)}
    left = protocols.described(asked.test.left_out)
    return Evaluation(
        title=asked.title,
        protocol=f"{asked.protocol} {measured.ranking_text}" + (f" Left out: {left}." if left else ""),
        dataset=dataset_facts(asked.whole, asked.known.events, held),
        tables=(tables[0], funnel, *tables[1:], *extra),
        settings=asked.settings,
        notes=(*notes, *(note for note in own_notes if not note.startswith("rmse")), *head_notes),
        seconds={**(seconds or {}), "all lists": {"measure": time.perf_counter() - started}},
        details={
            **(details or {}),
            "funnel": {row.name: {m: v.mean for m, v in row.metrics.items()} for row in funnel.rows},
            **({"reliability": reliability(heads)} if heads else {}),
        },
    )


def check(asked: Question) -> None:
    """Refuse what cannot be measured.

    Raises:
        DataRefused: Fewer than two users, or a list length outside of the catalogue.
    """
    n = len(asked.whole.item_ids)
    for k in asked.ks:
        if not 1 <= k <= n:
            raise DataRefused(f"k={k} is not in [1, {n:,}]: {asked.whole.name} has {n:,} items")
    if len(asked.test.held_out.users) < 2:
        raise DataRefused(
            f"{asked.whole.name}: {len(asked.test.held_out.users)} user with held-out items can be evaluated, 2 are "
            "needed for intervals and tests"
        )


def _funnel(asked: Question, lists: Mapping[str, NDArray[np.int32]], against: str) -> MetricTable:
    """Return the recall of each list at growing depths: what a stage has lost, no later one brings back."""
    held_out = asked.test.held_out
    deepest = max(rows.shape[1] for rows in lists.values())
    depths = [depth for depth in DEPTHS if depth < deepest] + [deepest]
    columns = {
        name: {
            f"recall@{depth}": list_metrics(rows, held_out.indptr, held_out.rows, depth).recall
            for depth in depths
            if depth <= rows.shape[1]
        }
        for name, rows in lists.items()
    }
    table = compared(
        f"{asked.title}: funnel",
        against,
        columns,
        seed=asked.seed,
        resamples=asked.resamples,
        notes=(
            "Share of a user's relevant items among the first so many; what a stage lost no later one brings back.",
        ),
    )
    return replace(table, left_out=0)
