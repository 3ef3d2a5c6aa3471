"""CLIP (Radford et al. 2021): texts and pictures in one space. Used where its files are on disk; no package has any."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.session import Session
from shortlist_content.encoder import unit
from shortlist_content.image import ImageEncoder
from shortlist_content.pictures import Preparation
from shortlist_content.text import read_tokenizer, token_inputs
from shortlist_data.errors import DataRefused

FILES = {
    "text_model.onnx": "`input_ids` and, if it likes, `attention_mask`, int64 (b, t), to `text_embeds` (b, d)",
    "vision_model.onnx": "`pixel_values` float32 (b, 3, 224, 224) to `image_embeds` (b, d)",
    "tokenizer.json": "the tokenizer",
}
"""What a folder must hold, and what each file is."""

MAX_TOKENS = 77
_PREPARATION = Preparation(
    224,
    tuple(255.0 * part for part in (0.48145466, 0.4578275, 0.40821073)),  # type: ignore[arg-type]
    tuple(255.0 * part for part in (0.26862954, 0.26130258, 0.27577711)),  # type: ignore[arg-type]
    is_cropped=True,
)
"""As the published models were trained."""


class ClipTextEncoder:
    """The text side of CLIP."""

    def __init__(self, model: bytes, tokenizer: bytes, name: str) -> None:
        self.name = name
        self._session = Session(model, ("input_ids", "attention_mask"), ("text_embeds",))
        self._tokenizer = read_tokenizer(tokenizer, MAX_TOKENS)

    def encode(self, one: str) -> NDArray[np.float32]:
        """Return the vector of one text, ``(d,)``; 77 tokens of it are read."""
        (vectors,) = self._session.run(token_inputs(self._tokenizer, one))
        return unit(vectors[0])


class Clip:
    """Both sides of CLIP out of one folder."""

    def __init__(self, folder: Path) -> None:
        """Read :data:`FILES` from ``folder``.

        Raises:
            DataRefused: A file is absent; says which, and what to get.
            BundleInvalid: A model has other inputs or outputs.
        """
        if missing := [name for name in FILES if not (folder / name).is_file()]:
            needed = "; ".join(f"{folder / name}: {FILES[name]}" for name in missing)
            raise DataRefused(
                f"CLIP is not at hand: it lacks {needed}. No package carries CLIP's weights: get the ONNX files of a "
                "model such as openai/clip-vit-base-patch32 (the model repository Xenova/clip-vit-base-patch32 has "
                f"them in its folder onnx, and tokenizer.json beside it) and put them into {folder}"
            )
        files = {name: (folder / name).read_bytes() for name in FILES}
        name = f"CLIP {hashlib.sha256(b''.join(files.values())).hexdigest()[:12]}"
        self.text = ClipTextEncoder(files["text_model.onnx"], files["tokenizer.json"], f"{name} text")
        self.image = ImageEncoder(
            files["vision_model.onnx"], f"{name} image", _PREPARATION, "pixel_values", "image_embeds"
        )
