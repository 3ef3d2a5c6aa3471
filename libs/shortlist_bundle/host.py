"""The bundle host: keeps the newest good bundle loaded, and the one before it while answers still pin it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from shortlist_bundle.bundle import Bundle
from shortlist_bundle.store import BundleStore, Release
from shortlist_domain.errors import BundleInvalid, BundleMismatch, NotReady
from shortlist_telemetry.catalogue import LogEvent, Metrics
from shortlist_telemetry.logging import get_log

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    """A loaded bundle."""

    release: Release
    value: T
    """What the loader made of it."""

    ready_since_s: float
    """When it became ready, seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    release: Release | None
    reason: str
    at_s: float


class BundleHost(Generic[T]):
    """Watches a store from a thread of its own and swaps whole bundles.

    A release becomes visible only after its loader returned; until then, and for ever if the loader raises, the one
    before serves. References are swapped, never changed in place: whoever got a value keeps a whole one.
    """

    def __init__(
        self,
        store: BundleStore,
        load: Callable[[Bundle], T],
        metrics: Metrics | None = None,
        poll_s: float = 1.0,
        grace_s: float = 60.0,
        retry_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a host that holds nothing yet.

        Args:
            store: Where releases appear.
            load: Verifies, parses, warms up and compares a bundle; raises where anything is wrong. Runs in the host's
                thread.
            metrics: Instruments of the process, if any.
            poll_s: Seconds between looks at the store.
            grace_s: Seconds for which the bundle before stays after the swap, and after anybody last asked for it.
            retry_s: Seconds after which a refused release is tried again, for causes that pass (a disk that was full).
            clock: Monotonic seconds.
        """
        self._store = store
        self._load = load
        self._metrics = metrics
        self._poll_s = poll_s
        self._grace_s = grace_s
        self._retry_s = retry_s
        self._clock = clock
        self._log = get_log("bundle")
        self._held: tuple[Held[T], ...] = ()
        self._before_wanted_at_s = 0.0
        self._refusal: _Refusal | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._thread = threading.Thread(target=self._watch, name="bundle-host", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching and let go of everything. Waits for a load that is under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._held = ()

    def get(self, bundle_id: str) -> T:
        """Return the value of the bundle ``bundle_id``.

        Raises:
            NotReady: Nothing is loaded yet.
            BundleMismatch: Others are held, not this one.
        """
        held = self._held
        for one in held:
            if one.release.bundle_id == bundle_id:
                if one is not held[0]:
                    # Another stage may have refused the newest release: as long as this one is asked for, it stays.
                    self._before_wanted_at_s = self._clock()
                return one.value
        if not held:
            raise NotReady(self.why_not_ready())
        raise BundleMismatch(bundle_id, tuple(one.release.bundle_id for one in held))

    def held(self) -> tuple[Held[T], ...]:
        """Return what is loaded, newest release first: nothing, one bundle, or two."""
        return self._held

    def held_ids(self) -> tuple[str, ...]:
        """Return the ids of what is loaded, newest release first."""
        return tuple(one.release.bundle_id for one in self._held)

    def is_ready(self) -> bool:
        """Return whether at least one bundle is loaded."""
        return bool(self._held)

    def why_not_ready(self) -> str:
        """Return what a caller is told while nothing is loaded."""
        if self._refusal is not None:
            return f"no bundle is loaded; the newest release was refused: {self._refusal.reason}"
        return f"no bundle is loaded yet from {self._store.root}"

    def poll(self) -> bool:
        """Look at the store once, load what is new, free what is past its grace.

        Returns:
            Whether another bundle is current now.
        """
        self._free()
        release: Release | None = None
        try:
            release = self._store.current()
            if release is None or self._is_current(release) or self._was_refused(release):
                return False
            started_s = self._clock()
            known = self._known(release)
            value = self._load(self._opened(release)) if known is None else known.value
        except Exception as error:  # noqa: BLE001 - parsers of three libraries see foreign bytes; none may end the watch
            self._refuse(release, error)
            return False
        self._swap(release, value, self._clock() - started_s)
        return True

    def _watch(self) -> None:
        while not self._stop.is_set():
            self.poll()
            self._stop.wait(self._poll_s)

    def _opened(self, release: Release) -> Bundle:
        bundle = self._store.open(release)
        bundle.verify()
        if bundle.bundle_id != release.bundle_id:
            raise BundleInvalid(f"the folder {release.bundle_id} holds the bundle {bundle.bundle_id}")
        return bundle

    def _is_current(self, release: Release) -> bool:
        return bool(self._held) and self._held[0].release == release

    def _known(self, release: Release) -> Held[T] | None:
        # Rolling back to a bundle that is still held costs nothing.
        for one in self._held:
            if (one.release.bundle_id, one.release.manifest_sha256) == (release.bundle_id, release.manifest_sha256):
                return one
        return None

    def _was_refused(self, release: Release | None) -> bool:
        refusal = self._refusal
        return refusal is not None and refusal.release == release and self._clock() - refusal.at_s < self._retry_s

    def _refuse(self, release: Release | None, error: Exception) -> None:
        reason = str(error) if isinstance(error, BundleInvalid) else repr(error)
        known = self._refusal
        self._refusal = _Refusal(release, reason, self._clock())
        if known is not None and (known.release, known.reason) == (release, reason):
            return
        self._log.error(
            LogEvent.BUNDLE_REFUSED,
            bundle=release.bundle_id if release else None,
            generation=release.generation if release else None,
            reason=reason,
            serving=list(self.held_ids()),
        )
        if self._metrics:
            self._metrics.bundles_refused.inc()

    def _swap(self, release: Release, value: T, load_s: float) -> None:
        before = tuple(one for one in self._held[:1] if one.release.bundle_id != release.bundle_id)
        self._held = (Held(release, value, time.time()), *before)
        self._before_wanted_at_s = self._clock()
        self._refusal = None
        if self._metrics:
            self._metrics.bundle_generation.set(release.generation)
        self._log.info(
            LogEvent.BUNDLE_LOADED, bundle=release.bundle_id, generation=release.generation, load_s=round(load_s, 3)
        )

    def _free(self) -> None:
        if len(self._held) > 1 and self._clock() - self._before_wanted_at_s >= self._grace_s:
            freed = self._held[1]
            self._held = self._held[:1]
            self._log.info(LogEvent.BUNDLE_FREED, bundle=freed.release.bundle_id)
