"""Platt scaling and isotonic regression against known parameters, numbers by hand and scikit-learn."""

import numpy as np
import pytest

from shortlist_models.calibration import (
    FITS,
    Platt,
    expected_calibration_error,
    fit_isotonic,
    fit_platt,
    log_loss,
)


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


@pytest.mark.parametrize("method", FITS)
@pytest.mark.parametrize("labels", [[True, True], [False, False]])
def test_one_class_alone_is_refused(method: str, labels: list[bool]) -> None:
    with pytest.raises(ValueError, match="both classes"):
        FITS[method](np.array([0.1, 0.2]), np.array(labels))


@pytest.mark.parametrize("method", FITS)
def test_logits_that_are_not_finite_are_refused(method: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        FITS[method](np.array([0.1, np.nan]), np.array([True, False]))


@pytest.mark.parametrize("method", FITS)
def test_logits_that_are_all_equal_give_the_prevalence(method: str) -> None:
    labels = np.arange(1000) % 4 == 0
    probability = FITS[method](np.full(1000, 0.7), labels).probability(np.array([-3.0, 0.7, 9.0]))
    # Platt's targets: (251 / 252 * 250 + 1 / 752 * 750) / 1000
    np.testing.assert_allclose(probability, 0.25 * 251 / 252 + 0.75 / 752, atol=1e-9)


@pytest.mark.parametrize("method", FITS)
def test_no_calibration_turns_the_order_round(method: str) -> None:
    logits, labels = world(5_000, -0.8, 0.0)
    assert np.ptp(FITS[method](logits, labels).probability(np.linspace(-9.0, 9.0, 50))) < 0.05


def test_isotonic_steps_are_those_by_hand() -> None:
    fitted = fit_isotonic(np.array([4.0, 1.0, 3.0, 2.0]), np.array([True, False, False, True]))
    # Targets 3/4 and 1/4; 2 and 3 violate the order and are pooled to 1/2 at their middle.
    assert fitted.logits == (1.0, 2.5, 4.0)
    assert fitted.probabilities == pytest.approx((0.25, 0.5, 0.75))
    given = fitted.probability(np.array([-9.0, 1.75, 3.25, 9.0]))
    np.testing.assert_allclose(given, [0.25, 0.375, 0.625, 0.75])


def test_equal_logits_count_as_one_of_their_mean() -> None:
    fitted = fit_isotonic(np.array([0.0, 0.0, 0.0, 5.0]), np.array([False, True, False, True]))
    assert fitted.logits == (0.0, 5.0)
    assert fitted.probabilities == pytest.approx(((0.25 + 0.75 + 0.25) / 3, 0.75))


@pytest.mark.parametrize("digits", [1, 12])
def test_isotonic_steps_agree_with_scikit_learn(digits: int) -> None:
    from sklearn.isotonic import IsotonicRegression

    logits, labels = world(3_000, 0.8, -1.0)
    logits = logits.round(digits)
    fitted = fit_isotonic(logits, labels)
    steps = IsotonicRegression().fit(logits, labels).predict(np.array(fitted.logits))
    positives = int(labels.sum())
    low, high = 1.0 / (3_000 - positives + 2.0), (positives + 1.0) / (positives + 2.0)
    np.testing.assert_allclose(fitted.probabilities, low + (high - low) * steps, atol=1e-12)
    assert len(fitted.logits) > 10


def test_a_form_that_no_sigmoid_has_is_found_by_isotonic_regression_alone() -> None:
    random = np.random.default_rng(8)
    logits = random.uniform(-5.0, 5.0, 40_000)
    labels = random.random(40_000) < np.where(logits < 0.0, 0.1, 0.3)
    half = np.arange(40_000) % 2 == 0
    error = {
        name: expected_calibration_error(fit(logits[half], labels[half]).probability(logits[~half]), labels[~half])
        for name, fit in FITS.items()
    }
    assert error["isotonic"] < 0.02 < error["platt"]


def test_the_log_loss_agrees_with_scikit_learn_and_is_finite_for_a_wrong_certainty() -> None:
    from sklearn.metrics import log_loss as other

    random = np.random.default_rng(9)
    probability, labels = random.random(500), random.random(500) < 0.3
    assert log_loss(probability, labels) == pytest.approx(other(labels, probability))
    assert log_loss(np.array([0.0, 1.0]), np.array([True, False])) == pytest.approx(12 * np.log(10))


def test_the_calibration_error_is_the_mean_gap_over_equal_groups() -> None:
    probability = np.array([0.1, 0.1, 0.6, 0.8])
    labels = np.array([False, False, True, True])
    # groups (0.1, 0.1): gap 0.1; (0.6, 0.8): gap 0.3
    assert expected_calibration_error(probability, labels, bins=2) == pytest.approx(0.2)
