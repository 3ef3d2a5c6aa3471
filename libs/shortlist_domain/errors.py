"""The platform's errors.

ShortlistError
  InvalidRequest     the caller must change the request
  NotFound           the named thing does not exist here
  NotReady           this replica has not loaded what it needs
  BundleMismatch     this replica does not hold the bundle that was asked for
  BundleLacks        the bundle was made without what was asked for
  Expired            what was issued for a time is not honoured any more
  Overloaded         refused before any work was done
  BudgetExceeded     time ran out
  UpstreamFailed     a stage or store we depend on failed
  BundleInvalid      a bundle is not what its manifest says
  PublishConflict    somebody else published this generation first
  VersionConflict    a document is not at the version that was expected
  Immutable          what is asked for cannot be changed in this way, or not now
"""

from dataclasses import dataclass


class ShortlistError(Exception):
    """Root of the tree; never raised itself."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request."""

    field: str
    """Path of the field, as in ``constraints.exclude_item_ids[3]``."""

    description: str
    """What is wrong, with the value and the permitted range."""


class InvalidRequest(ShortlistError):
    """The request cannot be served as it stands. Carries every violation found, not only the first."""

    def __init__(self, *violations: Violation) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = violations


class NotFound(ShortlistError):
    """A thing asked for by name (a config, a bundle, an item) does not exist. Never raised for an unknown actor."""


class NotReady(ShortlistError):
    """This replica has not loaded what it needs; another may have."""


class BundleMismatch(ShortlistError):
    """The request pins a bundle that this replica does not hold."""

    def __init__(self, wanted: str, held: tuple[str, ...]) -> None:
        super().__init__(f"bundle {wanted!r} is not held here; held: {', '.join(held) or 'none'}")
        self.wanted = wanted
        self.held = held


class BundleLacks(ShortlistError):
    """The bundle was made without something optional that the request needs; another one may have it."""


class Expired(ShortlistError):
    """What was issued for a time is not honoured any more: the time is over, or what it rests on is gone."""


class Overloaded(ShortlistError):
    """Refused before any work was done."""

    def __init__(self, quota: str, retry_after_s: float) -> None:
        super().__init__(f"over the limit {quota!r}; retry after {retry_after_s:g} s")
        self.quota = quota
        self.retry_after_s = retry_after_s


class BudgetExceeded(ShortlistError):
    """The time given for the work ran out, or was already over when it arrived."""


class UpstreamFailed(ShortlistError):
    """A stage or store that the work depends on failed or could not be reached."""

    def __init__(self, upstream: str, reason: str) -> None:
        super().__init__(f"{upstream}: {reason}")
        self.upstream = upstream
        self.reason = reason


class BundleInvalid(ShortlistError):
    """A bundle is damaged, incomplete, or not what its manifest says."""


class PublishConflict(ShortlistError):
    """Another publisher took this generation; nothing was changed."""


class VersionConflict(ShortlistError):
    """A document is not at the version that its writer expected; nothing was changed."""

    def __init__(self, name: str, expected: int, current: int) -> None:
        there = "is damaged" if current < 0 else f"is at version {current}" if current else "is not there"
        wanted = f"version {expected} was expected" if expected else "it was expected not to be there"
        super().__init__(f"{name!r} {there}; {wanted}, and nothing was changed")
        self.name = name
        self.expected = expected
        self.current = current
        """Version that it is at; 0 where it is not there, -1 where it is damaged."""


class Immutable(ShortlistError):
    """A thing cannot be changed as asked for where it stands now: it is kept elsewhere, or others need it."""
