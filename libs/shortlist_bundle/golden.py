"""Golden requests: what a bundle must answer before anybody else may ask it."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shortlist_domain.errors import BundleInvalid
from shortlist_domain.stages import ActorFeatures

TOLERANCE = 1e-3
"""Largest difference, absolute plus relative, between an expected score and the one computed here. Wide enough for
another processor's order of summation, far too narrow for another model."""


@dataclass(frozen=True, slots=True)
class GoldenRequest:
    """One actor with what the exported models gave for it when the bundle was made."""

    actor: ActorFeatures
    rows: array[int]
    """Candidates to score."""

    embedding: array[float]
    """Expected output of the user tower."""

    click: array[float]
    """Expected calibrated probabilities, with the item counters of the bundle."""

    rating: array[float]
    """Expected ratings."""


def to_json(requests: list[GoldenRequest]) -> bytes:
    """Return the content of ``golden.json``."""
    return json.dumps([_plain(r) for r in requests], allow_nan=False).encode()


def from_json(content: bytes) -> list[GoldenRequest]:
    """Parse ``golden.json``.

    Raises:
        BundleInvalid: It is not one, or holds no request.
    """
    try:
        requests = [_parsed(raw) for raw in json.loads(content)]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise BundleInvalid(f"golden requests cannot be read: {error!r}") from error
    if not requests:
        raise BundleInvalid("the bundle has no golden request")
    return requests


def close(found: array[float], expected: array[float]) -> bool:
    """Return whether ``found`` equals ``expected`` within :data:`TOLERANCE`."""
    return len(found) == len(expected) and all(
        abs(f - e) <= TOLERANCE * (1.0 + abs(e)) for f, e in zip(found, expected, strict=True)
    )


def _plain(request: GoldenRequest) -> Mapping[str, object]:
    actor = request.actor
    return {
        "now_s": actor.now_s,
        "attributes": dict(actor.attributes),
        "numbers": dict(actor.numbers),
        "history_rows": actor.history_rows.tolist(),
        "history_values": actor.history_values.tolist(),
        "history_times_s": actor.history_times_s.tolist(),
        "rows": request.rows.tolist(),
        "embedding": request.embedding.tolist(),
        "click": request.click.tolist(),
        "rating": request.rating.tolist(),
    }


def _parsed(raw: Mapping[str, Any]) -> GoldenRequest:
    return GoldenRequest(
        actor=ActorFeatures(
            now_s=float(raw["now_s"]),
            attributes={str(k): str(v) for k, v in raw["attributes"].items()},
            numbers={str(k): float(v) for k, v in raw["numbers"].items()},
            history_rows=array("I", (int(r) for r in raw["history_rows"])),
            history_values=array("f", raw["history_values"]),
            history_times_s=array("d", raw["history_times_s"]),
        ),
        rows=array("I", (int(r) for r in raw["rows"])),
        embedding=array("f", raw["embedding"]),
        click=array("f", raw["click"]),
        rating=array("f", raw["rating"]),
    )
