"""Ranking metrics with ties defined, baselines, bootstrap intervals and tables. numpy only."""

from shortlist_evaluation.catalogue import coverage, exposure, gini, novelty
from shortlist_evaluation.intervals import Interval, bootstrap, paired_bootstrap
from shortlist_evaluation.metrics import EventMetrics, ListMetrics, event_metrics, list_metrics
from shortlist_evaluation.popularity import rolling_popularity_ranks
from shortlist_evaluation.ranks import Ranks, concatenated, rank_of
from shortlist_evaluation.report import MetricRow, MetricTable, compared

__all__ = [
    "EventMetrics",
    "Interval",
    "ListMetrics",
    "MetricRow",
    "MetricTable",
    "Ranks",
    "bootstrap",
    "compared",
    "concatenated",
    "coverage",
    "event_metrics",
    "exposure",
    "gini",
    "list_metrics",
    "novelty",
    "paired_bootstrap",
    "rank_of",
    "rolling_popularity_ranks",
]
