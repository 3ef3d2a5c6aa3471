"""An opened bundle: files are handed out only after their digests were checked."""

import hashlib
import mmap
import os
from pathlib import Path

from shortlist_bundle import layout
from shortlist_bundle.manifest import Manifest
from shortlist_domain.errors import BundleInvalid


class Bundle:
    """A bundle on disk. Nothing is parsed before its bytes were found to be those of the manifest."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @property
    def bundle_id(self) -> str:
        """Id of the bundle."""
        return self.manifest.bundle_id

    @classmethod
    def open(cls, path: Path, manifest_sha256: str | None = None) -> "Bundle":
        """Open the folder ``path``.

        Args:
            path: Folder of the bundle.
            manifest_sha256: Digest that the manifest must have, from the release that points here.

        Raises:
            BundleInvalid: No manifest, a damaged one, or one without a required file.
        """
        content = bytes(_map(path / layout.MANIFEST))
        if manifest_sha256 is not None and hashlib.sha256(content).hexdigest() != manifest_sha256:
            raise BundleInvalid(f"{path.name}: the manifest is not the one that was published")
        manifest = Manifest.from_json(content)
        missing = sorted(set(layout.REQUIRED) - manifest.files.keys())
        if missing:
            raise BundleInvalid(f"{path.name}: the manifest lacks {', '.join(missing)}")
        return cls(path, manifest)

    def map(self, name: str) -> memoryview:
        """Return the verified content of the file ``name``, mapped read-only.

        The digest is taken over the mapping itself, so what is checked is what is parsed.

        Raises:
            BundleInvalid: The file is absent, a link, of another size, or its digest differs.
        """
        entry = self.manifest.files.get(name)
        if entry is None:
            raise BundleInvalid(f"{self.bundle_id}: the manifest lists no {name}")
        content = _map(self.path / name)
        if len(content) != entry.size_bytes:
            raise BundleInvalid(f"{self.bundle_id}: {name} has {len(content)} bytes, the manifest {entry.size_bytes}")
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise BundleInvalid(f"{self.bundle_id}: {name} does not have the digest of the manifest")
        return content

    def read(self, name: str) -> bytes:
        """Return the verified content of the file ``name`` as bytes."""
        return bytes(self.map(name))

    def verify(self) -> None:
        """Check every file of the manifest.

        Raises:
            BundleInvalid: As :meth:`map`.
        """
        for name in self.manifest.files:
            self.map(name)


def _map(path: Path) -> memoryview:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise BundleInvalid(f"{path}: {error.strerror}") from error
    try:
        if os.fstat(descriptor).st_size == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise BundleInvalid(f"{path}: cannot be mapped: {error}") from error
    finally:
        os.close(descriptor)
