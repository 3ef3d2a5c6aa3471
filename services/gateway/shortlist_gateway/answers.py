"""Slates to responses: values in, protobuf out."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.query import Query, ReasonKind, Shown, Slate

SERVING_CONFIG = "default"

_REASON_KINDS = {kind: getattr(answer_pb2, f"REASON_KIND_{kind}") for kind in ReasonKind}


def results(slate: Slate, query: Query) -> list[answer_pb2.Result]:
    """Return the results of ``slate`` for the wire."""
    return [_result(rank, shown, slate, query) for rank, shown in enumerate(slate.results)]


def meta(slate: Slate, query: Query) -> answer_pb2.AnswerMeta:
    """Return what the answer says of itself."""
    return answer_pb2.AnswerMeta(
        request_id=query.request_id,
        slate_id=uuid.uuid4().hex,
        serving_config=SERVING_CONFIG,
        bundle=bundle(slate.catalogue),
        missing_ids=list(slate.missing_ids),
        warnings=slate.warnings,
        degradation=answer_pb2.Degradation(
            level=f"DEGRADATION_LEVEL_{slate.level}",
            causes=[f"DEGRADATION_CAUSE_{cause}" for cause in slate.causes],
            ranked_fraction=slate.ranked_fraction,
            features_present_fraction=slate.features_present_fraction,
        ),
        stages=[
            answer_pb2.StageReport(
                stage=report.stage,
                outcome=f"STAGE_OUTCOME_{report.outcome}",
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


def _result(rank: int, shown: Shown, slate: Slate, query: Query) -> answer_pb2.Result:
    heads = None
    if shown.click is not None and shown.rating is not None:
        heads = answer_pb2.Heads(click_probability=shown.click, rating=shown.rating)
    reasons = dict.fromkeys((origin.reason, origin.anchor_item_id) for origin in shown.origins if origin.reason)
    fields = slate.catalogue.display(shown.row) if query.item_fields and shown.row is not None else {}
    return answer_pb2.Result(
        item_id=shown.item_id,
        rank=rank,
        score=shown.score,
        heads=heads,
        propensity=1.0,  # nothing is left to chance yet
        provenance=[
            answer_pb2.Provenance(source=o.source, source_rank=o.rank, source_score=o.score) for o in shown.origins
        ],
        reasons=[answer_pb2.Reason(kind=_REASON_KINDS[kind], anchor_item_id=anchor) for kind, anchor in reasons],
        fields=_fields(fields, query, slate),
    )


def _fields(fields: Mapping[str, Any], query: Query, slate: Slate) -> list[actor_pb2.Attribute]:
    if not fields:
        return []
    names = tuple(fields) if "*" in query.item_fields else query.item_fields
    attributes = []
    for name in names:
        value = fields.get(name)
        if name not in fields:
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
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration
