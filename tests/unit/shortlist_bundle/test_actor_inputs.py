"""What models are given of an actor where what is known of it is no number that they could take."""

from array import array

import numpy as np
import pytest

from shortlist_bundle.actor_inputs import actor_inputs
from shortlist_domain.stages import ActorFeatures
from shortlist_testing.tiny_bundle import FEATURES, NOW_S


@pytest.mark.parametrize("time_s", [-1e300, float("-inf"), float("nan"), -3.5e38])
def test_an_age_beyond_float32_counts_as_none(time_s: float) -> None:
    actor = ActorFeatures(
        now_s=NOW_S,
        history_rows=array("I", [1, 2]),
        history_values=array("f", [1.0, 2.0]),
        history_times_s=array("d", [NOW_S - 60.0, time_s]),
    )
    inputs = actor_inputs(actor, FEATURES)
    assert inputs["history_ages_s"][0, -2:].tolist() == [60.0, 0.0]
    assert inputs["age_s"].tolist() == [0.0]


@pytest.mark.parametrize("number", [1e300, -1e300, float("inf"), float("nan")])
def test_a_number_beyond_float32_has_its_default(number: float) -> None:
    inputs = actor_inputs(ActorFeatures(now_s=NOW_S, numbers={"user_mean": number}), FEATURES)
    absent = actor_inputs(ActorFeatures(now_s=NOW_S), FEATURES)
    np.testing.assert_array_equal(inputs["user_numbers"], absent["user_numbers"])
