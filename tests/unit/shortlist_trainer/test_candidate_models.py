"""Every candidate model made for a data set, the two-tower among them, under one contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_bundle.session import Session
from shortlist_data.dataset import Dataset
from shortlist_models.candidates import CANDIDATE_MODELS, Histories, ModelRefused
from shortlist_trainer.candidate_models import MODELS, NoSuchModel, Setup, make_model
from shortlist_trainer.checkpoints import CheckpointRefused
from shortlist_trainer.histories import histories_of
from shortlist_trainer.two_tower_model import actor_columns

from .conftest import dataset_of, quick

ALL = sorted(MODELS)


def setup(dataset: Dataset, folder: Path | None = None) -> Setup:
    return Setup(dataset, quick(), folder)


def some(dataset: Dataset, until: int = 3000) -> Histories:
    """Return the first events, and one user of whom nothing is known."""
    kept = np.arange(dataset.events) < until
    return histories_of(
        replace(
            dataset,
            user_rows=dataset.user_rows[kept],
            item_rows=dataset.item_rows[kept],
            values=dataset.values[kept],
            times_s=dataset.times_s[kept],
        )
    )


def asked(dataset: Dataset) -> Histories:
    return histories_of(dataset, np.array([3, 5, 7]), np.full(3, dataset.times_s[-1] + 60.0))


def test_every_model_on_histories_can_be_made_for_a_data_set() -> None:
    assert CANDIDATE_MODELS.keys() <= MODELS.keys()


def test_an_unknown_model_is_refused_with_the_names_there_are(world: Dataset) -> None:
    with pytest.raises(NoSuchModel, match=r"no model 'slim'; there are popularity, .*two_tower"):
        make_model("slim", setup(world))


@pytest.mark.parametrize("name", ALL)
def test_a_model_scores_the_catalogue_for_each_user_alone(world: Dataset, name: str) -> None:
    model = make_model(name, setup(world))
    model.fit(some(world))
    users = asked(world)
    scores = model.score(users)
    assert scores.shape == (3, len(world.item_ids))
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    alone = np.concatenate([model.score(users.take(at, at + 1)) for at in range(3)])
    np.testing.assert_allclose(alone, scores, rtol=1e-4, atol=1e-5)
    assert model.export()


@pytest.mark.parametrize("name", ALL)
def test_fitting_again_forgets_the_first(world: Dataset, name: str) -> None:
    once, twice = make_model(name, setup(world)), make_model(name, setup(world))
    once.fit(some(world))
    twice.fit(some(world, 1000))
    twice.fit(some(world))
    np.testing.assert_array_equal(once.score(asked(world)), twice.score(asked(world)))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("events", [[("u", "i", 3.0, 5.0)], [("u", "i", 3.0, 5.0)] * 3], ids=["one", "repeated"])
def test_one_user_and_one_item_are_learnt_from(name: str, events: list[tuple[str, str, float, float]]) -> None:
    tiny = dataset_of(events)
    model = make_model(name, setup(tiny))
    model.fit(histories_of(tiny))
    assert np.isfinite(model.score(histories_of(tiny))).all()


@pytest.mark.parametrize("name", ALL)
def test_nothing_to_learn_from_is_refused(world: Dataset, name: str) -> None:
    with pytest.raises(ModelRefused, match="0 events on 80 items"):
        make_model(name, setup(world)).fit(some(world, 0))


def two_tower_scores(world: Dataset, users: Histories) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return scores by the model, and by what it exports in the runtime of serving."""
    model = make_model("two_tower", setup(world))
    model.fit(some(world))
    exported = model.export()
    columns = actor_columns(users, quick().two_tower.history_length, np.array(histories_of(world).categories))
    session = Session(exported["user_tower"].tobytes(), tuple(columns), ("embedding",))
    one_by_one = [
        session.run({name: column[at : at + 1] for name, column in columns.items()})[0] for at in range(len(users))
    ]
    return model.score(users), np.concatenate(one_by_one) @ exported["item_embeddings"].T


def test_the_exported_two_tower_gives_its_scores(world: Dataset) -> None:
    by_model, by_export = two_tower_scores(world, asked(world))
    np.testing.assert_allclose(by_export, by_model, atol=1e-4)


def test_the_two_tower_scores_a_user_of_whom_nothing_is_known(world: Dataset) -> None:
    nobody = Histories(
        np.array([-1], np.int32),
        np.array([world.times_s[-1]]),
        np.zeros(2, np.int64),
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
        np.zeros(0),
        len(world.item_ids),
    )
    by_model, by_export = two_tower_scores(world, nobody)
    assert np.isfinite(by_model).all()
    np.testing.assert_allclose(by_export, by_model, atol=1e-4)


def test_the_two_tower_is_asked_for_scores_only_once_it_is_fitted(world: Dataset) -> None:
    with pytest.raises(RuntimeError, match="not fitted yet"):
        make_model("two_tower", setup(world)).score(asked(world))


def test_a_fit_continues_from_its_folder_and_refuses_that_of_other_histories(world: Dataset, tmp_path: Path) -> None:
    first, again = make_model("two_tower", setup(world, tmp_path)), make_model("two_tower", setup(world, tmp_path))
    first.fit(some(world))
    again.fit(some(world))
    np.testing.assert_array_equal(first.score(asked(world)), again.score(asked(world)))
    with pytest.raises(CheckpointRefused, match="other data or settings"):
        make_model("two_tower", setup(world, tmp_path)).fit(some(world, 1000))
