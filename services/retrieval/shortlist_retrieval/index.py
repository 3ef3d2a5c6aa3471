"""Nearest rows by inner product: the only module that imports FAISS.

Which index (rule of :func:`build_index`): below 100,000 rows ``Flat``, which is exact and takes under a millisecond;
above, ``IVF,Flat`` with about ``4 sqrt(n)`` cells and the least ``nprobe`` (by doubling) that finds 98 % of the exact
200 nearest on a sample. Which search (rule of :meth:`VectorIndex.search`; measured by ``benchmarks/filters.py``): where
few rows are allowed, an exact scan of just those; where most are, a search for more than is wanted, of which the
allowed ones are kept; in between, and where that was not enough, the index with a bitmap of the allowed rows inside its
search, visiting more cells the fewer are allowed. An answer short of what is allowed is repeated by the scan.
"""

import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.ordering import best_first
from shortlist_domain.errors import BundleInvalid
from shortlist_retrieval.selection import Selection

faiss: Any = _faiss
"""FAISS, untyped: its stubs describe the C++ signatures, not the ones that its Python layer puts over them."""

FLAT_BELOW = 100_000
"""Rows from which an approximate index pays."""

RETRAIN_SHARE = 0.1
"""Share of vectors that come new to an approximate index above which its cells are trained again."""

RECALL_WANTED = 0.98
RECALL_AT = 200
SCAN_BELOW = 30_000
"""Allowed rows below which an approximate index gives way to an exact scan of them, 0.1 µs a row."""

SCAN_SHARE = 0.02
"""Share of the rows below which any index does."""

OVERFETCH_SHARE = 0.9
"""Share of the rows from which an approximate index fetches more than wanted, instead of asking for each whether it is
allowed. An exact one does not get faster by it."""

PROBE_EXPONENT = 0.4
"""Cells are visited in proportion to the allowed share to the power of minus this. Where 5 % lie together, 0 finds 0.71
of the nearest and 0.4 finds 0.94; where 20 % lie anywhere, 0.5 costs close to three unfiltered searches."""

_FLAT = b"IxFI"
_IVF = b"IwFl"
_FLAT_HEAD = struct.Struct("<4siqqqBiQ")
_MAX_VECTOR_BYTES = 64 << 30
_MAX_LOOPS = 1 << 24


def prepare_thread() -> None:
    """Keep FAISS from starting threads of its own for searches of this thread; the setting is one per thread."""
    faiss.omp_set_num_threads(1)


def build_index(
    embeddings: NDArray[np.float32], queries: NDArray[np.float32] | None = None
) -> tuple[bytes, dict[str, float]]:
    """Return the content of ``index.faiss`` over ``embeddings`` and facts about it.

    Args:
        embeddings: Shape ``(n, d)``, finite, n at least 1.
        queries: Vectors to measure recall with, ``(m, d)``: actor embeddings, best. ``None`` takes a seeded sample of
            ``embeddings``.

    Returns:
        Content, and ``kind`` (0 flat, 1 IVF), ``n``, ``d``, ``nlist`` and ``nprobe`` (0 for flat), and ``recall``:
        share of the exact 200 nearest that the index finds on the sample.
    """
    n, d = embeddings.shape
    if n < 1 or not np.isfinite(embeddings).all():
        raise ValueError(f"embeddings {embeddings.shape} must have rows and be finite")
    embeddings = np.ascontiguousarray(embeddings, np.float32)
    exact = faiss.IndexFlatIP(d)
    exact.add(embeddings)
    facts = {"kind": 0.0, "n": float(n), "d": float(d), "nlist": 0.0, "nprobe": 0.0, "recall": 1.0}
    if n < FLAT_BELOW:
        return faiss.serialize_index(exact).tobytes(), facts
    rng = np.random.default_rng(0)
    if queries is None:
        queries = embeddings[rng.choice(n, 256, replace=False)]
    nlist = int(4 * n**0.5)
    ivf = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, nlist, faiss.METRIC_INNER_PRODUCT)
    ivf.cp.seed, ivf.cp.niter = 1234, 10
    ivf.train(embeddings[np.sort(rng.choice(n, min(n, 50 * nlist), replace=False))])
    ivf.add(embeddings)
    ivf.nprobe = 8
    facts |= _tuned(ivf, exact.search(queries, RECALL_AT)[1], queries)
    return faiss.serialize_index(ivf).tobytes(), facts


