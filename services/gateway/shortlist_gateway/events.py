"""Takes in events: bad ones are refused one by one, good ones are stored before the answer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from shortlist.gateway.v1 import event_service_pb2 as pb
from shortlist_domain.deadline import Deadline
from shortlist_domain.feature_stage import FeatureStage
from shortlist_domain.stages import IMPRESSION, ActorKey, Event
from shortlist_gateway.attribution import Attribution, impressions
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.checks import Checks
from shortlist_gateway.seals import BrokenSeal
from shortlist_gateway.tokens import consistency_token

MAX_EVENTS = 1000
MAX_SLATES = 20
"""Attribution tokens of one call that differ, at most; each may imply a thousand impressions."""


class EventIntake:
    """Checks events and hands them to the feature store."""

    def __init__(self, features: FeatureStage, bundles: ActiveBundle, attribution: Attribution) -> None:
        self._features = features
        self._bundles = bundles
        self._attribution = attribution

    async def write(self, request: pb.WriteEventsRequest, now_s: float, deadline: Deadline) -> pb.WriteEventsResponse:
        """Store the good events of ``request``.

        Raises:
            InvalidRequest: The actor or the number of events is wrong, or every event is bad.
            UpstreamFailed: The store cannot be reached; repeating the call completes it.
            BudgetExceeded: The store did not answer in time; likewise.
        """
        checks = Checks()
        key = checks.actor(request, request.actor)
        checks.request_id(request.request_id)
        if request.durability == pb.DURABILITY_QUEUED:
            checks.wrong("durability", "DURABILITY_QUEUED is not honoured by this release; use DURABILITY_STORED")
        elif request.durability not in pb.Durability.values():
            checks.wrong("durability", f"is {request.durability}; DURABILITY_STORED (1) alone is honoured")
        if len(request.events) > MAX_EVENTS or not (request.events or request.attribution_token):
            checks.wrong("events", f"has {len(request.events)} events; it must have 1 to {MAX_EVENTS}")
        slates = _Slates(self._attribution, key, now_s)
        slates.check(checks, "attribution_token", request.attribution_token)
        checks.done()
        good: list[Event] = []
        rejections = []
        attributed = 0
        for index, event in enumerate(request.events):
            own = Checks()
            path = f"events[{index}]"
            token = event.attribution_token or request.attribution_token
            slates.check(own, f"{path}.attribution_token", token)
            checked = own.event(path, event, now_s, attributable=True)
            if own.violations:
                checks.violations += own.violations
                rejections += [
                    pb.EventRejection(index=index, field=v.field, description=v.description) for v in own.violations
                ]
                continue
            shown = slates.implied(token).get(checked.item_id)
            attributed += shown is not None
            good.append(shown if shown and checked.event_type == IMPRESSION and not checked.event_id else checked)
        if not good:
            checks.done()
        if key is None:  # checked above; the type does not know
            raise AssertionError
        everything = [*good, *slates.all_implied(request.attribution_token)]
        added: list[bool] = []
        version = 0
        for start in range(0, len(everything), MAX_EVENTS):
            result = await self._features.append_events(key, everything[start : start + MAX_EVENTS], deadline)
            added += result.added
            version = result.version
        written = sum(added[: len(good)])
        return pb.WriteEventsResponse(
            written=written,
            duplicates=len(good) - written,
            rejections=rejections,
            missing_ids=self._missing(good),
            consistency_token=consistency_token(key, version),
            request_id=request.request_id or uuid.uuid4().hex,
            impressions=sum(added[len(good) :]),
            attributed=attributed,
        )

    def _missing(self, events: list[Event]) -> list[str]:
        if not self._bundles.is_ready:
            return []
        catalogue = self._bundles.pinned()
        return list(dict.fromkeys(e.item_id for e in events if catalogue.row(e.item_id) is None))


class _Slates:
    """The slates that the events of one call speak of, by token; each token is verified once."""

    def __init__(self, attribution: Attribution, actor: ActorKey | None, now_s: float) -> None:
        self._attribution = attribution
        self._actor = actor
        self._now_s = now_s
        self._broken: dict[str, str] = {}
        self._shown: dict[str, dict[str, Event]] = {"": {}}
        self._named: dict[str, None] = {}

    def check(self, checks: Checks, field: str, token: str) -> None:
        """Note what is wrong with ``token``; an empty one is no token and right."""
        if token not in self._shown and token not in self._broken:
            if len(self._shown) + len(self._broken) > MAX_SLATES:
                checks.wrong(field, f"differs from {MAX_SLATES} others in this call; no more are allowed")
                return
            try:
                claims = self._attribution.read(token, self._actor, self._now_s)
                self._shown[token] = {event.item_id: event for event in impressions(claims)}
            except BrokenSeal as broken:
                self._broken[token] = str(broken)
        if token in self._broken:
            checks.wrong(field, self._broken[token])

    def implied(self, token: str) -> Mapping[str, Event]:
        """Return the impressions of a token that was found right, by item, and count them as implied."""
        self._named[token] = None
        return self._shown[token]

    def all_implied(self, of_call: str) -> list[Event]:
        """Return the impressions of the call's own token and of every token that an accepted event carries."""
        return [event for token in {of_call: None, **self._named} for event in self._shown[token].values()]
