"""Users to whom items are worth showing: search the users of the bundle by the items."""

from __future__ import annotations

from shortlist_bundle.user_ids import UserIds
from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import ActorFeatures
from shortlist_domain.user_search import UserSearch, UsersRequest
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.query import Slate
from shortlist_gateway.selection import anchors_of
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.user_search import FoundUser, UserFinder, UsersQuery, user_rows, users_of


class RecommendUsers:
    """Answers queries. Holds no state of a request, and reads nobody's history."""

    def __init__(self, retrieval: UserSearch, bundles: ActiveBundle, settings: GatewaySettings) -> None:
        self._finder = UserFinder(retrieval, settings)
        self._bundles = bundles

    def begun(self, query: UsersQuery) -> tuple[Slate, UserIds, UsersRequest]:
        """Return what the answer says of itself before any stage was asked, among whom it is, and what it is to ask.

        Raises:
            NotFound: None of the items is in the catalogue.
            BundleLacks: The bundle has no vectors of the tenant's users.
            NotReady: No bundle was ever loaded.
            BundleMismatch: The query pins a bundle that is not held.
        """
        about = query.about
        slate = Slate(self._bundles.pinned(about.bundle_id))
        users = users_of(slate.catalogue, query.tenant)
        items = anchors_of(slate, about.item_ids)
        request = UsersRequest(
            bundle_id=slate.catalogue.bundle_id,
            actor=ActorFeatures(about.now_s),
            user_count=about.slate_size,
            exclude_rows=user_rows(users, query.exclude_user_ids),
            item_rows=items,
        )
        return slate, users, request

    async def find(self, query: UsersQuery, deadline: Deadline) -> tuple[Slate, list[FoundUser]]:
        """Return what the answer says of itself, and the users, best first; raises as :meth:`begun`."""
        slate, users, request = self.begun(query)
        return slate, await self._finder.find(slate, users, request, deadline)
