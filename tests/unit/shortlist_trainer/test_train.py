"""What a run makes: a bundle that verifies, answers its golden requests and beats popularity, the same each time."""

from __future__ import annotations

import io
import json
from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shortlist_bundle import blob_table, golden, layout
from shortlist_bundle.actor_inputs import actor_inputs
from shortlist_bundle.feature_list import FeatureList
from shortlist_bundle.neighbours import neighbour_scores_of
from shortlist_bundle.session import Session
from shortlist_bundle.store import BundleStore
from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.split import global_time_split
from shortlist_evaluation.report import MetricRow, MetricTable
from shortlist_trainer.checkpoints import CheckpointRefused
from shortlist_trainer.publish import add_bundle, publish_bundle
from shortlist_trainer.train import train

from .conftest import Run, dataset_of, flat_index, quick

ITEM_SIDE = ("item_rows", "item_features", "item_numbers", "item_embeddings")


def row(table: MetricTable, name: str) -> MetricRow:
    return next(r for r in table.rows if r.name == name)


def loaded(run: Run, name: str) -> np.ndarray:
    found: np.ndarray = np.load(io.BytesIO(run.result.files[name]), allow_pickle=False)
    return found


def test_a_run_writes_every_file_of_a_bundle(run: Run) -> None:
    assert run.result.files.keys() == {
        *layout.REQUIRED,
        layout.ITEM_ATTRIBUTES,
        layout.ITEM_TIMES,
        layout.CHOSEN_VALUES,
        layout.SEGMENT_LIFTS,
    }


def test_the_bundle_is_published_and_verifies(run: Run, tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    release = publish_bundle(store, add_bundle(store, run.dataset, run.result))
    bundle = store.open(release)
    bundle.verify()
    assert release.generation == 1
    assert bundle.manifest.data_window.interactions == run.dataset.events
    assert bundle.manifest.metrics["rolling/pipeline/ndcg@10"] > 0


def test_the_pipeline_beats_popularity_when_it_sees_each_event_come(run: Run) -> None:
    rolling = run.result.tables[1]
    assert row(rolling, "pipeline").differences["ndcg@10"].low > 0
    assert row(rolling, "two_tower").differences["ndcg@10"].low > 0


def test_the_pipeline_is_not_below_popularity_where_histories_are_frozen(run: Run) -> None:
    assert row(run.result.tables[0], "pipeline").differences["ndcg@10"].high > 0


def test_the_evaluation_is_written_with_what_is_needed_to_repeat_it(run: Run) -> None:
    written = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))
    assert written["config"] == json.loads(run.config.model_dump_json())
    assert [t["title"] for t in written["tables"]] == [t.title for t in run.result.tables]
    assert written["seconds"]["total"] > 0


def test_the_golden_requests_replay_as_serving_computes_them(run: Run) -> None:
    files = run.result.files
    features = FeatureList.from_json(files[layout.FEATURE_LIST])
    requests = golden.from_json(files[layout.GOLDEN])
    calibration = json.loads(files[layout.CALIBRATION])
    names = tuple(actor_inputs(requests[0].actor, features))
    tower = Session(files[layout.USER_TOWER], names, ("embedding",))
    ranker = Session(files[layout.RANKER], (*names, "user_embedding", *ITEM_SIDE), ("click", "rating"))
    counters, n = loaded(run, layout.ITEM_COUNTERS), len(run.dataset.item_ids)
    assert len(requests) >= 8
    assert any(not r.actor.history_rows for r in requests)
    for request in requests:
        inputs = actor_inputs(request.actor, features)
        (embedding,) = tower.run(inputs)
        rows = np.frombuffer(request.rows, np.uint32).astype(np.int64)
        history = inputs["history_rows"][0].astype(np.int64)
        near = neighbour_scores_of(history, loaded(run, layout.NEIGHBOUR_ROWS), loaded(run, layout.NEIGHBOUR_SCORES), n)
        columns = {
            "item_count": counters[rows, 0],
            "item_mean": counters[rows, 1] / np.maximum(counters[rows, 0], 1),
            "neighbour_score": near[rows],
        }
        click, rating = ranker.run(
            {
                **inputs,
                "user_embedding": embedding,
                "item_rows": rows,
                "item_features": loaded(run, layout.ITEM_FEATURES)[rows],
                "item_numbers": np.stack([columns[c] for c in features.item_numbers], 1).astype(np.float32),
                "item_embeddings": loaded(run, layout.ITEM_EMBEDDINGS)[rows],
            }
        )
        probability = 1.0 / (1.0 + np.exp(-(calibration["slope"] * click + calibration["intercept"])))
        assert golden.close(array("f", embedding[0].tolist()), request.embedding)
        assert golden.close(array("f", probability.tolist()), request.click)
        assert golden.close(array("f", rating.tolist()), request.rating)


