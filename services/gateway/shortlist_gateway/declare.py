"""What an answer says of itself: how each stage went, and what the finished slate lacks."""

from __future__ import annotations

from typing import Any

from shortlist_domain.stages import RankResult
from shortlist_gateway.query import Cause, Level, Outcome, Query, Report, Slate
from shortlist_gateway.stage import StageRun


def report(
    slate: Slate,
    stage: str,
    run: StageRun[Any],
    outcome: Outcome,
    items_in: int,
    items_out: int,
    failed_level: Level,
    failed_outcome: Outcome,
) -> None:
    """Note how a call of a stage went, and degrade the slate where it failed. Calls of one stage are one report."""
    if run.cause is not None:
        slate.degrade(failed_level, run.cause)
        outcome = failed_outcome
    own = Report(stage, outcome, run.started_s, run.budget_s, run.spent_s, items_in, items_out, run.reason)
    for at, before in enumerate(slate.reports):
        if before.stage == stage:
            slate.reports[at] = before.joined(own)
            return
    slate.reports.append(own)


def declare(
    slate: Slate, query: Query, ranked: RankResult | None, allowed: set[int] | None, *, is_ranked: bool = True
) -> None:
    """Say what the finished slate lacks."""
    n = len(slate.results)
    if n < query.page_size:
        slate.degrade(Level.PARTIAL, Cause.SHORT_SLATE)
        if n == 0 and allowed is not None:
            slate.degrade(Level.PARTIAL, Cause.EMPTY_SELECTION)
    if is_ranked and n:
        slate.ranked_fraction = sum(shown.click is not None for shown in slate.results) / n
        if query.minimum_click_probability is not None and slate.ranked_fraction < 1.0:
            slate.warnings.append("the minimum click probability was not applied to items that could not be ranked")
