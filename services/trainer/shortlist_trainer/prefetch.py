"""Makes batches ahead in a thread, so that the model need not wait for them, and measures how long it does."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_AHEAD = 4
"""Batches that wait for the model at most."""

_POLL_S = 0.05


class Utilisation:
    """Share of the time in which the model works, the rest being spent on waiting for batches."""

    def __init__(self) -> None:
        self._waited = 0.0
        self._all = 0.0

    def add(self, waited_s: float, all_s: float) -> None:
        """Count some time, of which ``waited_s`` were spent on waiting."""
        self._waited += waited_s
        self._all += all_s

    @property
    def share(self) -> float:
        """Between 0 and 1; 1 before anything was counted."""
        return 1.0 - self._waited / self._all if self._all > 0.0 else 1.0


def prefetched(batches: Iterable[T], utilisation: Utilisation) -> Iterator[T]:
    """Yield ``batches`` in order, made ahead in a thread.

    The thread ends with the iteration, whether that is exhausted, abandoned or interrupted.

    Args:
        batches: Made by code that mostly runs outside of the interpreter's lock, such as numpy's.
        utilisation: Told how long each batch was waited for.

    Raises:
        BaseException: Whatever making a batch raised.
    """
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(_AHEAD)
    is_over = threading.Event()

    def hand_over(batch: T | None, error: BaseException | None) -> bool:
        while not is_over.is_set():
            try:
                ready.put((batch, error), timeout=_POLL_S)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        error: BaseException | None = None
        try:
            for batch in batches:
                if not hand_over(batch, None):
                    return
        except BaseException as raised:  # noqa: BLE001 - handed to who waits for the batch
            error = raised
        hand_over(None, error)

    thread = threading.Thread(target=make, name="batches", daemon=True)
    thread.start()
    try:
        asked = time.perf_counter()
        while True:
            batch, error = ready.get()
            got = time.perf_counter()
            if error is not None:
                raise error
            if batch is None:
                return
            yield batch
            now = time.perf_counter()
            utilisation.add(got - asked, now - asked)
            asked = now
    finally:
        is_over.set()
        thread.join()
