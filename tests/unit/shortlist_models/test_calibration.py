"""Platt scaling against known parameters and scikit-learn."""

import numpy as np
import pytest

from shortlist_models.calibration import Platt, expected_calibration_error, fit_platt


def world(n: int, slope: float, intercept: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(6)
    logits = random.normal(1.0, 2.0, n)
    return logits, random.random(n) < 1.0 / (1.0 + np.exp(-(slope * logits + intercept)))


@pytest.mark.parametrize(("slope", "intercept"), [(0.7, -5.0), (1.5, 0.3), (0.0, -1.0)])
def test_the_parameters_of_a_logistic_world_are_found(slope: float, intercept: float) -> None:
    logits, labels = world(200_000, slope, intercept)
    fitted = fit_platt(logits, labels)
    assert fitted.slope == pytest.approx(slope, abs=0.05)
    assert fitted.intercept == pytest.approx(intercept, abs=0.1)


def test_a_calibration_never_turns_the_order_round() -> None:
    logits, labels = world(5_000, -0.8, 0.0)
    fitted = fit_platt(logits, labels)
    assert fitted.slope == 0.0
    assert fitted.probability(logits)[0] == pytest.approx(labels.mean(), abs=1e-3)


def test_the_fit_agrees_with_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    logits, labels = world(20_000, 0.8, -1.0)
    other = LogisticRegression(C=1e9, tol=1e-10).fit(logits[:, None], labels)
    fitted = fit_platt(logits, labels)
    assert fitted.slope == pytest.approx(float(other.coef_[0, 0]), abs=2e-3)
    assert fitted.intercept == pytest.approx(float(other.intercept_[0]), abs=2e-3)


def test_separable_classes_still_give_finite_parameters() -> None:
    fitted = fit_platt(np.array([-1.0, -2.0, 1.0, 2.0]), np.array([False, False, True, True]))
    assert np.isfinite([fitted.slope, fitted.intercept]).all()
    assert fitted.slope > 0


def test_far_logits_give_probabilities_within_bounds() -> None:
    probability = Platt(1.0, 0.0).probability(np.array([-1e6, 0.0, 1e6]))
    assert probability.tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("labels", [[True, True], [False, False]])
def test_one_class_alone_is_refused(labels: list[bool]) -> None:
    with pytest.raises(ValueError, match="both classes"):
        fit_platt(np.array([0.1, 0.2]), np.array(labels))


def test_logits_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        fit_platt(np.array([0.1, np.nan]), np.array([True, False]))


def test_the_calibration_error_is_the_mean_gap_over_equal_groups() -> None:
    probability = np.array([0.1, 0.1, 0.6, 0.8])
    labels = np.array([False, False, True, True])
    # groups (0.1, 0.1): gap 0.1; (0.6, 0.8): gap 0.3
    assert expected_calibration_error(probability, labels, bins=2) == pytest.approx(0.2)
