"""Candidate models behind one interface, by name. Adding one: a module and an entry here; a contract test finds it."""

from collections.abc import Callable, Mapping

from shortlist_models.candidates.base import CandidateModel, Histories, ModelRefused, RatingModel
from shortlist_models.candidates.biases import Biases
from shortlist_models.candidates.ials import Ials
from shortlist_models.candidates.item_item import Ease, ItemKnn
from shortlist_models.candidates.popularity import Popularity
from shortlist_models.candidates.segments import SegmentPopularity

CANDIDATE_MODELS: Mapping[str, Callable[[], CandidateModel]] = {
    "popularity": Popularity,
    "decayed_popularity": lambda: Popularity(half_life_s=30 * 86_400.0),
    "segment_popularity": SegmentPopularity,
    "item_knn": ItemKnn,
    "ease": Ease,
    "ials": Ials,
    "biases": Biases,
}
"""Makers with default settings."""

__all__ = [
    "CANDIDATE_MODELS",
    "Biases",
    "CandidateModel",
    "Ease",
    "Histories",
    "Ials",
    "ItemKnn",
    "ModelRefused",
    "Popularity",
    "RatingModel",
    "SegmentPopularity",
]
