"""The search among the users of a bundle, for an answer about users."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from shortlist_bundle.user_ids import UserIds
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BundleLacks
from shortlist_domain.user_search import UserSearch, UsersRequest
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.declare import report
from shortlist_gateway.query import Cause, Level, Outcome, Query, Slate
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.stage import retrieve_plan, run_stage


@dataclass(frozen=True, slots=True)
class UsersQuery:
    """A checked request."""

    about: Query
    """Actor and context, or items; bundle, and in ``slate_size`` the users wanted."""

    tenant: str
    """Whose users may come back."""

    exclude_user_ids: tuple[str, ...] = ()
    """Users that must not come back."""


class FoundUser(NamedTuple):
    """One user of an answer."""

    user_id: str
    score: float
    """Higher is better; what it is depends on what was asked."""


class UserFinder:
    """The stage ``retrieve`` of answers about users. Holds no state of a request."""

    def __init__(self, retrieval: UserSearch, settings: GatewaySettings) -> None:
        self._retrieval = retrieval
        self._plan = retrieve_plan(settings)

    async def find(self, slate: Slate, users: UserIds, request: UsersRequest, deadline: Deadline) -> list[FoundUser]:
        """Return the users that retrieval finds, best first, and note in ``slate`` how that went."""
        run = await run_stage(self._plan, deadline, lambda d: self._retrieval.retrieve_users(request, d))
        found = [] if run.value is None else list(zip(run.value.rows, run.value.scores, strict=True))
        report(slate, "retrieve", run, Outcome.FULL, len(users), len(found), Level.FALLBACK, Outcome.FALLBACK)
        if len(found) < request.user_count:
            slate.degrade(Level.PARTIAL, Cause.SHORT_SLATE)
        return [FoundUser(users.user_id(row), score) for row, score in found]


def users_of(catalogue: Catalogue, tenant: str) -> UserIds:
    """Return the users of ``tenant`` that the bundle has vectors of.

    Raises:
        BundleLacks: It has none.
    """
    users = catalogue.users
    if users is None or users.tenant != tenant:
        of_tenant = f" of the tenant {tenant!r}" if tenant else ""
        setting = f" and users.tenant={tenant}" if tenant else ""
        raise BundleLacks(
            f"bundle {catalogue.bundle_id} has no user vectors{of_tenant}; "
            f"a bundle has them that was trained with users.vectors=true{setting}"
        )
    return users


def user_rows(users: UserIds, user_ids: Iterable[str]) -> array[int]:
    """Return the rows of those of ``user_ids`` that the bundle has."""
    rows = map(users.row, user_ids)
    return array("I", [row for row in rows if row is not None])
