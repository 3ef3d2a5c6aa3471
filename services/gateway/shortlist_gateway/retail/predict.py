"""Predict: a request of Google Retail to one of ours, and our answer to theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shortlist.common.v1 import actor_pb2, answer_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_gateway.checks import Checks
from shortlist_gateway.retail import events
from shortlist_gateway.retail.messages import PredictResponse

SIMILAR_ITEMS = "similar-items"
"""Serving config whose answer is SimilarItems of the event's products, as Retail's model of that name."""

_DIVERSITY = {"": 0.0, "no-diversity": 0.0, "low-diversity": 0.25, "medium-diversity": 0.5, "high-diversity": 0.75}
_FLAGS = ("returnProduct", "returnScore", "strictFiltering", "filterSyntaxV2")
_LEVELS = ("diversityLevel", "priceRerankLevel")
_QUOTED = r'("(?:[^"\\]|\\.)*")'
_OURS = re.compile(_QUOTED + r"|\bANY(?=\s*\()|\battributes\.")
_RANGE = re.compile(_QUOTED + r"|\bIN\s*\(")


class Flags:
    """The ``params`` of a request, checked."""

    def __init__(self, checks: Checks, params: Mapping[str, Any]) -> None:
        self.diversity = 0.0
        self._flags: dict[str, bool] = {}
        for name, value in sorted(params.items()):
            field, kind = f"params[{name!r}]", value.WhichOneof("kind")
            if name in _FLAGS:
                if kind != "bool_value":
                    checks.wrong(field, "must be a boolean")
                self._flags[name] = value.bool_value
            elif name in _LEVELS and kind != "string_value":
                checks.wrong(field, "must be a string")
            elif name == "diversityLevel" and value.string_value in _DIVERSITY:
                self.diversity = _DIVERSITY[value.string_value]
            elif name == "diversityLevel":
                checks.wrong(
                    field, f"is {value.string_value!r}; it must be one of {', '.join(filter(None, _DIVERSITY))}"
                )
            elif name != "priceRerankLevel" or value.string_value not in ("", "no-price-reranking"):
                checks.wrong(field, "is not honoured; leave it out")

    def __getitem__(self, name: str) -> bool:
        return self._flags.get(name, False)

    @property
    def on_empty(self) -> selection_pb2.EmptyPolicy:
        """What happens where nothing passes the filter: what the placement says, where the params say nothing."""
        if "strictFiltering" not in self._flags:
            return selection_pb2.EMPTY_POLICY_UNSPECIFIED
        is_strict = self["strictFiltering"]
        return selection_pb2.EMPTY_POLICY_RETURN_EMPTY if is_strict else selection_pb2.EMPTY_POLICY_RELAX_FILTER


def similar_request(asked: Any, place: events.Place, checks: Checks, flags: Flags) -> pb.SimilarItemsRequest:
    """Return the request of ours that ``asked``, a Retail PredictRequest, becomes under ``similar-items``."""
    return pb.SimilarItemsRequest(
        item_ids=events.product_ids(asked.user_event),
        actor=events.actor(place.tenant, asked.user_event),
        slate_size=asked.page_size,
        filter=_filter(asked, checks, flags),
        constraints=_constraints(flags),
        item_fields=["*"] if flags["returnProduct"] else [],
        validate_only=asked.validate_only,
    )


def recommend_request(
    asked: Any, place: events.Place, checks: Checks, flags: Flags, values: Mapping[str, float]
) -> pb.RecommendRequest:
    """Return the request of ours that ``asked``, a Retail PredictRequest, becomes.

    Args:
        asked: The request.
        place: What its placement means.
        checks: Takes note of what is wrong with it that our own checks would not see.
        flags: Its params.
        values: Values of events, by Retail event type.
    """
    has_products = asked.user_event.event_type in events.EVENT_TYPES
    request = pb.RecommendRequest(
        actor=events.actor(place.tenant, asked.user_event),
        slate_size=asked.page_size,
        serving_config=place.config,
        context=actor_pb2.Context(
            events=events.events(asked.user_event, values) if has_products else [],
            attributes=events.attributes(asked.user_event),
        ),
        filter=_filter(asked, checks, flags),
        constraints=_constraints(flags),
        item_fields=["*"] if flags["returnProduct"] else [],
        validate_only=asked.validate_only,
    )
    if not has_products and asked.user_event.product_details:
        checks.wrong("user_event.product_details", f"must be empty for {asked.user_event.event_type}")
    return request


def response(asked: Any, answer: pb.RecommendResponse | pb.SimilarItemsResponse, flags: Flags) -> Any:
    """Return the PredictResponse that says what ``answer`` says, as far as it has room for it."""
    found = PredictResponse(
        attribution_token=answer.meta.attribution_token,
        missing_ids=answer.meta.missing_ids,
        validate_only=asked.validate_only,
    )
    for result in answer.results:
        shown = found.results.add(id=result.item_id)
        if flags["returnScore"] and result.HasField("heads"):
            shown.metadata["score"].number_value = result.heads.click_probability
        if flags["returnProduct"]:
            shown.metadata["product"].struct_value.update(_product(result))
    return found


def _product(result: answer_pb2.Result) -> dict[str, Any]:
    """Return an item as the JSON of a Retail Product: id, title, and everything else among its attributes."""
    product: dict[str, Any] = {"id": result.item_id}
    attributes: dict[str, Any] = {}
    for attribute in result.fields:
        kind = attribute.WhichOneof("value")
        if attribute.name == "title" and kind == "text":
            product["title"] = attribute.text
        elif kind == "number":
            attributes[attribute.name] = {"numbers": [attribute.number]}
        elif kind == "flag":
            attributes[attribute.name] = {"text": [str(attribute.flag).lower()]}
        else:
            texts: Iterable[str] = attribute.texts.values if kind == "texts" else [attribute.text]
            attributes[attribute.name] = {"text": list(texts)}
    if attributes:
        product["attributes"] = attributes
    return product


def _filter(asked: Any, checks: Checks, flags: Flags) -> selection_pb2.Filter | None:
    """Return the filter.

    Retail's ``attributes.colors: ANY("Red", "Blue")`` is our ``colors:("Red", "Blue")``; the rest reads the same.
    """
    if not asked.filter:
        return None
    if not flags["filterSyntaxV2"]:
        checks.wrong("filter", "the syntax of tags is not honoured; set params['filterSyntaxV2'] and use attributes")
    if any(not found[1] for found in _RANGE.finditer(asked.filter)):
        checks.wrong("filter", "IN(...) is not honoured; use >=, >, <= and <")
    # As long as it was, so that an error's column is the caller's own.
    expression = _OURS.sub(lambda found: found[1] or " " * len(found[0]), asked.filter)
    return selection_pb2.Filter(expression=expression, on_empty=flags.on_empty)


def _constraints(flags: Flags) -> selection_pb2.Constraints | None:
    if not flags.diversity:
        return None
    return selection_pb2.Constraints(diversity=selection_pb2.Diversity(strength=flags.diversity))
