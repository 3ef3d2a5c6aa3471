"""Values that fields may have, by the name of the field: what hypothesis needs to get beyond the checks of requests."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st

from shortlist.common.v1 import actor_features_pb2, actor_pb2, selection_pb2
from shortlist_domain.features import FEATURES
from shortlist_testing.tiny_bundle import item_ids, tiny_user_id

from .any_message import Values

N = 60
NAMED = (
    "Document",
    "ReadDocumentRequest",
    "WriteDocumentRequest",
    "ListDocumentVersionsRequest",
    "ServingConfig",
    "GetServingConfigRequest",
    "DeleteServingConfigRequest",
    "ListServingConfigVersionsRequest",
    "RollbackServingConfigRequest",
)
"""Messages that name a document or a serving config, most of them with a version."""

NAMES = st.sampled_from(["default", "one", "two"])
IDS = st.sampled_from([*item_ids(N), "nowhere"])
TYPES = st.sampled_from(["", "rating", "click", "impression"])
SHARE = st.floats(0.0, 1.0, width=32)
EXPRESSIONS = st.sampled_from(
    [
        "",
        'genres:"Comedy"',
        "year > 1990 AND NOT tags:t1",
        'seen("rating", 30d)',
        "actor.age > 18",
        "colour = 1",
        "year >",
    ]
)
SPAN = st.integers(-1, 10**7).map(lambda seconds: Duration(seconds=seconds))
MOMENT = st.integers(-(10**8), 400).map(lambda ago: Timestamp(seconds=int(time.time()) + ago))


def tame_values(bundle_id: str) -> Mapping[str, Values]:
    """Return values of the fields of all requests to a platform that serves ``bundle_id``."""
    ids = st.lists(IDS, max_size=4)
    bundle = st.sampled_from([bundle_id] * 9 + ["tiny-0"])
    rows = column("I", st.integers(0, N - 1))
    return {
        **dict.fromkeys(("bundle_id", "base_bundle_id", "other_bundle_id"), bundle),
        "RecommendRequest.bundle_id": maybe(bundle),
        **dict.fromkeys(("item_id", "Pin.item_id"), IDS),
        **dict.fromkeys(("item_ids", "exclude_item_ids", "item_ids_in_view"), ids),
        "include_item_ids": st.just([]) | ids,
        **dict.fromkeys(("named", "debug_level", "lookback_parameter"), st.none()),
        "session_id": st.sampled_from([None, "s1"]),
        "surface": st.sampled_from([None, "home", "\u00fc" * 128]),
        "experiment_override": seldom("e:a"),
        **dict.fromkeys(("heads", "variants"), st.just([])),
        **dict.fromkeys(
            ("consistency_token", "attribution_token", "resume_token"), st.sampled_from([None] * 9 + ["t"])
        ),
        **dict.fromkeys(("serving_config", "tenant", "visitor_id"), st.just("")),
        "RecommendRequest.actor": ACTORS,
        "RerankItemsRequest.actor": ACTORS,
        "WriteEventsRequest.actor": ACTORS,
        "BatchRecommendRequest.actors": st.lists(ACTORS, min_size=1, max_size=3),
        "validate_only": st.sampled_from([False] * 9 + [True]),
        "slate_size": st.integers(0, N + 10),
        "candidate_count": st.integers(0, 200),
        "durability": st.integers(0, 1),
        "event_type": TYPES,
        "event_types": st.lists(TYPES.filter(bool), max_size=2),
        "Event.value": maybe(st.floats(-5.0, 5.0, width=32)),
        "event_time": maybe(MOMENT),
        "expression": maybe(EXPRESSIONS),
        "on_empty": st.integers(0, 2),
        "operator": st.integers(1, 8),
        "Comparison.field": st.sampled_from(["genres", "year", "title", "released", "id", "actor.age"]),
        "maximum": st.integers(1, 5),
        "Pin.position": st.integers(0, 9),
        "slots": st.integers(1, 3),
        **dict.fromkeys(("share", "strength", "rate"), SHARE),
        "minimum_click_probability": maybe(SHARE),
        "method": st.integers(0, 3),
        **dict.fromkeys(("half_life", "lookback", "duration"), SPAN),
        "factor": st.floats(0.125, 100.0, width=32),
        "disabled": st.just(False),
        "Attribute.name": st.sampled_from(["gender", "genres", "a"]),
        "dropped_features": st.lists(st.sampled_from(["gender", "user_mean", "item_count"]), max_size=2),
        # between the stages
        "actor_id": st.sampled_from(["u/u1", "v/v1", "u/{}", "s/s1"]),
        **dict.fromkeys(("min_version", "min_session_version"), st.sampled_from([0] * 9 + [3])),
        "entity": st.integers(1, 2),
        "entity_ids": st.lists(st.sampled_from(["u/u1", "v/v1", "s/s1"]) | IDS, min_size=1, max_size=3),
        "feature_names": st.lists(st.sampled_from([spec.name for spec in FEATURES]), min_size=1, max_size=3),
        "user_count": st.integers(0, 20),
        "exclude_user_ids": st.lists(st.sampled_from([tiny_user_id(0), tiny_user_id(3), "nobody"]), max_size=3),
        "user_row": maybe(st.integers(0, 10)),
        "collection": st.sampled_from(["a", "b"]),
        **dict.fromkeys([f"{message}.name" for message in NAMED], NAMES),
        **dict.fromkeys([f"{message}.version" for message in NAMED], st.integers(0, 3)),
        "fallback_config": NAMES,
        "expected_version": maybe(st.integers(0, 3)),
        "ServingConfig.experiment": st.none(),
        "ServingConfig.ranker": st.integers(0, 1),
        "head": st.sampled_from(["click", "rating"]),
        **dict.fromkeys(("quota", "weight"), st.floats(0.0, 0.25, width=32)),
        "ServingVariant.weight": st.integers(1, 10),
        "limit": st.integers(0, 10),
        "cursor": st.sampled_from(["", "0-0", "1-1", "9999999999999-0", "99999999999999999999-1", "0", "$", "junk"]),
        "slate_id": st.sampled_from(["s1", "s2"]),
        "schema_version": st.integers(1, 2),
        "RankCandidatesRequest.actor": FEATURES_OF_ACTORS,
        "RetrieveCandidatesRequest.actor": FEATURES_OF_ACTORS,
        "EmbedActorRequest.actor": FEATURES_OF_ACTORS,
        **dict.fromkeys(("rows", "exclude_rows", "allow_rows"), rows),
        **dict.fromkeys(("anchor_rows", "item_rows"), maybe(rows)),
        **dict.fromkeys(
            ("actor_embedding", "retrieval_scores", "kept", "Spread.boosts"), maybe(column("f", st.floats(width=32)))
        ),
        "held": maybe(column("I", st.integers(0, 3))),
        "count": st.integers(1, 10),
        "source": st.sampled_from(["two_tower", "item_neighbours", "popular", "none"]),
        "SourceQuota.share": st.floats(0.0, 0.5, width=32),
        "RetrieveCandidatesRequest.filter": maybe(FILTERS),
    }


def maybe(values: Values) -> Values:
    """Return ``values``, and as often none."""
    return st.none() | values


def column(code: str, values: Values, max_size: int = 6) -> Values:
    """Return packed columns of ``values``, by their code in :mod:`struct`."""
    return st.lists(values, max_size=max_size).map(lambda some: struct.pack(f"<{len(some)}{code}", *some))


def seldom(value: str) -> Values:
    """Return ``value`` now and then, and mostly none."""
    return st.sampled_from([None] * 9 + [value])


@st.composite
def _features_of_actors(draw: st.DrawFn) -> actor_features_pb2.ActorFeatures:
    n = draw(st.integers(0, 3))
    texts = st.sampled_from(["gender", "genres", "age", "F", "Comedy", "18"])
    names = st.sampled_from(["user_count", "user_mean", "hour_of_day", "x"])
    return actor_features_pb2.ActorFeatures(
        now_s=draw(st.floats(-1e10, 1e10)),
        attributes=[actor_features_pb2.TextFeature(name=draw(texts), value=draw(texts)) for _ in range(n)],
        chosen=[actor_features_pb2.TextFeature(name=draw(texts), value=draw(texts)) for _ in range(n)],
        numbers=[actor_features_pb2.NumberFeature(name=draw(names), value=draw(st.floats())) for _ in range(n)],
        history_rows=struct.pack(f"<{n}I", *(draw(st.integers(0, N - 1)) for _ in range(n))),
        history_values=struct.pack(f"<{n}f", *(draw(st.floats(width=32)) for _ in range(n))),
        history_times_s=struct.pack(f"<{n}d", *(draw(st.floats()) for _ in range(n))),
    )


@st.composite
def _filters(draw: st.DrawFn) -> selection_pb2.Filter:
    comparison = selection_pb2.Comparison(field=draw(st.sampled_from(["year", "genres", "id"])))
    comparison.operator = draw(st.sampled_from([1, 2, 5, 7]))  # type: ignore[assignment]
    if comparison.field == "year":
        comparison.number = draw(st.floats(width=32))
    else:
        comparison.text = draw(st.sampled_from(["Comedy", "item-001"]))
    return selection_pb2.Filter(ast=selection_pb2.FilterNode(comparison=comparison))


ACTORS = st.sampled_from(
    [
        *(actor_pb2.Actor(user_id=f"u{n}") for n in range(3)),
        actor_pb2.Actor(visitor_id="v1"),
        actor_pb2.Actor(session_id="s1"),
        actor_pb2.Actor(user_id="u1", session_id="s1"),
    ]
)
FEATURES_OF_ACTORS = _features_of_actors()
FILTERS = _filters()
