"""The bundle store: a folder of bundles and a folder of numbered releases.

::

    <root>/bundles/<bundle_id>/   written aside, synced, renamed into place, never changed
    <root>/releases/00000007.json {"bundle_id": .., "manifest_sha256": ..}; the highest number is current

Publishing creates the next release with ``link``, which fails where the name is taken: a compare-and-set on the
generation that needs no lock and leaves no half state. A kill at any point leaves the old release or the new one.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from shortlist_bundle import layout
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.manifest import FileEntry, Manifest, check_bundle_id
from shortlist_domain.errors import BundleInvalid, NotFound, PublishConflict

_RELEASE = re.compile(r"(\d{8})\.json")


@dataclass(frozen=True, slots=True)
class Release:
    """One numbered decision about what is current."""

    generation: int
    bundle_id: str
    manifest_sha256: str
    released_at: str
    """ISO 8601, UTC."""


class BundleStore:
    """Reads and publishes bundles under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def releases(self) -> list[Release]:
        """Return every release, oldest first; empty where nothing was published."""
        folder = self.root / "releases"
        names = sorted(p.name for p in folder.iterdir() if _RELEASE.fullmatch(p.name)) if folder.is_dir() else []
        return [self._read_release(int(name[:8])) for name in names]

    def current(self) -> Release | None:
        """Return the newest release, or ``None`` where nothing was published.

        Raises:
            BundleInvalid: The newest release cannot be read.
        """
        generation = self._newest()
        return self._read_release(generation) if generation else None

    def open(self, release: Release) -> Bundle:
        """Open the bundle that ``release`` points to.

        Raises:
            BundleInvalid: It is not the bundle that was published.
        """
        return Bundle.open(self._folder(release.bundle_id), release.manifest_sha256)

    def bundle(self, bundle_id: str) -> Bundle:
        """Open a bundle by its id, whether it was released or not.

        Raises:
            NotFound: The store has none of that id.
            BundleInvalid: It cannot be opened.
        """
        folder = self._folder(bundle_id)
        if not folder.is_dir():
            raise NotFound(f"{self.root} has no bundle {bundle_id!r}")
        return Bundle.open(folder)

    def add(self, files: Mapping[str, bytes], manifest: Manifest) -> Bundle:
        """Write a bundle without making it current; a bundle that is already there is left as it is.

        Args:
            files: Content by name; every name of :data:`shortlist_bundle.layout.REQUIRED`.
            manifest: Its ``files`` are filled in here, its ``bundle_id`` is completed by a digest of the content, its
                ``generation`` and ``parent`` are those of the next release.
        """
        missing = sorted(set(layout.REQUIRED) - files.keys())
        if missing:
            raise BundleInvalid(f"a bundle needs {', '.join(missing)}")
        entries = {n: FileEntry(len(c), hashlib.sha256(c).hexdigest()) for n, c in sorted(files.items())}
        content_digest = hashlib.sha256("".join(f"{n}:{e.sha256};" for n, e in entries.items()).encode()).hexdigest()
        current = self.current()
        manifest = replace(
            manifest,
            bundle_id=check_bundle_id(f"{manifest.bundle_id}-{content_digest[:12]}"),
            generation=(current.generation if current else 0) + 1,
            parent=current.bundle_id if current else "",
            files=entries,
        )
        target = self._folder(manifest.bundle_id)
        if target.exists():
            return Bundle.open(target)
        aside = self.root / "bundles" / f".{manifest.bundle_id}.{secrets.token_hex(4)}"
        aside.mkdir(parents=True)
        try:
            for name, content in {**files, layout.MANIFEST: manifest.to_json()}.items():
                _write_synced(aside / name, content)
            _sync_folder(aside)
            with contextlib.suppress(OSError):  # somebody else wrote the same content first
                aside.rename(target)
            _sync_folder(target.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return Bundle.open(target)

    def publish(self, bundle_id: str, expected_generation: int) -> Release:
        """Make ``bundle_id`` current, provided that ``expected_generation`` still is (0: nothing was published).

        Publishing an older bundle again is how one rolls back.

        Raises:
            NotFound: No such bundle in this store.
            BundleInvalid: A file of the bundle is damaged.
            PublishConflict: Another release was made meanwhile.
        """
        folder = self._folder(bundle_id)
        if not folder.is_dir():
            raise NotFound(f"{self.root} holds no bundle {bundle_id!r}")
        bundle = Bundle.open(folder)
        bundle.verify()
        newest = self._newest()
        if newest != expected_generation:
            raise PublishConflict(f"generation {expected_generation} was expected, {newest} is current")
        digest = hashlib.sha256((folder / layout.MANIFEST).read_bytes()).hexdigest()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        release = Release(expected_generation + 1, bundle_id, digest, now)
        content = {"bundle_id": bundle_id, "manifest_sha256": digest, "released_at": now}
        folder = self.root / "releases"
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{secrets.token_hex(8)}"
        _write_synced(aside, json.dumps(content, indent=1).encode())
        try:
            os.link(aside, self._release_path(release.generation))
        except FileExistsError as error:
            raise PublishConflict(f"generation {release.generation} was published by somebody else") from error
        finally:
            aside.unlink()
        _sync_folder(folder)
        return release

    def _newest(self) -> int:
        folder = self.root / "releases"
        if not folder.is_dir():
            return 0
        return max((int(m[1]) for p in folder.iterdir() if (m := _RELEASE.fullmatch(p.name))), default=0)

    def _read_release(self, generation: int) -> Release:
        path = self._release_path(generation)
        try:
            raw = json.loads(path.read_bytes())
            return Release(
                generation, check_bundle_id(raw["bundle_id"]), str(raw["manifest_sha256"]), str(raw["released_at"])
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleInvalid(f"{path} is not a release: {error!r}") from error

    def _folder(self, bundle_id: str) -> Path:
        return self.root / "bundles" / check_bundle_id(bundle_id)

    def _release_path(self, generation: int) -> Path:
        return self.root / "releases" / f"{generation:08d}.json"


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
