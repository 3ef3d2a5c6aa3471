"""Events by user: what is known before each."""

import numpy as np

from shortlist_trainer.sequences import PAUSE_S, sequences_of

from .conftest import dataset_of

HOUR = 3600.0
EVENTS = [
    ("a", "x", 5.0, 0.0),
    ("b", "x", 1.0, 10.0),
    ("a", "y", 3.0, 60.0),
    ("a", "z", 1.0, 60.0),
    ("b", "z", 2.0, 90.0),
    ("a", "w", 4.0, 60.0 + PAUSE_S + 1.0),
]


def test_events_lie_by_user_and_then_by_time() -> None:
    sequences = sequences_of(dataset_of(EVENTS))
    assert sequences.start.tolist() == [0, 4, 6]
    assert sequences.times_s.tolist() == [0.0, 60.0, 60.0, 60.0 + PAUSE_S + 1.0, 10.0, 90.0]
    assert sequences.event.tolist() == [0, 2, 3, 5, 1, 4]


def test_events_of_one_moment_do_not_know_each_other() -> None:
    sequences = sequences_of(dataset_of(EVENTS))
    assert sequences.moment.tolist() == [0, 1, 1, 3, 4, 5]
    assert sequences.numbers[:4, 0].tolist() == [0.0, 1.0, 1.0, 3.0]
    assert sequences.numbers[3, 1] == np.float32(3.0)


def test_a_long_pause_begins_another_visit() -> None:
    assert sequences_of(dataset_of(EVENTS)).visit.tolist() == [0, 0, 0, 3, 4, 4]


def test_ends_are_the_places_after_the_last_event_before_a_cut() -> None:
    sequences = sequences_of(dataset_of(EVENTS))
    assert sequences.ends(0).tolist() == [0, 4]
    assert sequences.ends(3).tolist() == [2, 5]
    assert sequences.ends(6).tolist() == [4, 6]


def test_places_between_cuts_are_in_the_order_of_time() -> None:
    sequences = sequences_of(dataset_of(EVENTS))
    assert sequences.event[sequences.places_between(1, 5)].tolist() == [1, 2, 3, 4]
