"""The serving configs that this gateway holds: read in the background, and the last good ones kept whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from shortlist_domain.deadline import Deadline
from shortlist_domain.documents import MAX_DOCUMENTS, Document, DocumentStage
from shortlist_domain.errors import NotFound, NotReady, ShortlistError
from shortlist_domain.feature_stage import FeatureStage
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.configs.config import BUILT_IN, DEFAULT, ServingConfig
from shortlist_gateway.configs.files import ConfigFolder
from shortlist_gateway.configs.fitness import filter_violations, misfits
from shortlist_gateway.configs.held import Held, Origin, in_file, stored
from shortlist_gateway.configs.references import reference_violations
from shortlist_telemetry.catalogue import LogEvent, Metrics
from shortlist_telemetry.logging import get_log

COLLECTION = "serving_configs"
"""Where the store keeps them."""

_READ_S = 1.0
_FIRST_POLL_S = 0.1
_SETTLE_S = 1.0
_NAMES_SAID = 20


class ServingConfigs:
    """Holds the configs. What a request is answered by comes from here, and nothing is waited for."""

    def __init__(
        self, features: FeatureStage, bundles: ActiveBundle, folder: Path | None, poll_s: float, metrics: Metrics
    ) -> None:
        """Nothing is read before :meth:`start`.

        Args:
            features: Keeps the configs that are put.
            bundles: Tell which bundle the configs have to fit.
            folder: Where configs stand as files; they win over stored ones of the same name. ``None``: there are none.
            poll_s: Seconds between two looks.
            metrics: Count configs by state.
        """
        self._features = features
        self._bundles = bundles
        self._folder = ConfigFolder(folder) if folder is not None else None
        self._poll_s = poll_s
        self._metrics = metrics
        self._stored: dict[str, Held] = {}
        self._read: dict[str, Held] = {}
        """Read anew and not taken over yet: the store did not give the others in time."""

        self._files: dict[str, Held] = {}
        self._held: dict[str, Held] = {}
        self._checked: str | None = None
        """Bundle that what is held was checked against; ``None`` where it was not yet."""

        self._is_read = False
        self._is_away = False
        self._clock = time.monotonic
        self._started_s = self._clock()
        self._said: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._log = get_log("gateway")
        self.lock = asyncio.Lock()
        """Held by who reads or changes what the store has, so that no older listing undoes a change."""

    @property
    def documents(self) -> DocumentStage:
        """The store's documents."""
        return self._features.documents

    @property
    def is_read(self) -> bool:
        """Whether the store was ever read: before, it is not known which configs there are."""
        return self._is_read

    @property
    def is_settled(self) -> bool:
        """Whether the store was read, or waited for long enough: serving begins without it then."""
        return self._is_read or self._clock() > self._started_s + _SETTLE_S

    def held(self, name: str) -> Held | None:
        """Return a config as it is held; the built-in default where nobody has put one."""
        return self._held.get(name) or (Held(DEFAULT, Origin.BUILT_IN, BUILT_IN) if name == DEFAULT else None)

    def all_held(self) -> list[Held]:
        """Return all configs by name."""
        names = sorted({DEFAULT, *self._held})
        return [held for name in names if (held := self.held(name)) is not None]

    def usable(self) -> Mapping[str, ServingConfig]:
        """Return the configs that requests can be answered by, by name."""
        return {held.name: held.config for held in self.all_held() if held.config is not None}

    def config(self, name: str) -> ServingConfig:
        """Return the config that answers requests that name ``name``; empty is the default.

        Raises:
            NotFound: There is none. Names those that there are.
            NotReady: It cannot be used, or it is not known yet which configs there are.
        """
        held = self.held(name or DEFAULT)
        if held is None:
            if not self._is_read:
                raise NotReady(f"serving configs were not read yet: whether there is a {name!r} is not known")
            raise NotFound(f"there is no serving config {name!r}; there is {self._names()}")
        if held.config is None:
            raise NotReady(f"serving config {name!r} cannot be used here: {held.problem}")
        return held.config

    def problems(self, held: Held) -> list[str]:
        """Return what is wrong with a config now: with itself, with what it refers to, with the active bundle."""
        is_unread = held.origin is Origin.BUILT_IN and not self._is_read
        unread = ["the store was not read yet: whether there is another is not known"] if is_unread else []
        return unread + self._defects(held)

    def _defects(self, held: Held) -> list[str]:
        """Return what somebody has to mend; that nothing was read yet mends itself."""
        found = [held.problem] if held.problem else []
        if held.config is not None:
            references = reference_violations(held.config, self.usable())
            found += [f"{violation.field} {violation.description}" for violation in references]
            if self._bundles.is_ready:
                unfit = filter_violations(held.config, self._bundles.pinned())
                found += map(str, misfits(held.config, self._bundles.pinned()))
                found += [f"{violation.field} {violation.description}" for violation in unfit]
        return found

    def start(self) -> None:
        """Begin to read. Needs a running event loop."""
        self._started_s = self._clock()
        self._task = asyncio.get_running_loop().create_task(self._follow(), name="serving-configs")

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def refresh(self) -> None:
        """Look once. What cannot be read stays as it is, and that is said once."""
        async with self.lock:
            await self.read_files()
            try:
                await self.read_store(Deadline.after(_READ_S))
            except (ShortlistError, TimeoutError) as error:
                if not self._is_away:
                    self._log.warning(LogEvent.CONFIGS_AWAY, held=len(self._stored), reason=str(error))
                self._is_away = True
            self._say()

    async def read_store(self, deadline: Deadline) -> None:
        """Read what has changed in the store; the caller holds the lock.

        Raises:
            ShortlistError: The store is away; what is held stays.
            TimeoutError: It did not answer in time.
        """
        async with asyncio.timeout(max(0.0, deadline.remaining_s())):
            listed = await self.documents.list_documents(COLLECTION, deadline)
            for document in listed:
                before = self._read.get(document.name) or self._stored.get(document.name)
                if document.is_damaged:
                    self._read[document.name] = stored(document, before)
                elif before is None or before.version != document.version:
                    # What was read stays, also where the time ends before all are; one that is deleted meanwhile waits.
                    with contextlib.suppress(NotFound):
                        whole = await self.documents.read_document(COLLECTION, document.name, 0, deadline)
                        self._read[document.name] = stored(whole, before)
        names = {document.name for document in listed}
        self._stored = {name: held for name, held in {**self._stored, **self._read}.items() if name in names}
        self._read = {}
        if self._is_away:
            self._log.info(LogEvent.CONFIGS_BACK, held=len(self._stored))
        self._is_read, self._is_away = True, False
        self._merge()

    async def read_files(self) -> None:
        """Read the folder, if there is one; the caller holds the lock."""
        if self._folder is None:
            return
        try:
            found = await asyncio.to_thread(self._folder.read)
        except OSError as error:
            self._tell("", f"{self._folder}: {error}")
            return
        self._tell("", "")
        self._files = {name: in_file(one, self._files.get(name)) for name, one in found.items()}
        self._merge()

    def apply(self, document: Document, config: ServingConfig | None) -> Held | None:
        """Take over what was just written, ``None`` where it was deleted; the caller holds the lock."""
        if config is None:
            self._stored.pop(document.name, None)
        else:
            kept = replace(config, version=document.version)
            self._stored[document.name] = Held(document.name, Origin.STORE, kept, document.version, document.written_s)
        self._merge()
        return self.held(document.name)

    def has_room_for(self, name: str) -> bool:
        """Return whether the store takes a config ``name``: one more, or another version of one that is there."""
        return name in self._stored or len(self._stored) < MAX_DOCUMENTS

    def _merge(self) -> None:
        hidden = {name: self._stored[name].version for name in self._files.keys() & self._stored.keys()}
        files = {
            name: replace(one, problem=_joined(one.problem, f"hides stored version {hidden[name]}"))
            if name in hidden
            else one
            for name, one in self._files.items()
        }
        held = {**self._stored, **files}
        if held != self._held:
            self._held, self._checked = held, None

    def _say(self) -> None:
        """Say what is wrong, each once, and count, where configs or the bundle have changed."""
        bundle_id = self._bundles.pinned().bundle_id if self._bundles.is_ready else ""
        if self._checked == bundle_id:
            return
        self._checked = bundle_id
        usable = sum(held.config is not None for held in self._held.values())
        troubled = 0
        for held in self.all_held():
            problems = self._defects(held)
            troubled += bool(problems)
            self._tell(held.name, "; ".join(problems))
        self._metrics.serving_configs.labels("usable").set(usable)
        self._metrics.serving_configs.labels("unusable").set(len(self._held) - usable)
        self._metrics.serving_configs.labels("with_problems").set(troubled)

    def _tell(self, name: str, problem: str) -> None:
        if problem and self._said.get(name) != problem:
            self._log.error(LogEvent.CONFIG_REFUSED, config=name, reason=problem)
        self._said[name] = problem

    def _names(self) -> str:
        names = sorted({DEFAULT, *self._held})
        more = f" and {len(names) - _NAMES_SAID} more" if len(names) > _NAMES_SAID else ""
        return ", ".join(map(repr, names[:_NAMES_SAID])) + more

    async def _follow(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception:  # noqa: BLE001 - whatever a config or a file does, serving and looking go on
                self._log.exception(LogEvent.INTERNAL_ERROR, work="reading serving configs")
            await asyncio.sleep(self._poll_s if self._is_read else min(_FIRST_POLL_S, self._poll_s))


def _joined(*problems: str) -> str:
    return "; ".join(filter(None, problems))
