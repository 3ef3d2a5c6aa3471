"""Runs one stage of one answer: its share of the time, its report, and what its failure is called."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, BundleMismatch, Overloaded, ShortlistError
from shortlist_gateway.query import Cause
from shortlist_gateway.settings import GatewaySettings
from shortlist_telemetry.catalogue import LogEvent
from shortlist_telemetry.logging import get_log

T = TypeVar("T")

COMPOSE_RESERVE_S = 0.002
"""Kept back from every stage, for composing and sending the answer."""


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


def retrieve_plan(settings: GatewaySettings) -> StagePlan:
    """Return the plan of every call of retrieval."""
    return StagePlan("retrieve", 0.6, settings.retrieve_budget_s, Cause.RETRIEVAL_TIMEOUT, Cause.RETRIEVAL_DOWN)


@dataclass(frozen=True, slots=True)
class StageRun(Generic[T]):
    """How a stage went."""

    value: T | None
    """What it returned; ``None`` where it failed."""

    cause: Cause | None
    reason: str
    started_s: float
    """By a clock that only differences are read of."""

    budget_s: float
    spent_s: float


async def run_stage(plan: StagePlan, deadline: Deadline, call: Callable[[Deadline], Awaitable[T]]) -> StageRun[T]:
    """Call a stage with its slice of ``deadline``. A failure is a result here, not an exception."""
    started_s = time.perf_counter()
    budget_s = min(plan.cap_s, max(0.0, deadline.remaining_s() - COMPOSE_RESERVE_S) * plan.share)
    try:
        if budget_s <= 0.0:
            raise BudgetExceeded(f"no time left for {plan.name}")
        async with asyncio.timeout(budget_s):
            value = await call(Deadline.after(budget_s, deadline.clock))
        return StageRun(value, None, "", started_s, budget_s, time.perf_counter() - started_s)
    except (TimeoutError, BudgetExceeded):
        cause, reason = plan.on_timeout, f"no answer within {budget_s * 1000:.0f} ms"
    except BundleMismatch as mismatch:
        cause, reason = Cause.BUNDLE_MISMATCH, _said(mismatch)
    except Overloaded as overload:
        cause, reason = Cause.LOAD_SHED, _said(overload)
    except ShortlistError as failure:
        cause, reason = plan.on_failure, _said(failure)
    except Exception:  # noqa: BLE001 - a stage in this process may raise anything, and is replaced all the same
        get_log("gateway").exception(LogEvent.INTERNAL_ERROR, stage=plan.name)
        cause, reason = plan.on_failure, "internal error; the server's log has the cause"
    return StageRun(None, cause, reason, started_s, budget_s, time.perf_counter() - started_s)


def _said(error: ShortlistError) -> str:
    return f"{type(error).__name__}: {error}"
