"""The feature list of a bundle: what its models expect, by name and in order."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from shortlist_bundle.combined_score import NO_PRIOR, PriorWeights
from shortlist_domain.errors import BundleInvalid
from shortlist_domain.features import FEATURE_BY_NAME, Entity
from shortlist_domain.stages import Source

UNKNOWN_CATEGORY = 0
"""Index of a value outside an attribute's vocabulary, and of an absent attribute."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A categorical attribute of users and the values the model knows."""

    name: str
    values: tuple[str, ...]
    """Known values; the index in the model is the position here plus one."""

    def index(self, value: str | None) -> int:
        """Return the model's index of ``value``: 0 for ``None`` and for what training did not see."""
        try:
            return 0 if value is None else self.values.index(value) + 1
        except ValueError:
            return UNKNOWN_CATEGORY


@dataclass(frozen=True, slots=True)
class FeatureList:
    """Inputs of a bundle's models. Names of numbers are those of :data:`shortlist_domain.features.FEATURES`."""

    history_length: int
    """Most recent events a model sees; shorter histories are padded on the left."""

    user_categories: tuple[Vocabulary, ...]
    user_numbers: tuple[str, ...]
    context_numbers: tuple[str, ...]
    item_numbers: tuple[str, ...]
    """Columns of the ranker's ``item_numbers``: features of the entities item and pair."""

    item_columns: tuple[str, ...]
    """Names of the static columns in ``item_features.npy``."""

    head_weights: Mapping[str, float]
    """Ranking score = sum of weight times head; heads are ``click`` (its logit) and ``rating``."""

    source_quotas: Mapping[str, float]
    """Share of the candidates that each retrieval source is guaranteed, by source name; what the evaluation in the
    manifest was made with. At most 1 together."""

    neighbour_half_life_s: float | None = None
    """Seconds before the latest event at which another counts half in ``neighbour_score``; ``None``: all count 1."""

    prior: PriorWeights = NO_PRIOR
    """What retrieval's score and popularity add to that of the heads."""

    item_time: str = ""
    """Attribute of the items that says when they came; empty: nothing but their first event does."""

    def __post_init__(self) -> None:
        if not 1 <= self.history_length <= 1000:
            raise BundleInvalid(f"history_length {self.history_length} is not in [1, 1000]")
        half_life = self.neighbour_half_life_s
        if half_life is not None and not 0.0 < half_life < math.inf:
            raise BundleInvalid(f"neighbour_half_life_s {half_life} must be a positive number")
        shares = self.source_quotas
        if not set(shares) <= set(Source) or not all(0.0 <= q <= 1.0 for q in shares.values()):
            raise BundleInvalid(f"source_quotas {dict(shares)} must be shares in [0, 1] of {[s.value for s in Source]}")
        if sum(shares.values()) > 1.0 + 1e-6:
            raise BundleInvalid(f"source_quotas {dict(shares)} are more than 1 together")
        allowed = (
            (self.user_numbers, {Entity.USER}),
            (self.context_numbers, {Entity.CONTEXT}),
            (self.item_numbers, {Entity.ITEM, Entity.PAIR}),
        )
        for names, entities in allowed:
            for name in names:
                if name not in FEATURE_BY_NAME or FEATURE_BY_NAME[name].entity not in entities:
                    raise BundleInvalid(f"the feature list asks for {name!r}, which this version does not have")

    def to_json(self) -> bytes:
        """Return the content of ``features.json``."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "FeatureList":
        """Parse ``features.json``.

        Raises:
            BundleInvalid: It is not one, or names a feature that this version does not have.
        """
        try:
            raw = json.loads(content)
            # Bundles of before do without these three.
            half_life = raw.get("neighbour_half_life_s")
            weight = {name: float(value) for name, value in raw.get("prior", {}).items()}
            return cls(
                history_length=int(raw["history_length"]),
                user_categories=tuple(Vocabulary(v["name"], tuple(v["values"])) for v in raw["user_categories"]),
                user_numbers=tuple(raw["user_numbers"]),
                context_numbers=tuple(raw["context_numbers"]),
                item_numbers=tuple(raw["item_numbers"]),
                item_columns=tuple(raw["item_columns"]),
                head_weights={str(k): float(v) for k, v in raw["head_weights"].items()},
                source_quotas={str(k): float(v) for k, v in raw["source_quotas"].items()},
                neighbour_half_life_s=None if half_life is None else float(half_life),
                prior=PriorWeights(**weight),
                item_time=str(raw.get("item_time", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleInvalid(f"feature list cannot be read: {error!r}") from error
