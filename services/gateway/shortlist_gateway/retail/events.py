"""User events of Google Retail: whose they are, what of them is read, and the events of ours that they become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from shortlist.common.v1 import actor_pb2
from shortlist_gateway.checks import Checks

EVENT_TYPES = {
    "detail-page-view": "view",
    "add-to-cart": "add_to_cart",
    "shopping-cart-page-view": "add_to_cart",
    "purchase-complete": "purchase",
}
"""Event types that speak of products, and what we call them."""

WRITTEN = ("detail-page-view", "add-to-cart", "purchase-complete")
"""Those that say that something was done; a look at a cart is context, and the cart's items were written before."""

PAGES = ("home-page-view", "category-page-view")
"""Event types that ask without a product."""

DEFAULT_CATALOG = "default_catalog"

_REFUSED = ("search_query", "filter", "order_by", "offset", "page_categories", "completion_detail", "entity")
_NOT_KEPT = (
    "page_view_id",
    "uri",
    "referrer_uri",
    "experiment_ids",
    "cart_id",
    "purchase_transaction",
)
_PLACE = re.compile(
    r"projects/[^/]+/locations/[^/]+/catalogs/(?P<catalog>[^/]+)(?:/(?:placements|servingConfigs)/(?P<config>[^/]+))?"
)


class Place(NamedTuple):
    """Where a request is addressed to."""

    tenant: str
    """Tenant: the catalogue by name; empty for ``default_catalog``."""

    config: str
    """Serving config; empty where none is named."""


def place(checks: Checks, field: str, name: str, *, has_config: bool) -> Place:
    """Return what the resource ``name`` means to us.

    Args:
        checks: Takes note of what is wrong.
        field: Field that holds it.
        name: ``projects/*/locations/*/catalogs/*``, with ``/servingConfigs/*`` or ``/placements/*`` where
            ``has_config``. Project and location say nothing here.
        has_config: Whether a serving config must be named; else it must not.
    """
    found = _PLACE.fullmatch(name)
    if found is None or bool(found["config"]) != has_config:
        form = "projects/*/locations/*/catalogs/*" + ("/servingConfigs/*" if has_config else "")
        checks.wrong(field, f"is {name!r}; it must be {form}")
        return Place("", "")
    catalog = found["catalog"]
    return Place("" if catalog == DEFAULT_CATALOG else catalog, found["config"] or "")


def actor(tenant: str, event: Any) -> actor_pb2.Actor:
    """Return who ``event``, a Retail user event, is about."""
    return actor_pb2.Actor(
        tenant=tenant, user_id=event.user_info.user_id, visitor_id=event.visitor_id, session_id=event.session_id
    )


def product_ids(event: Any) -> list[str]:
    """Return the products of ``event``, in order."""
    return [detail.product.id for detail in event.product_details]


def check(checks: Checks, event: Any, allowed: Mapping[str, object] | tuple[str, ...], dropped: list[str]) -> None:
    """Check the parts of ``event`` that become nothing of ours.

    Args:
        checks: Takes note of what changes the meaning of an event and is not honoured.
        event: A Retail user event.
        allowed: Event types that the RPC takes.
        dropped: Gets the names of what is legal and not kept.
    """
    if event.event_type not in allowed:
        checks.wrong("user_event.event_type", f"is {event.event_type!r}; it must be one of {', '.join(allowed)}")
    set_fields = {descriptor.name for descriptor, _ in event.ListFields()}
    for name in _REFUSED:
        if name in set_fields:
            checks.wrong(f"user_event.{name}", "is not honoured; leave it unset")
    dropped += [f"user_event.{name}" for name in _NOT_KEPT if name in set_fields]
    of_user = {descriptor.name for descriptor, _ in event.user_info.ListFields()}
    dropped += [f"user_event.user_info.{name}" for name in sorted(of_user - {"user_id"})]
    of_details = {f.name for detail in event.product_details for f, _ in detail.ListFields()}
    dropped += [f"user_event.product_details[].{name}" for name in sorted(of_details - {"product"})]
    of_products = {f.name for detail in event.product_details for f, _ in detail.product.ListFields()}
    dropped += [f"user_event.product_details[].product.{name}" for name in sorted(of_products - {"id"})]


def events(event: Any, values: Mapping[str, float]) -> list[actor_pb2.Event]:
    """Return an event of ours for each product of ``event``.

    Args:
        event: A Retail user event, checked.
        values: Values by Retail event type; 1 where a type is not in it.
    """
    found = []
    for item_id in product_ids(event):
        one = actor_pb2.Event(
            event_type=EVENT_TYPES[event.event_type],
            item_id=item_id,
            value=values.get(event.event_type, 1.0),
        )
        if event.HasField("event_time"):
            one.event_time.CopyFrom(event.event_time)
        found.append(one)
    return found


def attributes(event: Any) -> list[actor_pb2.Attribute]:
    """Return the custom attributes of ``event`` as attributes of the actor; one of both kinds or none is left empty."""
    found = []
    for name, custom in sorted(event.attributes.items()):
        texts, numbers = list(custom.text), list(custom.numbers)
        if len(texts) == 1 and not numbers:
            found.append(actor_pb2.Attribute(name=name, text=texts[0]))
        elif texts and not numbers:
            found.append(actor_pb2.Attribute(name=name, texts=actor_pb2.TextList(values=texts)))
        elif len(numbers) == 1 and not texts:
            found.append(actor_pb2.Attribute(name=name, number=numbers[0]))
        else:
            found.append(actor_pb2.Attribute(name=name))
    return found