def test_the_last_event_changes_the_embedding(run: Run) -> None:
    features = FeatureList.from_json(run.result.files[layout.FEATURE_LIST])
    actor = golden.from_json(run.result.files[layout.GOLDEN])[0].actor
    names = tuple(actor_inputs(actor, features))
    tower = Session(run.result.files[layout.USER_TOWER], names, ("embedding",))
    other = (actor.history_rows[-1] + 1) % len(run.dataset.item_ids)
    changed = replace(actor, history_rows=array("I", [*actor.history_rows[:-1], other]))
    (before,), (after,) = (tower.run(actor_inputs(a, features)) for a in (actor, changed))
    assert np.abs(before - after).max() > 1e-3


def test_the_item_tower_gives_an_embedding_of_the_size_of_the_table(run: Run) -> None:
    tower = Session(run.result.files[layout.ITEM_TOWER], ("item_features",), ("embedding",))
    features, table = loaded(run, layout.ITEM_FEATURES), loaded(run, layout.ITEM_EMBEDDINGS)
    (cold,) = tower.run({"item_features": features})
    assert cold.shape == table.shape
    assert np.isfinite(cold).all()


def test_rows_ids_counters_and_display_are_about_the_same_items(run: Run) -> None:
    files, data = run.result.files, run.dataset
    ids, display = blob_table.BlobTable(files[layout.ITEM_IDS]), blob_table.BlobTable(files[layout.ITEM_DISPLAY])
    item = int(data.item_rows[17])
    assert ids.find(data.item_ids[item].encode()) == item
    assert json.loads(display[item])["title"] == data.items["title"][item]
    assert loaded(run, layout.ITEM_COUNTERS)[item, 0] == np.count_nonzero(data.item_rows == item)


def test_popular_lists_are_counts_within_the_training_window(run: Run) -> None:
    popular = json.loads(run.result.files[layout.POPULAR])
    until = int(run.dataset.events * 0.8)
    counts = np.bincount(run.dataset.item_rows[:until], minlength=len(run.dataset.item_ids))
    assert (np.diff(counts[popular["overall"]]) <= 0).all()
    assert set(popular["segment_order"]) == {name.split("=")[0] for name in popular["segments"]}
    assert popular["segment_order"][0] == "taste"


def test_two_runs_make_the_same_bundle(world: Dataset, tmp_path: Path) -> None:
    results = [train(world, quick(), tmp_path / name, flat_index) for name in "ab"]
    assert results[0].files == results[1].files
    assert results[0].metrics == results[1].metrics


def test_nothing_that_is_learned_depends_on_the_test_part(world: Dataset, tmp_path: Path) -> None:
    split = global_time_split(world)
    items, values = world.item_rows.copy(), world.values.copy()
    items[split.validation_end :] = items[split.validation_end :][::-1]
    values[split.validation_end :] = 1.0
    other = replace(world, item_rows=items, values=values)
    first, second = (train(data, quick(), tmp_path / str(id(data)), flat_index) for data in (world, other))
    learned = (
        layout.USER_TOWER,
        layout.ITEM_TOWER,
        layout.RANKER,
        layout.ITEM_EMBEDDINGS,
        layout.NEIGHBOUR_SCORES,
        layout.CALIBRATION,
        layout.FEATURE_LIST,
        layout.POPULAR,
    )
    for name in learned:
        assert first.files[name] == second.files[name], name
    assert first.files[layout.ITEM_COUNTERS] != second.files[layout.ITEM_COUNTERS]
    assert first.metrics != second.metrics


