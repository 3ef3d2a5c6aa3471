"""How often whoever meets an item later is among the first users that ``RecommendUsers`` gives for it.

``shortlist train var/data/ml-100k --set users.vectors=true`` and then ``python benchmarks/recommend_users.py
var/data/ml-100k`` is what services/retrieval/README.md shows. The bundle's models are fitted on the training part, and users
are embedded anew from what they did before the test: the vectors in the bundle know what they did in it.

Each test event of a user who was there before is a question: whether the user is among the first 50 for the item, of all
users who did not know it before the test, and at which share of them (1 is the first, 0.5 what any order has). *Came back* asks
among those alone who have a test event: who comes back at all is not a matter of the item.
"""

from __future__ import annotations

import argparse
import sys
from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.store import BundleStore
from shortlist_bundle.user_vectors import directions
from shortlist_data.dataset import Dataset
from shortlist_data.prepared import load
from shortlist_data.split import global_time_split
from shortlist_domain.features import user_numbers
from shortlist_domain.stages import ActorFeatures
from shortlist_retrieval.loading import LoadedBundle

FIRST = 50


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=Path)
    parser.add_argument("--store", type=Path, default=Path("var/bundles"))
    asked = parser.parse_args()
    store = BundleStore(asked.store)
    release = store.current()
    if release is None:
        print(f"{asked.store} has no release", file=sys.stderr)
        return 1
    bundle, dataset = LoadedBundle(store.open(release)), load(asked.data)
    cut = global_time_split(dataset).validation_end
    users = np.unique(dataset.user_rows[:cut])
    embeddings = np.stack([bundle.embed(actor(dataset, int(user), cut)) for user in users])
    scores = scores_of(embeddings, bundle.embeddings)
    for name, value in activity(dataset, users, cut).items():
        scores[name] = np.repeat(value[:, None], bundle.n_items, axis=1)
    knows = np.zeros((len(dataset.user_ids), bundle.n_items), bool)
    knows[dataset.user_rows[:cut], dataset.item_rows[:cut]] = True
    is_new = ~knows.any(axis=0)
    position = np.full(len(dataset.user_ids), -1)
    position[users] = np.arange(len(users))
    asked_of = position[dataset.user_rows[cut:]]
    questions = np.stack([asked_of, dataset.item_rows[cut:]], axis=1)[asked_of >= 0]
    came_back = np.zeros(len(users), bool)
    came_back[questions[:, 0]] = True
    print(f"bundle {release.bundle_id}; {len(users)} users, {int(came_back.sum())} of whom came back")
    for name, chosen in (("all items", np.ones(len(questions), bool)), ("new items", is_new[questions[:, 1]])):
        for among, eligible in (("all users", np.ones(len(users), bool)), ("came back", came_back)):
            print(f"\n{name}, {among}: {int(chosen.sum())} questions")
            for score, values in scores.items():
                first, place = standing(values, questions[chosen], eligible, knows[users])
                print(f"  {score:<24}first {FIRST}: {first:.3f}  place: {place:.3f}")
            print(
                f"  {'any order':<24}first {FIRST}: {chance(questions[chosen], eligible, knows[users]):.3f}  place: 0.500"
            )
    return 0


def actor(dataset: Dataset, user: int, cut: int) -> ActorFeatures:
    """Return a user as of its last event before the event ``cut``."""
    own = np.flatnonzero(dataset.user_rows[:cut] == user)
    values = dataset.values[own].tolist()
    attributes = {name: dataset.users[name][user] for name in dataset.user_attributes}
    return ActorFeatures(
        now_s=float(dataset.times_s[own[-1]]),
        attributes={name: value for name, value in attributes.items() if value is not None},
        numbers=user_numbers(values),
        history_rows=array("I", dataset.item_rows[own].tolist()),
        history_values=array("f", values),
        history_times_s=array("d", dataset.times_s[own].tolist()),
    )


def scores_of(users: NDArray[np.float32], items: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Return, ``(u, n)`` each, what ``RecommendUsers`` orders users by and what it might have ordered them by."""
    logits = users.astype(np.float64) @ items.T.astype(np.float64)
    tops = logits.max(axis=1, keepdims=True)
    shares = logits - tops - np.log(np.exp(logits - tops).sum(axis=1, keepdims=True))
    inner = users[:, :-1].astype(np.float64) @ items[:, :-1].T.astype(np.float64)
    cosines = directions(users)[0].astype(np.float64) @ directions(items)[0].T.astype(np.float64)
    return {"RecommendUsers": shares, "inner product": inner, "cosine": cosines}


def activity(dataset: Dataset, users: NDArray[np.int32], cut: int) -> dict[str, NDArray[np.float64]]:
    """Return of each user how many events it has before ``cut``, and when its last one was."""
    counts = np.bincount(dataset.user_rows[:cut], minlength=len(dataset.user_ids))
    last_s = np.zeros(len(dataset.user_ids))
    last_s[dataset.user_rows[:cut]] = dataset.times_s[:cut]  # in order of time: the last one stays
    return {"number of events": counts[users].astype(np.float64), "latest event": last_s[users]}


def standing(
    scores: NDArray[np.float64], questions: NDArray[np.int64], eligible: NDArray[np.bool_], knows: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the share of questions whose user is among the first, and where users stand on average, 1 being the first."""
    first, places = 0, []
    for user, item in questions:
        others = scores[eligible & ~knows[:, item], item]
        own = scores[user, item]
        before = (others > own).sum() + ((others == own).sum() - 1) / 2
        first += before < FIRST
        places.append(1.0 - before / max(len(others) - 1, 1))
    return first / max(len(questions), 1), float(np.mean(places)) if places else 0.0


def chance(questions: NDArray[np.int64], eligible: NDArray[np.bool_], knows: NDArray[np.bool_]) -> float:
    """Return what users in any order would have."""
    sizes = (eligible[:, None] & ~knows).sum(axis=0)[questions[:, 1]]
    return float(np.minimum(1.0, FIRST / np.maximum(sizes, 1)).mean()) if len(questions) else 0.0


if __name__ == "__main__":
    raise SystemExit(main())
