"""Ranking metrics with ties defined, baselines, intervals, paired tests and tables. numpy only."""

from shortlist_evaluation.catalogue import coverage, exposure, gini, novelty
from shortlist_evaluation.diversity import intra_list_distances, self_information
from shortlist_evaluation.expected import areas, expected_metrics
from shortlist_evaluation.full_ranking import Standings, joined, standings
from shortlist_evaluation.intervals import Interval, bootstrap, bootstrap_columns, paired_bootstrap
from shortlist_evaluation.metrics import EventMetrics, ListMetrics, event_metrics, list_metrics
from shortlist_evaluation.popularity import rolling_popularity_ranks
from shortlist_evaluation.ranks import Ranks, concatenated, rank_of
from shortlist_evaluation.reliability import Bin, calibration_error, reliability_bins
from shortlist_evaluation.report import MetricRow, MetricTable, compared
from shortlist_evaluation.significance import randomisation_test, randomisation_tests

__all__ = [
    "Bin",
    "EventMetrics",
    "Interval",
    "ListMetrics",
    "MetricRow",
    "MetricTable",
    "Ranks",
    "Standings",
    "areas",
    "bootstrap",
    "bootstrap_columns",
    "calibration_error",
    "compared",
    "concatenated",
    "coverage",
    "event_metrics",
    "expected_metrics",
    "exposure",
    "gini",
    "intra_list_distances",
    "joined",
    "list_metrics",
    "novelty",
    "paired_bootstrap",
    "randomisation_test",
    "randomisation_tests",
    "rank_of",
    "reliability_bins",
    "rolling_popularity_ranks",
    "self_information",
    "standings",
]
