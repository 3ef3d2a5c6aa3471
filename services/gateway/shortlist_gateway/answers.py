"""Slates to responses: values in, protobuf out."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.query import Cause, Level, Origin, Outcome, Query, ReasonKind, Slate

Response = pb.RecommendResponse | pb.RecommendNextResponse | pb.SimilarItemsResponse | pb.RerankItemsResponse

_REASON_KINDS = {kind: getattr(answer_pb2, f"REASON_KIND_{kind}") for kind in ReasonKind}
_LEVELS = {level: getattr(answer_pb2, f"DEGRADATION_LEVEL_{level}") for level in Level}
_CAUSES = {cause: getattr(answer_pb2, f"DEGRADATION_CAUSE_{cause}") for cause in Cause}
_OUTCOMES = {outcome: getattr(answer_pb2, f"STAGE_OUTCOME_{outcome}") for outcome in Outcome}


def add_results(response: Response, slate: Slate, query: Query) -> None:
    """Write the results of ``slate`` into ``response``, in place: a message that is built apart is copied in."""
    for rank, shown in enumerate(slate.results, len(query.shown_rows)):
        result = response.results.add(
            item_id=shown.item_id,
            rank=rank,
            score=shown.score,
            propensity=shown.propensity,
        )
        if shown.click is not None and shown.rating is not None:
            result.heads.click_probability = shown.click
            result.heads.rating = shown.rating
        add_origins(result, shown.origins)
        if query.item_fields and shown.row is not None:
            result.fields.extend(_fields(slate.catalogue.display(shown.row), query, slate))


def add_origins(message: answer_pb2.Result | pb.Explanation, origins: Sequence[Origin]) -> None:
    """Write into ``message`` where an item came from, and the reasons that follow, each once."""
    for origin in origins:
        message.provenance.add(source=origin.source, source_rank=origin.rank, source_score=origin.score)
    for reason, anchor in {(origin.reason, origin.anchor_item_id): None for origin in origins}:
        if reason:
            message.reasons.add(kind=_REASON_KINDS[reason], anchor_item_id=anchor)


def causes(slate: Slate) -> list[answer_pb2.DegradationCause]:
    """Return why ``slate`` is not full."""
    return [_CAUSES[cause] for cause in slate.causes]


def meta(slate: Slate, query: Query) -> answer_pb2.AnswerMeta:
    """Return what the answer says of itself."""
    return answer_pb2.AnswerMeta(
        request_id=query.request_id,
        slate_id=secrets.token_hex(16),
        serving_config=query.serving.config.name,
        serving_config_version=query.serving.config.version,
        variants=query.serving.variants,
        is_variant_forced=query.serving.is_forced,
        bundle=bundle(slate.catalogue),
        missing_ids=list(slate.missing_ids),
        warnings=slate.warnings,
        degradation=answer_pb2.Degradation(
            level=_LEVELS[slate.level],
            causes=causes(slate),
            ranked_fraction=slate.ranked_fraction,
            features_present_fraction=slate.features_present_fraction,
        ),
        stages=[
            answer_pb2.StageReport(
                stage=report.stage,
                outcome=_OUTCOMES[report.outcome],
                reason=report.reason,
                budget=_duration(report.budget_s),
                spent=_duration(report.spent_s),
                items_in=report.items_in,
                items_out=report.items_out,
            )
            for report in slate.reports
        ],
        actor_known=slate.is_actor_known,
    )


def bundle(catalogue: Catalogue) -> answer_pb2.Bundle:
    """Return the bundle that answered."""
    manifest = catalogue.manifest
    until = Timestamp(seconds=int(manifest.data_window.until_s))
    return answer_pb2.Bundle(
        bundle_id=catalogue.bundle_id,
        generation=manifest.generation,
        retrieval_model=manifest.models.get("retrieval", ""),
        index=manifest.models.get("index", ""),
        ranking_model=manifest.models.get("ranker", ""),
        data_until=until,
    )


def _fields(fields: Mapping[str, Any], query: Query, slate: Slate) -> list[actor_pb2.Attribute]:
    names = tuple(fields) if "*" in query.item_fields else query.item_fields
    attributes = []
    for name in names:
        value = fields.get(name)
        if name not in fields and not slate.catalogue.has_field(name):
            warning = f"item_fields: the catalogue has no field {name!r}"
            if warning not in slate.warnings:
                slate.warnings.append(warning)
        elif isinstance(value, bool):
            attributes.append(actor_pb2.Attribute(name=name, flag=value))
        elif isinstance(value, int | float):
            attributes.append(actor_pb2.Attribute(name=name, number=value))
        elif isinstance(value, list):
            texts = actor_pb2.TextList(values=[str(v) for v in value])
            attributes.append(actor_pb2.Attribute(name=name, texts=texts))
        elif value is not None:
            attributes.append(actor_pb2.Attribute(name=name, text=str(value)))
    return attributes


def _duration(seconds: float) -> Duration:
    whole, nanos = divmod(int(seconds * 1e9), 1_000_000_000)
    return Duration(seconds=whole, nanos=nanos)
