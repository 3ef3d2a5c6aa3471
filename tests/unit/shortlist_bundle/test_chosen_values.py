"""What an actor chose becomes a vector, where it is something that items have and no event says more."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from shortlist_bundle.chosen_values import ChosenValues
from shortlist_bundle.feature_list import FeatureList, Vocabulary
from shortlist_domain.stages import ActorFeatures

FEATURES = FeatureList(
    history_length=5,
    user_categories=(Vocabulary("language", ("de",)),),
    user_numbers=(),
    context_numbers=(),
    item_numbers=(),
    item_columns=("genres=Comedy", "genres=Drama", "language=de", "year", "year_missing"),
    head_weights={},
    source_quotas={},
)
VECTORS = np.array([[1, 0, 0], [0, 2, 0], [5, 5, 5], [9, 9, 9], [9, 9, 9]], np.float32)


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        (ActorFeatures(0.0, chosen={"genres": ("Comedy",)}), [1, 0, 0]),
        (ActorFeatures(0.0, chosen={"genres": ("Comedy", "Drama")}), [0.5, 1, 0]),
        (ActorFeatures(0.0, chosen={"genres": ("Comedy", "Comedy", "Opera")}), [1, 0, 0]),
        (ActorFeatures(0.0, attributes={"genres": "Drama"}), [0, 2, 0]),
        (ActorFeatures(0.0, attributes={"genres": "Drama"}, chosen={"genres": ("Drama",)}), [0, 2, 0]),
        (ActorFeatures(0.0, chosen={"language": ("de",)}), [5, 5, 5]),
        (ActorFeatures(0.0, attributes={"language": "de"}), None),
        (ActorFeatures(0.0, chosen={"genres": ("Opera",), "colour": ("red",)}), None),
        (ActorFeatures(0.0, chosen={"year": ("1990",)}), None),
        (ActorFeatures(0.0), None),
        (ActorFeatures(0.0, history_rows=array("I", [3]), chosen={"genres": ("Comedy",)}), None),
    ],
)
def test_choices_are_the_mean_of_what_items_have_of_them(actor: ActorFeatures, expected: list[float] | None) -> None:
    found = ChosenValues(VECTORS, FEATURES).of(actor)
    assert (None if found is None else found.tolist()) == expected
