"""Why items are there."""

from __future__ import annotations

from shortlist.common.v1 import answer_pb2
from shortlist_cli.show import _REASONS
from shortlist_domain.stages import POPULAR_SEGMENT, Source
from shortlist_gateway.candidates import REASONS
from shortlist_gateway.query import ReasonKind


def test_every_source_is_a_reason_and_every_reason_is_on_the_wire() -> None:
    assert REASONS.keys() == {*Source, POPULAR_SEGMENT}
    on_the_wire = {name.removeprefix("REASON_KIND_") for name in answer_pb2.ReasonKind.keys()}  # noqa: SIM118
    assert {kind.value for kind in ReasonKind} == on_the_wire - {"UNSPECIFIED"}


def test_every_reason_has_words_for_people() -> None:
    assert _REASONS.keys() == {*answer_pb2.ReasonKind.values()} - {answer_pb2.REASON_KIND_UNSPECIFIED}
