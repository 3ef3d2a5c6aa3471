"""Evaluates a bundle stage by stage, and a gateway as it answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.bundle import Bundle
from shortlist_bundle.store import BundleStore
from shortlist_cli.evaluate.stages import FUSION, PIPELINE, StageEngines
from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.features import item_totals
from shortlist_data.split import global_time_split
from shortlist_trainer.config import SplitConfig
from shortlist_trainer.evaluation import protocols
from shortlist_trainer.evaluation.asked import Asked, asked_of
from shortlist_trainer.evaluation.heads import Heads
from shortlist_trainer.evaluation.listed import Question, check, evaluate_lists, padded, popularity_lists
from shortlist_trainer.evaluation.protocols import Rules, Test, text_of
from shortlist_trainer.evaluation.results import Evaluation
from shortlist_trainer.evaluation.scoring import Progress
from shortlist_trainer.evaluation.served import MOST_EVENTS, MOST_EXCLUDED, Replay, Replayed, replay
from shortlist_trainer.publish import RUN_BUNDLE

POPULAR = "popular"
POPULARITY = "popularity"
OFFLINE = "offline"
SERVED = "served"


CANDIDATES = 500
"""What a gateway asks retrieval for where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is measured, and how surely."""

    ks: tuple[int, ...] = (10,)
    seed: int = 1
    resamples: int = 2000
    permutations: int = 10_000


@dataclass(frozen=True, slots=True)
class Trained:
    """A bundle, and where its run cut time."""

    bundle: Bundle
    split: SplitConfig


def bundle_of_run(folder: Path, store: Path | None) -> Trained:
    """Return the bundle of a run folder, with the cuts that its settings say.

    Raises:
        DataRefused: Not the folder of a finished run.
        NotFound: The bundle is not in the store.
        BundleInvalid: The bundle is damaged.
    """
    try:
        named = json.loads((folder / RUN_BUNDLE).read_text(encoding="utf-8"))
        split = SplitConfig(**json.loads((folder / "config.json").read_text(encoding="utf-8"))["split"])
        return Trained(BundleStore(store or Path(named["store"])).bundle(str(named["bundle_id"])), split)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataRefused(f"{folder} is not the folder of a finished run ({error}); `shortlist train` makes one") from (
            error
        )


def bundle_in(store: Path, bundle_id: str) -> Trained:
    """Return a bundle of a store by its id, or ``current``; cuts are those of the default settings.

    Raises:
        DataRefused: No bundle is current.
        NotFound: There is none of that id.
        BundleInvalid: The bundle is damaged.
    """
    if bundle_id == "current":
        release = BundleStore(store).current()
        if release is None:
            raise DataRefused(f"{store} has no current bundle; `shortlist train` publishes one")
        bundle_id = release.bundle_id
    return Trained(BundleStore(store).bundle(bundle_id), SplitConfig())


def evaluate_bundle(whole: Dataset, trained: Trained, numbers: Numbers, progress: Progress) -> Evaluation:
    """Evaluate each source, the fusion and the ranked pipeline on the events after the run's validation.

    Users are asked for at the cut, with counters as they were then; nothing is fitted here.

    Raises:
        DataRefused: The data has no such part, or is not what the bundle was made from.
    """
    split = global_time_split(whole, trained.split.train, trained.split.validation)
    at = split.validation_end
    _check_not_known(trained.bundle, whole, at)
    known, sealed = protocols.cut_at(whole, at)
    sealed.unseal()
    test = sealed.read()
    asked = Question(
        whole,
        known,
        test,
        f"{whole.name}, bundle {trained.bundle.bundle_id}",
        f"the events after the first {at:,} are held out, as the run's settings cut time; everybody is asked for at "
        "the cut, by the engines that serve, with popularity as it was then.",
        numbers.ks,
        numbers.seed,
        numbers.resamples,
        numbers.permutations,
        {"bundle": trained.bundle.bundle_id, "split": trained.split.model_dump(), "candidates": CANDIDATES},
    )
    check(asked)
    users = asked_of(known, test.held_out)
    started = time.perf_counter()
    engines = StageEngines(trained.bundle, whole.item_ids, max(CANDIDATES, *numbers.ks), item_totals(whole, at))
    try:
        lists, heads = asyncio.run(_through_stages(engines, users, test, progress))
        notes = _notes(whole, trained, engines)
    finally:
        engines.close()
    return evaluate_lists(
        asked, lists, POPULAR, heads=heads, notes=notes, seconds={"stages": {"ask": time.perf_counter() - started}}
    )


def _check_not_known(bundle: Bundle, whole: Dataset, at: int) -> None:
    """Refuse to measure a bundle on what its models were fitted on."""
    until_s = bundle.manifest.data_window.fitted_until_s
    if until_s is not None and until_s >= whole.times_s[at]:
        raise DataRefused(
            f"the models of {bundle.bundle_id} were fitted on events until {_day(until_s)}, and what would be held out "
            f"begins on {_day(float(whole.times_s[at]))}: they know it. Bring later events, or read the figures that "
            "its run took before it was fitted once more (refit=true)"
        )


def _day(time_s: float) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d}"


def evaluate_target(
    whole: Dataset, rules: Rules, trained: Trained | None, numbers: Numbers, how: Replay, progress: Progress
) -> Evaluation:
    """Ask a running gateway for every held-out user, and compare with popularity and, given the bundle, with offline.

    Args:
        whole: Data to cut.
        rules: How, where no bundle is given; else time is cut as its run did.
        trained: The bundle that is served, to compute the same lists in this process.
        numbers: What is measured.
        how: How the gateway is asked.
        progress: Told of what is done.

    Raises:
        DataRefused: The data cannot be cut so.
        NotServed: The gateway answered no call.
    """
    if trained is None:
        known, sealed = protocols.cut(whole, rules)
        text = text_of(rules)
    else:
        at = global_time_split(whole, trained.split.train, trained.split.validation).validation_end
        _check_not_known(trained.bundle, whole, at)
        known, sealed = protocols.cut_at(whole, at)
        text = f"the events after the first {at:,} are held out, as the run's settings cut time."
    sealed.unseal()
    test = sealed.read()
    who = "by user id" if how.as_users else "as visitors who bring their latest 100 events, moved in time to end now"
    settings = {"rules": asdict(rules), "replay": asdict(how), "bundle": trained and trained.bundle.bundle_id}
    asked = Question(
        whole,
        known,
        test,
        f"{whole.name}, served by {how.address}",
        f"{text} Users are asked for over gRPC, {who}.",
        numbers.ks,
        numbers.seed,
        numbers.resamples,
        numbers.permutations,
        settings,
    )
    check(asked)
    users = asked_of(known, test.held_out)
    started = time.perf_counter()
    answers = replay(users, whole.item_ids, how, progress)
    seconds = {SERVED: {"ask": time.perf_counter() - started}}
    lists = {POPULARITY: popularity_lists(known, test, how.k)}
    notes: list[str] = []
    if trained is not None:
        started = time.perf_counter()
        engines = StageEngines(trained.bundle, whole.item_ids, max(how.k, CANDIDATES))
        try:
            now_s = time.time()
            same = [u if how.as_users else u.moved_to(now_s).carried(MOST_EVENTS, MOST_EXCLUDED) for u in users]
            offline, _ = asyncio.run(_through_stages(engines, same, test, progress))
        finally:
            engines.close()
        lists[OFFLINE] = offline[PIPELINE][:, : how.k]
        seconds[OFFLINE] = {"ask": time.perf_counter() - started}
        notes.append(
            "offline: the same bundle's engines in this process, given what the requests carry. In both, popularity is "
            "as the bundle has it, which includes what came after the cut."
        )
    lists[SERVED] = answers.lists
    return evaluate_lists(
        asked,
        lists,
        POPULARITY,
        notes=(*notes, *_said(answers, len(users))),
        seconds=seconds,
        details={
            "served": {
                "calls": len(users),
                "bundles": dict(answers.bundles),
                "degraded": dict(answers.degraded),
                "failed": dict(answers.failed),
                "p50_ms": answers.p50_ms,
            }
        },
    )


async def _through_stages(
    engines: StageEngines, users: Sequence[Asked], test: Test, progress: Progress
) -> tuple[dict[str, NDArray[np.int32]], Heads]:
    names = (*engines.sources, FUSION, PIPELINE)
    lists: dict[str, list[NDArray[np.int32]]] = {name: [] for name in names}
    held_out = test.held_out
    clicks, labels, whose, ratings = [], [], [], []
    for at, who in enumerate(users):
        answer = await engines.ask(who)
        for name in names:
            lists[name].append(answer.lists[name])
        relevant = held_out.rows[held_out.indptr[at] : held_out.indptr[at + 1]]
        clicks.append(answer.click)
        labels.append(answer.lists[FUSION] == relevant[0])
        whose.append(np.full(len(answer.click), held_out.users[at], np.int32))
        ratings.append(engines.ratings(who, relevant))
        progress("ask the stages", at + 1, len(users))
    wide = {name: padded(each, engines.candidates) for name, each in lists.items()}
    kept = {name: rows for name, rows in wide.items() if (rows >= 0).any()}
    order = {name: kept[name] for name in (POPULAR, *names) if name in kept}
    predicted = np.concatenate(ratings)
    known = np.isfinite(predicted)
    owner = np.repeat(held_out.users, np.diff(held_out.indptr))
    heads = Heads(
        np.concatenate(clicks),
        np.concatenate(labels),
        np.concatenate(whose),
        predicted[known],
        test.values[known],
        owner[known],
    )
    return order, heads


def _notes(whole: Dataset, trained: Trained, engines: StageEngines) -> tuple[str, ...]:
    notes = []
    window = trained.bundle.manifest.data_window
    if window.dataset != whole.name or window.interactions != whole.events:
        notes.append(
            f"the bundle was made from {window.interactions:,} events of {window.dataset}, not from these "
            f"{whole.events:,} of {whole.name}: its models may have been fitted on what is held out here."
        )
    if engines.absent:
        notes.append(f"{engines.absent:,} items of the data are not in the bundle and are never found.")
    return tuple(notes)


def _said(answers: Replayed, users: int) -> tuple[str, ...]:
    bundles = ", ".join(f"{name} ({n:,})" for name, n in answers.bundles.items())
    parts = [f"{users:,} calls, p50 {answers.p50_ms:.1f} ms from here; bundle {bundles}."]
    parts.append(_counted("answers were degraded", answers.degraded) or "no answer was degraded.")
    if failed := _counted("calls failed and count as empty lists", answers.failed):
        parts.append(failed)
    if answers.seen_too_many:
        parts.append(
            f"{answers.seen_too_many:,} users have met more items than a request can name; the oldest may come back."
        )
    return tuple(parts)


def _counted(what: str, counts: Mapping[str, Any]) -> str:
    named = ", ".join(f"{name} {n:,}" for name, n in counts.items())
    return f"{sum(counts.values()):,} {what}: {named}." if counts else ""
