"""Sources of negatives: what each draws, how often, and that it says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shortlist_models.negatives import NEGATIVES, Asked, Drawn, Negatives, SourceOptions

COUNTS = np.array([8, 4, 2, 1, 1, 0])
N = len(COUNTS)
SHARE = COUNTS / COUNTS.sum()


def source(name: str, number: int = 64, **options: int) -> Negatives:
    return NEGATIVES[name](COUNTS, SourceOptions(number, **options))


def asked(random: np.random.Generator, queries: int = 64) -> Asked:
    """Return queries whose positives come as often as they are popular, and whose best item is 4, then 3, and so on."""
    table = torch.zeros(N, 3)
    table[:, -1] = torch.arange(N) % 5
    positives = random.choice(N, queries, p=SHARE)
    known = np.full((queries, 2), -1)
    known[:, 1] = 3
    return Asked(positives, torch.zeros(queries, 2), known, lambda: table)


def frequencies(rows: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    return np.bincount(np.concatenate(rows), minlength=N) / len(rows)


@pytest.mark.parametrize("name", NEGATIVES)
def test_a_source_draws_each_item_as_often_as_it_says(name: str) -> None:
    random, negatives = np.random.default_rng(1), source(name, warm_up=3, queue_length=100)
    rows, said = [], []
    for _ in range(600):
        here = asked(random)
        drawn = negatives.draw(here, random)
        negatives.keep(here.positives, torch.zeros(len(here.positives), 3))
        if name == "cross_batch" and drawn.kept_rows is None:
            continue  # not warm yet
        rows.append(drawn.rows if drawn.kept_rows is None else np.concatenate([drawn.rows, drawn.kept_rows]))
        said.append(np.exp(drawn.log_q))
    np.testing.assert_allclose(frequencies(rows), np.mean(said, axis=0), atol=0.5)
    assert all(np.sum(each) == pytest.approx(len(rows[0]), rel=1e-5) for each in said)


def test_uniform_draws_forget_popularity_and_popular_ones_follow_it() -> None:
    np.testing.assert_allclose(np.exp(drawn("uniform").log_q), np.full(N, 64 / N), rtol=1e-6)
    np.testing.assert_allclose(np.exp(drawn("popularity").log_q), 64 * SHARE, rtol=1e-6)
    np.testing.assert_allclose(np.exp(drawn("mixed").log_q), 32 * SHARE + 32 / N, rtol=1e-6)


def drawn(name: str, number: int = 64) -> Drawn:
    random = np.random.default_rng(2)
    return source(name, number).draw(asked(random), random)


def test_a_popular_source_never_draws_what_nobody_met() -> None:
    assert not (drawn("popularity", 5000).rows == 5).any()
    assert drawn("popularity").log_q[5] == -np.inf


def test_in_batch_negatives_are_the_batchs_positives_and_at_most_as_many_as_wanted() -> None:
    random = np.random.default_rng(3)
    here = asked(random, queries=20)
    assert source("in_batch").draw(here, random).rows.tolist() == here.positives.tolist()
    some = source("in_batch", number=7).draw(here, random)
    assert len(some.rows) == 7
    assert set(some.rows.tolist()) <= set(here.positives.tolist())
    assert np.exp(some.log_q).sum() == pytest.approx(7, rel=1e-5)


def test_the_queue_holds_the_latest_embeddings_first_in_first_out_and_waits_until_it_is_warm() -> None:
    random, negatives = np.random.default_rng(4), source("cross_batch", warm_up=2, queue_length=5)
    batches = [np.array([0, 1, 2]), np.array([3, 0, 1]), np.array([2, 2, 4])]
    seen = []
    for at, rows in enumerate(batches):
        seen.append(negatives.draw(Asked(rows), random))
        negatives.keep(rows, torch.full((3, 3), float(at), requires_grad=True))
    cold, still_cold, warm = seen
    assert cold.kept is None
    assert still_cold.kept is None
    assert warm.rows.tolist() == [2, 2, 4]
    assert warm.kept_rows is not None
    assert warm.kept is not None
    assert warm.kept_rows.tolist() == [1, 2, 3, 0, 1]
    assert warm.kept[:, 0].tolist() == [0, 0, 1, 1, 1]
    assert not warm.kept.requires_grad


def test_a_queue_comes_back_from_a_checkpoint() -> None:
    random, first = np.random.default_rng(5), source("cross_batch", warm_up=1, queue_length=4)
    first.keep(np.array([1, 2, 3]), torch.arange(9.0).view(3, 3))
    second = source("cross_batch", warm_up=1, queue_length=4)
    second.load_state_dict(first.state_dict())
    one, other = (each.draw(Asked(np.array([0])), random) for each in (first, second))
    assert one.kept is not None
    assert other.kept is not None
    assert one.kept_rows is not None
    assert other.kept_rows is not None
    assert one.kept_rows.tolist() == other.kept_rows.tolist() == [1, 2, 3]
    torch.testing.assert_close(one.kept, other.kept)


def test_hard_negatives_are_the_top_of_the_catalogue_without_what_is_known_or_wanted() -> None:
    random, negatives = np.random.default_rng(6), source("hard", number=4000, depth=2)
    here = Asked(np.array([4, 4]), torch.zeros(2, 2), np.array([[-1, 3], [-1, -1]]), asked(random).table)
    # By bias the order is 4, 3, 2, 1, and 0 and 5 alike. The first list is 2, 1; the second, which may have 3, is 3, 2.
    expected = 0.5 / N + 0.5 * np.array([0, 1, 2, 1, 0, 0]) / 4
    found = negatives.draw(here, random)
    np.testing.assert_allclose(np.exp(found.log_q) / 4000, expected, rtol=1e-6)
    np.testing.assert_allclose(frequencies([found.rows]) / 4000, expected, atol=0.03)


def test_hard_negatives_see_new_embeddings_when_they_are_refreshed_and_in_a_new_epoch() -> None:
    random, negatives = np.random.default_rng(7), source("hard", refresh=3)
    looked = 0

    def table() -> torch.Tensor:
        nonlocal looked
        looked += 1
        return torch.zeros(N, 3)

    here = Asked(np.array([0]), torch.zeros(1, 2), np.array([[1]]), table)
    for _ in range(7):
        negatives.draw(here, random)
    assert looked == 3
    negatives.begin()
    negatives.draw(here, random)
    assert looked == 4


def test_where_every_item_is_known_hard_negatives_are_uniform() -> None:
    random = np.random.default_rng(8)
    here = Asked(np.array([0]), torch.zeros(1, 2), np.arange(N)[None], lambda: torch.zeros(N, 3))
    np.testing.assert_allclose(np.exp(source("hard").draw(here, random).log_q), 64 / N, rtol=1e-6)


def test_hard_negatives_without_queries_are_refused() -> None:
    with pytest.raises(ValueError, match="mined for queries; none are given"):
        source("hard").draw(Asked(np.array([0])), np.random.default_rng(0))
