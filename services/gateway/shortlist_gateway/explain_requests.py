"""ExplainRecommendation requests to queries: from a request, or from the token of an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from shortlist.common.v1 import actor_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.token_claims_pb2 import AttributionClaims
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.features import FEATURE_BY_NAME, Entity
from shortlist_domain.stages import ActorKey
from shortlist_gateway.attribution import Attribution
from shortlist_gateway.checks import MAX_SLATE, Checks, key_of
from shortlist_gateway.conditions import moved_conditions
from shortlist_gateway.configs.choice import Asked, ServingChoice
from shortlist_gateway.configs.config import Answered, Serving
from shortlist_gateway.query import Query, WhatIf
from shortlist_gateway.requests import recommend_query
from shortlist_gateway.seals import BrokenSeal
from shortlist_gateway.slate.rules import without_ranking

MAX_DROPPED = 50

T = TypeVar("T")


def explain_queries(
    request: pb.ExplainRecommendationRequest, attribution: Attribution, now_s: float, choice: ServingChoice
) -> tuple[Asked, Asked | None]:
    """Return what is explained, and the same with the what-if where there is one.

    Raises:
        InvalidRequest: With every field that is wrong.
        NotFound: There is no such serving config.
        Expired: The serving config of the token is not there any more.
    """
    checks = Checks()
    checks.item_id("item_id", request.item_id)
    checks.request_id(request.request_id)
    checks.unsupported(request.request, "request.", ("validate_only", "item_fields", "debug_level", "request_id"))
    base = pb.RecommendRequest()
    base.CopyFrom(request.request)
    moment_s, chance_id, slate_size, is_later_page = now_s, "", 0, False
    serving: Serving | None = None
    if request.attribution_token:
        try:
            claims = attribution.read(request.attribution_token, None, now_s)
        except BrokenSeal as broken:
            checks.wrong("attribution_token", str(broken))
        else:
            moment_s, chance_id = claims.made_ms / 1000, claims.request_id
            slate_size = claims.slate_size or min(MAX_SLATE, claims.first_rank + len(claims.item_ids))
            is_later_page = claims.first_rank > 0
            _take_over(checks, base, claims, slate_size)
            answered = Answered(
                claims.serving_config,
                claims.serving_config_version,
                claims.variants,
                claims.is_fallback,
                claims.is_variant_forced,
            )
            serving = choice.resumed(answered)
    elif not request.HasField("request"):
        checks.wrong("request", "is required where there is no attribution_token")
    what_if = _what_if(checks, request)
    checks.done()
    read = partial(recommend_query, base, moment_s)
    forced = base.experiment_override
    query = within("request", lambda: read(serving) if serving else choice.query(base.serving_config, read, forced))

    def placed(query: Query) -> Query:
        return replace(
            moved_conditions(query, "request"),
            is_debugged=True,
            request_id=request.request_id or query.request_id,
        )

    if request.attribution_token:
        # A config limits a page, and all pages together are longer. The first one alone explores.
        slate_size = max(query.slate_size, min(base.slate_size, slate_size))
        rules = replace(query.rules, exploration=None) if is_later_page else query.rules
        query = replace(query, slate_size=slate_size, rules=rules, events_until_s=moment_s, chance_id=chance_id)
        asked = Asked(placed(query))
    else:
        asked = Asked(placed(query), lambda serving: placed(within("request", lambda: read(serving))))
    return asked, _changed(asked, request.what_if, what_if, choice) if what_if is not None else None


def _changed(asked: Asked, message: pb.WhatIf, what_if: WhatIf, choice: ServingChoice) -> Asked:
    """Return ``asked`` with the what-if, whichever config answers.

    Raises:
        NotFound: There is no serving config that the what-if names.
    """

    def change(query: Query) -> Query:
        changed = replace(query, what_if=what_if, bundle_id=message.bundle_id or query.bundle_id)
        if not message.serving_config:
            return changed
        config = choice.reordered(query.serving.config, message.serving_config)
        changed = replace(changed, serving=replace(query.serving, config=config))
        return changed if config.is_ranked else _unranked(changed, message.serving_config)

    read = asked.read
    return Asked(change(asked.query), None if read is None else lambda serving: change(read(serving)))


def _unranked(query: Query, name: str) -> Query:
    """Return ``query`` without what needs a ranker, and with a warning of each such thing."""
    needing = {
        "minimum_click_probability": query.minimum_click_probability,
        "diversity": query.rules.diversity,
        "exploration": query.rules.exploration,
    }
    said = f"was not applied in what_if, since serving config {name!r} asks no ranker"
    warnings = (f"constraints.{field}: {said}" for field, value in needing.items() if value)
    return replace(
        query,
        minimum_click_probability=None,
        rules=without_ranking(query.rules),
        warnings=(*query.warnings, *warnings),
    )


def within(path: str, check: Callable[[], T]) -> T:
    """Return what ``check`` returns; what it finds wrong is found in the message at ``path``.

    Raises:
        InvalidRequest: With the fields that ``check`` refuses.
    """
    try:
        return check()
    except InvalidRequest as error:
        raise found_at(path, error) from error


def found_at(path: str, error: InvalidRequest) -> InvalidRequest:
    """Return ``error`` with the same things wrong in the message at ``path``."""
    return InvalidRequest(*(Violation(f"{path}.{v.field}", v.description) for v in error.violations))


def _take_over(checks: Checks, base: pb.RecommendRequest, claims: AttributionClaims, slate_size: int) -> None:
    """Write into ``base`` what the token says of the answer, and refuse what contradicts it."""
    if claims.rpc not in ("Recommend", "RecommendNext"):
        checks.wrong("attribution_token", f"is of a {claims.rpc}, which recommends nothing by itself")
        return
    given = key_of(base.actor)
    is_theirs = given.own == ActorKey(claims.tenant, claims.actor_id) and given.session_id in ("", claims.session_id)
    if base.HasField("actor") and not is_theirs:
        checks.wrong("request.actor", "is not the token's; leave it unset")
    if base.serving_config not in ("", claims.serving_config):
        checks.wrong("request.serving_config", f"is not the token's, {claims.serving_config}; leave it unset")
    if base.experiment_override not in ("", *claims.variants):
        said = ", ".join(claims.variants) or "none"
        checks.wrong("request.experiment_override", f"is not the token's variant, {said}; leave it unset")
    if base.bundle_id not in ("", claims.bundle_id):
        checks.wrong("request.bundle_id", f"is not the token's, {claims.bundle_id}; leave it unset")
    kind, _, name = claims.actor_id.partition("/")
    base.actor.CopyFrom(actor_pb2.Actor(tenant=claims.tenant, session_id=claims.session_id))
    setattr(base.actor, {"u": "user_id", "v": "visitor_id", "s": "session_id"}[kind], name)
    base.bundle_id = claims.bundle_id
    base.slate_size = base.slate_size or slate_size


def _what_if(checks: Checks, request: pb.ExplainRecommendationRequest) -> WhatIf | None:
    if not request.HasField("what_if"):
        return None
    what_if = request.what_if
    if not what_if.ListFields():
        checks.wrong("what_if", "changes nothing; leave it unset")
    checks.text("what_if.bundle_id", what_if.bundle_id, 128)
    if len(what_if.dropped_features) > MAX_DROPPED:
        checks.wrong("what_if.dropped_features", f"has {len(what_if.dropped_features)} names; at most {MAX_DROPPED}")
    for at, name in enumerate(what_if.dropped_features[:MAX_DROPPED]):
        spec = FEATURE_BY_NAME.get(name)
        if not 1 <= len(name.encode()) <= 64:
            checks.wrong(f"what_if.dropped_features[{at}]", "must be 1 to 64 bytes long")
        elif spec is not None and spec.entity is not Entity.USER:
            checks.wrong(f"what_if.dropped_features[{at}]", f"{name!r} is no feature of the actor")
    return WhatIf(frozenset(what_if.dropped_features), what_if.without_history)
