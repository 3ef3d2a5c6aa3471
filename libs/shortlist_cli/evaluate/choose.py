"""Which evaluation the arguments of ``shortlist evaluate`` ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shortlist_cli.evaluate.bundles import (
    Numbers,
    Trained,
    bundle_in,
    bundle_of_run,
    evaluate_bundle,
    evaluate_target,
)
from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_trainer.candidate_models import Setup
from shortlist_trainer.evaluation.models import POPULARITY, Options, evaluate_models
from shortlist_trainer.evaluation.protocols import Rules
from shortlist_trainer.evaluation.results import Evaluation
from shortlist_trainer.evaluation.scoring import Progress
from shortlist_trainer.evaluation.served import MOST_ASKED, Replay
from shortlist_trainer.presets import load_config, preset_for


@dataclass(frozen=True, slots=True)
class Choice:
    """The arguments, as they were given."""

    rules: Rules
    options: Options
    models: tuple[str, ...]
    settings: tuple[str, ...]
    run: Path | None
    bundle: str
    store: Path
    is_store_given: bool
    target: str
    as_users: bool
    concurrency: int
    timeout_s: float


def evaluated(dataset: Dataset, choice: Choice, progress: Progress) -> Evaluation:
    """Return the evaluation that is asked for.

    Raises:
        DataRefused: The arguments contradict each other, or the data cannot be measured so.
        NotServed: A gateway was to be asked and did not answer.
    """
    _refuse_contradictions(choice)
    options = choice.options
    numbers = Numbers(options.ks, options.seed, options.resamples, options.permutations)
    trained = _trained(choice)
    if choice.target:
        how = Replay(choice.target, max(options.ks), choice.as_users, choice.concurrency, choice.timeout_s)
        return evaluate_target(dataset, choice.rules, trained, numbers, how, progress)
    if trained is not None:
        return evaluate_bundle(dataset, trained, numbers, progress)
    config = load_config(preset_for(dataset.events), None, choice.settings, options.seed)
    return evaluate_models(
        dataset, choice.rules, Setup(dataset, config), choice.models or (POPULARITY,), options, progress
    )


def _trained(choice: Choice) -> Trained | None:
    if choice.run is not None:
        return bundle_of_run(choice.run, choice.store if choice.is_store_given else None)
    return bundle_in(choice.store, choice.bundle) if choice.bundle else None


def _refuse_contradictions(choice: Choice) -> None:
    of_models = {
        "--model": choice.models,
        "--sampled-negatives": choice.options.sampled_negatives,
        "--liked-from": choice.options.liked_from is not None,
        "--against": choice.options.against,
        "--set": choice.settings,
    }
    what = [name for name, given in (("--run", choice.run), ("--bundle", choice.bundle)) if given]
    if len(what) > 1:
        raise DataRefused("--run and --bundle both name a bundle; give one of them")
    what += ["--target"] if choice.target else []
    given = [name for name, value in of_models.items() if value]
    if what and given:
        raise DataRefused(f"{', '.join(given)} is about candidate models and does not go with {what[0]}")
    if (choice.run or choice.bundle) and choice.rules != Rules("global-time", seed=choice.rules.seed):
        raise DataRefused(
            f"{what[0]} is evaluated on the test part of its own run, since an earlier one was learnt from; leave out "
            "--protocol, --share, --positive-from and --warm-only"
        )
    if choice.target and max(choice.options.ks) > MOST_ASKED:
        raise DataRefused(f"k={max(choice.options.ks)} is more than the {MOST_ASKED:,} items a gateway returns")
