"""The working of a slate, for those who ask for it: what the stages were given, and what they gave."""

from __future__ import annotations

from collections.abc import Mapping

from shortlist.common.v1 import actor_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_domain.features import context_numbers
from shortlist_domain.stages import ActorFeatures
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.query import Slate


def debug(slate: Slate) -> pb.Debug:
    """Return the working of ``slate``, one entry for each of its results in their order."""
    if slate.trace is None:
        return pb.Debug()
    standings = slate.trace.standings([shown.row for shown in slate.results if shown.row is not None])
    scores = []
    for shown in slate.results:
        found = None if shown.row is None else standings.get(shown.row)
        if found is None:
            scores.append(pb.StageScores(item_id=shown.item_id))
            continue
        scores.append(
            pb.StageScores(
                item_id=shown.item_id,
                retrieval_rank=found.retrieval_rank,
                retrieval_score=found.retrieval_score,
                ranking_rank=found.ranking_rank,
                ranking_score=found.ranking_score,
                item_features=features(found.item_numbers),
                boost=found.boost,
            )
        )
    return pb.Debug(actor=actor_inputs(slate.trace.actor.features, slate.catalogue), results=scores)


def actor_inputs(actor: ActorFeatures, catalogue: Catalogue) -> pb.ActorInputs:
    """Return what retrieval and ranking were given of an actor, in external ids."""
    inputs = pb.ActorInputs(
        attributes=[actor_pb2.Attribute(name=name, text=text) for name, text in actor.attributes.items()],
        chosen=[
            actor_pb2.Attribute(name=name, texts=actor_pb2.TextList(values=values))
            for name, values in actor.chosen.items()
        ],
        features=features({**actor.numbers, **context_numbers(actor.now_s)}),
    )
    inputs.as_of.FromMicroseconds(round(actor.now_s * 1e6))
    columns = (actor.history_rows, actor.history_values, actor.history_times_s)
    for row, value, time_s in zip(*columns, strict=True):
        inputs.history.add(item_id=catalogue.item_id(row), value=value).event_time.FromMicroseconds(round(time_s * 1e6))
    return inputs


def features(numbers: Mapping[str, float]) -> list[pb.FeatureValue]:
    """Return named numbers for the wire."""
    return [pb.FeatureValue(name=name, value=value) for name, value in sorted(numbers.items())]
