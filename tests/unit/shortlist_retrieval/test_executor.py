"""The bounded executor."""

from __future__ import annotations

import asyncio
import threading

import pytest

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, InvalidRequest, Overloaded
from shortlist_rpc.executor import BoundedExecutor


class Gate:
    """Work that begins and then waits until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        self.let_go.wait(10)
        return "done"


async def blocked(executor: BoundedExecutor) -> tuple[Gate, asyncio.Task[str]]:
    gate = Gate()
    task = asyncio.create_task(executor.run(gate, Deadline.after(10), "gate"))
    await asyncio.to_thread(gate.begun.wait, 10)
    return gate, task


async def test_work_runs_in_a_prepared_thread_and_its_result_comes_back() -> None:
    prepared: list[str] = []
    executor = BoundedExecutor(1, 4, "test", lambda: prepared.append(threading.current_thread().name))
    ran_in = await executor.run(lambda: threading.current_thread().name, Deadline.after(5), "work")
    assert prepared == [ran_in] == ["test-0"]
    executor.close()


async def test_an_error_of_the_work_is_the_callers() -> None:
    executor = BoundedExecutor(1, 4, "test")

    def fail() -> None:
        raise InvalidRequest

    with pytest.raises(InvalidRequest):
        await executor.run(fail, Deadline.after(5), "work")
    assert await executor.run(lambda: 1, Deadline.after(5), "work") == 1
    executor.close()


async def test_a_full_queue_refuses_and_takes_again_when_there_is_room() -> None:
    executor = BoundedExecutor(1, 1, "test")
    gate, first = await blocked(executor)
    second = asyncio.create_task(executor.run(lambda: "second", Deadline.after(5), "work"))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="test queue"):
        await executor.run(lambda: "third", Deadline.after(5), "work")
    gate.let_go.set()
    assert [await first, await second] == ["done", "second"]
    assert await executor.run(lambda: "fourth", Deadline.after(5), "work") == "fourth"
    executor.close()


async def test_work_whose_time_passes_in_the_queue_never_runs() -> None:
    executor = BoundedExecutor(1, 4, "test")
    gate, first = await blocked(executor)
    ran: list[int] = []
    with pytest.raises(BudgetExceeded, match="late work"):
        await executor.run(lambda: ran.append(1), Deadline.after(0.02), "late work")
    gate.let_go.set()
    await first
    await executor.run(lambda: None, Deadline.after(5), "after it")
    assert ran == []
    executor.close()


async def test_a_cancelled_callers_work_never_runs_and_frees_its_place() -> None:
    executor = BoundedExecutor(1, 1, "test")
    gate, first = await blocked(executor)
    ran: list[int] = []
    waiting = asyncio.create_task(executor.run(lambda: ran.append(1), Deadline.after(5), "work"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    taken = asyncio.create_task(executor.run(lambda: "taken", Deadline.after(5), "work"))
    gate.let_go.set()
    assert [await first, await taken] == ["done", "taken"]
    assert ran == []
    executor.close()


async def test_a_deadline_already_past_is_refused_at_once() -> None:
    executor = BoundedExecutor(1, 1, "test")
    with pytest.raises(BudgetExceeded):
        await executor.run(lambda: None, Deadline.after(-1), "work")
    executor.close()
