"""The bounded executor in front of FAISS and onnxruntime: late, cancelled and surplus work never starts."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, Overloaded

T = TypeVar("T")

RETRY_AFTER_S = 0.05

USUAL_AT_FIRST_S = 1.0
"""What work is taken to cost before any was done: too much to do inline."""

USUAL_WEIGHT = 0.1
"""Weight of the newest piece of work in the moving average of what work usually takes."""


class _Work(Generic[T]):
    """One piece of work and the caller that waits for it."""

    __slots__ = ("call", "deadline", "future", "is_abandoned", "is_begun", "loop", "what")

    def __init__(self, call: Callable[[], T], what: str, deadline: Deadline, loop: asyncio.AbstractEventLoop) -> None:
        self.call = call
        self.what = what
        self.deadline = deadline
        self.loop = loop
        self.future: asyncio.Future[T] = loop.create_future()
        self.is_begun = False
        self.is_abandoned = False

    def expire(self) -> None:
        """Tell the caller that its time passed in the queue; on the loop's thread."""
        if not self.is_begun and not self.future.done():
            self.is_abandoned = True
            self.future.set_exception(BudgetExceeded(f"no time left for {self.what}: it was spent in the queue"))

    def resolve(self, result: T | None, error: BaseException | None) -> None:
        """Hand the outcome over; on the loop's thread."""
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)  # type: ignore[arg-type]  # None is a T where there was no error


class BoundedExecutor:
    """Runs short CPU work on a fixed number of threads behind a bounded queue."""

    def __init__(
        self,
        threads: int,
        max_queued: int,
        name: str,
        prepare_thread: Callable[[], None] | None = None,
        inline_below_s: float = 0.0,
    ) -> None:
        """Start the threads.

        Args:
            threads: How many pieces of work run at once; the number of cores, since the work does not wait.
            max_queued: Pieces that may wait; one more is refused with Overloaded.
            name: Quota that a refusal names, and prefix of the threads' names.
            prepare_thread: Called once in each thread before any work: for settings that a library keeps per thread.
            inline_below_s: Work that has usually taken less than this is done on the caller's own thread while no other
                is in hand. Handing a millisecond of numpy to a thread and back costs about as much again, and several
                threads that want the interpreter at once cost more: at 150 requests a second on two cores, p99 was
                84 ms with threads alone and 27 ms without them. 0 is never.
        """
        if threads < 1 or max_queued < 0:
            raise ValueError(f"threads {threads} must be at least 1 and max_queued {max_queued} at least 0")
        self._name = name
        self._capacity = threads + max_queued
        self._in_hand = 0
        self._inline_below_s = inline_below_s
        self._usual_s = USUAL_AT_FIRST_S
        self._prepare_thread = prepare_thread
        self._prepared: set[int] = set()
        self._queue: SimpleQueue[_Work[object] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=(prepare_thread,), name=f"{name}-{i}", daemon=True)
            for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, call: Callable[[], T], deadline: Deadline, what: str) -> T:
        """Run ``call`` in a thread and return what it returns.

        Work whose deadline passes while it waits is not begun, and neither is work whose caller was cancelled. Work
        that was begun is not interrupted.

        Args:
            call: The work; it watches its deadline itself where it can stop half-way.
            deadline: When the answer is due.
            what: Name of the work, for the error's text.

        Raises:
            Overloaded: The queue is full; nothing was begun.
            BudgetExceeded: The deadline passed before the work could begin.
        """
        if self._in_hand >= self._capacity:
            raise Overloaded(f"{self._name} queue", RETRY_AFTER_S)
        remaining_s = deadline.remaining_s()
        if remaining_s <= 0.0:
            raise BudgetExceeded(f"no time left for {what}")
        if self._in_hand == 0 and self._usual_s < self._inline_below_s:
            return self._run_inline(call)
        loop = asyncio.get_running_loop()
        work = _Work(call, what, deadline, loop)
        alarm = loop.call_later(remaining_s, work.expire)
        self._in_hand += 1
        work.future.add_done_callback(self._let_go)
        self._queue.put(work)  # type: ignore[arg-type]  # the thread treats the result as an object
        try:
            return await work.future
        except asyncio.CancelledError:
            work.is_abandoned = True
            raise
        finally:
            alarm.cancel()

    def close(self) -> None:
        """End the threads after the work that is queued; does not wait for them."""
        for _ in self._threads:
            self._queue.put(None)

    def _run_inline(self, call: Callable[[], T]) -> T:
        thread = threading.get_ident()
        if self._prepare_thread is not None and thread not in self._prepared:
            self._prepare_thread()
            self._prepared.add(thread)
        started_s = time.perf_counter()
        try:
            return call()
        finally:
            self._took(time.perf_counter() - started_s)

    def _took(self, seconds: float) -> None:
        # Threads may lose one of two updates that meet; an average does not mind.
        self._usual_s += USUAL_WEIGHT * (seconds - self._usual_s)

    def _let_go(self, _: object) -> None:
        self._in_hand -= 1

    def _work(self, prepare_thread: Callable[[], None] | None) -> None:
        if prepare_thread is not None:
            prepare_thread()
        while (work := self._queue.get()) is not None:
            if work.is_abandoned:
                continue
            work.is_begun = True
            result: object = None
            error: BaseException | None = None
            started_s = time.perf_counter()
            try:
                work.deadline.check(work.what)
                result = work.call()
                self._took(time.perf_counter() - started_s)
            except BaseException as raised:  # noqa: BLE001 - handed to the caller, whatever it is
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                work.loop.call_soon_threadsafe(work.resolve, result, error)
            del work, result, error  # an idle thread must not keep a bundle alive
