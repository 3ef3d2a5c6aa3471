"""``shortlist data embed`` as a person types it, with encoders of a few numbers."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from shortlist_cli.data_commands import app
from shortlist_data.assemble import assemble
from shortlist_data.content import ContentKind
from shortlist_data.dataset import ReadReport
from shortlist_data.prepared import load, save
from shortlist_testing.tiny_encoders import picture, write_clip, write_image_encoder, write_text_encoder


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def data(tmp_path: Path) -> Path:
    titles = ["war", "love and war", "space dog", None, "robot"]
    items = pl.DataFrame({"item_id": list("abcde"), "title": titles})
    events = [("u", item, 1.0, float(at)) for at, item in enumerate("abcde")]
    frame = pl.DataFrame(events, schema=["user_id", "item_id", "value", "time_s"], orient="row")
    save(assemble("shop", frame, pl.DataFrame({"user_id": ["u"]}), items, report=ReadReport("by hand")), tmp_path / "d")
    return tmp_path / "d"


@pytest.fixture
def covers(tmp_path: Path) -> Path:
    colours = {"a": (255, 0, 0), "b": (0, 255, 0), "e": (0, 0, 255), "nobody": (9, 9, 9)}
    with zipfile.ZipFile(tmp_path / "covers.zip", "w") as archive:
        for name, colour in colours.items():
            archive.writestr(f"covers/{name}.png", picture(colour))
    return tmp_path / "covers.zip"


def test_texts_and_images_are_embedded_kept_and_shown(data: Path, covers: Path, tmp_path: Path) -> None:
    texts, images = write_text_encoder(tmp_path / "text"), write_image_encoder(tmp_path / "image")
    (tmp_path / "blurbs.csv").write_text("item_id,text\nd,a dog\nnone,x\n")
    asked = ("--text", "title", "--text-file", tmp_path / "blurbs.csv", "--images", covers)
    code, shown, told = run("embed", data, *asked, "--text-encoder", texts, "--image-encoder", images)
    assert (code, told) == (0, "")
    assert "text: 5 of 5 items, 7 dimensions by text " in shown
    assert "from title, blurbs.csv; 1 ids that are no items were left out" in shown
    assert "image: 3 of 5 items, 3 dimensions by image " in shown
    content = load(data).content
    assert content[ContentKind.TEXT].known.all()
    np.testing.assert_allclose(content[ContentKind.TEXT].vectors[0], np.eye(7)[[1, 6]].sum(axis=0) / 2**0.5, rtol=1e-6)
    assert content[ContentKind.IMAGE].known.tolist() == [True, True, False, False, True]
    assert "3 dimensions" in " ".join(run("check", data)[1].split())
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    code, shown, _ = run("embed", data, *asked, "--text-encoder", texts, "--image-encoder", images)
    assert code == 0
    assert shown.count("as before, nothing was computed") == 2
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before


def test_a_kind_that_is_not_asked_for_stays(data: Path, covers: Path, tmp_path: Path) -> None:
    assert run("embed", data, "--text", "title", "--text-encoder", write_text_encoder(tmp_path / "t"))[0] == 0
    text = load(data).content[ContentKind.TEXT]
    assert text.known.tolist() == [True, True, True, False, True]
    assert run("embed", data, "--images", covers, "--image-encoder", write_image_encoder(tmp_path / "i"))[0] == 0
    content = load(data).content
    assert set(content) == {ContentKind.TEXT, ContentKind.IMAGE}
    np.testing.assert_array_equal(content[ContentKind.TEXT].vectors, text.vectors)


def test_clip_encodes_both(data: Path, covers: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip")
    code, shown, _ = run("embed", data, "--text", "title", "--images", covers, "--clip", clip)
    assert code == 0
    assert shown.count("by CLIP ") == 2
    (clip / "vision_model.onnx").unlink()
    code, shown, told = run("embed", data, "--text", "title", "--clip", clip)
    assert (code, shown) == (1, "")
    assert str(clip / "vision_model.onnx") in told


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "there is nothing to embed: give --text"),
        (("--text", "plot"), "items have no column plot; there are title"),
        (("--text-file", "nowhere.csv"), "nowhere.csv cannot be read"),
        (("--images", "nowhere"), "nowhere does not exist"),
        (("--archive", "nowhere.zip"), "--archive is for ml-100k and ml-1m, not shop"),
        (("--text", "title", "--text-encoder", "nowhere"), "a text encoder needs this file"),
        (("--text", "title", "--clip", "nowhere"), "CLIP is not at hand"),
        (("--text", "title", "--clip", "a", "--text-encoder", "b"), "leave --text-encoder"),
        (("--text", "title", "--wheel", "nowhere.whl"), "--wheel nowhere.whl is not a file"),
    ],
)
def test_what_cannot_be_done_is_one_line_a_status_and_no_change(
    data: Path, arguments: tuple[str, ...], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    code, shown, told = run("embed", data, *arguments)
    assert (code, shown) == (1, "")
    assert len(told.splitlines()) == 1
    assert reason in told
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before


def test_too_many_broken_images_are_refused_and_a_few_are_told(data: Path, tmp_path: Path) -> None:
    (tmp_path / "covers").mkdir()
    for name in "abcde":
        (tmp_path / "covers" / f"{name}.jpg").write_bytes(picture((9, 200, 9)) if name < "d" else b"broken")
    encoder = write_image_encoder(tmp_path / "i")
    code, _, told = run("embed", data, "--images", tmp_path / "covers", "--image-encoder", encoder)
    assert code == 1
    assert "2 of 5 inputs of covers cannot be read" in told
    assert load(data).content == {}


def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    code, _, told = run("embed", tmp_path, "--text", "title")
    assert code == 1
    assert "is not a prepared data set" in told
