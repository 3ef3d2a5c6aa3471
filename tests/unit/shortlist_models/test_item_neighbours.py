"""Item neighbours against a slow reference."""

import math

import numpy as np
import pytest

from shortlist_models.item_neighbours import item_neighbours


def reference(pairs: set[tuple[int, int]], n_items: int, shrinkage: float) -> np.ndarray:
    met = [{u for u, i in pairs if i == item} for item in range(n_items)]
    out = np.zeros((n_items, n_items))
    for i in range(n_items):
        for j in range(n_items):
            if i != j and met[i] & met[j]:
                out[i, j] = len(met[i] & met[j]) / (math.sqrt(len(met[i]) * len(met[j])) + shrinkage)
    return out


@pytest.mark.parametrize("shrinkage", [0.0, 7.5])
def test_similarities_are_cosines_of_user_sets(shrinkage: float) -> None:
    random = np.random.default_rng(2)
    users, items = random.integers(0, 20, 150), random.integers(0, 12, 150)
    rows, scores = item_neighbours(users, items, 20, 12, most=11, shrinkage=shrinkage)
    expected = reference(set(zip(users.tolist(), items.tolist(), strict=True)), 12, shrinkage)
    found = np.zeros((12, 12))
    for item in range(12):
        kept = rows[item] >= 0
        found[item, rows[item][kept]] = scores[item][kept]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_lists_are_best_first_with_the_lower_row_first_among_equals() -> None:
    # items 1 and 2 are met by the same users as 0; item 3 by one of them
    users, items = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2, 3])
    rows, scores = item_neighbours(users, items, 2, 4, most=3)
    assert rows[0].tolist() == [1, 2, 3]
    np.testing.assert_allclose(scores[0], [1.0, 1.0, 1.0 / math.sqrt(2)], rtol=1e-6)


def test_items_without_company_are_padded() -> None:
    rows, scores = item_neighbours(np.array([0, 1, 1]), np.array([0, 1, 2]), 2, 4, most=2)
    assert rows.tolist() == [[-1, -1], [2, -1], [1, -1], [-1, -1]]
    assert scores[0].tolist() == [0.0, 0.0]


def test_a_catalogue_larger_than_one_block_is_the_same_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist_models.item_neighbours._BLOCK", 70_000)
    random = np.random.default_rng(4)
    users, items = random.integers(0, 50, 3000), random.integers(0, 700, 3000)
    rows, scores = item_neighbours(users, items, 50, 700, most=5)
    expected = reference(set(zip(users.tolist(), items.tolist(), strict=True)), 700, 0.0)[600:]
    np.testing.assert_allclose(scores[600:], -np.sort(-expected, axis=1)[:, :5], atol=1e-6)
    assert (rows < 700).all()
