"""Weights that decide the order, chosen on validation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shortlist_bundle.combined_score import PriorWeights
from shortlist_data.dataset import Dataset
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.config import OrderConfig
from shortlist_trainer.evaluate import Weights, held_out_places
from shortlist_trainer.fit import Clock, Fitted, fit
from shortlist_trainer.order import Judged, choose_order, next_events

from .conftest import quick


def silent(*_: object) -> None:
    """Ignore the progress."""


def judged(
    click: list[float], retrieval: list[float], relevant: int, events: float = 0.0, lifts: tuple[float, ...] = (0,) * 3
) -> Judged:
    rows = np.arange(len(click), dtype=np.int32)[None]
    return Judged(
        rows,
        np.array([click], np.float32),
        np.zeros((1, len(click)), np.float32),
        np.array([retrieval], np.float32),
        np.array([[float(10**place) for place in range(len(click))]]),
        np.array([lifts], np.float32),
        np.array([events], np.float32),
        [np.array([relevant], np.int32)],
    )


def test_the_figure_is_that_of_the_order_which_weights_give() -> None:
    one = judged([2.0, 1.0, 0.0], [0.1, 0.2, 0.4], relevant=2)
    assert one.ndcg(Weights(1.0, 0.0)) == pytest.approx(1.0 / np.log2(4.0))
    assert one.ndcg(Weights(1.0, 0.0, PriorWeights(8.0, 8.0))) == pytest.approx(1.0)
    assert one.ndcg(Weights(1.0, 0.0, PriorWeights(newcomer_popularity=8.0))) == pytest.approx(1.0)
    # Among users like the actor it is another item that is popular.
    other = replace(one, lifts=np.array([[9.0, 0.0, 0.0]], np.float32))
    by_segment = Weights(1.0, 0.0, PriorWeights(newcomer_popularity=8.0, newcomer_segment=0.5))
    assert (one.ndcg(by_segment), other.ndcg(by_segment)) == pytest.approx((1.0, 1.0 / np.log2(3.0)))
    # Of an actor with many events the newcomer's weight is nothing.
    many = replace(one, events=np.array([500.0], np.float32))
    assert many.ndcg(Weights(1.0, 0.0, PriorWeights(0.0, 8.0))) == pytest.approx(1.0 / np.log2(4.0))


@pytest.fixture(scope="module")
def fitted(world: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    folder = tmp_path_factory.mktemp("checkpoints")
    return fit(world, quick("order.least_newcomers=2"), Checkpoints(folder, "", resume=False), silent, Clock())


def following(fitted: Fitted) -> Judged:
    split = fitted.prepared.split
    places = held_out_places(fitted.prepared, split.train_end, split.validation_end, 100, 1)
    return next_events(fitted.pipeline, places, silent)


def test_the_best_of_what_was_tried_is_taken(fitted: Fitted) -> None:
    order = fitted.choices.order
    found = following(fitted)
    assert order.weights == fitted.pipeline.weights
    assert order.by_rating[f"{order.weights.rating:g}"] == max(order.by_rating.values())
    prior = order.weights.prior
    assert order.by_retrieval[f"{prior.retrieval:g}"] == max(order.by_retrieval.values())
    of_newcomers = order.by_newcomer_retrieval
    assert of_newcomers[f"{prior.newcomer_retrieval:g}"] == max(of_newcomers.values())
    by_popularity = order.by_newcomer_popularity
    assert by_popularity[f"{prior.newcomer_popularity:g}"] == max(by_popularity.values())
    by_segment = order.by_newcomer_segment
    assert by_segment[f"{prior.newcomer_segment:g}"] == max(by_segment.values()) >= max(by_popularity.values())
    alone = Weights(1.0, order.weights.rating, PriorWeights(prior.retrieval, prior.retrieval))
    assert found.ndcg(alone) == pytest.approx(max(order.by_retrieval.values()))


def test_too_few_newcomers_leave_the_weight_of_the_settings(fitted: Fitted) -> None:
    config = OrderConfig(least_newcomers=10_000, newcomer_weight=3.0)
    order = choose_order(fitted.pipeline, following(fitted), config, silent)
    assert order.by_newcomer_retrieval == order.by_newcomer_popularity == order.by_newcomer_segment == {}
    prior = order.weights.prior
    assert (prior.newcomer_retrieval, prior.newcomer_popularity) == (max(3.0, prior.retrieval), 0.0)


def test_lists_for_everything_later_are_chosen_by_other_moments(fitted: Fitted) -> None:
    found = following(fitted)
    as_next = choose_order(fitted.pipeline, found, OrderConfig(), silent)
    as_later = choose_order(fitted.pipeline, found, OrderConfig(aim="later"), silent)
    assert as_next.by_rating != as_later.by_rating
    assert as_next.by_rating.keys() == as_later.by_rating.keys()


def test_nothing_after_validation_is_looked_at(world: Dataset, fitted: Fitted, tmp_path: Path) -> None:
    cut = fitted.prepared.split.validation_end
    items = world.item_rows.copy()
    items[cut:] = np.random.default_rng(1).permutation(items[cut:])
    other = replace(world, item_rows=items)
    again = fit(other, quick("order.least_newcomers=2"), Checkpoints(tmp_path, "", resume=False), silent, Clock())
    assert again.choices.order == fitted.choices.order
