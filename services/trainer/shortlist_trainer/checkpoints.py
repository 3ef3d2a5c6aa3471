"""Checkpoints of a run: tensors only, read back with ``weights_only``, so no code can come out of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from shortlist_domain.errors import ShortlistError


class CheckpointRefused(ShortlistError):
    """A checkpoint cannot be read or belongs to other settings."""


class Stateful(Protocol):
    """What a checkpoint keeps: a module or an optimizer."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""
        ...

    def load_state_dict(self, state_dict: Any) -> Any:
        """Take a state back."""
        ...


class Checkpoints:
    """Keeps the newest state of each part of a run in one folder."""

    def __init__(self, folder: Path | None, fingerprint: str, resume: bool) -> None:
        """Keep checkpoints in ``folder``.

        Args:
            folder: Created if need be; ``None`` keeps nothing.
            fingerprint: Of data and settings; a checkpoint of another one is not resumed. Its first line says in words
                what is trained on.
            resume: Whether to start from what is there.
        """
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._made_from = fingerprint.partition("\n")[0]
        self._fingerprint = hashlib.sha256(fingerprint.encode()).hexdigest()
        self._resume = resume

    def restore(self, part: str, state: Mapping[str, Stateful]) -> int:
        """Load the newest state of ``part`` into ``state`` and return how many epochs it has seen, 0 if there is none.

        Raises:
            CheckpointRefused: It is damaged, or of a run with other data or settings.
        """
        content = self.content(part)
        if content is None:
            return 0
        try:
            for name, holder in state.items():
                holder.load_state_dict(content["state"][name])
            return int(content["epochs"])
        except Exception as error:  # torch raises whatever its modules raise
            raise self._unreadable(part, error) from error

    def content(self, part: str) -> dict[str, Any] | None:
        """Return what is kept of ``part``, ``epochs`` and ``state`` by name; ``None`` where nothing is to be resumed.

        Raises:
            CheckpointRefused: As :meth:`restore`.
        """
        path = self._path(part)
        if not self._resume or path is None or not path.is_file():
            return None
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            if content["fingerprint"] != self._fingerprint:
                earlier = content.get("made_from", "")
                is_other = f" (made from {earlier}; now {self._made_from})" if earlier != self._made_from else ""
                raise CheckpointRefused(
                    f"{path} is of a run with other data or settings{is_other}; train without --resume or into another "
                    "folder"
                )
            return {"epochs": int(content["epochs"]), "state": content["state"]}
        except CheckpointRefused:
            raise
        except Exception as error:  # torch raises whatever its unpickler and zip reader raise
            raise self._unreadable(part, error) from error

    def save(self, part: str, epochs: int, state: Mapping[str, Stateful]) -> None:
        """Replace the state of ``part``; a kill leaves the old one or the new one."""
        if self._folder is not None:
            self.keep(part, epochs, {name: holder.state_dict() for name, holder in state.items()})

    def keep(self, part: str, epochs: int, state: Mapping[str, dict[str, Any]]) -> None:
        """Replace what is kept of ``part`` by states that were taken already."""
        path = self._path(part)
        if path is None:
            return
        aside = path.with_suffix(".new")
        content = {
            "fingerprint": self._fingerprint,
            "made_from": self._made_from,
            "epochs": epochs,
            "state": dict(state),
        }
        torch.save(content, aside)
        aside.replace(path)

    def _unreadable(self, part: str, error: Exception) -> CheckpointRefused:
        return CheckpointRefused(f"{self._path(part)} cannot be read: {error}; delete it or train without --resume")

    def _path(self, part: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{part}.pt"
