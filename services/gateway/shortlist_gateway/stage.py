"""Runs one stage of one answer: its share of the time, its report, and what its failure is called."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import (
    BudgetExceeded,
    BundleMismatch,
    InvalidRequest,
    NotFound,
    NotReady,
    Overloaded,
    ShortlistError,
    UpstreamFailed,
)
from shortlist_gateway.query import Cause

T = TypeVar("T")

COMPOSE_RESERVE_S = 0.002
"""Kept back from every stage, for composing and sending the answer."""

_HANDLED = (BudgetExceeded, BundleMismatch, InvalidRequest, NotFound, NotReady, Overloaded, UpstreamFailed)


@dataclass(frozen=True, slots=True)
class StagePlan:
    """A stage's name, its share of time, and the causes its failures count as."""

    name: str
    share: float
    """Share of what is left when it starts, in (0, 1]."""

    cap_s: float
    """Longest it may take, whatever is left."""

    on_timeout: Cause
    on_failure: Cause


@dataclass(frozen=True, slots=True)
class StageRun(Generic[T]):
    """How a stage went."""

    value: T | None
    """What it returned; ``None`` where it failed."""

    cause: Cause | None
    reason: str
    budget_s: float
    spent_s: float


async def run_stage(plan: StagePlan, deadline: Deadline, call: Callable[[Deadline], Awaitable[T]]) -> StageRun[T]:
    """Call a stage with its slice of ``deadline``. A failure is a result here, not an exception."""
    started = time.perf_counter()
    budget_s = min(plan.cap_s, max(0.0, deadline.remaining_s() - COMPOSE_RESERVE_S) * plan.share)
    error: ShortlistError | TimeoutError
    try:
        if budget_s <= 0.0:
            raise BudgetExceeded(f"no time left for {plan.name}")
        async with asyncio.timeout(budget_s):
            value = await call(Deadline.after(budget_s, deadline.clock))
        return StageRun(value, None, "", budget_s, time.perf_counter() - started)
    except TimeoutError as timeout:
        error = timeout
    except _HANDLED as failure:
        error = failure
    spent_s = time.perf_counter() - started
    if isinstance(error, TimeoutError | BudgetExceeded):
        return StageRun(None, plan.on_timeout, f"no answer within {budget_s * 1000:.0f} ms", budget_s, spent_s)
    cause = plan.on_failure
    if isinstance(error, BundleMismatch):
        cause = Cause.BUNDLE_MISMATCH
    elif isinstance(error, Overloaded):
        cause = Cause.LOAD_SHED
    return StageRun(None, cause, f"{type(error).__name__}: {error}", budget_s, spent_s)
