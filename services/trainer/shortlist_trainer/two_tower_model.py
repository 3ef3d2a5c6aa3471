"""The two-tower model behind the interface of candidate models: fitted on histories, asked as it is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_models.candidates import Histories
from shortlist_models.candidates.base import require_catalogue, require_events
from shortlist_trainer.actors import categories_of, contexts_at
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.config import TwoTowerConfig
from shortlist_trainer.devices import CPU
from shortlist_trainer.fit_towers import Report, Towers, fit_towers
from shortlist_trainer.prepare import fingerprint_of, prepare_whole
from shortlist_trainer.tower_files import user_tower_file

_AT_ONCE = 256


class TwoTower:
    """Inner products of what an actor did and is with what items are.

    Args:
        dataset: The users and items that rows of histories are about, with their attributes. Its events are not read.
        config: Settings.
        seed: Of all choices.
        folder: Of the checkpoints, from which an interrupted fit on the same histories continues; left out: none.
        report: Told of the progress.
        device: Where it is fitted.
        is_ordered: Whether events of the same second know each other in their order, as publications on sequences have
            it; else they do not, as in serving.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: TwoTowerConfig,
        seed: int,
        *,
        folder: Path | None = None,
        report: Report = lambda part, done, total, loss: None,
        device: torch.device = CPU,
        is_ordered: bool = False,
    ) -> None:
        self._dataset, self._config, self._seed, self._is_ordered = dataset, config, seed, is_ordered
        self._folder, self._report, self._device = folder, report, device
        self._categories = categories_of(dataset).index
        self._towers: Towers | None = None

    @property
    def towers(self) -> Towers:
        """The fitted towers.

        Raises:
            RuntimeError: Before :meth:`fit`.
        """
        if self._towers is None:
            raise RuntimeError("the two-tower model is not fitted yet")
        return self._towers

    def fit(self, histories: Histories) -> None:
        """Fit the towers on every event of ``histories``.

        Raises:
            ModelRefused: There are no events.
            CheckpointRefused: The checkpoints are damaged, or of other histories or settings.
        """
        require_events(histories)
        known = _with_events(self._dataset, histories)
        prepared = prepare_whole(known)
        if self._is_ordered:
            ordered = replace(prepared.sequences, moment=np.arange(len(prepared.sequences.event)))
            prepared = replace(prepared, sequences=ordered)
        fingerprint = f"{fingerprint_of(known)} {self._seed} {self._is_ordered} {self._config.model_dump_json()}"
        checkpoints = Checkpoints(self._folder, fingerprint, resume=True)
        self._towers = fit_towers(prepared, self._config, self._seed, checkpoints, self._report, self._device)

    def score(self, histories: Histories) -> NDArray[np.float32]:
        """Return inner products, biases included. A user row of -1 is a user of whom no attribute is known."""
        require_catalogue(histories, len(self.towers.table))
        parts = [
            self._embedded(histories.take(begin, begin + _AT_ONCE)) for begin in range(0, len(histories), _AT_ONCE)
        ]
        embedded = np.concatenate(parts) if parts else np.zeros((0, self.towers.table.shape[1]), np.float32)
        scores: NDArray[np.float32] = embedded @ self.towers.table.numpy().T
        return scores

    def export(self) -> Mapping[str, NDArray[Any]]:
        """Return ``item_embeddings`` float32 ``(n, width + 1)`` and ``user_tower``, an ONNX file as uint8.

        The tower gives the embedding of one actor out of what :func:`shortlist_bundle.actor_inputs.actor_inputs` makes
        of it; a score is its inner product with an item's.
        """
        content = user_tower_file(self.towers, self._categories.shape[1])
        return {"item_embeddings": self.towers.table.numpy(), "user_tower": np.frombuffer(content, np.uint8)}

    def _embedded(self, part: Histories) -> NDArray[np.float32]:
        towers = self.towers
        inputs = actor_columns(part, towers.users.history_length, self._categories)
        with torch.no_grad():
            columns = (torch.from_numpy(column) for column in inputs.values())
            embedded: NDArray[np.float32] = towers.users.embed(towers.table[:, :-1], *columns).numpy()
        return embedded


def actor_columns(part: Histories, length: int, categories: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return the users of ``part`` as :func:`shortlist_bundle.actor_inputs.actor_inputs` makes them, stacked.

    Args:
        part: Users and what is known of them.
        length: Most recent events that the model sees.
        categories: Attributes of all users, ``(users, c)``; a user row of -1 has none that is known.
    """
    rows, values, ages = recent(part, length)
    known = part.users >= 0
    return {
        "history_rows": rows,
        "history_values": values,
        "history_ages_s": ages,
        "user_categories": categories[np.where(known, part.users, 0)] * known[:, None],
        "user_numbers": numbers_of(part),
        "context": contexts_at(part.now_s),
    }


def recent(part: Histories, length: int) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Return rows, values and ages of the ``length`` latest events, each ``(b, length)``, padded on the left."""
    places = part.indptr[1:, None] + np.arange(-length, 0)
    valid = places >= part.indptr[:-1, None]
    places = np.where(valid, places, 0)
    if not len(part.rows):
        nothing = np.zeros(places.shape, np.float32)
        return np.full(places.shape, -1, np.int64), nothing, nothing
    rows = np.where(valid, part.rows[places], -1).astype(np.int64)
    values = np.where(valid, part.values[places], np.float32(0.0)).astype(np.float32)
    ages = np.where(valid, np.maximum(part.now_s[:, None] - part.times_s[places], 0.0), 0.0).astype(np.float32)
    return rows, values, ages


def numbers_of(part: Histories) -> NDArray[np.float32]:
    """Return count, mean and deviation of the values of each history, ``(b, 3)``; 0 without events."""
    counts = np.diff(part.indptr)
    owner = np.repeat(np.arange(len(part)), counts)
    n = np.maximum(counts, 1)
    mean = np.bincount(owner, part.values, len(part)) / n
    deviation = np.sqrt(np.bincount(owner, (part.values - mean[owner]) ** 2, len(part)) / n)
    return np.stack([counts, mean, deviation], axis=1).astype(np.float32)


def _with_events(dataset: Dataset, histories: Histories) -> Dataset:
    """Return ``dataset`` with the events of ``histories`` instead of its own, in order of time."""
    owner = np.repeat(histories.users, np.diff(histories.indptr))
    order = np.argsort(histories.times_s, kind="stable")
    return replace(
        dataset,
        user_rows=owner[order].astype(np.int32),
        item_rows=histories.rows[order],
        values=histories.values[order],
        times_s=histories.times_s[order],
    )
