"""Standings to tables: accuracy, what lists are like, ratings, and slices by popularity and by what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.features import item_static
from shortlist_evaluation import catalogue
from shortlist_evaluation.diversity import intra_list_distances, self_information
from shortlist_evaluation.intervals import Interval, bootstrap_columns
from shortlist_evaluation.probabilities import absolute_errors, placements, squared_errors
from shortlist_evaluation.report import MetricRow, MetricTable, compared
from shortlist_evaluation.slices import COLD, GROUPS, popularity_groups, sliced
from shortlist_trainer.evaluation.outcomes import Columns, Outcome
from shortlist_trainer.evaluation.protocols import Test

KNOWN_EVENTS = ((0, 0), (1, 4), (5, 19), (20, 99), (100, None))
"""Slices of users by how many of their events are known, ends included."""

TIES = "Ties: every order of items with equal scores is as likely; figures are the mean over all of them."
TESTS = (
    "p: two-sided paired randomisation test of the difference, signs drawn by user; not corrected for the number of "
    "comparisons."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Several models about the same held-out part."""

    dataset: Dataset
    """The known part."""

    title: str
    test: Test
    outcomes: Mapping[str, Outcome]
    ratings: Mapping[str, NDArray[np.float32]]
    """Predicted for each held-out pair, ``(m,)``, by the models that predict any."""

    counts: NDArray[np.int64]
    """Known events of each item."""

    negatives: int = 0
    """Items drawn for each user where the catalogue is not ranked in full."""

    ties: str = TIES
    """What is done with equal scores, in a sentence."""

    @property
    def ranking_text(self) -> str:
        """What is ranked, in a sentence."""
        if self.negatives:
            return (
                f"SAMPLED: relevant items are ranked among {self.negatives} drawn items a user, not among the "
                "catalogue; such figures do not compare with full ones and can order models otherwise."
            )
        return "The whole catalogue is ranked without the items that the user met before."

    @property
    def prefix(self) -> str:
        """What is put before the name of every metric of a sampled ranking."""
        return f"sampled{self.negatives} " if self.negatives else ""


def tables_of(
    measured: Measured,
    ks: tuple[int, ...],
    against: str,
    liked_from: float | None,
    seed: int,
    resamples: int,
    permutations: int,
) -> tuple[tuple[MetricTable, ...], tuple[str, ...]]:
    """Return the tables, and what to keep in mind about them.

    Raises:
        DataRefused: ``liked_from`` has all held-out values on one side.
    """
    users = measured.test.held_out.users
    prefix = measured.prefix
    lists = {
        name: {prefix + metric: values for metric, values in outcome.accuracy(ks).items()}
        for name, outcome in measured.outcomes.items()
    }
    accuracy = compared(
        f"{measured.title}: accuracy" + (f", SAMPLED {measured.negatives} negatives" if measured.negatives else ""),
        against,
        lists,
        seed=seed,
        resamples=resamples,
        permutations=permutations if len(lists) > 1 else 0,
        notes=(measured.ties, *((TESTS,) if len(lists) > 1 else ())),
    )
    tables = [accuracy]
    notes: list[str] = []
    if not measured.negatives:
        tables.append(_list_table(measured, ks, against, seed, resamples))
        if not any(name.startswith("diversity") for name in tables[-1].metrics):
            notes.append("diversity does not apply: the items have no attributes to be alike or unlike in.")
    else:
        notes.append("coverage, gini, novelty and diversity do not apply to rankings of sampled items.")
    rated, note = _rating_table(measured, liked_from, seed, resamples, permutations)
    tables += [rated] if rated else []
    notes.append(note)
    k = ks[0]
    tables.append(_by_popularity(measured, k, against, seed, resamples))
    by_known = _by_known_events(measured, {n: c[f"{measured.prefix}ndcg@{k}"] for n, c in lists.items()})
    tables.append(
        sliced(
            f"{measured.title}: {measured.prefix}ndcg@{k} by known events of the user",
            against,
            by_known[0],
            by_known[1],
            seed=seed,
            groups=users,
            resamples=resamples,
            notes=("0 known events: a cold user.",),
        )
    )
    return tuple(tables), tuple(note for note in notes if note)


