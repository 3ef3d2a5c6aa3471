"""Items added to a bundle: what changes, what does not, and what is refused before anything is written."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from array import array
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from shortlist_bundle import golden, layout
from shortlist_bundle.arrays import array_bytes, map_array
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.content import load_content
from shortlist_bundle.item_ids import load_item_ids
from shortlist_bundle.segment_lifts import load_segment_lifts
from shortlist_bundle.session import Session
from shortlist_bundle.store import BundleStore
from shortlist_cli.main import app
from shortlist_cli.new_items import Added, add_items
from shortlist_domain.errors import PublishConflict
from shortlist_domain.stages import ActorFeatures
from shortlist_ranking.loading import LoadedRanker
from shortlist_retrieval.wiring import load_shelf
from shortlist_testing import tiny_models
from shortlist_testing.tiny_bundle import (
    CALIBRATION,
    FEATURES,
    NOW_S,
    publish,
    tiny_bundle,
    tiny_content,
    tiny_files,
    tiny_items,
)

N = 60
LIFTS = np.random.default_rng(3).normal(size=(5, N)).astype(np.float16)


def a_table(folder: Path, *ids: str, genres: str = "Comedy", name: str = "new.csv") -> Path:
    """Write a table of items that are alike but for their ids."""
    rows = [f"{item_id},A New One,{genres},1999,eo,no,t1|t9,2023-11-01T00:00:00Z" for item_id in ids]
    path = folder / name
    path.write_text("\n".join(["item_id,title,genres,year,language,in_colour,tags,released", *rows]) + "\n")
    return path


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    """A store whose bundle has every optional file about items."""
    files = tiny_files(N) | tiny_content(N)
    publish(tmp_path / "store", files | {layout.SEGMENT_LIFTS: array_bytes(LIFTS)})
    return BundleStore(tmp_path / "store")


def added_to(store: BundleStore, path: Path, **options: object) -> Added:
    added = add_items(store, path, **options)  # type: ignore[arg-type]
    assert added is not None
    return added


def current(store: BundleStore) -> Bundle:
    release = store.current()
    assert release is not None
    return store.open(release)


class TestWhatChanges:
    @pytest.fixture
    def added(self, store: BundleStore, tmp_path: Path) -> Added:
        return added_to(store, a_table(tmp_path, "zebra", "a-first", genres="Drama|Western"))

    def test_the_bundle_says_what_it_was_made_of(self, store: BundleStore, added: Added) -> None:
        before, after = added.base.manifest, current(store).manifest
        assert after.bundle_id == added.bundle.bundle_id != before.bundle_id
        assert (after.added_items, after.added_to, after.parent) == (2, before.bundle_id, before.bundle_id)
        assert (after.generation, before.generation) == (2, 1)
        assert after.data_window == before.data_window
        assert after.models == before.models
        assert after.metrics["index/n"] == N + 2

    def test_known_items_keep_their_rows_and_new_ones_follow_in_the_order_of_the_file(self, added: Added) -> None:
        before, after = load_item_ids(added.base), load_item_ids(added.bundle)
        assert [after[row] for row in range(N)] == [before[row] for row in range(N)]
        assert [after[N], after[N + 1]] == [b"zebra", b"a-first"]
        after.check_order()
        assert [after.find(after[row]) for row in range(N + 2)] == list(range(N + 2))

    def test_embeddings_are_what_the_item_tower_makes_of_the_columns(self, added: Added) -> None:
        columns = map_array(added.bundle, layout.ITEM_FEATURES, np.dtype("<f4"))
        embeddings = map_array(added.bundle, layout.ITEM_EMBEDDINGS, np.dtype("<f4"))
        assert columns[N:].tolist() == [[0.0, 1.0, 0.0, 1.0]] * 2
        tower = Session(added.bundle.read(layout.ITEM_TOWER), ("item_features",), ("embedding",))
        np.testing.assert_array_equal(embeddings[N:], tower.run({"item_features": columns[N:]})[0])
        np.testing.assert_array_equal(embeddings[:N], map_array(added.base, layout.ITEM_EMBEDDINGS, np.dtype("<f4")))

    def test_nobody_met_them_and_nobody_knows_their_content(self, added: Added) -> None:
        bundle = added.bundle
        assert (map_array(bundle, layout.ITEM_COUNTERS, np.dtype("<f8"))[N:] == 0.0).all()
        assert (map_array(bundle, layout.NEIGHBOUR_ROWS, np.dtype("<i4"))[N:] == -1).all()
        assert (map_array(bundle, layout.NEIGHBOUR_SCORES, np.dtype("<f4"))[N:] == 0.0).all()
        content, lifts = load_content(bundle, N + 2), load_segment_lifts(bundle, FEATURES, N + 2)
        assert content is not None
        assert not content.known[N:].any()
        assert content.known[:N].any()
        assert lifts is not None
        np.testing.assert_array_equal(lifts.table[:, :N], LIFTS)
        assert not lifts.table[:, N:].any()

    def test_what_is_not_of_items_is_byte_for_byte_the_same(self, added: Added) -> None:
        of_items = {
            layout.ITEM_IDS, layout.ITEM_ORDER, layout.ITEM_DISPLAY, layout.ITEM_ATTRIBUTES, layout.ITEMS,
            layout.ITEM_EMBEDDINGS, layout.ITEM_FEATURES, layout.ITEM_COUNTERS, layout.NEIGHBOUR_ROWS,
            layout.NEIGHBOUR_SCORES, layout.INDEX, layout.CONTENT_EMBEDDINGS, layout.SEGMENT_LIFTS, layout.ITEM_TIMES,
        }  # fmt: skip
        files = added.bundle.manifest.files
        assert {*added.base.manifest.files} == {*files} - {layout.ITEM_ORDER}
        for name, entry in added.base.manifest.files.items():
            assert (files[name] == entry) is (name not in of_items), name

    def test_models_see_nothing_of_an_event_on_them(self, added: Added) -> None:
        shelf, ranker = load_shelf(added.bundle), LoadedRanker(added.bundle)
        known = ActorFeatures(
            now_s=NOW_S,
            history_rows=array("I", [4, 8]),
            history_values=array("f", [5.0, 4.0]),
            history_times_s=array("d", [NOW_S - 50.0, NOW_S - 20.0]),
        )
        more = replace(
            known,
            history_rows=array("I", [4, N + 1, 8, N]),
            history_values=array("f", [5.0, 1.0, 4.0, 2.0]),
            history_times_s=array("d", [NOW_S - 50.0, NOW_S - 40.0, NOW_S - 20.0, NOW_S - 10.0]),
        )
        np.testing.assert_array_equal(shelf.bundle.embed(more), shelf.bundle.embed(known))
        one, other = ranker.user_side(more, None), ranker.user_side(known, None)
        assert all(np.array_equal(one[name], other[name]) for name in other)
        for column, same in zip(ranker.number_columns(more), ranker.number_columns(known), strict=True):
            np.testing.assert_array_equal(column, same)

    def test_more_items_can_be_added_to_it(self, store: BundleStore, added: Added, tmp_path: Path) -> None:
        again = added_to(store, a_table(tmp_path, "b-second", genres="Horror"))
        assert again.base.bundle_id == added.bundle.bundle_id
        assert (again.bundle.manifest.added_items, again.items) == (3, 1)
        ids = load_item_ids(again.bundle)
        assert [ids.find(i) for i in (b"zebra", b"a-first", b"b-second")] == [N, N + 1, N + 2]
        columns = map_array(again.bundle, layout.ITEM_FEATURES, np.dtype("<f4"))
        assert columns[N:].tolist() == [[0.0, 1.0, 0.0, 1.0]] * 2 + [[0.0, 0.0, 1.0, 0.0]]
        counters = load_shelf(again.bundle).bundle.counters
        assert len(counters.counts) == N + 3


def test_parquet_with_the_types_of_the_bundles_table_is_read(store: BundleStore, tmp_path: Path) -> None:
    path = tmp_path / "new.parquet"
    tiny_items(N + 2)[N:].write_parquet(path)
    added = added_to(store, path)
    assert pl.read_ipc(added.bundle.read(layout.ITEMS)).equals(tiny_items(N + 2))


def test_what_the_models_do_not_know_of_a_value_is_said(store: BundleStore, tmp_path: Path) -> None:
    added = added_to(store, a_table(tmp_path, "x", genres="Comedy|Synthwave|Cli-Fi"))
    assert added.unknown == {"genres": ["Cli-Fi", "Synthwave"]}


def test_another_bundle_than_the_current_one_can_be_added_to(store: BundleStore, tmp_path: Path) -> None:
    first = current(store).bundle_id
    tiny_bundle(store.root, seed=1)
    added = added_to(store, a_table(tmp_path, "x"), bundle_id=first)
    assert added.bundle.manifest.added_to == first
    assert current(store).bundle_id == added.bundle.bundle_id


def test_a_publication_meanwhile_is_not_overwritten(
    store: BundleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading and publishing a training publishes: its bundle stays current."""
    table = a_table(tmp_path, "x")

    class Raced(BundleStore):
        def add(self, *arguments: object) -> Bundle:
            bundle = super().add(*arguments)  # type: ignore[arg-type]
            tiny_bundle(self.root, seed=1)
            return bundle

    with pytest.raises(PublishConflict, match=r"published meanwhile.*run the command again"):
        add_items(Raced(store.root), table)
    assert current(store).manifest.added_items == 0
    assert added_to(store, table).release is not None


