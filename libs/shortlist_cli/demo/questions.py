"""What the demo asks: a real user's shortlist, and a new user's before and after three ratings."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from shortlist.common.v1 import answer_pb2
from shortlist.gateway.v1.recommendation_service_pb2 import RecommendResponse
from shortlist_cli.show import answer_table, notes
from shortlist_client import Client, rating

SLATE = 8
TIMEOUT_S = 5.0
"""The first calls of a process are slower than those that follow."""

WANTED_GENRE = "Animation"


class NothingChanged(Exception):
    """The answers are not what the demo is there to show."""


def known_user(data: Path) -> str:
    """Return a user with a history of middling length."""
    import polars

    counts = polars.read_parquet(data / "interactions.parquet").group_by("user_id").len().sort("len", "user_id")
    return str(counts["user_id"][counts.height // 2])


def ask_known_user(console: Console, address: str, user_id: str, data: Path) -> None:
    """Ask for a real user and print the answer under what the user liked.

    Raises:
        NothingChanged: The answer is degraded or not as long as asked for.
    """
    import polars

    titles = _titles(data)
    liked = (
        polars.read_parquet(data / "interactions.parquet")
        .filter(polars.col("user_id") == user_id)
        .sort("value", "time_s", descending=True)["item_id"]
        .head(4)
    )
    with Client(address) as client:
        answer = client.recommend(user_id, slate_size=SLATE, item_fields=["*"], timeout_s=TIMEOUT_S)
    console.print(f"\nUser {user_id} liked: {'; '.join(titles(str(item)) for item in liked)}", highlight=False)
    console.print(answer_table(answer, f"A shortlist for user {user_id}", titles))
    console.print(notes(answer), highlight=False)
    _must_be_whole(answer)


def ask_new_user(console: Console, address: str, data: Path) -> None:
    """Ask for a user nobody knows, write three ratings, and ask again.

    Raises:
        NothingChanged: The ratings did not change the list, or an answer is degraded.
    """
    titles = _titles(data)
    user_id = f"newcomer-{uuid.uuid4().hex[:8]}"
    chosen = _popular_of_genre(data, WANTED_GENRE)
    with Client(address) as client:
        before = client.recommend(user_id, slate_size=SLATE, item_fields=["*"], timeout_s=TIMEOUT_S)
        written = client.write_events([rating(item, 5.0) for item in chosen], user_id, timeout_s=TIMEOUT_S)
        after = client.recommend(
            user_id,
            slate_size=SLATE,
            item_fields=["*"],
            consistency_token=written.consistency_token,
            timeout_s=TIMEOUT_S,
        )
    console.print()
    console.print(answer_table(before, f"For {user_id}, of whom nothing is known", titles))
    rated = "; ".join(titles(item) for item in chosen)
    console.print(f"\n{user_id} rates with 5: {rated} ({written.written} events written)", highlight=False)
    console.print(answer_table(after, f"For {user_id}, one call later", titles))
    console.print(notes(after), highlight=False)
    known = [result.item_id for result in before.results if result.item_id not in chosen]
    now = [result.item_id for result in after.results]
    entered = [item for item in now if item not in known]
    console.print(f"{len(entered)} of {len(now)} items are new on the list", highlight=False)
    for answer in (before, after):
        _must_be_whole(answer)
    if written.written != len(chosen) or not entered:
        raise NothingChanged("three ratings did not change the new user's list")


def _must_be_whole(answer: RecommendResponse) -> None:
    degradation = answer.meta.degradation
    if degradation.level != answer_pb2.DEGRADATION_LEVEL_NONE or len(answer.results) != SLATE:
        causes = ", ".join(answer_pb2.DegradationCause.Name(cause) for cause in degradation.causes)
        reasons = "; ".join(f"{stage.stage}: {stage.reason}" for stage in answer.meta.stages if stage.reason)
        raise NothingChanged(f"an answer of {len(answer.results)} items is degraded: {causes} ({reasons})")


def _titles(data: Path) -> Callable[[str], str]:
    import polars

    items = polars.read_parquet(data / "items.parquet")
    by_id = dict(zip(items["item_id"].cast(polars.String), items["title"], strict=True))
    return lambda item_id: by_id.get(item_id) or item_id


def _popular_of_genre(data: Path, genre: str, n: int = 3) -> Sequence[str]:
    import polars

    items = polars.read_parquet(data / "items.parquet")
    of_genre = items.filter(polars.col("genres").list.contains(genre))["item_id"].implode()
    counts = polars.read_parquet(data / "interactions.parquet").filter(polars.col("item_id").is_in(of_genre))
    popular = counts.group_by("item_id").len().sort("len", "item_id", descending=[True, False])
    return [str(item) for item in popular["item_id"].head(n)]