def _list_table(measured: Measured, ks: tuple[int, ...], against: str, seed: int, resamples: int) -> MetricTable:
    """Return novelty and diversity of each user's list, and coverage and Gini of all lists together."""
    features = item_static(measured.dataset)[0]
    n = len(measured.dataset.item_ids)
    columns: dict[str, Columns] = {}
    for name, outcome in measured.outcomes.items():
        columns[name] = {}
        for k in ks:
            columns[name][f"novelty@{k}"] = self_information(outcome.lists, measured.counts, k)
            columns[name][f"diversity@{k}"] = intra_list_distances(outcome.lists, features, k)
    finite = np.ones(len(measured.test.held_out.users), np.bool_)
    for each in columns.values():
        for values in each.values():
            finite &= np.isfinite(values)
    if not finite.any():
        columns = {name: {m: v for m, v in each.items() if m.startswith("novelty")} for name, each in columns.items()}
        finite = np.logical_and.reduce([np.isfinite(v) for each in columns.values() for v in each.values()])
    table = compared(
        f"{measured.title}: lists",
        against,
        {name: {metric: values[finite] for metric, values in each.items()} for name, each in columns.items()},
        seed=seed,
        resamples=resamples,
        left_out=int((~finite).sum()),
        notes=(
            "novelty: mean self-information in bits; diversity: mean cosine distance of the attributes within a list; "
            "coverage, gini: of all lists together, without an interval. Ties in lists go to the lower item row.",
        ),
    )
    rows = []
    for row in table.rows:
        lists = measured.outcomes[row.name].lists
        whole = {f"coverage@{k}": _alone(catalogue.coverage(lists, n, k)) for k in ks}
        whole |= {f"gini@{k}": _alone(catalogue.gini(lists, n, k)) for k in ks}
        rows.append(replace(row, metrics={**row.metrics, **whole}))
    return replace(table, rows=tuple(rows))


def _rating_table(
    measured: Measured, liked_from: float | None, seed: int, resamples: int, permutations: int
) -> tuple[MetricTable | None, str]:
    """Return errors of predicted ratings over the held-out pairs, and for whom they do not apply."""
    without = [name for name in measured.outcomes if name not in measured.ratings]
    note = ""
    if without:
        note = f"rmse, mae and logloss do not apply to {', '.join(without)}: no ratings or probabilities are predicted."
    if not measured.ratings:
        if liked_from is not None:
            raise DataRefused("values are to be told apart and no model predicts any; biases is one that does")
        return None, note
    actual = measured.test.values
    owner = np.repeat(measured.test.held_out.users, np.diff(measured.test.held_out.indptr))
    errors: dict[str, Columns] = {
        name: {"mse": squared_errors(predicted, actual), "mae": absolute_errors(predicted, actual)}
        for name, predicted in measured.ratings.items()
    }
    first = next(iter(errors))
    table = compared(
        f"{measured.title}: ratings",
        first,
        errors,
        seed=seed,
        groups=owner,
        resamples=resamples,
        permutations=permutations if len(errors) > 1 else 0,
        notes=("rmse: the root of the mean squared error, with the roots of its interval; resampled by user.",),
    )
    rows = []
    for row in table.rows:
        metrics = {"rmse": _root(row.metrics["mse"]), **row.metrics}
        if liked_from is not None:
            metrics |= _told_apart(measured, row.name, liked_from, owner, seed, resamples)
        rows.append(MetricRow(row.name, metrics, row.differences, row.p_values))
    note += " logloss does not apply to models of ratings." if not without else ""
    return replace(table, rows=tuple(rows)), note.strip()


def _told_apart(
    measured: Measured, name: str, liked_from: float, owner: NDArray[np.int32], seed: int, resamples: int
) -> dict[str, Interval]:
    liked = measured.test.values >= liked_from
    if liked.all() or not liked.any():
        values = measured.test.values
        raise DataRefused(
            f"the auc of ratings is undefined: all {len(values):,} held-out values are on one side of {liked_from:g} "
            f"(they go from {values.min():g} to {values.max():g}); choose a value between"
        )
    shares = placements(measured.ratings[name], liked)
    return {f"auc from {liked_from:g}": bootstrap_columns(shares[:, None], seed, resamples, owner[liked])[0]}


def _by_popularity(measured: Measured, k: int, against: str, seed: int, resamples: int) -> MetricTable:
    """Return how often a relevant item is among the first ``k``, by the popularity of that item."""
    held_out = measured.test.held_out
    owner = np.repeat(held_out.users, np.diff(held_out.indptr))
    group = popularity_groups(measured.counts)[held_out.rows]
    slices = {f"tenth {number}": group == number for number in range(1, GROUPS + 1)}
    found = {name: outcome.found(k) for name, outcome in measured.outcomes.items()}
    return sliced(
        f"{measured.title}: {measured.prefix}share of relevant items in the first {k}, by popularity of the item",
        against,
        found,
        {**slices, "no known event": group == COLD},
        seed=seed,
        groups=owner,
        resamples=resamples,
        notes=("Tenths of the items that have a known event: 1 the least popular, 10 the most. Resampled by user.",),
    )


def _by_known_events(
    measured: Measured, values: Mapping[str, NDArray[np.float64]]
) -> tuple[Mapping[str, NDArray[np.float64]], dict[str, NDArray[np.bool_]]]:
    known = np.bincount(measured.dataset.user_rows, minlength=len(measured.dataset.user_ids))
    mine = known[measured.test.held_out.users]
    slices = {}
    for least, most in KNOWN_EVENTS:
        label = f"{least} and more" if most is None else str(least) if least == most else f"{least} to {most}"
        slices[label] = (mine >= least) if most is None else (mine >= least) & (mine <= most)
    return values, slices


def _alone(value: float) -> Interval:
    return Interval(value, float("nan"), float("nan"))


def _root(interval: Interval) -> Interval:
    mean, low, high = (float(np.sqrt(value)) for value in (interval.mean, interval.low, interval.high))
    return Interval(mean, low, high)
