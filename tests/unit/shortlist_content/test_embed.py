"""Embeddings of a data set: who has one, what is counted, what is refused, and nothing computed twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_content.embed import embed_pictures, embed_texts
from shortlist_content.encoder import Unreadable
from shortlist_data.content import ContentKind
from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.simulate import simulate


class Counting:
    """Encodes what it is given by its length, and counts."""

    name = "length 1"

    def __init__(self) -> None:
        self.calls = 0

    def encode(self, one: str | bytes) -> NDArray[np.float32]:
        self.calls += 1
        if one in ("bad", b"bad"):
            raise Unreadable("it is bad")
        angle = float(len(one))
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


class Shown:
    """Pictures out of a mapping; what is an error there is raised."""

    name = "shown"

    def __init__(self, files: Mapping[str, bytes | OSError]) -> None:
        self._files = files
        self.ids: Sequence[str] = sorted(files)

    def read(self, item_id: str) -> bytes:
        file = self._files[item_id]
        if isinstance(file, OSError):
            raise file
        return file


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return simulate(users=30, items=40, events=400, seed=2)


def test_items_without_a_text_are_without_content_and_unknown_ids_are_counted(dataset: Dataset) -> None:
    texts = {dataset.item_ids[3]: "abc", dataset.item_ids[7]: "abcd", "nobody": "x"}
    steps: list[tuple[str, int, int]] = []
    found = embed_texts(dataset, texts, "by hand", Counting(), lambda *step: steps.append(step))
    assert found.content.known.nonzero()[0].tolist() == [3, 7]
    np.testing.assert_allclose(
        found.content.vectors[[3, 7]], [[np.cos(3), np.sin(3)], [np.cos(4), np.sin(4)]], rtol=1e-6
    )
    assert not found.content.vectors[[0, 1, 2]].any()
    assert (found.unknown, found.unreadable, found.is_new) == (1, {}, True)
    assert (found.content.encoder, found.content.source) == ("length 1", "by hand")
    assert steps == [("text", 1, 2), ("text", 2, 2)]


def test_ids_of_another_data_set_are_refused_with_what_ids_look_like(dataset: Dataset) -> None:
    with pytest.raises(DataRefused, match=r"none of the 2 ids of films is an item of .*, whose ids are like"):
        embed_texts(dataset, {"x": "a", "y": "b"}, "films", Counting(), silent)


def test_pictures_that_cannot_be_read_are_counted_and_their_items_are_without_content(dataset: Dataset) -> None:
    files: dict[str, bytes | OSError] = dict.fromkeys(dataset.item_ids, b"good")
    files[dataset.item_ids[5]], files[dataset.item_ids[8]] = b"bad", OSError("gone")
    found = embed_pictures(dataset, Shown(files), Counting(), silent)
    assert found.unreadable == {dataset.item_ids[5]: "it is bad", dataset.item_ids[8]: "gone"}
    assert (~found.content.known).nonzero()[0].tolist() == [5, 8]


def test_too_many_that_cannot_be_read_are_refused(dataset: Dataset) -> None:
    files: dict[str, bytes | OSError] = dict.fromkeys(dataset.item_ids, b"good")
    files |= dict.fromkeys(dataset.item_ids[:3], b"bad")  # 3 of 40: more than one in twenty
    with pytest.raises(
        DataRefused, match=f"3 of 40 inputs of shown .*5% are allowed; the first: {dataset.item_ids[0]}"
    ):
        embed_pictures(dataset, Shown(files), Counting(), silent)
    with pytest.raises(DataRefused, match="1 of 1 inputs"):
        embed_pictures(dataset, Shown({dataset.item_ids[0]: b"bad"}), Counting(), silent)


def test_the_same_inputs_are_not_encoded_again_and_others_are(dataset: Dataset) -> None:
    files: dict[str, bytes | OSError] = {**dict.fromkeys(dataset.item_ids, b"good"), dataset.item_ids[2]: b"bad"}
    first = embed_pictures(dataset, Shown(files), Counting(), silent)
    held = replace(dataset, content={ContentKind.IMAGE: first.content})
    idle = Counting()
    again = embed_pictures(held, Shown(files), idle, silent)
    assert idle.calls == 0
    assert not again.is_new
    assert again.content is first.content
    assert list(again.unreadable) == [dataset.item_ids[2]]
    changed = embed_pictures(held, Shown({**files, dataset.item_ids[9]: b"better"}), idle, silent)
    assert changed.is_new
    assert idle.calls == 40
    other = Counting()
    other.name = "length 2"
    assert embed_pictures(held, Shown(files), other, silent).is_new
