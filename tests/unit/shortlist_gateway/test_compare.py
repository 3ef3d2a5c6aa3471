"""Overlap of two slates, against sets counted anew for each k."""

from hypothesis import given
from hypothesis import strategies as st

from shortlist_gateway.compare import overlap_at


@given(st.permutations(range(6)), st.lists(st.integers(0, 9), unique=True, max_size=9))
def test_overlap_is_counted_as_written(base: list[int], other: list[int]) -> None:
    one, two = [str(n) for n in base], [str(n) for n in other]
    expected = [len({*one[:k]} & {*two[:k]}) / k for k in range(1, max(len(one), len(two)) + 1)]
    assert overlap_at(one, two) == expected
