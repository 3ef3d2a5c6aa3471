"""A whole bundle of a few dozen items, made in milliseconds: what tests of stages serve from."""

from __future__ import annotations

import io
import json
from array import array
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import polars
from numpy.typing import NDArray

from shortlist_bundle import blob_table, golden, layout
from shortlist_bundle.actor_inputs import ModelInputs, actor_inputs
from shortlist_bundle.arrays import array_bytes
from shortlist_bundle.content import ContentTable, EventWeights, content_files
from shortlist_bundle.feature_list import FeatureList, Vocabulary
from shortlist_bundle.item_attributes import item_attributes_file
from shortlist_bundle.manifest import DataWindow, Manifest
from shortlist_bundle.neighbours import neighbour_scores_of
from shortlist_bundle.session import Session
from shortlist_bundle.store import BundleStore, Release
from shortlist_bundle.user_ids import users_file
from shortlist_bundle.user_vectors import directions, scales_of
from shortlist_domain.features import user_numbers
from shortlist_domain.filters import AttributeKind
from shortlist_domain.stages import ActorFeatures
from shortlist_testing import tiny_models

GENRES = ("Comedy", "Drama", "Horror", "Western")
NOW_S = 1_700_000_000.0
"""Moment of the golden requests: 2023-11-14, 22:13 UTC."""

CALIBRATION = (0.8, -1.0)
"""Slope and intercept."""

FEATURES = FeatureList(
    history_length=20,
    user_categories=(Vocabulary("gender", ("F", "M")), Vocabulary("age", ("18", "25", "35"))),
    user_numbers=("user_count", "user_mean"),
    context_numbers=("hour_of_day",),
    item_numbers=("item_count", "item_mean", "neighbour_score"),
    item_columns=tuple(f"genres={genre}" for genre in GENRES),
    head_weights={"click": 1.0, "rating": 0.5},
    source_quotas={"two_tower": 0.5, "item_neighbours": 0.3, "popular": 0.1},
)


def tiny_bundle(
    folder: Path, n_items: int = 60, dim: int = 9, seed: int = 0, *, content: bool = False, users: bool = False
) -> Release:
    """Write a bundle into the store at ``folder`` and make it current.

    Items belong to one of four genres by turns, and lie near their genre's direction in the embedding space; so an
    actor's last event pulls items of its genre up. The same arguments give the same bundle, byte for byte.

    Args:
        folder: Root of the store; may hold releases already.
        n_items: Catalogue size, at least 8. Ids are ``item-000``, ...; every seventh has odd characters in its id.
        dim: Embedding size, at least 6: four genres, noise, and the item's bias.
        seed: Another seed is another bundle over the same item ids.
        content: Whether items have content: every fifth has none, that of the others lies near their genre's.
        users: Whether it has user vectors.
    """
    files = tiny_files(n_items, dim, seed)
    files |= tiny_content(n_items) if content else {}
    return publish(folder, files | (tiny_users(n_items, dim, seed) if users else {}))