def by_rows() -> dict[str, bytes]:
    """Return a bundle whose ranker looks up what it learnt of each row: a click logit of 0, a rating of 3."""
    files = tiny_files(N)
    learnt: dict[str, tiny_models.Array] = {"clicks": np.zeros(N, np.float32), "ratings": np.full(N, 3.0, np.float32)}
    files[layout.RANKER] = tiny_models.model(
        "ranker",
        [
            helper.make_node("Gather", ["clicks", "item_rows"], ["click"]),
            helper.make_node("Gather", ["ratings", "item_rows"], ["rating"]),
        ],
        [helper.make_tensor_value_info("item_rows", TensorProto.INT64, ["N"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("click", "rating")],
        learnt,
    )
    click = 1.0 / (1.0 + math.exp(-CALIBRATION[1]))
    files[layout.GOLDEN] = golden.to_json(
        [
            replace(
                request, click=array("f", [click] * len(request.rows)), rating=array("f", [3.0] * len(request.rows))
            )
            for request in golden.from_json(files[layout.GOLDEN])
        ]
    )
    return files


def test_a_ranker_that_goes_by_rows_is_not_added_to(tmp_path: Path) -> None:
    publish(tmp_path / "store", by_rows())
    store = BundleStore(tmp_path / "store")
    LoadedRanker(current(store))
    said = refused(store, a_table(tmp_path, "x"))
    assert "the ranker goes by item_rows, and knows none of the 1 items" in said


def refused(store: BundleStore, path: Path, *options: str) -> str:
    """Return what the command says of a table that it does not take; nothing was published."""
    releases = store.releases()
    result = CliRunner().invoke(app, ["bundles", "add-items", str(path), "--store", str(store.root), *options])
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    assert store.releases() == releases
    return result.output


HEAD = "item_id,title,genres,year,language,in_colour,tags,released"
GOOD = "a-new,One,Comedy,1999,en,yes,t1,2023-11-01T00:00:00Z"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([HEAD, GOOD.replace("a-new", "item-000"), GOOD], "has 1 of the 2 items already: 'item-000'"),
        ([HEAD, GOOD, GOOD], "repeats the id of an earlier row (new.csv:3: 'a-new')"),
        ([HEAD, GOOD.replace("a-new", "")], "item id is missing (new.csv:2: '')"),
        ([HEAD, GOOD.replace("a-new", "x" * 257)], "item id is longer than 256 bytes"),
        ([HEAD, GOOD.replace("a-new", "a\tb")], "item id has a control character (new.csv:2: 'a\\tb')"),
        ([HEAD, GOOD.replace("1999", "MCMXCIX")], "year is not a number (new.csv:2: 'MCMXCIX')"),
        ([HEAD, GOOD.replace("1999", "inf")], "year is NaN or infinite (new.csv:2: 'inf')"),
        ([HEAD, GOOD.replace("yes", "perhaps")], "in_colour is neither true nor false (new.csv:2: 'perhaps')"),
        ([HEAD, GOOD.replace("2023-11-01T00:00:00Z", "soon")], "released is not in the format iso8601"),
        ([HEAD.replace("genres", "genre"), GOOD], "lacks the columns 'genres' and has columns that the bundle's"),
        ([HEAD + ",price", GOOD + ",3"], "has columns that the bundle's items have not: 'price'"),
        ([HEAD.removesuffix(",released"), GOOD.rpartition(",")[0]], "lacks the columns 'released'"),
        ([HEAD.replace("item_id", "id"), GOOD], "has no column 'item_id' (items.id)"),
        ([HEAD], "has no items"),
        ([HEAD, GOOD + ",1,2"], "fields"),
        ([], "empty"),
    ],
)
def test_a_table_is_taken_whole_or_refused_with_what_is_wrong_where(
    store: BundleStore, tmp_path: Path, lines: list[str], said: str
) -> None:
    path = tmp_path / "new.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    assert said in refused(store, path).replace("\n", " ")


