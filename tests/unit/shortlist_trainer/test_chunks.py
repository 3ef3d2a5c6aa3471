"""Training examples: every event once, nothing from the future, and the same query as serving's."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shortlist_bundle.session import Session
from shortlist_data.dataset import Dataset
from shortlist_models.export import to_onnx
from shortlist_models.served_tower import ServedUserTower
from shortlist_models.two_tower import ItemTower, TwoTowerShape, UserTower
from shortlist_trainer.actors import Moments, categories_of, history_inputs
from shortlist_trainer.chunks import Batch, Chunks, Targets
from shortlist_trainer.sequences import Sequences, sequences_of

UNTIL = 8_000
NEXT = Targets(share=1.0, visit_share=0.0, far_share=0.0, horizon=1)


@pytest.fixture(scope="module")
def sequences(world: Dataset) -> Sequences:
    return sequences_of(world)


def epoch(sequences: Sequences, targets: Targets, length: int = 10, queries: int = 300) -> list[Batch]:
    return list(Chunks(sequences, UNTIL, length).batches(queries, targets, np.random.default_rng(1)))


def last_known(sequences: Sequences, batch: Batch) -> list[list[int]]:
    """Return the items of the piece up to the last known event, for each query."""
    return [batch.rows[p, : q + 1].tolist() if q >= 0 else [] for p, q in zip(batch.piece, batch.position, strict=True)]


@pytest.mark.parametrize("length", [1, 2, 7, 10, 200])
def test_every_event_of_the_window_is_the_target_of_one_query(sequences: Sequences, length: int) -> None:
    found = [
        pair for b in epoch(sequences, NEXT, length) for pair in zip(b.users.tolist(), b.target.tolist(), strict=True)
    ]
    window = sequences.event < UNTIL
    expected = list(zip(sequences.users[window].tolist(), sequences.items[window].tolist(), strict=True))
    assert sorted(found) == sorted(expected)


def test_a_query_ends_with_the_last_event_before_its_target_and_shows_at_least_half_a_length(
    sequences: Sequences,
) -> None:
    place_of = {
        (u, i): p for p, (u, i) in enumerate(zip(sequences.users.tolist(), sequences.items.tolist(), strict=True))
    }
    for batch in epoch(sequences, NEXT):
        for user, target, shown in zip(batch.users, batch.target, last_known(sequences, batch), strict=True):
            known = sequences.items[sequences.start[user] : sequences.moment[place_of[user, target]]].tolist()
            assert shown == known[len(known) - len(shown) :]
            assert len(shown) == len(known) if len(known) <= 10 else 5 < len(shown) <= 10


def test_far_and_visit_targets_never_lie_behind_what_is_shown(sequences: Sequences) -> None:
    place_of = {
        (u, i): p for p, (u, i) in enumerate(zip(sequences.users.tolist(), sequences.items.tolist(), strict=True))
    }
    far_apart = 0
    for batch in epoch(sequences, Targets(1.0, 0.3, 0.6, horizon=20)):
        for user, target, shown in zip(batch.users, batch.target, last_known(sequences, batch), strict=True):
            place = place_of[user, target]
            assert sequences.event[place] < UNTIL
            if shown:
                last = place_of[user, shown[-1]]
                assert sequences.times_s[last] < sequences.times_s[place]
                far_apart += place - last > 2
    assert far_apart > 500


def test_a_visit_is_asked_for_at_its_beginning(sequences: Sequences) -> None:
    place_of = {
        (u, i): p for p, (u, i) in enumerate(zip(sequences.users.tolist(), sequences.items.tolist(), strict=True))
    }
    for batch in epoch(sequences, Targets(1.0, 1.0, 0.0, horizon=1)):
        shown = last_known(sequences, batch)
        for i, (user, target) in enumerate(zip(batch.users, batch.target, strict=True)):
            visit = sequences.visit[place_of[user, target]]
            known = sequences.items[sequences.start[user] : sequences.moment[visit]].tolist()
            assert shown[i] == known[len(known) - len(shown[i]) :]
            np.testing.assert_array_equal(batch.numbers[i], sequences.numbers[visit])
            np.testing.assert_array_equal(batch.context[i], sequences.context[visit])


def test_the_share_thins_an_epoch_out(sequences: Sequences) -> None:
    number = sum(len(b.target) for b in epoch(sequences, Targets(0.25, 0.5, 0.5, 10)))
    assert number == pytest.approx(UNTIL / 4, rel=0.1)


@pytest.mark.parametrize("encoder", ["mean", "gru", "transformer"])
def test_the_training_pass_gives_what_the_exported_tower_gives_for_the_state_before_each_event(
    world: Dataset, sequences: Sequences, encoder: str
) -> None:
    torch.manual_seed(2)
    length, categories = 10, categories_of(world)
    sizes = tuple(len(values) for values in categories.values)
    shape = TwoTowerShape(80, 3, sizes, history_length=length, width=8, encoder=encoder)  # type: ignore[arg-type]
    users, items = UserTower(shape).eval(), ItemTower(shape).eval()
    for parameter in users.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    features = torch.randn(80, 3)
    table = items.table(features).detach() * 5
    inputs_of = ("history_rows", "history_values", "history_ages_s", "user_categories", "user_numbers", "context")
    exported: Session | None = None
    compared = 0
    for batch in epoch(sequences, Targets(1.0, 0.2, 0.3, 10))[:6]:
        position = torch.from_numpy(batch.position)
        with torch.no_grad():
            states = users.states(
                table[:, :-1],
                torch.from_numpy(batch.rows),
                torch.from_numpy(batch.values),
                torch.from_numpy(batch.gaps_s),
            )
            query = users.query(
                states[torch.from_numpy(batch.piece), position.clamp(min=0)],
                position >= 0,
                torch.from_numpy(batch.age_s),
                torch.from_numpy(categories.index[batch.users]),
                torch.from_numpy(batch.numbers),
                torch.from_numpy(batch.context),
            ).numpy()
        # Serving's inputs, from the places that the query stands for; only histories that fit into one piece.
        shown = last_known(sequences, batch)
        begin = sequences.start[batch.users]
        whole = np.array([len(s) for s in shown])
        fits = np.array(
            [s == sequences.items[b : b + len(s)].tolist() for s, b in zip(shown, begin, strict=True)], np.bool_
        )
        known = begin + whole
        last_time = sequences.times_s[np.maximum(known - 1, 0)]
        now = np.where(whole > 0, last_time + batch.age_s, 1.7e9)
        moments = Moments(batch.users.astype(np.int32), known, now, batch.numbers, batch.context)
        rows, values, ages = history_inputs(sequences, moments, length)
        arrays = (rows, values, ages, categories.index[batch.users], batch.numbers, batch.context)
        named: dict[str, NDArray[Any]] = dict(zip(inputs_of, arrays, strict=True))
        if exported is None:
            example = {name: torch.from_numpy(value[:1]) for name, value in named.items()}
            content = to_onnx(ServedUserTower(users, table[:, :-1]), example, ("embedding",), ())
            exported = Session(content, inputs_of, ("embedding",))
        with torch.no_grad():
            embedding = users.embed(table[:, :-1], *(torch.from_numpy(value) for value in named.values())).numpy()
        for actor in range(0, len(embedding), 7):
            (alone,) = exported.run({name: value[actor : actor + 1] for name, value in named.items()})
            np.testing.assert_allclose(alone[0], embedding[actor], atol=1e-4)
        np.testing.assert_allclose(embedding[fits, :-1], query[fits], atol=1e-4)
        np.testing.assert_array_equal(embedding[:, -1], 1.0)
        compared += int(fits.sum())
    assert compared > 500
