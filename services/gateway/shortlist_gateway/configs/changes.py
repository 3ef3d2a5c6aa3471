"""Changes of serving configs: checked against everything that they touch, then written by compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shortlist.gateway.v1 import serving_config_service_pb2 as pb
from shortlist_domain.deadline import Deadline
from shortlist_domain.documents import MAX_DOCUMENTS, Document
from shortlist_domain.errors import (
    BudgetExceeded,
    Immutable,
    InvalidRequest,
    NotFound,
    Overloaded,
    VersionConflict,
    Violation,
)
from shortlist_domain.ids import is_name
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.configs.config import ServingConfig
from shortlist_gateway.configs.fitness import filter_violations, misfits
from shortlist_gateway.configs.held import Held, Origin
from shortlist_gateway.configs.reading import decoded, read_config
from shortlist_gateway.configs.references import dependants, reference_violations
from shortlist_gateway.configs.registry import COLLECTION, ServingConfigs

_ROOM_S = 60.0
"""When a caller may ask again whether there is room; somebody has to make it."""


@dataclass(frozen=True, slots=True)
class Change:
    """A config that is to be."""

    message: pb.ServingConfig
    expected_version: int | None
    """Version to replace; 0: none; ``None``: any."""

    is_dry: bool
    """Whether it is only checked."""


class ConfigChanges:
    """Changes what the store keeps, and what this gateway holds of it at once."""

    def __init__(self, configs: ServingConfigs, bundles: ActiveBundle, *, is_allowed: bool) -> None:
        """Nothing is changed where it is not allowed, as where all configs are to stand in files."""
        self._configs = configs
        self._bundles = bundles
        self._is_allowed = is_allowed

    async def put(self, change: Change, deadline: Deadline) -> Held:
        """Create or replace a config; one that is there as it is wanted stays, and a dry change has version 0.

        Raises:
            InvalidRequest: With every field that is wrong or does not fit the active bundle.
            Immutable: It stands in a file.
            VersionConflict: It is at another version.
            NotReady: No bundle is loaded that it could be held against.
            Overloaded: The store has as many configs as it takes.
            UpstreamFailed: The store is away.
        """
        config = read_config(change.message)
        async with self._configs.lock:
            await self._read(config.name, deadline)
            self._check(config)
            if not self._configs.has_room_for(config.name):
                raise Overloaded(f"{MAX_DOCUMENTS} serving configs in the store; delete one", _ROOM_S)
            if change.is_dry:
                self._check_version(config.name, change.expected_version)
                return Held(config.name, Origin.STORE, config)
            there = self._configs.held(config.name)
            if there is not None and _is_as_wanted(there, change):
                return there
            content = change.message.SerializeToString(deterministic=True)
            written = await self._write(config.name, content, change.expected_version, deadline)
            held = self._configs.apply(written, config)
        if held is None:
            raise NotFound(f"there is no serving config {config.name!r}")
        return held

    async def delete(self, name: str, expected_version: int | None, deadline: Deadline) -> None:
        """Delete a config.

        Raises:
            NotFound: There is none in the store.
            Immutable: It stands in a file, or another config refers to it.
            VersionConflict: It is at another version.
            UpstreamFailed: The store is away.
        """
        _check_name(name)
        async with self._configs.lock:
            await self._read(name, deadline)
            held = self._configs.held(name)
            if held is None or held.origin is Origin.BUILT_IN:
                self._configs.config(name)
                raise NotFound(f"serving config {name!r} is built in; nobody has put one")
            if users := dependants(name, self._configs.usable()):
                raise Immutable(f"serving config {name!r} is needed by {', '.join(users)}; change these first")
            self._configs.apply(await self._write(name, None, expected_version, deadline), None)

    async def versions(self, name: str, deadline: Deadline) -> Sequence[Document]:
        """Return what is known of a config's history, newest first, without the configs themselves.

        Raises:
            NotFound: Nothing is known of it.
            UpstreamFailed: The store is away.
        """
        _check_name(name)
        found = await self._configs.documents.list_versions(COLLECTION, name, deadline)
        if not found:
            self._configs.config(name)  # says which there are
            raise NotFound(f"serving config {name!r} has no history: it was never put")
        return found

    async def version(self, name: str, version: int, deadline: Deadline) -> tuple[Document, ServingConfig]:
        """Return what a config was at a version.

        Raises:
            NotFound: That version is not kept, or cannot be read.
            UpstreamFailed: The store is away.
        """
        _check_name(name)
        document = await self._configs.documents.read_document(COLLECTION, name, version, deadline)
        if document.is_deleted:
            raise NotFound(f"version {version} of serving config {name!r} is its deletion")
        try:
            return document, read_config(decoded(document.content), document.version)
        except InvalidRequest as error:
            raise NotFound(f"version {version} of serving config {name!r} cannot be read: {error}") from error

    async def rollback(
        self, name: str, version: int, expected_version: int | None, is_dry: bool, deadline: Deadline
    ) -> Held:
        """Write what a config was before as a new version; raises as :meth:`put`, and NotFound where it never was.

        Args:
            name: Which.
            version: What to go back to; 0 is the version before the current one.
            expected_version: Version to replace; ``None``: the one that was current when the history was read.
            is_dry: Whether it is only checked.
            deadline: When it is due.
        """
        self._check_changeable(name)
        history = await self.versions(name, deadline)
        newest = history[0]
        if not version:
            version = next((one.version for one in history[1:] if not (one.is_deleted or one.is_damaged)), 0)
            if not version:
                raise NotFound(f"serving config {name!r} has no version before the current one")
        _, config = await self.version(name, version, deadline)
        if expected_version is None:
            expected_version = 0 if newest.is_deleted else newest.version
        return await self.put(Change(config.message, expected_version, is_dry), deadline)

    async def _read(self, name: str, deadline: Deadline) -> None:
        """Read files and store, so that the change is held against what there is now."""
        await self._configs.read_files()
        try:
            await self._configs.read_store(deadline)
        except TimeoutError as error:
            raise BudgetExceeded("the store of serving configs did not answer in time") from error
        self._check_changeable(name)

    def _check_changeable(self, name: str) -> None:
        held = self._configs.held(name)
        if held is not None and held.origin is Origin.FILE:
            raise Immutable(f"serving config {name!r} stands in {held.file}; change it there")
        if not self._is_allowed:
            raise Immutable("serving configs are not changed by calls here: are_configs_changeable is off")

    def _check(self, config: ServingConfig) -> None:
        violations = reference_violations(config, self._configs.usable())
        for misfit in misfits(config, self._bundles.pinned()):
            violations += misfit.violations
        violations += filter_violations(config, self._bundles.pinned())
        if violations:
            raise InvalidRequest(*(Violation(f"config.{v.field}", v.description) for v in violations))

    def _check_version(self, name: str, expected: int | None) -> None:
        held = self._configs.held(name)
        current = held.version if held is not None else 0
        if expected is not None and expected != current:
            raise VersionConflict(name, expected, current)

    async def _write(
        self, name: str, content: bytes | None, expected_version: int | None, deadline: Deadline
    ) -> Document:
        return await self._configs.documents.write_document(COLLECTION, name, content, expected_version, deadline)


def _is_as_wanted(held: Held, change: Change) -> bool:
    """Whether a change would write what is there: it needs no version then, and pushes none out of the history."""
    if held.origin is not Origin.STORE or held.config is None or held.config.version != held.version:
        return False
    return held.config.message == change.message and change.expected_version in (None, held.version)


def _check_name(name: str) -> None:
    if not is_name(name):
        raise NotFound(f"there is no serving config {name[:80]!r}: it is no name of one")
