"""Arguments of the calls: the fields of their requests as plain values, stated once, for both clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from shortlist.common.v1 import actor_pb2, selection_pb2


class Traced(TypedDict, total=False):
    """By what a call is found."""

    request_id: str
    """Id to find the call by in logs and answers; one is made where left out."""


class Who(TypedDict, total=False):
    """Whom a call is about, where it is not a known user."""

    visitor_id: str
    """Anonymous visitor, instead of a user."""

    session_id: str
    """Session that the user or visitor is in, or that is all there is to go by."""


class Surrounded(TypedDict, total=False):
    """What surrounds a call."""

    events: Iterable[actor_pb2.Event]
    """Events that are not written but count for this answer, oldest first; see :func:`shortlist_client.rating`."""

    attributes: Mapping[str, str | float | bool | Sequence[str]]
    """Attributes of the actor for this answer; several texts are values of an item attribute that the actor chose to
    like, as in ``{"genres": ["Comedy", "Drama"]}``."""

    item_ids_in_view: Iterable[str]
    """Items that the actor is looking at, at most 100: they count as just viewed, and are not recommended."""

    surface: str
    """Page, panel or placement that the answer is for; recorded, and without effect on it."""


class Consistent(TypedDict, total=False):
    """What an answer must see."""

    consistency_token: str
    """From a write; the answer sees it."""


class Pinned(TypedDict, total=False):
    """Which models answer."""

    bundle_id: str
    """Bundle that must answer; the active one where left out."""


class Checkable(TypedDict, total=False):
    """Whether a call is a trial."""

    validate_only: bool
    """Whether the request is only checked: the answer has no results."""


class Configured(TypedDict, total=False):
    """By which config an answer is made."""

    serving_config: str
    """Serving config by name; ``default`` where left out."""


class Shown(TypedDict, total=False):
    """What an answer shows of its items."""

    item_fields: Iterable[str]
    """Attributes of the items to return, as in ``title``; ``*`` is all."""


class Selected(Configured, total=False):
    """What may appear in an answer, and how much of it."""

    slate_size: int
    """Items wanted, in [1, 1000]; 10 where left out."""

    filter: str | selection_pb2.FilterNode
    """Which items may appear, as in ``genres:"Comedy" AND year >= 1990``; or the same as a tree."""

    named_filter: selection_pb2.NamedFilter
    """A filter that the serving config keeps, from :func:`shortlist_client.named_filter`; with ``filter`` both hold."""

    on_empty: selection_pb2.EmptyPolicy
    """What happens where nothing passes, as in ``EMPTY_POLICY_RELAX_FILTER``; as the config says where left out."""

    exclude_item_ids: Iterable[str]
    """Items that must not appear."""

    constraints: selection_pb2.Constraints
    """What the answer must look like: caps, pins, promotions, boosts, rotation, diversity, exploration, what counts as
    seen."""


class Slate(Selected, Surrounded, total=False):
    """What every call that makes slates of candidates has in common."""

    candidate_count: int
    """Candidates to retrieve and rank, in [1, 2000]; as the config or the server says where left out."""

    experiment_override: str
    """Variant that answers, as ``experiment:variant``, instead of the one that the actor falls to."""


class Answered(Slate, Shown, total=False):
    """What every call that answers with slates has in common."""

    debug: bool
    """Whether the answer shows its working, in ``debug``."""


class RecommendFields(Answered, Who, Consistent, Pinned, Checkable, Traced, total=False):
    """Arguments of ``recommend`` beside the user."""


class ExplainFields(Slate, Who, Consistent, Pinned, Traced, total=False):
    """Arguments of ``explain_recommendation`` beside item and user: those of ``recommend`` but what an answer shows."""

    attribution_token: str
    """From the answer that is explained, instead of a user."""

    dropped_features: Iterable[str]
    """What if the models did not see these features of the actor?"""

    without_history: bool
    """What if the actor had no history?"""

    what_if_bundle_id: str
    """What if this bundle had answered?"""

    what_if_serving_config: str
    """What if the head weights of this serving config had ordered the candidates?"""


class CompareFields(Answered, Who, Consistent, Traced, total=False):
    """Arguments of ``compare_bundles`` beside the other bundle and the user."""

    base_bundle_id: str
    """One of the two bundles; the active one where left out."""


class BatchFields(Answered, Pinned, Traced, total=False):
    """Arguments of ``batch_recommend`` beside the actors; they hold for each of them."""

    resume_token: str
    """From the last answer that arrived, to go on after it; actors and arguments must be the same."""


class SimilarFields(Selected, Shown, Who, Pinned, Checkable, Traced, total=False):
    """Arguments of ``similar_items`` beside the items."""

    user_id: str
    """Known user, whose seen items are left out; nobody where left out."""


class Peopled(TypedDict, total=False):
    """How many users an answer is of."""

    user_count: int
    """Users wanted, in [1, 1000]; 10 where left out."""


class SimilarUsersFields(Peopled, Surrounded, Who, Consistent, Pinned, Checkable, Traced, total=False):
    """Arguments of ``similar_users`` beside the user."""


class RecommendUsersFields(Peopled, Pinned, Checkable, Traced, total=False):
    """Arguments of ``recommend_users`` beside the items."""

    exclude_user_ids: Iterable[str]
    """Users that must not come back, at most 1000, as those who have the items already."""


class RerankFields(Configured, Shown, Surrounded, Who, Consistent, Pinned, Checkable, Traced, total=False):
    """Arguments of ``rerank_items`` beside the items and the user."""


class WriteFields(Who, Traced, total=False):
    """Arguments of ``write_events`` beside the events and the user."""

    attribution_token: str
    """From the answer that the events follow; its items count as shown, also without events."""