def test_a_file_that_is_no_table_is_refused(store: BundleStore, tmp_path: Path) -> None:
    assert "the ending tells no format" in refused(store, tmp_path / "new.xlsx")
    assert "No such file" in refused(store, tmp_path / "absent.csv")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    assert "bad.parquet" in refused(store, tmp_path / "bad.parquet")


def test_known_items_are_passed_over_where_that_is_asked_for(store: BundleStore, tmp_path: Path) -> None:
    path = a_table(tmp_path, "item-000", "x", "item-002")
    command = ["bundles", "add-items", str(path), "--store", str(store.root), "--skip-known"]
    first, again = CliRunner().invoke(app, command), CliRunner().invoke(app, command)
    assert (first.exit_code, again.exit_code) == (0, 0), first.output + again.output
    assert "1 items added" in first.output
    assert "published as generation 2" in first.output
    assert "has all items" in again.output
    assert len(store.releases()) == 2
    listed = CliRunner().invoke(app, ["bundles", "list", "--store", str(store.root)], env={"COLUMNS": "200"})
    assert "60 items + 1 added" in listed.output
    narrow = CliRunner().invoke(app, ["bundles", "list", "--store", str(store.root)], env={"COLUMNS": "80"})
    assert f" {current(store).bundle_id} " in narrow.output  # whole, as `bundles rollback` takes it


