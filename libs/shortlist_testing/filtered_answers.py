"""Filtered searches by the hundred thousand: none may show what it must not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.blob_table import BlobTable, encode
from shortlist_bundle.item_attributes import ItemAttributes, item_attributes_file
from shortlist_bundle.item_ids import ItemIds
from shortlist_domain.filters import All, Any, AttributeKind, Comparison, Node, Not, Operator
from shortlist_retrieval import index as index_module
from shortlist_retrieval.filter_masks import FilterMasks
from shortlist_retrieval.index import VectorIndex
from shortlist_retrieval.selection import Selection

SHARES = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 1.0)
"""Shares of the items that pass."""


@dataclass(frozen=True, slots=True)
class World:
    """Items in clusters, with attributes that tell where they lie and ones that do not."""

    embeddings: NDArray[np.float32]
    """Shape ``(n, d)``, of length 1."""

    queries: NDArray[np.float32]
    """Shape ``(m, d)``: near mixtures of two clusters, as actors with two tastes."""

    anywhere: NDArray[np.float64]
    """A number in [0, 1) an item, which says nothing of its place."""

    together: NDArray[np.float64]
    """A number in [0, 1) an item, alike within a cluster: what is below a bound lies in a few clusters."""

    masks: FilterMasks


def world_of(n: int, d: int, seed: int, queries: int = 1000) -> World:
    """Return a world of ``n`` items in ``d`` dimensions; the same arguments give the same one."""
    random = np.random.default_rng(seed)
    clusters = max(8, n // 500)
    centres = random.normal(size=(clusters, d)).astype(np.float32)
    cluster = random.choice(clusters, n, p=random.dirichlet(np.ones(clusters)))
    embeddings = _units(centres[cluster] + random.normal(size=(n, d)).astype(np.float32))
    one, other = centres[random.integers(0, clusters, (2, queries))]
    tastes = _units(one + 0.7 * other + 0.6 * random.normal(size=(queries, d)).astype(np.float32))
    anywhere = random.random(n)
    order = random.permutation(clusters)
    together = np.empty(n)
    together[np.lexsort((random.random(n), order[cluster]))] = np.arange(n) / n
    columns = {
        "anywhere": (AttributeKind.NUMBER, anywhere.tolist()),
        "together": (AttributeKind.NUMBER, together.tolist()),
        "parity": (AttributeKind.TEXTS, [["even"] if row % 2 == 0 else ["odd"] for row in range(n)]),
    }
    ids = ItemIds(BlobTable(encode(f"{row:09d}".encode() for row in range(n))))
    masks = FilterMasks(ItemAttributes(item_attributes_file(n, columns), n), ids)
    return World(embeddings, tastes, anywhere, together, masks)


def below(name: str, share: float) -> Node:
    """Return the filter that ``share`` of a world's items pass: those below it in the attribute ``name``."""
    return Comparison(name, Operator.LESS, float(share))


def forbidden_in(answers: int, seed: int, n: int = 5000, d: int = 16) -> tuple[int, int]:
    """Search ``answers`` times under random filters, exclusions and numbers wanted; a flat index and an IVF by turns.

    Thresholds are set low, so that each kind of search has its share at this size.

    Returns:
        Items that came back, and those of them that were forbidden, or there twice. What an answer lacks of what is
        allowed counts as forbidden too.
    """
    world = world_of(n, d, seed)
    indexes = (_flat(world), _ivf(world))
    scan_below, index_module.SCAN_BELOW = index_module.SCAN_BELOW, n // 20
    try:
        counts = [
            _checked(world, indexes[at % 2], selection, query, k)
            for at, selection, query, k in _asked(world, answers, seed)
        ]
    finally:
        index_module.SCAN_BELOW = scan_below
    return sum(count for count, _ in counts), sum(wrong for _, wrong in counts)


def _asked(
    world: World, answers: int, seed: int
) -> Iterator[tuple[int, tuple[Selection, NDArray[np.bool_]], NDArray[np.float32], int]]:
    random = np.random.default_rng(seed + 1)
    n = len(world.embeddings)
    nodes = [_any_filter(random) for _ in range(200)]
    truths = [_truth(node, world) for node in nodes]
    for at in range(answers):
        which = at % len(nodes)
        excluded = random.integers(0, n, random.integers(0, 100))
        allowed = truths[which].copy()
        allowed[excluded] = False
        selection = Selection(n, excluded, None, world.masks.mask(world.masks.checked(nodes[which])))
        query = world.queries[random.integers(0, len(world.queries))]
        yield at, (selection, allowed), query, int(random.integers(1, 100))


def _any_filter(random: np.random.Generator) -> Node:
    """Return a filter of one of the shares, with some conditions around it."""
    share = SHARES[random.integers(0, len(SHARES))] * random.uniform(0.5, 1.0)
    node: Node = below(("anywhere", "together")[random.integers(0, 2)], share)
    form = random.integers(0, 4)
    parity = Comparison("parity", Operator.HAS, ("even", "odd")[random.integers(0, 2)])
    if form == 1:
        node = Not(node)
    elif form == 2:
        node = All((node, parity))
    elif form == 3:
        node = Any((node, All((parity, below("together", share)))))
    return node


def _truth(node: Node, world: World) -> NDArray[np.bool_]:
    """Return where ``node`` is true, by the numbers that the world was made of and not by its columns."""
    if isinstance(node, All | Any):
        parts: Sequence[NDArray[np.bool_]] = [_truth(child, world) for child in node.nodes]
        joined: NDArray[np.bool_] = (np.logical_and if isinstance(node, All) else np.logical_or).reduce(parts)
        return joined
    if isinstance(node, Not):
        return ~_truth(node.node, world)
    if not isinstance(node, Comparison):
        raise TypeError("there is no history here")
    found: NDArray[np.bool_]
    if node.field == "parity":
        found = np.arange(len(world.embeddings)) % 2 == (0 if node.value == "even" else 1)
    else:
        found = (world.anywhere if node.field == "anywhere" else world.together) < np.float64(str(node.value))
    return found


def _checked(
    world: World,
    index: VectorIndex,
    selection: tuple[Selection, NDArray[np.bool_]],
    query: NDArray[np.float32],
    k: int,
) -> tuple[int, int]:
    asked, allowed = selection
    rows, _ = index.search(query, k, asked)
    wanted = min(k, int(np.count_nonzero(allowed)))
    wrong = int(np.count_nonzero(~allowed[rows])) + len(rows) - len(np.unique(rows)) + abs(wanted - len(rows))
    return len(rows), wrong


def _units(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    units: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return units


def _flat(world: World) -> VectorIndex:
    return VectorIndex(index_module.build_index(world.embeddings)[0], world.embeddings)


def _ivf(world: World) -> VectorIndex:
    d = world.embeddings.shape[1]
    made = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, 64, faiss.METRIC_INNER_PRODUCT)
    made.train(world.embeddings)
    made.add(world.embeddings)
    made.nprobe = 4
    content = bytes(faiss.serialize_index(made).tobytes())
    return VectorIndex(content, world.embeddings, lambda _: None)
