"""Candidate models under a protocol: all are fitted first, then the held-out part is opened once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_models.candidates import CandidateModel, ModelRefused
from shortlist_trainer.benchmarks.table import Sealed
from shortlist_trainer.candidate_models import Setup, make_model
from shortlist_trainer.evaluation import protocols
from shortlist_trainer.evaluation.outcomes import RankedInFull
from shortlist_trainer.evaluation.protocols import Rules, Test
from shortlist_trainer.evaluation.results import Evaluation, dataset_facts
from shortlist_trainer.evaluation.scoring import (
    Negatives,
    Progress,
    Scored,
    known_counts,
    ordered_histories,
    sampled_negatives,
    scored,
    without_users,
)
from shortlist_trainer.evaluation.tables import Measured, tables_of

POPULARITY = "popularity"


@dataclass(frozen=True, slots=True)
class Options:
    """How models are measured."""

    ks: tuple[int, ...] = (10,)
    """Lengths of the lists, each at least 1."""

    sampled_negatives: int = 0
    """Rank among this many drawn items instead of the catalogue; 0: the catalogue."""

    against: str = ""
    """Model that the others are compared with; empty: popularity where it is there, else the first."""

    liked_from: float | None = None
    """Predicted ratings are also asked to tell held-out values from here on from those below."""

    seed: int = 1
    resamples: int = 2000
    permutations: int = 10_000


def evaluate_models(
    whole: Dataset, rules: Rules, setup: Setup, names: Sequence[str], options: Options, progress: Progress
) -> Evaluation:
    """Fit the models on the known part, open the held-out part, and measure.

    Args:
        whole: Data to cut.
        rules: How.
        setup: For the models; its data set is replaced by the known part.
        names: Of :data:`shortlist_trainer.candidate_models.MODELS`, each once.
        options: What is measured.
        progress: Told of what is done.

    Raises:
        DataRefused: The data cannot be cut so, or what is left cannot be measured; says what is missing.
        NoSuchModel: A name is unknown.
    """
    _check(whole, names, options)
    known, sealed = protocols.cut(whole, rules)
    for name in names:
        make_model(name, _for(setup, known))  # an unknown name is found out before hours of fitting
    fitted, seconds = _fitted(known, setup, names, progress)
    test = _opened(sealed, known)
    negatives = None
    if options.sampled_negatives:
        negatives = sampled_negatives(known, test.held_out, options.sampled_negatives, options.seed)
    most = max(options.ks)
    results: dict[str, Scored] = {}
    for name, model in fitted.items():
        results[name] = scored(name, model, known, test, most, progress, negatives)
        seconds[name]["score"] = results[name].scoring_s
    return _evaluation(whole, known, test, rules, options, results, negatives, seconds, setup)


def _evaluation(
    whole: Dataset,
    known: Dataset,
    test: Test,
    rules: Rules,
    options: Options,
    results: Mapping[str, Scored],
    negatives: Negatives | None,
    seconds: dict[str, dict[str, float]],
    setup: Setup,
) -> Evaluation:
    started = time.perf_counter()
    measured = Measured(
        dataset=known,
        title=f"{whole.name}, {rules.protocol}",
        test=test,
        outcomes={name: RankedInFull(result.standings, test.held_out) for name, result in results.items()},
        ratings={name: result.ratings for name, result in results.items() if result.ratings is not None},
        counts=known_counts(known),
        negatives=0 if negatives is None else negatives.rows.shape[1],
    )
    against = options.against or (POPULARITY if POPULARITY in results else next(iter(results)))
    tables, notes = tables_of(
        measured, options.ks, against, options.liked_from, options.seed, options.resamples, options.permutations
    )
    seconds["all models"] = {
        "rank": sum(result.ranking_s for result in results.values()),
        "measure": time.perf_counter() - started,
    }
    held = {"held-out pairs": len(test.held_out.rows), "evaluated users": len(test.held_out.users)}
    left = protocols.described(test.left_out)
    return Evaluation(
        title=measured.title,
        protocol=f"{protocols.text_of(rules)} {measured.ranking_text}" + (f" Left out: {left}." if left else ""),
        dataset=dataset_facts(whole, known.events, held),
        tables=tables,
        settings={
            "rules": asdict(rules),
            "options": asdict(options),
            "models": list(results),
            "training": setup.config.model_dump(),
        },
        notes=notes,
        seconds=seconds,
    )


def _check(whole: Dataset, names: Sequence[str], options: Options) -> None:
    if not names:
        raise DataRefused("no model is named")
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        raise DataRefused(f"{', '.join(twice)} is named more than once")
    if options.against and options.against not in names:
        raise DataRefused(f"{options.against!r} is to be compared with and is not among {', '.join(names)}")
    n = len(whole.item_ids)
    for k in options.ks:
        if not 1 <= k <= n:
            raise DataRefused(f"k={k} is not in [1, {n:,}]: {whole.name} has {n:,} items")
    most = options.sampled_negatives + 1
    if options.sampled_negatives and max(options.ks) > most:
        raise DataRefused(f"k={max(options.ks)} is more than the {most} items that sampled negatives rank")


def _fitted(
    known: Dataset, setup: Setup, names: Sequence[str], progress: Progress
) -> tuple[dict[str, CandidateModel], dict[str, dict[str, float]]]:
    histories = ordered_histories(known)
    fitted: dict[str, CandidateModel] = {}
    seconds: dict[str, dict[str, float]] = {}
    for at, name in enumerate(names):
        progress("fit models", at, len(names))
        started = time.perf_counter()
        model = make_model(name, _for(setup, known))
        try:
            model.fit(histories)
        except ModelRefused as error:
            raise DataRefused(f"{name} cannot be fitted: {error}") from error
        fitted[name] = model
        seconds[name] = {"fit": time.perf_counter() - started}
    progress("fit models", len(names), len(names))
    return fitted, seconds


def _opened(sealed: Sealed[Test], known: Dataset) -> Test:
    """Open the held-out part, without the users to whom everything that they have not met is relevant."""
    sealed.unseal()
    test = sealed.read()
    held_out = test.held_out
    met = np.zeros(len(known.user_ids), np.int64)
    pairs: NDArray[np.int64] = np.unique(known.user_rows.astype(np.int64) * len(known.item_ids) + known.item_rows)
    np.add.at(met, pairs // len(known.item_ids), 1)
    others = len(known.item_ids) - met[held_out.users] - np.diff(held_out.indptr)
    kept = others > 0
    if np.count_nonzero(kept) < 2:
        raise DataRefused(
            f"{known.name}: {np.count_nonzero(kept)} of {len(kept)} users with held-out items can be evaluated, 2 are "
            "needed for intervals and tests; a user counts who has an item to be found and another to be told from it"
        )
    return test if kept.all() else without_users(test, kept)


def _for(setup: Setup, known: Dataset) -> Setup:
    return Setup(known, setup.config, setup.folder, setup.report, setup.device)