def extend_index(embeddings: NDArray[np.float32], base: bytes) -> tuple[bytes, dict[str, float]]:
    """Return what :func:`build_index` does for ``embeddings``, of which the first are in the index ``base`` already.

    An approximate index keeps its cells as long as few vectors came behind: training them is what takes long. Recall is
    measured anew, and ``nprobe`` doubled where it fell short.

    Raises:
        BundleInvalid: FAISS refuses ``base``.
    """
    n, d = embeddings.shape
    if base[:4] != _IVF:
        return build_index(embeddings)
    ivf = parse(base)
    if ivf.d != d or not (1.0 - RETRAIN_SHARE) * n <= ivf.ntotal <= n:
        return build_index(embeddings)
    ivf.add(np.ascontiguousarray(embeddings[ivf.ntotal :]))
    queries = embeddings[np.random.default_rng(0).choice(n, 256, replace=False)]
    exact = faiss.IndexFlatIP(d)
    exact.add(np.ascontiguousarray(embeddings))
    facts = {"n": float(n), "d": float(d), **_tuned(ivf, exact.search(queries, RECALL_AT)[1], queries)}
    return faiss.serialize_index(ivf).tobytes(), facts


def _tuned(ivf: Any, truth: NDArray[np.int64], queries: NDArray[np.float32]) -> dict[str, float]:
    """Double ``nprobe`` of ``ivf``, from what it is, until enough of ``truth`` is found; return the facts of it."""
    while True:
        found = ivf.search(queries, RECALL_AT)[1]
        recall = float(np.mean([len(np.intersect1d(f, t)) / RECALL_AT for f, t in zip(found, truth, strict=True)]))
        if recall >= RECALL_WANTED or ivf.nprobe >= ivf.nlist:
            return {"kind": 1.0, "nlist": float(ivf.nlist), "nprobe": float(ivf.nprobe), "recall": recall}
        ivf.nprobe = min(2 * ivf.nprobe, ivf.nlist)


