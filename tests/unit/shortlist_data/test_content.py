"""Content: kept with a data set, reduced by principal axes, and what models and sources make of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from shortlist_data.content import Content, ContentKind
from shortlist_data.content_features import content_columns, content_vectors
from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.features import item_static
from shortlist_data.prepared import load, save
from shortlist_data.principal_axes import fit_principal_axes
from shortlist_data.simulate import simulate

N = 30


def content_of(seed: int = 0, width: int = 6, missing: tuple[int, ...] = (0, 7)) -> Content:
    vectors = np.random.default_rng(seed).normal(size=(N, width)) + 1.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    known = ~np.isin(np.arange(N), missing)
    vectors[~known] = 0.0
    return Content(vectors.astype(np.float32), known, "encoder 1", "by hand", "digest")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    world = simulate(users=40, items=N, events=600, seed=2)
    return replace(world, content={ContentKind.TEXT: content_of(), ContentKind.IMAGE: content_of(1, 9, (3, 7))})


def test_content_is_written_and_read_with_the_data_set(dataset: Dataset, tmp_path: Path) -> None:
    save(dataset, tmp_path / "d")
    read = load(tmp_path / "d").content
    assert set(read) == {ContentKind.TEXT, ContentKind.IMAGE}
    for kind, of_kind in dataset.content.items():
        np.testing.assert_array_equal(read[kind].vectors, of_kind.vectors)
        np.testing.assert_array_equal(read[kind].known, of_kind.known)
        assert (read[kind].encoder, read[kind].source) == ("encoder 1", "by hand")


def test_a_data_set_without_content_is_written_as_ever(dataset: Dataset, tmp_path: Path) -> None:
    save(replace(dataset, content={}), tmp_path / "d")
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [
        "dataset.json",
        "interactions.parquet",
        "items.parquet",
        "users.parquet",
    ]
    assert "content" not in (tmp_path / "d/dataset.json").read_text()
    assert load(tmp_path / "d").content == {}


@pytest.mark.parametrize("name", ["content_text.npy", "content_text_known.npy"])
def test_damaged_content_is_refused(dataset: Dataset, tmp_path: Path, name: str) -> None:
    save(dataset, tmp_path / "d")
    content = bytearray((tmp_path / "d" / name).read_bytes())
    content[-1] ^= 1
    (tmp_path / "d" / name).write_bytes(content)
    with pytest.raises(DataRefused, match=name):
        load(tmp_path / "d")


@pytest.mark.parametrize(
    ("vectors", "known"),
    [
        (np.ones((3, 2), np.float32), np.ones(3, np.bool_)),
        (np.zeros((3, 2), np.float32), np.ones(3, np.bool_)),
        (np.eye(3, dtype=np.float32), np.array([True, True, False])),
        (np.full((3, 2), np.nan, np.float32), np.ones(3, np.bool_)),
        (np.eye(3), np.ones(3, np.bool_)),
        (np.eye(3, dtype=np.float32), np.ones(2, np.bool_)),
    ],
)
def test_vectors_are_of_length_1_where_known_and_zeros_elsewhere(
    vectors: NDArray[np.float32], known: NDArray[np.bool_]
) -> None:
    with pytest.raises(ValueError, match="content"):
        Content(vectors, known, "encoder", "source")


def test_principal_axes_are_those_of_scikit_learn_with_the_largest_coordinate_positive() -> None:
    vectors = np.random.default_rng(3).normal(size=(200, 8)) @ np.diag(np.arange(1, 9)) + 5.0
    ours, theirs = fit_principal_axes(vectors, 5), PCA(5).fit(vectors)
    signs = np.sign(np.take_along_axis(theirs.components_, np.abs(theirs.components_).argmax(1)[:, None], 1))
    np.testing.assert_allclose(ours.axes, theirs.components_ * signs, atol=1e-8)
    np.testing.assert_allclose(ours.variances, theirs.explained_variance_ * 199 / 200)
    np.testing.assert_allclose(ours.project(vectors), theirs.transform(vectors) * signs.ravel(), atol=1e-8)


def test_vectors_that_vary_in_fewer_directions_have_fewer_axes() -> None:
    plane = np.random.default_rng(3).normal(size=(50, 2)) @ np.random.default_rng(4).normal(size=(2, 7))
    assert fit_principal_axes(plane, 5).axes.shape == (2, 7)
    assert fit_principal_axes(np.ones((4, 7)), 5).axes.shape == (0, 7)
    assert fit_principal_axes(plane, 5).project(plane[:0]).shape == (0, 2)


def test_columns_are_coordinates_of_a_common_scale_and_say_what_is_missing(dataset: Dataset) -> None:
    of_kind = dataset.content[ContentKind.TEXT]
    columns, names = content_columns(dataset.content, {ContentKind.TEXT: 3})
    assert names == ("content_text_00", "content_text_01", "content_text_02", "content_text_missing")
    known = of_kind.known
    np.testing.assert_array_equal(columns[:, 3], (~known).astype(np.float32))
    assert not columns[~known, :3].any()
    assert np.square(columns[known, :3]).sum(axis=1).mean() == pytest.approx(1.0, rel=1e-5)
    reference = PCA(3).fit_transform(of_kind.vectors[known].astype(np.float64))
    ratio = np.abs(columns[known, :3]) / np.abs(reference)
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)


def test_items_have_content_columns_only_where_asked_for_and_there(dataset: Dataset) -> None:
    plain, plain_names = item_static(dataset)
    both, names = item_static(dataset, {ContentKind.TEXT: 2, ContentKind.IMAGE: 3})
    assert names == (
        *plain_names,
        *("content_image_00", "content_image_01", "content_image_02", "content_image_missing"),
        *("content_text_00", "content_text_01", "content_text_missing"),
    )
    np.testing.assert_array_equal(both[:, : plain.shape[1]], plain)
    without, same = item_static(replace(dataset, content={}), {ContentKind.TEXT: 2})
    assert same == plain_names
    np.testing.assert_array_equal(without, plain)


def test_likeness_is_the_weighted_mean_of_the_kinds_cosines(dataset: Dataset) -> None:
    vectors = content_vectors(dataset.content, dict.fromkeys(ContentKind, 100), {"text": 0.6, "image": 0.2})  # type: ignore[dict-item]

    def cosine(kind: ContentKind, a: int, b: int) -> float:
        of_kind = dataset.content[kind]
        centred = of_kind.vectors.astype(np.float64) - of_kind.vectors[of_kind.known].mean(axis=0)
        return float(centred[a] @ centred[b] / np.linalg.norm(centred[a]) / np.linalg.norm(centred[b]))

    expected = 0.75 * cosine(ContentKind.TEXT, 1, 2) + 0.25 * cosine(ContentKind.IMAGE, 1, 2)
    assert float(vectors[1] @ vectors[2]) == pytest.approx(expected, abs=1e-5)
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[7] == 0.0
    np.testing.assert_allclose(np.delete(lengths, 7), 1.0, rtol=1e-5)
    # Row 3 has no image: its text is all of it.
    text = content_vectors(dataset.content, dict.fromkeys(ContentKind, 100), {ContentKind.TEXT: 1.0})
    assert float(vectors[3] @ vectors[1]) == pytest.approx(float(text[3] @ text[1]) * np.sqrt(0.75), abs=1e-5)


def test_without_content_there_is_no_vector() -> None:
    assert content_vectors({}, {}, {}).shape == (0, 0)
    assert content_vectors({ContentKind.TEXT: content_of()}, {}, {ContentKind.IMAGE: 1.0}).shape == (N, 0)
