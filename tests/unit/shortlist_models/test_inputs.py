"""Raw numbers to network inputs."""

import math

import pytest
import torch

from shortlist_models.inputs import CategoryInputs, ContextInputs, NumberInputs, age_input


def test_counts_are_read_on_a_logarithmic_scale_and_means_are_not() -> None:
    layer = NumberInputs(("user_count", "user_mean"))
    assert torch.allclose(layer(torch.tensor([[math.e - 1, 3.5]])), torch.tensor([[1.0, 3.5]]))


def test_fitting_gives_mean_zero_and_deviation_one() -> None:
    sample = torch.tensor([[0.0, 1.0], [math.e - 1, 3.0], [math.e**2 - 1, 5.0]])
    layer = NumberInputs(("user_count", "user_mean"))
    layer.fit(sample)
    scaled = layer(sample)
    assert torch.allclose(scaled.mean(0), torch.zeros(2), atol=1e-6)
    assert torch.allclose(scaled.std(0, unbiased=False), torch.ones(2), atol=1e-5)


def test_a_constant_column_stays_finite() -> None:
    layer = NumberInputs(("user_mean",))
    layer.fit(torch.full((5, 1), 3.0))
    assert layer(torch.tensor([[3.0], [4.0]])).tolist() == [[0.0], [1.0]]


def test_an_absurd_value_is_clipped() -> None:
    layer = NumberInputs(("user_mean",))
    assert layer(torch.tensor([[1e30], [-1e30]])).tolist() == [[8.0], [-8.0]]


def test_midnight_is_next_to_eleven_at_night() -> None:
    at = ContextInputs()(torch.tensor([[23.0, 0.0, 0.0], [0.0, 0.0, 0.0], [12.0, 0.0, 0.0]]))
    assert (at[0] - at[1]).norm() < 0.3 < (at[0] - at[2]).norm()


def test_the_weekend_flag_passes_through() -> None:
    assert ContextInputs()(torch.tensor([[0.0, 5.0, 1.0]]))[0, -1] == 1.0


def test_without_attributes_there_are_no_columns() -> None:
    assert CategoryInputs((), 8, 0.1)(torch.zeros(3, 0, dtype=torch.int64)).shape == (3, 0)


def test_every_attribute_has_rows_of_its_own() -> None:
    layer = CategoryInputs((2, 3), 4, dropout=0.0)
    every = [layer(torch.tensor([[a, b]]))[0].split(4) for a in range(3) for b in range(4)]
    assert len({tuple(first.tolist()) for first, _ in every}) == 3
    assert len({tuple(second.tolist()) for _, second in every}) == 4
    assert layer.table.num_embeddings == 3 + 4


@pytest.mark.parametrize(("hour", "day"), [(0.0, 0.0), (6.0, 3.0), (23.0, 6.0)])
def test_hour_and_day_are_points_on_circles(hour: float, day: float) -> None:
    at = ContextInputs()(torch.tensor([[hour, day, 0.0]]))[0, :4]
    angles = (2 * math.pi * hour / 24, 2 * math.pi * day / 7)
    expected = [f(angle) for angle in angles for f in (math.sin, math.cos)]
    assert at.tolist() == pytest.approx(expected, abs=1e-6)


def test_category_dropout_is_off_outside_of_training() -> None:
    layer = CategoryInputs((3,), 4, dropout=0.9).eval()
    index = torch.full((50, 1), 2)
    assert torch.equal(layer(index), layer.table(index[:, 0]))


def test_category_dropout_turns_values_into_unknown() -> None:
    torch.manual_seed(0)
    layer = CategoryInputs((3,), 4, dropout=0.5)
    out = layer(torch.full((400, 1), 2))
    unknown = (out == layer.table(torch.tensor([0]))).all(1)
    assert 0.4 < unknown.float().mean() < 0.6


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 0.0), (3600.0, math.log(2) / 4), (-5.0, 0.0)])
def test_ages_are_logarithms_of_hours(seconds: float, expected: float) -> None:
    assert age_input(torch.tensor([seconds])).item() == pytest.approx(expected, abs=1e-7)