def tiny_content(n_items: int) -> dict[str, bytes]:
    """Return the optional files of a bundle of ``n_items`` with content."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(0.0, 0.1, (n_items, len(GENRES) + 2))
    vectors[np.arange(n_items), np.arange(n_items) % len(GENRES)] += 1.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[::5] = 0.0
    return content_files(ContentTable(vectors.astype(np.float16), EventWeights(5.0, 3.0, 1.0)))


def tiny_users(
    n_items: int = 60, dim: int = 9, seed: int = 0, *, tenant: str = "", count: int = 24
) -> dict[str, bytes]:
    """Return the optional files of a tiny bundle with users, :func:`tiny_user_id` of 0 to ``count - 1``."""
    embeddings = tiny_embeddings([tiny_user(n, n_items) for n in range(count)], n_items, dim, seed)
    items = np.load(io.BytesIO(tiny_files(n_items, dim, seed)[layout.ITEM_EMBEDDINGS]))
    vectors, _ = directions(embeddings)
    index = faiss.IndexFlatIP(dim - 1)
    index.add(vectors)
    return {
        layout.USERS: users_file(tenant),
        layout.USER_IDS: blob_table.encode(tiny_user_id(n).encode() for n in range(count)),
        layout.USER_VECTORS: array_bytes(vectors),
        layout.USER_SCALES: array_bytes(scales_of(embeddings, items)),
        layout.USER_INDEX: faiss.serialize_index(index).tobytes(),
    }


def tiny_user_id(number: int) -> str:
    """Return the external id of a user of :func:`tiny_users`; in row order, some with odd characters."""
    return f"user-{number:03d}{' {ü}/日' if number % 5 == 3 else ''}"


def tiny_user(number: int, n_items: int = 60) -> ActorFeatures:
    """Return a user of :func:`tiny_users`, as of its last event: a few events, mostly on one genre, and a gender."""
    rows = [(number + len(GENRES) * (number + step)) % n_items for step in range(2 + number % 3)]
    rows.append((3 * number + 1) % n_items)
    values = [float(1 + (number + step) % 5) for step in range(len(rows))]
    return ActorFeatures(
        now_s=NOW_S - 1000.0 * number,
        attributes={"gender": "FM"[number % 2]},
        numbers=user_numbers(values),
        history_rows=array("I", rows),
        history_values=array("f", values),
        history_times_s=array("d", [NOW_S - 1000.0 * number - 60.0 * age for age in reversed(range(len(rows)))]),
    )


def tiny_embeddings(of: list[ActorFeatures], n_items: int = 60, dim: int = 9, seed: int = 0) -> NDArray[np.float32]:
    """Return what the user tower of a tiny bundle gives for actors, ``(a, dim)``."""
    tower = tiny_files(n_items, dim, seed)[layout.USER_TOWER]
    session = Session(tower, tuple(actor_inputs(of[0], FEATURES)), ("embedding",))
    return np.concatenate([session.run(actor_inputs(actor, FEATURES))[0] for actor in of])


def publish(folder: Path, files: dict[str, bytes]) -> Release:
    """Write ``files`` as a bundle into the store at ``folder`` and make it current."""
    store = BundleStore(folder)
    bundle = store.add(files, MANIFEST)
    current = store.current()
    return store.publish(bundle.bundle_id, current.generation if current else 0)


MANIFEST = Manifest(
    bundle_id="tiny",
    generation=0,
    parent="",
    created_at="2023-11-14T22:13:20+00:00",
    git_commit="unknown",
    data_window=DataWindow("tiny", NOW_S - 1e6, NOW_S, interactions=1000, users=10, items=60),
    models={"retrieval": "tiny", "index": "flat", "ranker": "linear"},
    metrics={},
)


def item_ids(n_items: int) -> list[str]:
    """Return the external ids of a tiny bundle, in row order."""
    odd = (" {a}/ü", "?=&#", "-日本", "'\"<b>")
    width = max(3, len(str(n_items - 1)))
    return [f"item-{i:0{width}d}{odd[i // 7 % len(odd)] if i % 7 == 3 else ''}" for i in range(n_items)]


def tiny_attributes(n_items: int) -> dict[str, tuple[AttributeKind, list[Any]]]:
    """Return the attributes of a tiny bundle's items, of every kind, by name; most have gaps."""
    rows = range(n_items)
    return {
        "title": (AttributeKind.TEXT, [f"Film {i} ({1980 + i % 40})" for i in rows]),
        "genres": (AttributeKind.TEXTS, [[GENRES[i % len(GENRES)]] for i in rows]),
        "year": (AttributeKind.NUMBER, [None if i % 9 == 8 else 1980.0 + i % 40 for i in rows]),
        "language": (AttributeKind.TEXT, [(None, "en", "de", "日本語", "en")[i % 5] for i in rows]),
        "in_colour": (AttributeKind.FLAG, [(True, False, True, None)[i % 4] for i in rows]),
        "released": (AttributeKind.TIME, [None if i % 7 == 6 else NOW_S - 86_400.0 * i for i in rows]),
        "tags": (AttributeKind.TEXTS, [[f"t{j}" for j in range(1, i % 4)] for i in rows]),
    }


