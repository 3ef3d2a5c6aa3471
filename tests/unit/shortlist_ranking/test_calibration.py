"""The calibration file: what the trainer writes serves, and what is corrupt is refused with a reason."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shortlist_domain.errors import BundleInvalid
from shortlist_models.calibration import FITS
from shortlist_ranking.calibration import CALIBRATIONS, load_calibration


def test_every_way_to_calibrate_can_be_served() -> None:
    assert CALIBRATIONS.keys() == FITS.keys()


@pytest.mark.parametrize("method", FITS)
def test_what_training_writes_serves_the_same_probabilities(method: str) -> None:
    random = np.random.default_rng(4)
    logits = random.normal(size=5_000).astype(np.float32)
    labels = random.random(5_000) < 1.0 / (1.0 + np.exp(2.0 - logits))
    fitted = FITS[method](logits, labels)
    content = json.dumps({"version": 1, "method": method, **fitted.parameters()}).encode()
    grid = np.linspace(-50.0, 50.0, 1_001, dtype=np.float32)
    served = load_calibration(content).probabilities(grid)
    np.testing.assert_allclose(served, fitted.probability(grid), atol=1e-7)
    assert served.dtype == np.float32
    assert (np.diff(served) >= 0.0).all()


def test_a_file_without_a_version_is_of_the_first() -> None:
    (served,) = load_calibration(b'{"method": "platt", "slope": 1, "intercept": 0}').probabilities(np.zeros(1, "f4"))
    assert served == 0.5


def knots(logits: object, probabilities: object, **changes: object) -> bytes:
    content = {"version": 1, "method": "isotonic", "logits": logits, "probabilities": probabilities}
    return json.dumps({**content, **changes}).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (knots([1.0, 2.0], [0.2, 0.1]), r"knot 1 \(2.0, 0.1\): its probability descends"),
        (knots([1.0, 1.0], [0.1, 0.2]), r"knot 1 \(1.0, 0.2\): its logit does not ascend"),
        (knots([1.0, 2.0], [0.1, 1.2]), r"knot 1 \(2.0, 1.2\): its probability is outside of \[0, 1\]"),
        (knots([1.0, 2.0], [-0.1, 0.2]), "knot 0 .* outside"),
        (knots([1.0, float("nan")], [0.1, 0.2]), "not finite"),
        (knots([1.0, 2.0], [0.1]), r"shape \(2,\) and probabilities of shape \(1,\)"),
        (knots([], []), "1 to 100000"),
        (knots([[1.0]], [[0.1]]), r"shape \(1, 1\)"),
        (knots([1.0], ["much"]), "cannot be read"),
        (knots([1.0], [0.1], version=2), "version 2; this release reads 1"),
        (knots([1.0], [0.1], method="beta"), "by 'beta'; this release knows platt, isotonic"),
        (knots([1.0], [0.1], method=["platt"]), "cannot be read"),
        (b'{"version": 1, "method": "isotonic"}', "cannot be read"),
        (b"[]", "cannot be read"),
        (b"{", "cannot be read"),
    ],
)
def test_a_corrupt_file_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(BundleInvalid, match=reason):
        load_calibration(content)
