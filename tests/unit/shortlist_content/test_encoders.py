"""Encoders: pooling, preparation and padding against what can be worked out by hand; files of another kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from shortlist_bundle.session import Session
from shortlist_content.clip import FILES, Clip
from shortlist_content.efficientnet_lite import EfficientNetLite0, _Convolution, example_input
from shortlist_content.encoder import Unreadable, unit
from shortlist_content.image import exported, image_encoder_in
from shortlist_content.pictures import Preparation
from shortlist_content.text import TextEncoder, mean_pooled, text_encoder_in
from shortlist_data.errors import DataRefused
from shortlist_domain.errors import BundleInvalid
from shortlist_testing.tiny_encoders import (
    WORDS,
    image_model,
    picture,
    text_model,
    tokenizer_json,
    write_clip,
    write_image_encoder,
    write_text_encoder,
)

PLAIN = Preparation(4, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), is_cropped=False)
CROPPED = Preparation(4, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), is_cropped=True)


def counted(*words: str) -> list[float]:
    """Return the direction of a text with ``words``, worked out by hand."""
    counts = np.array([words.count(word) for word in WORDS], np.float64)
    return list(counts / np.sqrt((counts**2).sum()))


def test_a_mean_leaves_padding_out() -> None:
    states = np.array([[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]], [[5.0, 0.0], [7.0, 7.0], [9.0, 2.0]]], np.float32)
    mask = np.array([[1, 1, 0], [1, 1, 1]])
    assert mean_pooled(states, mask).tolist() == [[2.0, 3.0], [7.0, 3.0]]
    assert mean_pooled(states, np.zeros_like(mask)).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_text_is_the_mean_of_its_tokens_at_length_1(tmp_path: Path) -> None:
    encoder = text_encoder_in(write_text_encoder(tmp_path / "tiny"))
    assert encoder.encode("Space war war").tolist() == pytest.approx(counted("space", "war", "war"))
    assert encoder.encode("Something else").tolist() == pytest.approx(counted("[UNK]"))
    assert encoder.name.startswith("tiny ")


def test_what_is_beyond_the_longest_text_is_not_read() -> None:
    encoder = TextEncoder(text_model(), tokenizer_json(), "tiny", max_tokens=2)
    assert encoder.encode("war love space").tolist() == pytest.approx(counted("war", "love"))


@pytest.mark.parametrize("vector", [np.zeros(3), np.array([np.nan, 1.0]), np.array([np.inf, 1.0])])
def test_a_vector_without_direction_is_refused(vector: np.ndarray) -> None:
    with pytest.raises(Unreadable, match="length"):
        unit(vector)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_pictures_of_every_format_become_channels_first(form: str) -> None:
    prepared = PLAIN(picture((200, 100, 50), form=form))
    assert prepared.shape == (1, 3, 4, 4)
    np.testing.assert_allclose(prepared.mean(axis=(0, 2, 3)), [200, 100, 50], atol=3)


def test_colours_are_shifted_and_scaled_by_channel() -> None:
    prepared = Preparation(2, (10.0, 20.0, 30.0), (2.0, 4.0, 5.0), is_cropped=False)(picture((20, 40, 60)))
    np.testing.assert_allclose(prepared[0, :, 0, 0], [5.0, 5.0, 6.0], atol=1e-5)


def test_a_crop_is_the_middle_square_and_a_squeeze_is_all_of_it() -> None:
    import io

    from PIL import Image

    tall = Image.new("RGB", (40, 120), (255, 0, 0))
    tall.paste((0, 255, 0), (0, 40, 40, 80))
    buffer = io.BytesIO()
    tall.save(buffer, "PNG")
    green = CROPPED(buffer.getvalue())[0, 1]
    assert green[1:3].min() > 250
    squeezed = PLAIN(buffer.getvalue())[0]
    assert squeezed[0, 0].min() > 200
    assert squeezed[0, -1].min() > 200
    assert squeezed[1, 1:3].min() > 150


@pytest.mark.parametrize("content", [b"", b"no picture", picture((1, 2, 3), (200, 200))[:90], b"<svg/>"])
def test_what_is_no_picture_is_unreadable(content: bytes) -> None:
    with pytest.raises(Unreadable, match="picture"):
        PLAIN(content)


def test_a_picture_of_too_many_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist_content.pictures.MAX_PIXELS", 599)
    with pytest.raises(Unreadable, match="20 x 30 pixels, 599 are allowed"):
        PLAIN(picture((1, 2, 3)))


def test_an_image_is_the_networks_output_at_length_1(tmp_path: Path) -> None:
    encoder = image_encoder_in(write_image_encoder(tmp_path / "tiny"))
    shifted = (np.array([227.0, 127.0, 27.0]) - 127.0) / 128.0
    assert encoder.encode(picture((227, 127, 27))).tolist() == pytest.approx(
        (shifted / np.linalg.norm(shifted)).tolist()
    )


def test_padding_goes_to_the_end_as_the_weights_were_fitted_with() -> None:
    # A stride of 2 over an even side: the first window begins at the first pixel, and the last one sticks out by one.
    convolution = _Convolution(1, 1, 3, 2)
    torch.nn.init.ones_(convolution.weight)
    found = convolution(torch.arange(16.0).reshape(1, 1, 4, 4))
    assert found.flatten().tolist() == [
        0 + 1 + 2 + 4 + 5 + 6 + 8 + 9 + 10,
        2 + 3 + 6 + 7 + 10 + 11,
        8 + 9 + 10 + 12 + 13 + 14,
        10 + 11 + 14 + 15,
    ]
    plain = _Convolution(1, 1, 3, 1)
    torch.nn.init.ones_(plain.weight)
    assert plain(torch.ones(1, 1, 3, 3)).flatten().tolist() == [4, 6, 4, 6, 9, 6, 4, 6, 4]


def test_the_exported_network_agrees_with_the_one_it_is_from() -> None:
    import io

    torch.manual_seed(3)
    network = EfficientNetLite0().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    buffer = io.BytesIO()
    classifier = {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}
    torch.save({**network.state_dict(), **classifier}, buffer)
    pictures = example_input(3)
    (ours,) = Session(exported(buffer.getvalue()), ("image",), ("embedding",)).run({"image": pictures.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(ours, network(pictures).numpy(), atol=1e-4)
    assert ours.shape == (3, 1280)


@pytest.mark.parametrize("weights", [b"", b"no weights"])
def test_weights_that_cannot_be_read_are_refused(weights: bytes) -> None:
    with pytest.raises(DataRefused, match="weights of EfficientNet-Lite0"):
        exported(weights)


def test_weights_of_another_network_are_refused() -> None:
    import io

    buffer = io.BytesIO()
    torch.save({"_conv_stem.weight": torch.zeros(3)}, buffer)
    with pytest.raises(DataRefused, match="weights of EfficientNet-Lite0"):
        exported(buffer.getvalue())


def test_clip_encodes_texts_and_images(tmp_path: Path) -> None:
    clip = Clip(write_clip(tmp_path / "clip"))
    assert clip.text.encode("love love dog").tolist() == pytest.approx(counted("love", "love", "dog"))
    mean, deviation = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    shifted = (np.array([200, 100, 50]) / 255.0 - mean) / deviation
    vector = clip.image.encode(picture((200, 100, 50)))
    np.testing.assert_allclose(vector, shifted / np.linalg.norm(shifted), atol=1e-5)
    assert {clip.text.name.split()[0], clip.image.name.split()[0]} == {"CLIP"}
    assert clip.text.name != clip.image.name


@pytest.mark.parametrize("name", FILES)
def test_without_clip_a_message_says_which_file_is_missing_where_and_what_to_get(tmp_path: Path, name: str) -> None:
    folder = write_clip(tmp_path / "clip")
    (folder / name).unlink()
    with pytest.raises(DataRefused) as refused:
        Clip(folder)
    told = str(refused.value)
    for part in (str(folder / name), FILES[name], "openai/clip-vit-base-patch32"):
        assert part in told
    assert not any(str(folder / other) in told for other in FILES if other != name)


def test_models_of_other_inputs_and_broken_tokenizers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="pixel_values"):
        TextEncoder(image_model("pixel_values"), tokenizer_json(), "wrong")
    with pytest.raises(DataRefused, match=r"tokenizer\.json cannot be read"):
        TextEncoder(text_model(), b"{}", "wrong")
    with pytest.raises(DataRefused, match="a text encoder needs this file"):
        text_encoder_in(tmp_path)
