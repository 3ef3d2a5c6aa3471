"""Users whose taste points where an actor's does: read the actor, search the users of the bundle."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import NamedTuple

from shortlist_bundle.user_ids import UserIds
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BundleLacks
from shortlist_domain.feature_stage import FeatureStage
from shortlist_domain.ids import user_id_of
from shortlist_domain.stages import ActorFeatures
from shortlist_domain.user_search import UserSearch, UsersRequest
from shortlist_gateway.actor_reader import ActorReader
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.declare import report
from shortlist_gateway.query import Cause, Level, Outcome, Query, Report, Slate
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.stage import retrieve_plan, run_stage


@dataclass(frozen=True, slots=True)
class UsersQuery:
    """A checked request."""

    about: Query
    """Actor, context, bundle, and in ``slate_size`` the users wanted."""

    tenant: str
    """Whose users may come back."""


class Similar(NamedTuple):
    """One user of an answer."""

    user_id: str
    similarity: float


class SimilarUsers:
    """Answers queries. Holds no state of a request."""

    def __init__(
        self, features: FeatureStage, retrieval: UserSearch, bundles: ActiveBundle, settings: GatewaySettings
    ) -> None:
        self._reader = ActorReader(features, settings)
        self._retrieval = retrieval
        self._bundles = bundles
        self._retrieve = retrieve_plan(settings)

    async def find(self, query: UsersQuery, deadline: Deadline) -> tuple[Slate, list[Similar]]:
        """Return what the answer says of itself, and the users, most similar first.

        Where the feature store does not answer and nothing comes with the request, the vector that the bundle has of
        the user stands in. Not where the store answers that it knows nobody: it may have erased the actor.

        Raises:
            BundleLacks: The bundle has no vectors of the tenant's users.
            NotReady: No bundle was ever loaded.
            BundleMismatch: The query pins a bundle that is not held.
        """
        slate = Slate(self._bundles.pinned(query.about.bundle_id))
        users = users_of(slate.catalogue, query.tenant)
        actor = await self._reader.read(slate, query.about, deadline)
        own = users.row(user_id_of(query.about.actor.actor_id)) if query.about.actor is not None else None
        stand_in = None
        if not _is_anything_known(actor.features):
            stand_in = own if slate.features_present_fraction == 0.0 else None
            if stand_in is None:
                said = "nothing is known of the actor, so that nobody can be said to be alike"
                slate.warnings.append(said)
                slate.reports.append(Report("retrieve", Outcome.SKIPPED, 0.0, 0.0, 0.0, len(users), 0, said))
                slate.degrade(Level.PARTIAL, Cause.SHORT_SLATE)
                return slate, []
            slate.warnings.append("the actor was taken as the bundle knows it, since its events cannot be read")
        request = UsersRequest(
            bundle_id=slate.catalogue.bundle_id,
            actor=actor.features,
            user_count=query.about.slate_size,
            exclude_rows=array("I", [] if own is None else [own]),
            user_row=stand_in,
        )
        run = await run_stage(self._retrieve, deadline, lambda d: self._retrieval.retrieve_users(request, d))
        found = [] if run.value is None else list(zip(run.value.rows, run.value.similarities, strict=True))
        report(slate, "retrieve", run, Outcome.FULL, len(users), len(found), Level.FALLBACK, Outcome.FALLBACK)
        if len(found) < query.about.slate_size:
            slate.degrade(Level.PARTIAL, Cause.SHORT_SLATE)
        return slate, [Similar(users.user_id(row), similarity) for row, similarity in found]


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


def _is_anything_known(actor: ActorFeatures) -> bool:
    """Return whether the user tower has anything to go by."""
    return bool(actor.history_rows or actor.attributes or actor.chosen)