_LISTED = 1000
"""Most items of a popular list."""


def tiny_items(n_items: int) -> polars.DataFrame:
    """Return the items table of a tiny bundle."""
    columns = {name: column for name, (_, column) in tiny_attributes(n_items).items()}
    moments = [None if s is None else datetime.fromtimestamp(s, UTC) for s in columns.pop("released")]
    return polars.DataFrame({"item_id": item_ids(n_items), **columns, "released": moments})


def tiny_files(n_items: int = 60, dim: int = 9, seed: int = 0) -> dict[str, bytes]:
    """Return the files of a tiny bundle by name; arguments as :func:`tiny_bundle`."""
    if n_items < 8 or dim < len(GENRES) + 2:
        raise ValueError(f"n_items {n_items} must be at least 8 and dim {dim} at least {len(GENRES) + 2}")
    rng = np.random.default_rng(seed)
    genre = np.arange(n_items) % len(GENRES)
    counts = np.round(200.0 * rng.permutation(n_items) / n_items) + 5.0
    means = rng.uniform(2.5, 4.5, n_items)
    embeddings = np.zeros((n_items, dim), np.float32)
    embeddings[:, :-1] = rng.normal(0.0, 0.15, (n_items, dim - 1))
    embeddings[np.arange(n_items), genre] += 1.0
    embeddings[:, -1] = 0.1 * np.log1p(counts)
    start = np.zeros(dim, np.float32)
    start[-1] = 1.0
    categories = [rng.normal(0.0, 0.3, (len(v.values) + 1, dim)).astype(np.float32) for v in FEATURES.user_categories]
    for table in categories:
        table[0], table[:, -1] = 0.0, 0.0
    one_hot = np.eye(len(GENRES), dtype=np.float32)[genre]
    ids = item_ids(n_items)
    table_of_items = tiny_items(n_items)
    titles, genres = table_of_items["title"], table_of_items["genres"].to_list()
    popular = np.argsort(-counts, kind="stable")[:_LISTED]
    neighbour_rows, neighbour_scores = _neighbours(embeddings[:, :-1], m=6)
    index = faiss.IndexFlatIP(dim)
    index.add(embeddings)
    files = {
        layout.ITEM_IDS: blob_table.encode(i.encode() for i in ids),
        layout.ITEM_DISPLAY: blob_table.encode(
            json.dumps({"title": t, "genres": g}).encode() for t, g in zip(titles, genres, strict=True)
        ),
        layout.ITEM_ATTRIBUTES: item_attributes_file(n_items, tiny_attributes(n_items)),
        layout.POPULAR: json.dumps(
            {
                "overall": popular.tolist(),
                "segment_order": ["gender"],
                "segments": {
                    "gender=F": np.argsort(-counts * (1 + genre % 2), kind="stable")[:_LISTED].tolist(),
                    "gender=M": np.argsort(-counts * (2 - genre % 2), kind="stable")[:_LISTED].tolist(),
                },
            }
        ).encode(),
        layout.FEATURE_LIST: FEATURES.to_json(),
        layout.ITEMS: _ipc(table_of_items),
        layout.ITEM_EMBEDDINGS: array_bytes(embeddings),
        layout.ITEM_FEATURES: array_bytes(one_hot),
        layout.ITEM_COUNTERS: array_bytes(np.stack([counts, counts * means], axis=1)),
        layout.ITEM_TIMES: array_bytes(tiny_times(n_items)),
        layout.NEIGHBOUR_ROWS: array_bytes(neighbour_rows),
        layout.NEIGHBOUR_SCORES: array_bytes(neighbour_scores),
        layout.INDEX: faiss.serialize_index(index).tobytes(),
        layout.USER_TOWER: tiny_models.user_tower(embeddings, categories, start, FEATURES.history_length),
        layout.ITEM_TOWER: tiny_models.item_tower(rng.normal(0, 1, (len(GENRES), dim)).astype(np.float32)),
        layout.RANKER: tiny_models.ranker(
            dim, 1, np.full(len(GENRES), 0.1, np.float32), np.array([0.002, 0.2, 0.5], np.float32), hour=0.01
        ),
        layout.CALIBRATION: json.dumps(
            {"method": "platt", "slope": CALIBRATION[0], "intercept": CALIBRATION[1]}
        ).encode(),
    }
    files[layout.GOLDEN] = golden.to_json(
        _golden(files, embeddings, one_hot, neighbour_rows, neighbour_scores, counts, means)
    )
    return files