def test_without_publishing_nothing_is_current(store: BundleStore, tmp_path: Path) -> None:
    before = current(store).bundle_id
    added = added_to(store, a_table(tmp_path, "x"), publishes=False)
    assert current(store).bundle_id == before
    assert store.bundle(added.bundle.bundle_id).manifest.added_items == 1


def test_a_bundle_of_before_item_attributes_is_not_added_to(tmp_path: Path) -> None:
    files = tiny_files(N)
    del files[layout.ITEM_ATTRIBUTES]
    publish(tmp_path / "store", files)
    assert "train a new one" in refused(BundleStore(tmp_path / "store"), a_table(tmp_path, "x"))


def test_columns_that_this_release_would_make_otherwise_are_refused(tmp_path: Path) -> None:
    files = tiny_files(N)
    columns = np.load(io.BytesIO(files[layout.ITEM_FEATURES]))
    columns[7, 0] += 0.5
    publish(tmp_path / "store", files | {layout.ITEM_FEATURES: array_bytes(columns), layout.GOLDEN: b"[]"})
    assert "come out differently" in refused(BundleStore(tmp_path / "store"), a_table(tmp_path, "x"))


def test_a_store_without_a_bundle_says_what_to_do(tmp_path: Path) -> None:
    said = refused(BundleStore(tmp_path), a_table(tmp_path, "x"))
    assert "has no current bundle to add items to; `shortlist train` publishes one" in said.replace("\n", " ")


def test_a_schema_says_how_the_file_is_read(store: BundleStore, tmp_path: Path) -> None:
    schema = tmp_path / "schema.yaml"
    schema.write_text(SCHEMA)
    path = tmp_path / "new.csv"
    path.write_text("sku;name;kinds;made;spoken;colour;marks;out;price\nx;One;Comedy/Drama;1999;eo;1;t1;0;9.5\n")
    row = pl.read_ipc(added_to(store, path, schema=schema).bundle.read(layout.ITEMS)).row(N, named=True)
    assert (row["item_id"], row["title"], row["genres"], row["year"]) == ("x", "One", ["Comedy", "Drama"], 1999.0)
    assert (row["in_colour"], row["released"]) == (True, datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("language: {kind: categorical, column: spoken}", ""), "the schema says of items"),
        (
            ("language: {kind: categorical", "language: {kind: multi"),
            "has other kinds than the bundle's items",
        ),
        (("column: spoken", "column: tongue"), "lacks the columns 'tongue'"),
    ],
)
def test_a_schema_that_does_not_fit_is_refused(
    store: BundleStore, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    schema = tmp_path / "schema.yaml"
    assert change[0] in SCHEMA
    schema.write_text(SCHEMA.replace(*change))
    path = tmp_path / "new.csv"
    path.write_text("sku;name;kinds;made;spoken;colour;marks;out\nx;One;Comedy/Drama;1999;eo;1;t1;0\n")
    assert said in refused(store, path, "--schema", str(schema)).replace("\n", " ")


SCHEMA = """
name: tiny
interactions: {path: events.csv, user: who, item: sku, time: at}
items:
  path: items.csv
  delimiter: ";"
  id: sku
  title: name
  attributes:
    genres: {kind: multi, separator: "/", column: kinds}
    year: {kind: number, column: made}
    language: {kind: categorical, column: spoken}
    in_colour: {kind: flag, column: colour}
    tags: {kind: multi, column: marks}
    released: {kind: time, column: out, format: seconds}
"""


def test_a_schema_without_items_is_refused(store: BundleStore, tmp_path: Path) -> None:
    schema = tmp_path / "schema.yaml"
    schema.write_text(SCHEMA.partition("items:")[0])
    assert "has no section items" in refused(store, a_table(tmp_path, "x"), "--schema", str(schema))


def test_adding_items_loads_no_torch(store: BundleStore, tmp_path: Path) -> None:
    """It would be most of the time that the command takes."""
    code = (
        "import sys; from pathlib import Path; from shortlist_bundle.store import BundleStore; "
        "from shortlist_cli.new_items import add_items; add_items(BundleStore(Path(sys.argv[1])), Path(sys.argv[2])); "
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(store.root), str(a_table(tmp_path, "x"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False"]
