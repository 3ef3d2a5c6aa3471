"""The manifest: what a bundle says of itself, and the digests that everything else is checked against."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from shortlist_domain.errors import BundleInvalid

SCHEMA_VERSION = 1
_FILE_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9]+)+")
_BUNDLE_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a bundle."""

    size_bytes: int
    sha256: str
    """Lower-case hexadecimal digest of the content."""


@dataclass(frozen=True, slots=True)
class DataWindow:
    """The interactions that a bundle was made from."""

    dataset: str
    from_s: float
    """Time of the first training interaction, seconds since 1970 UTC."""

    until_s: float
    """Time of the last one; counters and choices know nothing later."""

    interactions: int
    users: int
    items: int
    fitted_until_s: float | None = None
    """Time of the last one that models were fitted on; ``None``: unknown, at most ``until_s``."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Content of ``manifest.json``."""

    bundle_id: str
    generation: int
    """Rises by one with each bundle published to a store; what compare-and-set compares."""

    parent: str
    """Id of the bundle that was current when this one was written; empty for the first."""

    created_at: str
    """ISO 8601, UTC."""

    git_commit: str
    """Commit of the code that trained it, ``unknown`` outside a checkout."""

    data_window: DataWindow
    models: Mapping[str, str]
    """Which model fills each role: ``retrieval``, ``index``, ``ranker``, ``calibration``."""

    metrics: Mapping[str, float]
    """Offline metrics, ``<protocol>/<list>/<metric>@<k>``."""

    files: Mapping[str, FileEntry] = field(default_factory=dict)
    added_items: int = 0
    """Items that were added after the training, in the last rows: no model knows these rows."""

    added_to: str = ""
    """Id of the bundle that the last of them were added to; empty where there are none."""

    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> bytes:
        """Return the content of ``manifest.json``."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Manifest":
        """Parse and check ``manifest.json``.

        Raises:
            BundleInvalid: Not a manifest, a schema version we do not know, or a file name that leaves the folder.
        """
        try:
            raw = json.loads(content)
            version = int(raw["schema_version"])
            if version != SCHEMA_VERSION:
                raise BundleInvalid(f"manifest has schema version {version}; this release reads {SCHEMA_VERSION}")
            manifest = cls(
                bundle_id=str(raw["bundle_id"]),
                generation=int(raw["generation"]),
                parent=str(raw["parent"]),
                created_at=str(raw["created_at"]),
                git_commit=str(raw["git_commit"]),
                data_window=DataWindow(**raw["data_window"]),
                models={str(k): str(v) for k, v in raw["models"].items()},
                metrics={str(k): float(v) for k, v in raw["metrics"].items()},
                files={str(k): FileEntry(int(v["size_bytes"]), str(v["sha256"])) for k, v in raw["files"].items()},
                # Bundles of before do without these two.
                added_items=int(raw.get("added_items", 0)),
                added_to=str(raw.get("added_to", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BundleInvalid(f"manifest cannot be read: {error!r}") from error
        check_bundle_id(manifest.bundle_id)
        for name in manifest.files:
            if not _FILE_NAME.fullmatch(name):
                raise BundleInvalid(f"manifest lists a file with the name {name!r}")
        return manifest


def check_bundle_id(bundle_id: str) -> str:
    """Return ``bundle_id`` if it can name a folder.

    Raises:
        BundleInvalid: It cannot: empty, too long, or with characters that could leave the store.
    """
    if not _BUNDLE_ID.fullmatch(bundle_id):
        raise BundleInvalid(f"{bundle_id!r} is not a bundle id")
    return bundle_id
