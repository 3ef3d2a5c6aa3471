"""What the ranker learns from: moments with the candidates that retrieval proposes there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shortlist_data.errors import DataRefused
from shortlist_trainer.actors import Moments, before_events
from shortlist_trainer.candidates import Candidates, Retrieval, rolling
from shortlist_trainer.config import RankerConfig
from shortlist_trainer.fit_towers import Report
from shortlist_trainer.prepare import Prepared


@dataclass(frozen=True, slots=True)
class RankerInputs:
    """Moments with candidates of each, as the ranker's ``forward`` takes them but for the item table's columns."""

    embedding: NDArray[np.float32]
    has_history: NDArray[np.bool_]
    age_s: NDArray[np.float32]
    users: NDArray[np.int32]
    numbers: NDArray[np.float32]
    context: NDArray[np.float32]
    rows: NDArray[np.int32]
    """Candidates ``(q, c)``."""

    item_numbers: NDArray[np.float32]
    """``(q, c, 3)``."""

    history_rows: NDArray[np.int32]
    """Items of the latest events, oldest first, padded on the left with -1, ``(q, l)``; ``l`` is 0 where the ranker has
    no attention."""

    history_values: NDArray[np.float32]
    history_ages_s: NDArray[np.float32]

    def take(self, index: NDArray[np.integer] | slice) -> RankerInputs:
        """Return a selection of the moments."""
        return RankerInputs(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def ranker_inputs(
    moments: Moments, candidates: Candidates, rows: NDArray[np.int32], *, with_history: bool = True
) -> RankerInputs:
    """Return the inputs to score the items ``rows`` ``(q, c)`` at ``moments``; padding is scored as item 0."""
    of_history = slice(None) if with_history else slice(0)
    history_rows, history_values, history_ages_s = candidates.history
    rows = np.maximum(rows, 0)
    query = np.arange(len(moments))[:, None]
    totals = candidates.counters[query % len(candidates.counters), rows]
    count, value_sum = totals[..., 0], totals[..., 1]
    mean = np.where(count > 0, value_sum / np.maximum(count, 1.0), 0.0)
    near = candidates.neighbour_scores[query, rows]
    return RankerInputs(
        candidates.embedding,
        candidates.last >= 0,
        candidates.age_s,
        moments.users,
        moments.numbers,
        moments.context,
        rows,
        np.stack([count, mean, near], axis=-1).astype(np.float32),
        history_rows[:, of_history].astype(np.int32),
        history_values[:, of_history],
        history_ages_s[:, of_history],
    )


@dataclass(frozen=True, slots=True)
class Samples:
    """Training lists: column 0 of ``inputs.rows`` is the positive."""

    inputs: RankerInputs
    ratings: NDArray[np.float32]
    """Value of the positive's event."""


def sample_moments(prepared: Prepared, config: RankerConfig, seed: int) -> tuple[Moments, NDArray[np.int64]]:
    """Return training moments, in order of time, and the place of the event that is to be ranked first at each.

    All events come after those that retrieval was fitted on. Moments are of the three kinds that
    :class:`shortlist_trainer.chunks.Chunks` describes: without the beginnings of visits, the ranker would only know the
    next click of a visit.
    """
    random = np.random.default_rng([seed, 11])
    sequences = prepared.sequences
    places = sequences.places_between(prepared.fit_end, prepared.split.train_end)
    if len(places) > config.queries:
        places = np.sort(random.choice(len(places), config.queries, replace=False))
        places = sequences.places_between(prepared.fit_end, prepared.split.train_end)[places]
    at_visit = random.random(len(places)) < config.visit_share
    is_far = ~at_visit & (random.random(len(places)) < config.far_share)
    back = is_far * random.integers(0, config.horizon, len(places))
    origin = np.maximum(places - back, sequences.start[sequences.users[places]])
    origin = np.where(at_visit, sequences.visit[places], origin)
    # A visit is asked for at its first event, anything else at the time of the event itself.
    asked = np.where(at_visit, origin, places)
    order = np.argsort(sequences.times_s[asked], kind="stable")
    places, origin, asked = places[order], origin[order], asked[order]
    moments = before_events(sequences, asked)
    return replace(moments, known=sequences.moment[origin], numbers=sequences.numbers[origin]), places


def draw_samples(prepared: Prepared, retrieval: Retrieval, config: RankerConfig, seed: int, report: Report) -> Samples:
    """Return training lists: each positive with negatives out of what retrieval proposes at its moment.

    Moments at which retrieval does not propose the positive are left out. They cannot occur in serving, and as every
    negative comes from retrieval they would teach the ranker to mistrust retrieval's scores.

    Raises:
        DataRefused: Retrieval proposes none of the positives.
    """
    moments, places = sample_moments(prepared, config, seed)
    random = np.random.default_rng([seed, 12])
    positives = prepared.sequences.items[places]
    parts: list[RankerInputs] = []
    kept: list[NDArray[np.bool_]] = []
    for part, here, candidates in rolling(prepared, retrieval, moments):
        positive = positives[part]
        fused = candidates.fused
        usable = (fused >= 0) & (fused != positive[:, None])
        keys = np.where(usable, random.random(fused.shape), 2.0)
        wanted = min(config.negatives, fused.shape[1])
        drawn = np.argpartition(keys, wanted - 1, axis=1)[:, :wanted]
        negatives = np.take_along_axis(fused, drawn, axis=1)
        lacking = ~np.take_along_axis(usable, drawn, axis=1)
        uniform = random.integers(0, prepared.n_items, negatives.shape).astype(np.int32)
        negatives = np.where(
            lacking, np.where(uniform == positive[:, None], (uniform + 1) % prepared.n_items, uniform), negatives
        )
        rows = np.concatenate([positive[:, None], negatives], axis=1).astype(np.int32)
        proposed = (fused == positive[:, None]).any(axis=1)
        parts.append(ranker_inputs(here, candidates, rows, with_history=config.attention).take(proposed))
        kept.append(proposed)
        report("ranker samples", part.stop, len(moments), 0.0)
    if not np.concatenate(kept).any():
        raise DataRefused(
            f"{prepared.dataset.name}: retrieval proposes none of the {len(places)} events that the ranker would learn "
            "from; raise fusion.candidates, or bring more events"
        )
    inputs = RankerInputs(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in RankerInputs.__dataclass_fields__)
    )
    return Samples(inputs, prepared.sequences.values[places[np.concatenate(kept)]])
