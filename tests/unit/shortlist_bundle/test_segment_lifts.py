"""Lifts of a bundle: their sum over an actor's attributes, and files that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shortlist_bundle import layout
from shortlist_bundle.arrays import array_bytes
from shortlist_bundle.segment_lifts import SegmentLifts, load_segment_lifts
from shortlist_bundle.store import BundleStore
from shortlist_domain.errors import BundleInvalid
from shortlist_testing.tiny_bundle import FEATURES, MANIFEST, tiny_files

VALUES = sum(len(vocabulary.values) for vocabulary in FEATURES.user_categories)


def test_lifts_add_up_over_the_attributes_that_are_known() -> None:
    # Two values of the first attribute, three of the second; item i has 10^value more than it.
    table = np.array([[1, 2], [3, 4], [10, 20], [30, 40], [50, 60]], np.float16)
    lifts = SegmentLifts(table, (2, 3))
    found = lifts.of(np.array([[1, 1], [2, 3], [0, 2], [0, 0]]), np.array([[0, 1], [1, 0], [0, 0], [1, 1]]))
    assert found.tolist() == [[11.0, 22.0], [64.0, 53.0], [30.0, 30.0], [0.0, 0.0]]


def bundle_with(folder: Path, table: np.ndarray | None) -> None:
    files = tiny_files()
    if table is not None:
        files[layout.SEGMENT_LIFTS] = array_bytes(table)
    bundle = BundleStore(folder).add(files, MANIFEST)
    lifts = load_segment_lifts(bundle, FEATURES, 60)
    assert (lifts is None) == (table is None)


def test_a_bundle_has_them_or_has_none(tmp_path: Path) -> None:
    bundle_with(tmp_path / "without", None)
    bundle_with(tmp_path / "with", np.zeros((VALUES, 60), np.float16))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((VALUES + 1, 60), np.float16), f"a row for each of {VALUES} values"),
        (np.zeros((VALUES, 59), np.float16), "expected float16"),
        (np.zeros((VALUES, 60), np.float32), "expected float16"),
        (np.full((VALUES, 60), np.inf, np.float16), "not finite"),
    ],
)
def test_lifts_that_do_not_fit_are_refused(tmp_path: Path, table: np.ndarray, message: str) -> None:
    with pytest.raises(BundleInvalid, match=message):
        bundle_with(tmp_path, table)