class VectorIndex:
    """An index over the embeddings of a bundle. Thread-safe for searches; nothing changes it."""

    def __init__(
        self,
        content: memoryview | bytes,
        embeddings: NDArray[np.float32],
        try_out: Callable[[memoryview | bytes], None] | None = None,
    ) -> None:
        """Load an index from verified bytes.

        Args:
            content: Content of ``index.faiss``.
            embeddings: What it must be over, shape ``(n, d)``.
            try_out: Parses an IVF index somewhere a crash does no harm and raises BundleInvalid where that fails;
                ``None`` uses a process with little memory and time.

        Raises:
            BundleInvalid: Not an index of a kind that :func:`build_index` makes, or not over ``embeddings``.
        """
        self._embeddings = embeddings
        kind = bytes(content[:4])
        if kind == _FLAT:
            _check_flat(content, embeddings)
        elif kind == _IVF:
            (try_out or try_out_in_process)(content)
        else:
            raise BundleInvalid(f"index of the kind {kind!r}; expected {_FLAT!r} or {_IVF!r}")
        self._index = parse(content)
        n, d = embeddings.shape
        if (self._index.ntotal, self._index.d, self._index.metric_type) != (n, d, faiss.METRIC_INNER_PRODUCT):
            raise BundleInvalid(
                f"index over {self._index.ntotal} x {self._index.d} with metric {self._index.metric_type}, "
                f"embeddings are {n} x {d} and the metric is the inner product"
            )
        self.kind = "flat" if kind == _FLAT else "ivf"
        self._nlist = 0 if kind == _FLAT else int(self._index.nlist)
        self._nprobe = 0 if kind == _FLAT else int(self._index.nprobe)
        if self.kind == "ivf" and not 1 <= self._nprobe <= self._nlist:
            raise BundleInvalid(f"index with nprobe {self._nprobe}, not in [1, {self._nlist}]")

    def search(
        self, query: NDArray[np.float32], k: int, selection: Selection
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the ``min(k, selection.count)`` nearest allowed rows, best first, and their inner products.

        Args:
            query: Shape ``(d,)``, finite.
            k: Rows wanted, at least 0.
            selection: Which rows may come back; no other one does.
        """
        n = len(self._embeddings)
        k = min(k, selection.count)
        if k <= 0:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        share = selection.count / n
        if share < SCAN_SHARE or (self.kind == "ivf" and selection.count < SCAN_BELOW):
            return self._scan(query, k, selection)
        if self.kind == "ivf" and share >= OVERFETCH_SHARE:
            rows, scores = self._fetched(query, k, selection)
            if len(rows) == k:
                return rows, scores
        return self._selected(query, k, selection, share)

    def _fetched(
        self, query: NDArray[np.float32], k: int, selection: Selection
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the allowed ones, at most ``k``, of somewhat more rows than ``k``."""
        n = len(self._embeddings)
        wanted = min(k + n - selection.count, int(1.1 * k * n / selection.count) + 16)
        scores, rows = self._index.search(query[None, :], wanted)
        found = rows[0][rows[0] >= 0]
        places = np.flatnonzero(selection.mask[found])[:k]
        return found[places].astype(np.int32), scores[0][places]

    def _selected(
        self, query: NDArray[np.float32], k: int, selection: Selection, share: float
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the ``k`` nearest allowed rows, asking for each row inside the search."""
        bits = faiss.IDSelectorBitmap(np.packbits(selection.mask, bitorder="little"))
        if self.kind == "flat":
            parameters = faiss.SearchParameters(sel=bits)
        else:
            # The fewer rows are allowed, the more cells it takes to find as many.
            nprobe = min(self._nlist, int(self._nprobe / share**PROBE_EXPONENT) + 1)
            parameters = faiss.SearchParametersIVF(sel=bits, nprobe=nprobe)
        scores, rows = self._index.search(query[None, :], k, params=parameters)
        if rows[0, -1] < 0:  # the cells visited do not hold k allowed rows
            return self._scan(query, k, selection)
        return rows[0].astype(np.int32), scores[0]

    def _scan(
        self, query: NDArray[np.float32], k: int, selection: Selection
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        rows = selection.rows
        scores = self._embeddings[rows] @ query
        places = best_first(scores, np.arange(len(rows)), k)
        return rows[places].astype(np.int32), scores[places]


def parse(content: memoryview | bytes) -> Any:
    """Return the index that ``content`` holds, with bounds on what FAISS may allocate and loop over.

    Raises:
        BundleInvalid: FAISS refuses it.
    """
    faiss.set_deserialization_vector_byte_limit(min(_MAX_VECTOR_BYTES, 2 * len(content) + (1 << 20)))
    faiss.set_deserialization_loop_limit(_MAX_LOOPS)
    try:
        return faiss.deserialize_index(np.frombuffer(content, np.uint8))
    except (RuntimeError, MemoryError, AssertionError, AttributeError) as error:
        raise BundleInvalid(f"FAISS refuses the index: {str(error)[:200]}") from error


def try_out_in_process(content: memoryview | bytes, timeout_s: float = 120.0) -> None:
    """Parse ``content`` and search it once in another process, which may die of it.

    Raises:
        BundleInvalid: It does not survive, or says no.
    """
    command = [sys.executable, "-m", "shortlist_retrieval.canary"]
    try:
        run = subprocess.run(command, input=content, capture_output=True, timeout=timeout_s, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise BundleInvalid(f"parsing the index takes longer than {timeout_s:g} s") from error
    if run.returncode:
        said = run.stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1][:200]
        raise BundleInvalid(f"parsing the index ends a process with {run.returncode}: {said}")


def _check_flat(content: memoryview | bytes, embeddings: NDArray[np.float32]) -> None:
    """Refuse a flat index that is not byte for byte over ``embeddings``; FAISS sees only what passes."""
    n, d = embeddings.shape
    if len(content) != _FLAT_HEAD.size + embeddings.nbytes:
        raise BundleInvalid(f"flat index of {len(content)} bytes does not hold {n} x {d} vectors")
    found = _FLAT_HEAD.unpack_from(content)
    is_trained, metric, size = found[5:]
    if found[1:3] != (d, n) or (is_trained, metric, size) != (1, faiss.METRIC_INNER_PRODUCT, n * d):
        raise BundleInvalid(f"flat index over {found[2]} x {found[1]} with metric {metric}, embeddings are {n} x {d}")
    vectors = np.frombuffer(content, np.uint8, offset=_FLAT_HEAD.size)
    if not np.array_equal(vectors, np.ascontiguousarray(embeddings).view(np.uint8).reshape(-1)):
        raise BundleInvalid("the flat index holds other vectors than the embeddings")
