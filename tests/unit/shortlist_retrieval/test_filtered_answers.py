"""Searches under random filters; ``benchmarks/filters.py --answers 1000000`` does a million of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_domain.filters import Node
from shortlist_retrieval.filter_masks import FilterMasks
from shortlist_testing.filtered_answers import forbidden_in


@pytest.mark.parametrize("seed", [0, 1])
def test_no_answer_has_a_forbidden_item_or_lacks_an_allowed_one(seed: int) -> None:
    items, forbidden = forbidden_in(1500, seed)
    assert items > 30_000
    assert forbidden == 0


def test_a_filter_that_is_not_applied_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def everything(masks: FilterMasks, node: Node) -> NDArray[np.bool_]:
        return np.ones(5000, np.bool_)

    monkeypatch.setattr(FilterMasks, "mask", everything)
    assert forbidden_in(50, 0)[1] > 100
