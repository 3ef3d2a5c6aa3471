"""Answers as tables for people."""

from __future__ import annotations

import os
from collections.abc import Callable

import grpc
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1.recommendation_service_pb2 import RecommendResponse

_WIDTH_OF_A_FILE = 120
"""Columns where nobody says how wide the output may be."""

_REASONS = {
    answer_pb2.REASON_KIND_TASTE: "fits your taste",
    answer_pb2.REASON_KIND_ALIKE: "is like it",
    answer_pb2.REASON_KIND_SIMILAR_ITEM: "goes with",
    answer_pb2.REASON_KIND_POPULAR: "popular",
    answer_pb2.REASON_KIND_POPULAR_SEGMENT: "popular with people like you",
    answer_pb2.REASON_KIND_REQUESTED: "asked for",
    answer_pb2.REASON_KIND_SIMILAR_CONTENT: "is like",
    answer_pb2.REASON_KIND_NEWEST: "new",
}


def page(console: Console | None = None) -> Console:
    """Return the console that tables go to: as wide as the terminal, or as a page where the output goes to a file."""
    to = console or Console()
    return to if to.is_terminal or "COLUMNS" in os.environ else Console(width=_WIDTH_OF_A_FILE)


def refusal(address: str, error: grpc.RpcError) -> str:
    """Return in one line what the gateway at ``address`` said instead of an answer, and what may help."""
    said = f"{address} answered {error.code().name}: {' '.join(str(error.details()).split())}"
    is_alone = error.code() is grpc.StatusCode.UNAVAILABLE and "connect" in said
    return f"no gateway at {address}; is `shortlist serve` running? ({said})" if is_alone else said


def answer_table(
    answer: RecommendResponse, title: str, title_of: Callable[[str], str] = lambda item_id: item_id
) -> Table:
    """Return the results of ``answer`` as a table; ``title_of`` names the items that reasons speak of."""
    table = Table(title=escape(title), title_justify="left", expand=False)
    for column, justify in (
        ("#", "right"),
        ("item", "left"),
        ("title", "left"),
        ("click", "right"),
        ("rating", "right"),
    ):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    table.add_column("from", overflow="fold")
    table.add_column("why", overflow="fold")
    for result in answer.results:
        ranked = result.HasField("heads")
        table.add_row(
            str(result.rank + 1),
            escape(result.item_id),
            escape(_text(result, "title")),
            f"{result.heads.click_probability:.3f}" if ranked else "-",
            f"{result.heads.rating:.2f}" if ranked else "-",
            ", ".join(f"{p.source} {p.source_rank + 1}" for p in result.provenance),
            "; ".join(_why(reason, title_of) for reason in result.reasons[:2]),
        )
    return table


def notes(answer: RecommendResponse) -> str:
    """Return what the answer says of itself: bundle, stages and degradation, in rich markup."""
    meta = answer.meta
    stages = "  ".join(
        f"{s.stage} {_ms(s):.1f} ms ({answer_pb2.StageOutcome.Name(s.outcome).removeprefix('STAGE_OUTCOME_').lower()},"
        f" {s.items_out} out)"
        for s in meta.stages
    )
    level = answer_pb2.DegradationLevel.Name(meta.degradation.level).removeprefix("DEGRADATION_LEVEL_")
    causes = ", ".join(
        answer_pb2.DegradationCause.Name(c).removeprefix("DEGRADATION_CAUSE_") for c in meta.degradation.causes
    )
    return (
        f"bundle [bold]{escape(meta.bundle.bundle_id)}[/] (generation {meta.bundle.generation},"
        f" {escape(meta.bundle.retrieval_model)} + {escape(meta.bundle.ranking_model)})\n"
        f"stages {stages}\n"
        f"degradation {level}{f': {causes}' if causes else ''}"
        + "".join(f"\nwarning: {escape(w)}" for w in meta.warnings)
    )


def _text(result: answer_pb2.Result, name: str) -> str:
    found: actor_pb2.Attribute | None = next((f for f in result.fields if f.name == name), None)
    return found.text if found else ""


def _why(reason: answer_pb2.Reason, title_of: Callable[[str], str]) -> str:
    words = _REASONS.get(reason.kind, "")
    return f"{words} {escape(title_of(reason.anchor_item_id))}" if reason.anchor_item_id else words


def _ms(report: answer_pb2.StageReport) -> float:
    return report.spent.ToNanoseconds() / 1e6
