"""A training run: prepare, fit, choose, evaluate, write. Publishing is :mod:`shortlist_trainer.publish`."""

from __future__ import annotations

import json
import platform
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import torch

from shortlist_data.dataset import Dataset
from shortlist_evaluation.report import MetricTable
from shortlist_models.rankers import STRUCTURED
from shortlist_trainer.bundle_files import bundle_files
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.choose import Choices
from shortlist_trainer.cluster import Cluster
from shortlist_trainer.cold_start import cold_slices
from shortlist_trainer.config import RankerConfig, TrainConfig
from shortlist_trainer.curves import Curves
from shortlist_trainer.devices import CPU, described
from shortlist_trainer.evaluate import (
    Pipeline,
    Values,
    frozen_values,
    held_out_places,
    rolling_values,
    table_of,
)
from shortlist_trainer.fit import Clock, fingerprint, fit, refit
from shortlist_trainer.fit_towers import Report
from shortlist_trainer.item_times import item_times
from shortlist_trainer.user_vectors import BuildIndex

EVALUATION = "evaluation.json"


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run made."""

    files: dict[str, bytes]
    """Files of the bundle."""

    metrics: dict[str, float]
    """``<protocol>/<list>/<metric>`` as in the manifest."""

    tables: tuple[MetricTable, ...]
    """The evaluation on test: frozen, rolling, and the slices of new users and items that are not empty."""

    models: dict[str, str]
    """Which model fills each role."""

    seconds: dict[str, float]
    """Duration of each part, and ``total``."""

    peak_memory_bytes: int
    """Largest resident size of this process so far."""

    device: str = "cpu"
    """Where neural models were fitted."""

    utilisation: dict[str, float] = field(default_factory=dict)
    """Share of the fitting, by model, in which it did not wait for batches."""

    curves: Mapping[str, list[list[float]]] = field(default_factory=dict)
    """By part, ``[step, loss]`` as the training went; of the part after the checkpoint where a run was resumed."""

    fitted_events: int = 0
    """How many events, from the first on, the models of the bundle were fitted on."""


def train(
    dataset: Dataset,
    config: TrainConfig,
    work_dir: Path,
    build_index: BuildIndex,
    report: Report = lambda part, done, total, loss: None,
    *,
    resume: bool = False,
    device: torch.device = CPU,
    cluster: Cluster | None = None,
) -> TrainResult:
    """Train, evaluate, and return everything that goes into a bundle.

    Args:
        dataset: Data to learn from; cut in time as the settings say.
        config: Settings. Equal settings and data give equal files.
        work_dir: Folder of the run: checkpoints, settings and ``evaluation.json``.
        build_index: Makes the vector index of the item embeddings.
        report: Told of the progress.
        resume: Continue from the newest checkpoints in ``work_dir``.
        device: Where neural models are fitted. Equal files are promised for the CPU alone.
        cluster: Prepares the data and fits the two towers; ``None``: this process does.

    Raises:
        DataRefused: Too few events for a part of the run, or no column of times where the settings name one.
        CheckpointRefused: ``resume``, and the checkpoints are damaged or of another run.
    """
    item_times(dataset, config.newest.attribute)  # a column that is not there is told now, not after an hour
    work_dir.mkdir(parents=True, exist_ok=True)
    (work_dir / "config.json").write_text(config.model_dump_json(indent=1), encoding="utf-8")
    clock = Clock()
    report = curves = Curves(report)
    with _deterministic(config.threads, device):
        checkpoints = Checkpoints(work_dir / "checkpoints", fingerprint(dataset, config), resume)
        fitted = fit(dataset, config, checkpoints, report, clock, device, cluster)
        tables, metrics = _evaluate(fitted.pipeline, config, report)
        clock.lap("evaluation")
        if config.refit:
            again = Checkpoints(work_dir / "checkpoints" / "refit", fingerprint(dataset, config), resume)
            fitted = refit(fitted, config, again, report, clock, device, cluster)
        files, facts = bundle_files(fitted, config, build_index)
        clock.lap("files")
    choices = fitted.choices
    result = TrainResult(
        files=files,
        metrics={**metrics, **_calibration(choices), **facts},
        tables=tables,
        models={
            **_models(config, fitted.pipeline.retrieval.sources),
            "calibration": choices.calibrated.method,
        },
        seconds=clock.seconds(),
        peak_memory_bytes=_peak_memory_bytes(),
        device=described(device),
        utilisation=fitted.utilisation,
        curves=curves.to_json(),
        fitted_events=fitted.prepared.split.train_end,
    )
    (work_dir / EVALUATION).write_text(
        json.dumps(evaluation(dataset, config, choices, result), indent=1, ensure_ascii=False), encoding="utf-8"
    )
    return result


def evaluation(dataset: Dataset, config: TrainConfig, choices: Choices, result: TrainResult) -> dict[str, object]:
    """Return the content of ``evaluation.json``: every figure with what is needed to get it again."""
    weights = choices.order.weights
    return {
        "dataset": {
            "name": dataset.name,
            "events": dataset.events,
            "users": len(dataset.user_ids),
            "items": len(dataset.item_ids),
        },
        "seed": config.seed,
        "tables": [json.loads(table.to_json()) for table in result.tables],
        "validation": {
            "ndcg@10 by rating weight": choices.order.by_rating,
            "ndcg@10 by retrieval weight": choices.order.by_retrieval,
            "ndcg@10 of newcomers by retrieval weight": choices.order.by_newcomer_retrieval,
            "ndcg@10 of newcomers by popularity weight": choices.order.by_newcomer_popularity,
            "ndcg@10 of newcomers by segment weight": choices.order.by_newcomer_segment,
            "head_weights": {"click": weights.click, "rating": weights.rating},
            "prior": asdict(weights.prior),
            "calibration": {
                "method": choices.calibrated.method,
                "ece_before": choices.calibrated.ece_before,
                "ece": choices.calibrated.ece,
                "log_loss": choices.calibrated.log_loss,
                "prevalence": choices.prevalence,
            },
        },
        "curves": dict(result.curves),
        "seconds": {name: round(value, 1) for name, value in result.seconds.items()},
        "peak_memory_mb": round(result.peak_memory_bytes / 1e6),
        "utilisation": {name: round(share, 3) for name, share in result.utilisation.items()},
        "machine": {
            "threads": config.threads,
            "processor": platform.machine(),
            "device": result.device,
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in ("torch", "numpy", "onnxruntime", "polars", "scipy")},
        "config": config.model_dump(),
    }


def _evaluate(
    pipeline: Pipeline, config: TrainConfig, report: Report
) -> tuple[tuple[MetricTable, ...], dict[str, float]]:
    prepared, split, options = pipeline.prepared, pipeline.prepared.split, config.evaluation
    end = prepared.dataset.events
    note = "Models are fitted on the training part only; whole catalogue, seen items excluded; resampled by user."
    values, users, left_out = frozen_values(pipeline, split.validation_end, end, options.recall_at, report)
    frozen = table_of(
        f"{prepared.dataset.name}, test, frozen at the cut",
        values,
        users,
        config.seed,
        options.resamples,
        left_out,
        (note, "One list per user from what was known at the cut; relevant: all items met after it."),
    )
    places = held_out_places(prepared, split.validation_end, end, options.test_events, config.seed)
    in_all = len(held_out_places(prepared, split.validation_end, end, sys.maxsize, config.seed))
    rolled = rolling_values(pipeline, places, options.recall_at, report)
    sample = f"a seeded sample of {len(places):,} of {in_all:,}" if len(places) < in_all else f"all {in_all:,}"
    rolling = table_of(
        f"{prepared.dataset.name}, test, rolling",
        rolled,
        prepared.sequences.users[places],
        config.seed,
        options.resamples,
        end - split.validation_end - in_all,
        (note, f"Each event predicted from all that came strictly before it; {sample} test events."),
    )
    cold = tuple(
        table_of(
            f"{prepared.dataset.name}, test, {each.title}",
            each.values,
            each.groups,
            config.seed,
            options.resamples,
            0,
            (note, "New: without an event before the test, or among those that retrieval was fitted on."),
        )
        for each in cold_slices(
            pipeline, split.validation_end, options.recall_at, options.test_events, config.seed, report
        )
    )
    return (frozen, rolling, *cold), {**_means("frozen", values), **_means("rolling", rolled)}


def _means(protocol: str, values: Values) -> dict[str, float]:
    return {
        f"{protocol}/{name}/{metric}": round(float(numbers.mean()), 6)
        for name, metrics in values.items()
        for metric, numbers in metrics.items()
    }


def _calibration(choices: Choices) -> dict[str, float]:
    calibrated = choices.calibrated
    return {"calibration/ece_before": calibrated.ece_before, "calibration/ece": calibrated.ece}


def _models(config: TrainConfig, sources: tuple[str, ...]) -> dict[str, str]:
    others = ", ".join(source for source in sources if source != "two_tower")
    return {
        "retrieval": f"two_tower({config.two_tower.encoder}, {config.two_tower.width}), {others}",
        "index": "as built by the retrieval stage",
        "ranker": _ranker(config.ranker),
    }


def _ranker(config: RankerConfig) -> str:
    """Return the ranker by its name in the settings, with what tells it from others of that name."""
    said = [f"{config.structure}", f"cross {config.cross_layers}"] if config.model in STRUCTURED else []
    said += [f"rank {config.rank}"] if config.model == "dcn_low_rank" else []
    said += [f"hidden {'-'.join(str(width) for width in config.hidden)}"]
    said += ["pretrained"] if config.pretraining else []
    said += ["attention"] if config.attention else []
    return f"{config.model}({', '.join(said)})"


def _peak_memory_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@contextmanager
def _deterministic(threads: int, device: torch.device) -> Iterator[None]:
    """Make torch repeat itself for the time of a run, with a generator of its own, and leave it as it was found.

    On a GPU it may choose what is fast: some of what the models need has no form there that repeats itself.
    """
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(device.type == "cpu")
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