def tiny_times(n_items: int) -> NDArray[np.float64]:
    """Return when the items came, ``(n, 2)``: every seventh at a time that is not known, the others in some order."""
    days = (np.arange(n_items) * 37) % n_items
    known = np.arange(n_items) % 7 != 3
    return np.stack([known.astype(np.float64), np.where(known, NOW_S - 86_400.0 * (1.0 + days), 0.0)], axis=1)


_COMPARED = 1000
"""Items up to which each is compared with all others to find its neighbours; of more, with so many of them."""


def _neighbours(vectors: NDArray[np.float32], m: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    others = np.arange(min(len(units), _COMPARED))
    cosines = units @ units[others].T
    cosines[others, others] = -1.0
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :m].astype(np.int32)
    scores = np.take_along_axis(cosines, rows, axis=1).astype(np.float32)
    rows[scores < 0.5] = -1
    scores[scores < 0.5] = 0.0
    return rows, scores


def _ipc(table: polars.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_ipc(buffer, compression="uncompressed")
    return buffer.getvalue()


def actors(n_items: int) -> list[ActorFeatures]:
    """Return actors with a long, a short and no history, with and without attributes."""
    lengths = (35, 3, 1, 0, 0)
    attributes: tuple[dict[str, str], ...] = (
        {"gender": "F", "age": "25"},
        {"gender": "M"},
        {},
        {"gender": "M", "age": "unheard of"},
        {},
    )
    return [
        ActorFeatures(
            now_s=NOW_S,
            attributes=of,
            numbers={"user_count": float(n), "user_mean": 3.5} if n else {},
            history_rows=array("I", [(7 * i + 4 * n) % n_items for i in range(n)]),
            history_values=array("f", [float(1 + i % 5) for i in range(n)]),
            history_times_s=array("d", [NOW_S - 3600.0 * (n - i) for i in range(n)]),
        )
        for n, of in zip(lengths, attributes, strict=True)
    ]


def _golden(
    files: dict[str, bytes],
    embeddings: NDArray[np.float32],
    one_hot: NDArray[np.float32],
    neighbour_rows: NDArray[np.int32],
    neighbour_scores: NDArray[np.float32],
    counts: NDArray[np.float64],
    means: NDArray[np.float64],
) -> list[golden.GoldenRequest]:
    n_items = len(embeddings)
    tower = Session(files[layout.USER_TOWER], tuple(actor_inputs(actors(n_items)[0], FEATURES)), ("embedding",))
    names = ("user_embedding", "context", "item_features", "item_numbers", "item_embeddings")
    ranker = Session(files[layout.RANKER], names, ("click", "rating"))
    rows = np.arange(0, n_items, max(2, n_items // 500), dtype=np.uint32)
    requests = []
    for actor in actors(n_items):
        inputs = actor_inputs(actor, FEATURES)
        (embedding,) = tower.run(inputs)
        recent = np.array(actor.history_rows[-FEATURES.history_length :], np.int64)
        nearness = neighbour_scores_of(recent, neighbour_rows, neighbour_scores, n_items)
        numbers = np.stack([counts, means, nearness], axis=1).astype(np.float32)
        item_side: ModelInputs = {
            "user_embedding": embedding,
            "item_features": one_hot[rows],
            "item_numbers": numbers[rows],
            "item_embeddings": embeddings[rows],
        }
        logit, rating = ranker.run({**inputs, **item_side})
        click = 1.0 / (1.0 + np.exp(-(CALIBRATION[0] * logit + CALIBRATION[1])))
        requests.append(
            golden.GoldenRequest(
                actor,
                array("I", rows.tolist()),
                array("f", embedding[0].tolist()),
                array("f", click.tolist()),
                array("f", rating.tolist()),
            )
        )
    return requests
