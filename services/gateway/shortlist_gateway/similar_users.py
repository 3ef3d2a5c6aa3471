"""Users whose taste points where an actor's does: read the actor, search the users of the bundle."""

from __future__ import annotations

from array import array

from shortlist_domain.deadline import Deadline
from shortlist_domain.feature_stage import FeatureStage
from shortlist_domain.ids import user_id_of
from shortlist_domain.stages import ActorFeatures
from shortlist_domain.user_search import UserSearch, UsersRequest
from shortlist_gateway.actor_reader import ActorReader
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.query import Cause, Level, Outcome, Report, Slate
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.user_search import FoundUser, UserFinder, UsersQuery, users_of


class SimilarUsers:
    """Answers queries. Holds no state of a request."""

    def __init__(
        self, features: FeatureStage, retrieval: UserSearch, bundles: ActiveBundle, settings: GatewaySettings
    ) -> None:
        self._reader = ActorReader(features, settings)
        self._finder = UserFinder(retrieval, settings)
        self._bundles = bundles

    async def find(self, query: UsersQuery, deadline: Deadline) -> tuple[Slate, list[FoundUser]]:
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
        found = await self._finder.find(slate, users, request, deadline)
        if not found and slate.level is not Level.FALLBACK and len(users) > len(request.exclude_rows):
            slate.warnings.append("the user tower makes nothing of what is known of the actor: nobody is alike")
        return slate, found


def _is_anything_known(actor: ActorFeatures) -> bool:
    """Return whether the user tower has anything to go by."""
    return bool(actor.history_rows or actor.attributes or actor.chosen)
