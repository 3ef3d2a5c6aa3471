"""Takes in events: bad ones are refused one by one, good ones are stored before the answer."""

from __future__ import annotations

import uuid

from shortlist.gateway.v1 import event_service_pb2 as pb
from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import Event, FeatureStage
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.checks import Checks
from shortlist_gateway.tokens import consistency_token

MAX_EVENTS = 1000


class EventIntake:
    """Checks events and hands them to the feature store."""

    def __init__(self, features: FeatureStage, bundles: ActiveBundle) -> None:
        self._features = features
        self._bundles = bundles

    async def write(self, request: pb.WriteEventsRequest, now_s: float, deadline: Deadline) -> pb.WriteEventsResponse:
        """Store the good events of ``request``.

        Raises:
            InvalidRequest: The actor or the number of events is wrong, or every event is bad.
            UpstreamFailed: The store cannot be reached; repeating the call completes it.
            BudgetExceeded: The store did not answer in time; likewise.
        """
        checks = Checks()
        key = checks.actor(request, request.actor)
        checks.text("request_id", request.request_id, 256)
        if request.durability == pb.DURABILITY_QUEUED:
            checks.wrong("durability", "DURABILITY_QUEUED is not honoured by this release; use DURABILITY_STORED")
        if not 1 <= len(request.events) <= MAX_EVENTS:
            checks.wrong("events", f"has {len(request.events)} events; it must have 1 to {MAX_EVENTS}")
        checks.done()
        good: list[Event] = []
        rejections = []
        for index, event in enumerate(request.events):
            own = Checks()
            checked = own.event(f"events[{index}]", event, now_s)
            if own.violations:
                checks.violations += own.violations
                rejections += [
                    pb.EventRejection(index=index, field=v.field, description=v.description) for v in own.violations
                ]
            else:
                good.append(checked)
        if not good:
            checks.done()
        if key is None:  # checked above; the type does not know
            raise AssertionError
        result = await self._features.append_events(key, good, deadline)
        written = sum(result.added)
        return pb.WriteEventsResponse(
            written=written,
            duplicates=len(good) - written,
            rejections=rejections,
            missing_ids=self._missing(good),
            consistency_token=consistency_token(key, result.version),
            request_id=request.request_id or uuid.uuid4().hex,
        )

    def _missing(self, events: list[Event]) -> list[str]:
        if not self._bundles.is_ready:
            return []
        catalogue = self._bundles.pinned()
        return list(dict.fromkeys(e.item_id for e in events if catalogue.row(e.item_id) is None))
