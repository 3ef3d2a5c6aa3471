"""How good the ranker's heads are as probabilities and ratings, not only as an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_evaluation.intervals import Interval, bootstrap_columns
from shortlist_evaluation.probabilities import absolute_errors, log_losses, placements, squared_errors
from shortlist_evaluation.reliability import calibration_error, reliability_bins
from shortlist_evaluation.report import MetricRow, MetricTable

BINS = 10


@dataclass(frozen=True, slots=True)
class Heads:
    """What the ranker said of candidates and of relevant items."""

    probabilities: NDArray[np.float32]
    """Calibrated probability of each candidate, over all moments, ``(c,)``."""

    labels: NDArray[np.bool_]
    """Whether it was the user's next new item, ``(c,)``."""

    candidate_users: NDArray[np.int32]
    """Whose candidate, ``(c,)``."""

    ratings: NDArray[np.float32]
    """Predicted rating of events, ``(m,)``."""

    actual: NDArray[np.float32]
    """Their values, ``(m,)``."""

    rating_users: NDArray[np.int32]


def head_tables(title: str, heads: Heads, seed: int, resamples: int) -> tuple[tuple[MetricTable, ...], list[str]]:
    """Return the tables of the heads, and what does not apply and why."""
    tables, notes = [], []
    if heads.labels.any() and not heads.labels.all():
        metrics = {
            "auc": _mean(
                placements(heads.probabilities, heads.labels), heads.candidate_users[heads.labels], seed, resamples
            ),
            "logloss": _mean(log_losses(heads.probabilities, heads.labels), heads.candidate_users, seed, resamples),
            "ece": Interval(calibration_error(bins_of(heads)), float("nan"), float("nan")),
            "prevalence": Interval(float(heads.labels.mean()), float("nan"), float("nan")),
        }
        tables.append(
            MetricTable(
                f"{title}: click head",
                "pipeline",
                (MetricRow("pipeline", metrics),),
                len(heads.labels),
                0,
                ("Is a candidate the user's next new item, among all candidates of that moment? Resampled by user.",),
            )
        )
    else:
        notes.append("auc, logloss and ece of the click head are undefined: no candidate was a user's next new item.")
    if len(heads.actual):
        squared = _mean(squared_errors(heads.ratings, heads.actual), heads.rating_users, seed, resamples)
        metrics = {
            "rmse": Interval(*(float(np.sqrt(v)) for v in (squared.mean, squared.low, squared.high))),
            "mae": _mean(absolute_errors(heads.ratings, heads.actual), heads.rating_users, seed, resamples),
        }
        tables.append(
            MetricTable(
                f"{title}: rating head",
                "pipeline",
                (MetricRow("pipeline", metrics),),
                len(heads.actual),
                0,
                ("Predicted against given ratings of what users met afterwards. Resampled by user.",),
            )
        )
    return tuple(tables), notes


def bins_of(heads: Heads) -> tuple[Any, ...]:
    """Return the reliability bins of the click head."""
    return reliability_bins(heads.probabilities, heads.labels, BINS)


def reliability(heads: Heads) -> list[Mapping[str, float]]:
    """Return the reliability bins of the click head as plain values."""
    return [asdict(each) for each in bins_of(heads)] if len(heads.labels) else []


def _mean(values: NDArray[np.float64], users: NDArray[np.int32], seed: int, resamples: int) -> Interval:
    return bootstrap_columns(values[:, None], seed, resamples, users)[0]
