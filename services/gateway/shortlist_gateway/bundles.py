"""Which bundle answers: the newest release, once every stage that can be reached holds it."""

import asyncio
import contextlib

from shortlist_bundle.store import BundleStore, Release
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BundleInvalid, BundleMismatch, NotReady, ShortlistError
from shortlist_domain.stages import RankingStage, RetrievalStage
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.query import Cause, Slate
from shortlist_telemetry.catalogue import LogEvent, Metrics
from shortlist_telemetry.logging import get_log

_ASK_TIMEOUT_S = 1.0


class ActiveBundle:
    """Follows a bundle store. An answer takes one catalogue from here and uses it to its end."""

    def __init__(
        self, store: BundleStore, retrieval: RetrievalStage, ranking: RankingStage, metrics: Metrics, poll_s: float
    ) -> None:
        self._store = store
        self._stages = (retrieval, ranking)
        self._metrics = metrics
        self._poll_s = poll_s
        self._active: Catalogue | None = None
        self._previous: Catalogue | None = None
        self._staged: Catalogue | None = None
        self._generation = 0
        self._refused = 0
        self._task: asyncio.Task[None] | None = None
        self._log = get_log("bundles")

    def pinned(self, bundle_id: str = "") -> Catalogue:
        """Return the catalogue that answers.

        Args:
            bundle_id: Bundle that the caller insists on; empty is the active one.

        Raises:
            NotReady: Nothing was published yet.
            BundleMismatch: The bundle asked for is neither the active one nor the one before.
        """
        if self._active is None:
            raise NotReady("no bundle is loaded; publish one to the bundle store")
        if not bundle_id:
            return self._active
        for catalogue in (self._active, self._previous):
            if catalogue is not None and catalogue.bundle_id == bundle_id:
                return catalogue
        held = tuple(c.bundle_id for c in (self._active, self._previous) if c is not None)
        raise BundleMismatch(bundle_id, held)

    def check_made(self, slate: Slate) -> None:
        """Refuse a slate whose bundle a stage has let go of: what stood in for the stage says nothing of the bundle.

        Raises:
            BundleMismatch: The slate was pinned to another bundle than the active one, and a stage does not hold it.
        """
        active, made_by = self.pinned().bundle_id, slate.catalogue.bundle_id
        if Cause.BUNDLE_MISMATCH in slate.causes and made_by != active:
            raise BundleMismatch(made_by, (active,))

    @property
    def is_ready(self) -> bool:
        """Whether any bundle answers."""
        return self._active is not None

    def start(self) -> None:
        """Begin to follow the store."""
        self._task = asyncio.create_task(self._follow(), name="bundles")

    async def close(self) -> None:
        """Stop following."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def refresh(self) -> None:
        """Look once: load a new release, and flip to it when the stages hold it."""
        try:
            release = await asyncio.to_thread(self._store.current)
            if release is None or release.generation in (self._generation, self._refused):
                return
            if self._staged is None or self._staged.bundle_id != release.bundle_id:
                self._staged = await asyncio.to_thread(self._load, release)
        except BundleInvalid as error:
            # Said once for each release; what answers now goes on answering.
            newest = release.generation if release else 0
            if newest != self._refused:
                self._refused = newest
                self._metrics.bundles_refused.inc()
                self._log.error(LogEvent.BUNDLE_REFUSED, generation=newest, reason=str(error))
            return
        held = await self._held()
        if held is not None and release.bundle_id not in held:
            if self._active is None:
                await self._start_with_older(held)
            if self._active is not None:
                return
        self._previous, self._active, self._staged = self._active, self._staged, None
        self._generation = release.generation
        self._metrics.bundle_generation.set(release.generation)
        self._log.info(LogEvent.BUNDLE_LOADED, bundle_id=release.bundle_id, generation=release.generation)

    def _load(self, release: Release) -> Catalogue:
        return Catalogue(self._store.open(release))

    async def _held(self) -> set[str] | None:
        """Return the bundles that every stage holds, ``None`` where no stage answers.

        A stage that is away answers nothing with any bundle; it must not hold the others back.
        """
        deadline = Deadline.after(_ASK_TIMEOUT_S)
        held: set[str] | None = None
        for stage in self._stages:
            with contextlib.suppress(ShortlistError):
                bundles = set(await stage.held_bundles(deadline))
                held = bundles if held is None else held & bundles
        return held

    async def _start_with_older(self, held: set[str]) -> None:
        """Begin with the newest release that the stages hold: they refused the current one and serve on."""
        releases = await asyncio.to_thread(self._store.releases)
        older = next((r for r in reversed(releases) if r.bundle_id in held), None)
        if older is not None:
            self._active = await asyncio.to_thread(self._load, older)
            self._generation = older.generation
            self._log.warning(LogEvent.BUNDLE_LOADED, bundle_id=older.bundle_id, generation=older.generation)

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(OSError):  # a store on a network may be away for a while
                await self.refresh()
            await asyncio.sleep(self._poll_s)
