"""Items added to what a run made: new ones are encoded as the run's own, and the models say of these what they said."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from shortlist_bundle import layout
from shortlist_bundle.arrays import map_array
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.session import Session
from shortlist_bundle.store import BundleStore
from shortlist_data.features import item_static
from shortlist_ranking.loading import LoadedRanker
from shortlist_retrieval.index import extend_index
from shortlist_retrieval.wiring import load_shelf
from shortlist_trainer.add_items import base_items, extended
from shortlist_trainer.publish import add_bundle

from .conftest import Run, actor

NOW = datetime(2030, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def base(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[BundleStore, Bundle]:
    store = BundleStore(tmp_path_factory.mktemp("store"))
    return store, add_bundle(store, run.dataset, run.result)


def copies(run: Run, rows: list[int]) -> pl.DataFrame:
    """Return items that are what those in ``rows`` are, under other ids."""
    items = run.dataset.items[rows]
    return items.with_columns(item_id=pl.Series([f"{item_id}-again" for item_id in items["item_id"]]))


def test_a_new_item_like_a_trained_one_gets_the_very_columns_of_it(run: Run, base: tuple[BundleStore, Bundle]) -> None:
    store, bundle = base
    items = base_items(bundle)
    everything = list(range(len(run.dataset.item_ids)))
    made = extended(bundle, items, copies(run, everything), extend_index, NOW)
    added = store.add(made.files, made.manifest)
    columns = map_array(added, layout.ITEM_FEATURES, np.dtype("<f4"))
    trained, names = item_static(run.dataset)
    assert len(names) > 3
    np.testing.assert_array_equal(columns[: len(trained)], trained)
    np.testing.assert_array_equal(columns[len(trained) :], trained)
    tower = Session(added.read(layout.ITEM_TOWER), ("item_features",), ("embedding",))
    embeddings = map_array(added, layout.ITEM_EMBEDDINGS, np.dtype("<f4"))
    (expected,) = tower.run({"item_features": trained})
    found = np.asarray(embeddings[len(trained) :], np.float32)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_scores_of_known_items_stay_what_they_were(run: Run, base: tuple[BundleStore, Bundle]) -> None:
    """Every stage loads it, so its golden requests hold; here is more than these."""
    store, bundle = base
    made = extended(bundle, base_items(bundle), copies(run, [3, 1, 2]), extend_index, NOW)
    added = store.add(made.files, made.manifest)
    before, after = LoadedRanker(bundle), LoadedRanker(added)
    rows = np.arange(before.n_items)
    for user in (0, 1, 2):
        who = actor(run.dataset, user, 2e9)
        embeddings = [load_shelf(each).bundle.embed(who) for each in (bundle, added)]
        np.testing.assert_array_equal(embeddings[0], embeddings[1])
        heads = [each.heads(each.user_side(who, None), each.number_columns(who), rows) for each in (before, after)]
        np.testing.assert_array_equal(heads[0], heads[1])
    beyond = array("I", range(before.n_items, after.n_items))
    click, rating = after.heads(after.user_side(who, None), after.number_columns(who), np.array(beyond, np.int64))
    assert np.isfinite(click).all()
    assert np.isfinite(rating).all()


def test_new_items_have_come_last_and_the_others_when_they_were_first_met(
    run: Run, base: tuple[BundleStore, Bundle]
) -> None:
    store, bundle = base
    made = extended(bundle, base_items(bundle), copies(run, [3, 1]), extend_index, NOW)
    order, days = load_shelf(store.add(made.files, made.manifest)).bundle.newest
    n = len(run.dataset.item_ids)
    assert order[:2].tolist() == [n, n + 1]
    assert days[n] == pytest.approx(NOW.timestamp() / 86_400.0)
    firsts = {int(row): float(t) for row, t in zip(run.dataset.item_rows[::-1], run.dataset.times_s[::-1], strict=True)}
    assert order[2:].tolist() == sorted(firsts, key=lambda row: (-firsts[row], row))


def test_equal_items_make_an_equal_bundle(run: Run, base: tuple[BundleStore, Bundle]) -> None:
    store, bundle = base
    items = base_items(bundle)
    made = [extended(bundle, items, copies(run, [5]), extend_index, NOW) for _ in range(2)]
    assert made[0].files == made[1].files
    ids = {store.add(each.files, each.manifest).bundle_id for each in made}
    assert len(ids) == 1
