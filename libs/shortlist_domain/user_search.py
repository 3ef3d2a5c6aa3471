"""What is asked of retrieval about users, in rows of the users that the pinned bundle has vectors of."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from shortlist_domain.deadline import Deadline

if TYPE_CHECKING:
    from shortlist_domain.stages import ActorFeatures


@dataclass(frozen=True, slots=True)
class UsersRequest:
    """Asks for the users whose taste points where an actor's does, or whose next event is expected on given items."""

    bundle_id: str
    actor: ActorFeatures
    """Taken as of its last event. Not read where anything else is asked by."""

    user_count: int
    exclude_rows: array[int] = field(default_factory=lambda: array("I"))
    """Users that must not come back; any order, repeats are harmless."""

    user_row: int | None = None
    """User whose vector in the bundle stands in for the actor's."""

    item_rows: array[int] = field(default_factory=lambda: array("I"))
    """Items to find users for; any order, repeats are harmless. Not beside ``user_row``."""


@dataclass(frozen=True, slots=True)
class UsersResult:
    """Users, best first, none twice, no padding."""

    bundle_id: str
    rows: array[int]
    scores: array[float]
    """Non-increasing. Cosines of the vectors, in [-1, 1]; where items were asked by, how many times as much as of the
    average user the user's next event is expected on them, at least 0."""


class UserSearch(Protocol):
    """The search among users, as the gateway sees it."""

    async def retrieve_users(self, request: UsersRequest, deadline: Deadline) -> UsersResult:
        """Return at most ``user_count`` users; none where the vector that is asked by points nowhere.

        Raises:
            BundleLacks: The bundle has no user vectors.
        """
        ...
