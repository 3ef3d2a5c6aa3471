"""The vector index: exact where it says so, filtered inside, refused where it is not what it should be."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shortlist_domain.errors import BundleInvalid
from shortlist_retrieval import index as index_module
from shortlist_retrieval.index import RECALL_WANTED, VectorIndex, build_index, extend_index, try_out_in_process
from shortlist_retrieval.selection import Selection

NOTHING = np.empty(0, np.int64)


def vectors(n: int, d: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def exact(table: NDArray[np.float32], query: NDArray[np.float32], k: int, selection: Selection) -> list[int]:
    scores = table.astype(np.float64) @ query
    return sorted(np.flatnonzero(selection.mask).tolist(), key=lambda row: (-scores[row], row))[:k]


def ivf(table: NDArray[np.float32], nlist: int = 16, nprobe: int = 4) -> bytes:
    made = faiss.IndexIVFFlat(faiss.IndexFlatIP(table.shape[1]), table.shape[1], nlist, faiss.METRIC_INNER_PRODUCT)
    made.cp.min_points_per_centroid = 1
    made.train(table)
    made.add(table)
    made.nprobe = nprobe
    return bytes(faiss.serialize_index(made).tobytes())


def let_pass(_: object) -> None:
    """Stands for a trial that went well; the trial itself has tests of its own."""


TABLE = vectors(700, 8)
FLAT = VectorIndex(build_index(TABLE)[0], TABLE)
IVF = VectorIndex(ivf(TABLE), TABLE, let_pass)


@pytest.mark.parametrize("excluded", [0, 10, 500, 695, 699, 700])
@pytest.mark.parametrize("k", [0, 1, 50, 700, 2000])
def test_flat_search_equals_the_exact_answer_under_any_exclusion(excluded: int, k: int) -> None:
    query = vectors(1, 8, seed=5)[0]
    selection = Selection(700, np.random.default_rng(1).permutation(700)[:excluded])
    rows, scores = FLAT.search(query, k, selection)
    assert rows.tolist() == exact(TABLE, query, k, selection)
    np.testing.assert_allclose(scores, TABLE[rows] @ query, rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0), st.integers(0, 750))
def test_no_search_returns_padding_a_duplicate_or_an_excluded_row(seed: int, share: float, k: int) -> None:
    rng = np.random.default_rng(seed)
    selection = Selection(700, np.flatnonzero(rng.random(700) < share))
    for index in (FLAT, IVF):
        rows, scores = index.search(rng.normal(size=8).astype(np.float32), k, selection)
        assert len(rows) == len(set(rows.tolist())) == min(k, selection.count)
        assert selection.mask[rows].all()
        assert np.all(np.diff(scores) <= 0)


def test_an_ivf_search_goes_to_the_index_where_many_rows_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "SCAN_BELOW", 10)
    query, selection = vectors(1, 8, seed=5)[0], Selection(700, np.arange(300))
    rows, _ = IVF.search(query, 20, selection)
    truth = exact(TABLE, query, 20, selection)
    assert selection.mask[rows].all()
    assert len(set(rows.tolist()) & set(truth)) >= 10
    # More rows than the visited cells hold: answered by the exact scan, not padded.
    rows, _ = IVF.search(query, 400, selection)
    assert sorted(rows.tolist()) == list(range(300, 700))


def test_an_allow_list_is_honoured_and_exclusion_wins() -> None:
    selection = Selection(700, np.array([3, 3]), np.array([1, 2, 3, 2]))
    assert sorted(FLAT.search(TABLE[3], 10, selection)[0].tolist()) == [1, 2]
    assert FLAT.search(TABLE[3], 10, Selection(700, NOTHING, NOTHING))[0].tolist() == []


def test_a_small_catalogue_gets_a_flat_index() -> None:
    content, facts = build_index(TABLE)
    assert facts == {"kind": 0.0, "n": 700.0, "d": 8.0, "nlist": 0.0, "nprobe": 0.0, "recall": 1.0}
    assert build_index(TABLE)[0] == content


def test_a_large_catalogue_gets_an_ivf_index_with_the_recall_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "FLAT_BELOW", 5000)
    monkeypatch.setattr(index_module, "SCAN_BELOW", 100)
    table = vectors(6000, 16)
    content, facts = build_index(table)
    assert facts["kind"] == 1.0
    assert facts["recall"] >= 0.98
    assert facts["nprobe"] <= facts["nlist"]
    index = VectorIndex(content, table, let_pass)
    assert index.kind == "ivf"
    everything = Selection(6000, NOTHING)
    found = index.search(table[7], 200, everything)[0]
    assert len(set(found.tolist()) & set(exact(table, table[7], 200, everything))) >= 180


@pytest.mark.parametrize(
    "content",
    [b"", b"IxFI", b"IxHN" + b"\0" * 80, build_index(TABLE[:699])[0], build_index(vectors(700, 8, seed=1))[0]],
    ids=["empty", "head only", "another kind", "too few", "other vectors"],
)
def test_an_index_that_does_not_fit_is_refused(content: bytes) -> None:
    with pytest.raises(BundleInvalid):
        VectorIndex(content, TABLE)


def test_an_ivf_index_of_another_size_is_refused() -> None:
    with pytest.raises(BundleInvalid, match="600"):
        VectorIndex(ivf(TABLE[:600]), TABLE, let_pass)


def test_the_trial_process_accepts_a_good_index_and_refuses_garbage() -> None:
    good = ivf(TABLE)
    try_out_in_process(good)
    with pytest.raises(BundleInvalid, match="ends a process"):
        try_out_in_process(good[:8] + b"\xff" * 64 + good[72:])
    with pytest.raises(BundleInvalid, match="ends a process"):
        try_out_in_process(good[: len(good) // 2])


def test_a_flat_index_with_vectors_behind_is_that_of_all() -> None:
    more = np.concatenate([TABLE, vectors(30, 8, seed=9)])
    assert extend_index(more, build_index(TABLE)[0]) == build_index(more)


@pytest.mark.parametrize("nprobe", [1, 16])
def test_an_approximate_index_takes_vectors_behind_and_recall_is_measured_anew(nprobe: int) -> None:
    more = np.concatenate([TABLE, vectors(30, 8, seed=9)])
    content, facts = extend_index(more, ivf(TABLE, nprobe=nprobe))
    index = VectorIndex(content, more, let_pass)
    assert (index.kind, facts["kind"], facts["n"], facts["d"], facts["nlist"]) == ("ivf", 1.0, 730.0, 8.0, 16.0)
    assert facts["recall"] >= RECALL_WANTED
    assert facts["nprobe"] >= nprobe
    everything = Selection(730, NOTHING)
    for row in range(700, 730):
        found, _ = index.search(more[row], 730, everything)
        assert sorted(found.tolist()) == list(range(730))


def test_cells_are_trained_again_where_many_vectors_came_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "FLAT_BELOW", 100)
    more = np.concatenate([TABLE, vectors(200, 8, seed=9)])
    assert extend_index(more, ivf(TABLE))[1]["nlist"] == float(int(4 * 900**0.5))
    assert extend_index(more[:720], ivf(TABLE))[1]["nlist"] == 16.0
