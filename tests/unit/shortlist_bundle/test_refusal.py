"""Damaged and hostile bundles: refused whole, and what served before goes on serving."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shortlist_bundle import blob_table, layout
from shortlist_bundle.arrays import array_bytes
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.host import BundleHost
from shortlist_bundle.store import BundleStore
from shortlist_ranking.loading import LoadedRanker
from shortlist_retrieval.wiring import load_shelf
from shortlist_testing import tiny_models
from shortlist_testing.tiny_bundle import item_ids, publish, tiny_content, tiny_files, tiny_user_id, tiny_users

GOOD, NEXT = tiny_files(seed=0), tiny_files(seed=1)
LOADERS: dict[str, Callable[[Bundle], object]] = {"retrieval": load_shelf, "ranking": LoadedRanker}


@pytest.fixture(params=LOADERS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> BundleHost[object]:
    """A host that serves a good bundle."""
    publish(tmp_path, GOOD)
    made: BundleHost[object] = BundleHost(BundleStore(tmp_path), LOADERS[request.param])
    assert made.poll()
    return made


def assert_refused(host: BundleHost[object]) -> None:
    before = host.held()
    assert not host.poll()
    assert host.held() == before


@pytest.mark.parametrize("name", [layout.MANIFEST, *layout.REQUIRED])
@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "longer"])
def test_a_damaged_file_is_refused_before_it_is_parsed(
    host: BundleHost[object], tmp_path: Path, name: str, damage: str
) -> None:
    release = publish(tmp_path, NEXT)
    path = tmp_path / "bundles" / release.bundle_id / name
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 0x10
    elif damage == "truncate":
        del content[-1]
    elif damage == "empty":
        content.clear()
    else:
        content.append(0)
    path.write_bytes(content)
    assert_refused(host)


def changed(name: str, content: bytes) -> dict[str, bytes]:
    return {**NEXT, name: content}


CONTENT = tiny_content(60)
WITHOUT_MEAN = json.dumps({"half_life": 5.0, "value_deviation": 1.0}).encode()
WRONG_CONTENT = {
    "other items": {**CONTENT, layout.CONTENT_EMBEDDINGS: array_bytes(np.ones((59, 4), np.float16))},
    "not finite": {**CONTENT, layout.CONTENT_EMBEDDINGS: array_bytes(np.full((60, 4), np.nan, np.float16))},
    "other type": {**CONTENT, layout.CONTENT_EMBEDDINGS: array_bytes(np.ones((60, 4), np.float32))},
    "no weights": {layout.CONTENT_EMBEDDINGS: CONTENT[layout.CONTENT_EMBEDDINGS]},
    "no vectors": {layout.CONTENT: CONTENT[layout.CONTENT]},
    "no mean": {**CONTENT, layout.CONTENT: WITHOUT_MEAN},
    "no half-life": {**CONTENT, layout.CONTENT: CONTENT[layout.CONTENT].replace(b"5.0", b"0.0")},
    "endless": {**CONTENT, layout.CONTENT: CONTENT[layout.CONTENT].replace(b"5.0", b"Infinity")},
    "no object": {**CONTENT, layout.CONTENT: b"[]"},
}


@pytest.mark.parametrize("wrong", WRONG_CONTENT)
def test_content_that_is_not_whole_is_refused_by_retrieval(tmp_path: Path, wrong: str) -> None:
    publish(tmp_path, GOOD)
    host: BundleHost[object] = BundleHost(BundleStore(tmp_path), load_shelf)
    assert host.poll()
    publish(tmp_path, {**NEXT, **WRONG_CONTENT[wrong]})
    assert_refused(host)


@pytest.mark.parametrize("name", CONTENT)
def test_damaged_content_is_refused_before_it_is_parsed(tmp_path: Path, name: str) -> None:
    publish(tmp_path, GOOD)
    host: BundleHost[object] = BundleHost(BundleStore(tmp_path), load_shelf)
    assert host.poll()
    path = tmp_path / "bundles" / publish(tmp_path, {**NEXT, **CONTENT}).bundle_id / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 0x01
    path.write_bytes(content)
    assert_refused(host)


USERS = tiny_users(seed=1)
VECTORS = np.load(io.BytesIO(USERS[layout.USER_VECTORS]))
SCALES = np.load(io.BytesIO(USERS[layout.USER_SCALES]))
IDS = [tiny_user_id(n).encode() for n in range(24)]
WRONG_USERS = {
    "no tenant": {**USERS, layout.USERS: b'{"version": 1}'},
    "no object": {**USERS, layout.USERS: b"[]"},
    "another version": {**USERS, layout.USERS: b'{"version": 2, "tenant": ""}'},
    "a tenant that is no text": {**USERS, layout.USERS: b'{"version": 1, "tenant": 7}'},
    "ids out of order": {**USERS, layout.USER_IDS: blob_table.encode([IDS[1], IDS[0], *IDS[2:]])},
    "an id twice": {**USERS, layout.USER_IDS: blob_table.encode([IDS[0], IDS[0], *IDS[2:]])},
    "an id that is not UTF-8": {**USERS, layout.USER_IDS: blob_table.encode([*IDS[:-1], b"\xff"])},
    "an empty id": {**USERS, layout.USER_IDS: blob_table.encode([b"", *IDS[1:]])},
    "nobody": {**USERS, layout.USER_IDS: blob_table.encode([])},
    "fewer ids": {**USERS, layout.USER_IDS: blob_table.encode(IDS[:-1])},
    "other width": {**USERS, layout.USER_VECTORS: array_bytes(VECTORS[:, :-1])},
    "other type": {**USERS, layout.USER_VECTORS: array_bytes(VECTORS.astype(np.float64))},
    "not finite": {**USERS, layout.USER_VECTORS: array_bytes(np.full_like(VECTORS, np.nan))},
    "not of length 1": {**USERS, layout.USER_VECTORS: array_bytes(2.0 * VECTORS)},
    "fewer scales": {**USERS, layout.USER_SCALES: array_bytes(SCALES[:-1])},
    "scales below 0": {**USERS, layout.USER_SCALES: array_bytes(SCALES - 100.0)},
    "scales of another width": {**USERS, layout.USER_SCALES: array_bytes(SCALES[:, :1])},
    "an index over others": {**USERS, layout.USER_INDEX: tiny_users(seed=2)[layout.USER_INDEX]},
    "an index that is none": {**USERS, layout.USER_INDEX: b"IxFI"},
    **{f"without {left}": {k: v for k, v in USERS.items() if k != left} for left in layout.USER_FILES},
}


@pytest.mark.parametrize("wrong", WRONG_USERS)
def test_users_that_are_not_whole_are_refused_by_retrieval(tmp_path: Path, wrong: str) -> None:
    publish(tmp_path, GOOD)
    host: BundleHost[object] = BundleHost(BundleStore(tmp_path), load_shelf)
    assert host.poll()
    publish(tmp_path, {**NEXT, **WRONG_USERS[wrong]})
    assert_refused(host)


@pytest.mark.parametrize("name", USERS)
def test_damaged_users_are_refused_before_they_are_parsed(host: BundleHost[object], tmp_path: Path, name: str) -> None:
    path = tmp_path / "bundles" / publish(tmp_path, {**NEXT, **USERS}).bundle_id / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 0x01
    path.write_bytes(content)
    assert_refused(host)


def test_users_that_are_whole_are_served(host: BundleHost[object], tmp_path: Path) -> None:
    publish(tmp_path, {**NEXT, **USERS})
    assert host.poll()


def test_content_that_is_whole_is_served(tmp_path: Path) -> None:
    publish(tmp_path, {**NEXT, **CONTENT})
    assert BundleHost(BundleStore(tmp_path), load_shelf).poll()


def test_embeddings_that_are_not_finite_are_refused(host: BundleHost[object], tmp_path: Path) -> None:
    vectors = np.zeros((60, 9), np.float32)
    vectors[3, 3] = np.nan
    publish(tmp_path, changed(layout.ITEM_EMBEDDINGS, array_bytes(vectors)))
    assert_refused(host)


@pytest.mark.parametrize("shape", [(60, 8), (59, 9), (61, 9), (0, 9), (60, 0)])
def test_embeddings_of_another_shape_are_refused(
    host: BundleHost[object], tmp_path: Path, shape: tuple[int, int]
) -> None:
    publish(tmp_path, changed(layout.ITEM_EMBEDDINGS, array_bytes(np.zeros(shape, np.float32))))
    assert_refused(host)


@pytest.mark.parametrize("name", [layout.NEIGHBOUR_ROWS])
@pytest.mark.parametrize("row", [60, -2])
def test_neighbours_outside_the_catalogue_are_refused(
    host: BundleHost[object], tmp_path: Path, name: str, row: int
) -> None:
    rows = np.full((60, 6), row, np.int32)
    publish(tmp_path, changed(name, array_bytes(rows)))
    assert_refused(host)


def test_ids_out_of_order_are_refused(host: BundleHost[object], tmp_path: Path) -> None:
    ids = [i.encode() for i in item_ids(60)]
    ids[1], ids[2] = ids[2], ids[1]
    publish(tmp_path, changed(layout.ITEM_IDS, blob_table.encode(ids)))
    assert_refused(host)


def test_other_answers_to_the_golden_requests_are_refused(host: BundleHost[object], tmp_path: Path) -> None:
    requests = json.loads(NEXT[layout.GOLDEN])
    requests[0]["embedding"][0] += 0.1
    requests[0]["click"][0] += 0.1
    publish(tmp_path, changed(layout.GOLDEN, json.dumps(requests).encode()))
    assert_refused(host)


@pytest.mark.parametrize("content", [b"[]", b"[{}]", b"{", b"null", b'[{"now_s": 1e400}]', b"[" * 100_000])
def test_golden_requests_that_are_none_are_refused(host: BundleHost[object], tmp_path: Path, content: bytes) -> None:
    publish(tmp_path, changed(layout.GOLDEN, content))
    assert_refused(host)


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 64, b"\x08\x09garbage" * 40, tiny_models.item_tower(np.eye(4, 9, dtype=np.float32))]
)
def test_a_tower_that_is_none_is_refused_by_both(host: BundleHost[object], tmp_path: Path, content: bytes) -> None:
    publish(tmp_path, changed(layout.USER_TOWER, content))
    assert_refused(host)


def _mutated(content: bytes, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    broken = bytearray(content)
    for position in rng.integers(0, len(broken), 8):
        broken[position] = rng.integers(0, 256)
    return bytes(broken)


@pytest.mark.parametrize("seed", range(12))
def test_a_mutated_index_with_a_matching_digest_is_refused(tmp_path: Path, seed: int) -> None:
    publish(tmp_path, GOOD)
    host: BundleHost[object] = BundleHost(BundleStore(tmp_path), load_shelf)
    host.poll()
    publish(tmp_path, changed(layout.INDEX, _mutated(NEXT[layout.INDEX], seed)))
    assert_refused(host)


@pytest.mark.parametrize("seed", range(20))
def test_a_mutated_ranker_with_a_matching_digest_never_serves_other_scores(tmp_path: Path, seed: int) -> None:
    files = NEXT
    mutated = _mutated(files[layout.RANKER], seed)
    publish(tmp_path, {**files, layout.RANKER: mutated})
    host: BundleHost[object] = BundleHost(BundleStore(tmp_path), LoadedRanker)
    # A mutation may hit a name or a comment that changes nothing; whatever is taken has passed the golden requests.
    if host.poll():
        assert host.is_ready()
    else:
        assert "no bundle" in host.why_not_ready()


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b'{"method": "isotonic", "slope": 1, "intercept": 0}',
        b'{"method": "platt", "slope": -1, "intercept": 0}',
        b'{"method": "platt", "slope": NaN, "intercept": 0}',
    ],
)
def test_a_calibration_that_is_none_is_refused_by_ranking(tmp_path: Path, content: bytes) -> None:
    publish(tmp_path, changed(layout.CALIBRATION, content))
    host: BundleHost[object] = BundleHost(BundleStore(tmp_path), LoadedRanker)
    assert not host.poll()


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b'{"overall": [60], "segment_order": [], "segments": {}}',
        b'{"overall": [1, 1], "segment_order": [], "segments": {}}',
        b'{"overall": [true], "segment_order": [], "segments": {}}',
    ],
)
def test_popular_lists_that_are_none_are_refused_by_retrieval(tmp_path: Path, content: bytes) -> None:
    publish(tmp_path, changed(layout.POPULAR, content))
    host: BundleHost[object] = BundleHost(BundleStore(tmp_path), load_shelf)
    assert not host.poll()


def test_an_index_over_other_vectors_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, changed(layout.INDEX, tiny_files(seed=2)[layout.INDEX]))
    host: BundleHost[object] = BundleHost(BundleStore(tmp_path), load_shelf)
    assert not host.poll()
    assert "other vectors" in host.why_not_ready()


def test_a_model_with_weights_in_another_file_is_refused(tmp_path: Path) -> None:
    import onnx

    model = onnx.load_from_string(GOOD[layout.RANKER])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    publish(tmp_path, changed(layout.RANKER, model.SerializeToString()))
    host: BundleHost[object] = BundleHost(BundleStore(tmp_path), LoadedRanker)
    assert not host.poll()