def test_another_seed_makes_another_bundle(world: Dataset, tmp_path: Path) -> None:
    results = [train(world, quick(f"seed={seed}"), tmp_path / str(seed), flat_index) for seed in (1, 2)]
    assert results[0].files[layout.USER_TOWER] != results[1].files[layout.USER_TOWER]


class Interrupted(Exception):
    """Stands for a kill."""


def test_a_resumed_run_makes_the_bundle_of_an_uninterrupted_one(world: Dataset, tmp_path: Path) -> None:
    config = quick("two_tower.epochs=3")
    whole = train(world, config, tmp_path / "whole", flat_index)

    def kill_in_the_third_epoch(part: str, done: int, total: int, loss: float) -> None:
        if part == "two_tower" and done > 0.8 * total:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(world, config, tmp_path / "cut", flat_index, kill_in_the_third_epoch)
    steps: list[int] = []

    def watch(part: str, done: int, total: int, loss: float) -> None:
        if part == "two_tower":
            steps.append(done / total)  # type: ignore[arg-type]

    resumed = train(world, config, tmp_path / "cut", flat_index, watch, resume=True)
    assert min(steps) > 0.6
    assert resumed.files == whole.files


def test_a_checkpoint_of_other_settings_is_not_resumed(world: Dataset, tmp_path: Path) -> None:
    train(world, quick(), tmp_path, flat_index)
    with pytest.raises(CheckpointRefused, match="other data or settings"):
        train(world, quick("two_tower.dropout=0.3"), tmp_path, flat_index, resume=True)


def test_a_damaged_checkpoint_is_refused_by_name(world: Dataset, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "two_tower.pt").write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.raises(CheckpointRefused, match=r"two_tower\.pt cannot be read"):
        train(world, quick(), tmp_path, flat_index, resume=True)


def test_too_few_events_are_refused_with_what_is_missing(tmp_path: Path) -> None:
    events = [(f"u{i % 7}", f"i{i % 11}", 3.0, float(i)) for i in range(120)]
    with pytest.raises(
        DataRefused, match=r"of its 120 events, too few are left .* ranking has 0.* where 50 are needed"
    ):
        train(dataset_of(events), quick(), tmp_path, flat_index)


def test_data_in_which_nobody_meets_anything_new_is_refused(tmp_path: Path) -> None:
    events = [(f"u{i % 20}", f"i{i % 20}", 1.0, float(i)) for i in range(3000)]
    with pytest.raises(DataRefused, match="2,980 events are on items that their user had met before"):
        train(dataset_of(events), quick(), tmp_path, flat_index)


def test_data_without_any_attributes_trains(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    events = [(f"u{random.integers(60)}", f"i{random.integers(40)}", 1.0, float(i // 3)) for i in range(3000)]
    result = train(dataset_of(events), quick(), tmp_path, flat_index)
    assert np.isfinite(list(result.metrics.values())).all()


def test_sampled_softmax_trains_catalogues_above_the_limit(world: Dataset, tmp_path: Path) -> None:
    config = quick("two_tower.full_softmax_up_to=10", "two_tower.negatives=40", "two_tower.epochs=6")
    result = train(world, config, tmp_path, flat_index)
    assert row(result.tables[1], "two_tower").metrics["recall@50"].mean > 0.7


@pytest.mark.parametrize("encoder", ["mean", "transformer"])
def test_other_encoders_go_the_whole_way(world: Dataset, tmp_path: Path, encoder: str) -> None:
    result = train(world, quick(f"two_tower.encoder={encoder}"), tmp_path, flat_index)
    assert result.models["retrieval"].startswith(f"two_tower({encoder}")
