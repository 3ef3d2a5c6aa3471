"""Batches made ahead: order, errors, an end of the thread, and how long the model waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from shortlist_trainer.prefetch import Utilisation, prefetched


def numbers(n: int, pause_s: float = 0.0) -> Iterator[int]:
    """Yield the first numbers, each after a pause."""
    for number in range(n):
        time.sleep(pause_s)
        yield number


def running() -> int:
    """Return how many threads make batches."""
    return sum(thread.name == "batches" for thread in threading.enumerate())


def test_batches_come_in_order_and_the_thread_ends_with_them() -> None:
    assert list(prefetched(numbers(100), Utilisation())) == list(range(100))
    assert running() == 0


def test_an_error_reaches_who_waits_for_the_batch() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("no second batch")

    made = prefetched(failing(), Utilisation())
    assert next(made) == 1
    with pytest.raises(ValueError, match="no second batch"):
        next(made)
    assert running() == 0


def test_an_abandoned_iteration_leaves_no_thread() -> None:
    made = prefetched(numbers(1000), Utilisation())
    assert next(made) == 0
    made.close()  # type: ignore[attr-defined]
    assert running() == 0


def test_no_more_than_a_few_batches_are_made_ahead() -> None:
    made: list[int] = []

    def counted() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    batches = prefetched(counted(), Utilisation())
    next(batches)
    time.sleep(0.2)
    assert len(made) < 10
    batches.close()  # type: ignore[attr-defined]


def test_utilisation_tells_a_slow_loader_from_a_slow_model() -> None:
    starved, busy = Utilisation(), Utilisation()
    for _ in prefetched(numbers(20, 0.01), starved):
        pass
    for _ in prefetched(numbers(20), busy):
        time.sleep(0.01)
    assert starved.share < 0.2
    assert busy.share > 0.8
