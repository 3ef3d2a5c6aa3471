"""The figures of a load run, on samples whose figures are known."""

import pytest

from shortlist_cli.bench.report import percentile


@pytest.mark.parametrize(("p", "expected"), [(50, 50), (90, 90), (99, 99), (99.9, 100), (100, 100), (0.5, 1)])
def test_percentiles_are_values_that_occurred(p: float, expected: float) -> None:
    assert percentile([float(i) for i in range(1, 101)], p) == expected


def test_one_sample_is_every_percentile() -> None:
    assert percentile([7.0], 50) == percentile([7.0], 99.9) == 7.0
