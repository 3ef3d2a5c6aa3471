"""``shortlist train``: from a prepared data set to a published bundle."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import torch

    from shortlist_data.dataset import Dataset
    from shortlist_trainer.cluster import Cluster
    from shortlist_trainer.config import TrainConfig
    from shortlist_trainer.evaluation.results import Evaluation
    from shortlist_trainer.train import TrainResult

_STORE = Path("var/bundles")
_TELL_EVERY_S = 15.0
"""Seconds between two lines about the progress of one part, where there is no terminal for a bar."""


def train(
    data: Annotated[Path, typer.Argument(help="Folder of a prepared data set, as `shortlist data get` makes one.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run: checkpoints and evaluation.", show_default="var/runs/<data set>"),
    ] = None,
    store: Annotated[Path, typer.Option(help="Bundle store to publish to.")] = _STORE,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings; what it leaves out has defaults.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, as in two_tower.epochs=5; may be repeated.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything; the same seed gives the same bundle.")] = None,
    resume: Annotated[bool, typer.Option(help="Continue an interrupted run from its newest checkpoints.")] = False,
    publish: Annotated[bool, typer.Option(help="Make the bundle current in the store.")] = True,
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        typer.Option(help="cpu, cuda, or auto: the GPU where there is one. It fits neural models."),
    ] = "auto",
    ray: Annotated[
        str | None,
        typer.Option(
            help="Prepare and fit the two towers on Ray: host:port of a cluster, or local for one of its own."
        ),
    ] = None,
    ray_workers: Annotated[int, typer.Option(min=1, max=1000, help="Workers on Ray, one processor each.")] = 2,
) -> None:
    """Train retrieval and ranking, evaluate them on later events, and publish a bundle.

    Examples:
      shortlist train var/data/ml-100k

      shortlist train var/data/ml-1m --set two_tower.encoder=transformer --set two_tower.epochs=5

      shortlist train var/data/ml-1m --config settings.yaml --seed 7 --resume --no-publish

      shortlist train var/data/ml-1m --ray 10.0.0.5:6379 --ray-workers 8
    """
    from shortlist_data.prepared import load
    from shortlist_data.summary import warnings
    from shortlist_domain.errors import ShortlistError
    from shortlist_trainer.devices import device_named
    from shortlist_trainer.presets import load_config, preset_for

    try:
        dataset = load(data)
        settings = load_config(preset_for(dataset.events), config, set_ or (), seed)
        for warning in warnings(dataset):
            typer.secho(f"train: {warning}", fg="yellow", err=True)
        folder = out or Path("var/runs") / dataset.name
        if resume and not any((folder / "checkpoints").glob("*.pt")):
            typer.secho(f"train: {folder} has no checkpoints; the run begins anew", fg="yellow", err=True)
        with _cluster(ray, ray_workers, folder) as cluster:
            result = _run(dataset, settings, folder, resume, device_named(device), cluster)
        _finish(dataset, result, folder, store, publish)
    except (ShortlistError, OSError) as error:
        typer.secho(f"train: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as stop:
        typer.secho("train: stopped; the same command with --resume continues after the last epoch", err=True)
        raise typer.Exit(130) from stop


def _cluster(address: str | None, workers: int, folder: Path) -> AbstractContextManager[Cluster | None]:
    """Return the cluster to run on, ``None`` for this process."""
    if address is None:
        return nullcontext()
    from shortlist_trainer.ray_cluster import ray_cluster

    return ray_cluster(address, workers, folder / "ray")


def _run(
    dataset: Dataset,
    settings: TrainConfig,
    folder: Path,
    resume: bool,
    device: torch.device,
    cluster: Cluster | None,
) -> TrainResult:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from shortlist_retrieval.index import build_index
    from shortlist_trainer.train import train as run

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}
        told_at = 0.0

        def report(part: str, done: int, total: int, loss: float) -> None:
            nonlocal told_at
            said = f"loss {loss:.4f}" if loss else ""
            if not console.is_terminal and (part not in tasks or time.monotonic() - told_at > _TELL_EVERY_S):
                told_at = time.monotonic()
                typer.echo(f"train: {part} {done:,}/{total:,} {said}".rstrip(), err=True)  # a log has no bars
            if part not in tasks:
                tasks[part] = bar.add_task(part, total=total, loss="")
            bar.update(tasks[part], completed=done, total=total, loss=said)

        return run(dataset, settings, folder, build_index, report, resume=resume, device=device, cluster=cluster)


def _finish(dataset: Dataset, result: TrainResult, folder: Path, store: Path, publish: bool) -> None:
    from shortlist_bundle.store import BundleStore
    from shortlist_cli.show import page
    from shortlist_trainer.pages.run_page import headline
    from shortlist_trainer.publish import add_bundle, publish_bundle, remember_bundle
    from shortlist_trainer.tracking import track

    console = page()
    for table in result.tables:
        console.print(table.to_rich())
    console.print(headline(result.tables), highlight=False, markup=False)
    console.print(
        f"calibration by {result.models['calibration']}: expected error {result.metrics['calibration/ece_before']:.4f} "
        f"before, {result.metrics['calibration/ece']:.4f} after",
        highlight=False,
    )
    bundles = BundleStore(store)
    bundle = add_bundle(bundles, dataset, result)
    remember_bundle(folder, store, bundle)
    stages = _stages(dataset, folder)
    track(folder, bundle.bundle_id, result, stages)
    size = sum(entry.size_bytes for entry in bundle.manifest.files.values())
    console.print(
        f"bundle {bundle.bundle_id} ({size / 1e6:.1f} MB) in {result.seconds['total']:.0f} s, "
        f"peak memory {result.peak_memory_bytes / 1e6:,.0f} MB; report in {folder / 'report.html'}",
        highlight=False,
    )
    for model, share in result.utilisation.items():
        console.print(f"{model}: the model waited for batches {1.0 - share:.1%} of the time", highlight=False)
    if publish:
        release = publish_bundle(bundles, bundle)
        console.print(f"published as generation {release.generation} in {store}", highlight=False)


def _stages(dataset: Dataset, folder: Path) -> Evaluation | None:
    """Evaluate the bundle stage by stage as serving would, and write that and the report into the run's folder.

    Where too little is held out for it, the report goes without: a bundle that is trained is published.
    """
    from shortlist_cli.evaluate.bundles import Numbers, bundle_of_run, evaluate_bundle
    from shortlist_cli.evaluate.show import progress_bar
    from shortlist_data.errors import DataRefused
    from shortlist_trainer.evaluation.results import write, write_text
    from shortlist_trainer.pages.run_page import REPORT, STAGES, read_run, run_page

    (folder / STAGES).unlink(missing_ok=True)
    found = None
    try:
        with progress_bar() as report:
            found = evaluate_bundle(dataset, bundle_of_run(folder, None), Numbers(), report)
        write(found, folder / STAGES)
    except DataRefused as error:
        typer.secho(f"train: the stages of the bundle are not evaluated: {error}", fg="yellow", err=True)
    write_text(run_page(read_run(folder)), folder / REPORT)
    return found
