"""What a command cannot do is one line on stderr that says what, where, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from shortlist.common.v1 import answer_pb2
from shortlist.gateway.v1.recommendation_service_pb2 import RecommendResponse
from shortlist_cli.data_commands import SCHEMA_EXAMPLE
from shortlist_cli.main import app
from shortlist_cli.show import answer_table, notes
from shortlist_data.schema import AttributeKind

NOBODY = "127.0.0.1:1"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("serve --port 99999999", "cannot serve: GatewaySettings: port=99999999: Input should be less than or equal"),
        (f"recommend 42 --address {NOBODY}", f"no gateway at {NOBODY}; is `shortlist serve` running?"),
        (f"configs list --address {NOBODY}", f"no gateway at {NOBODY}; is `shortlist serve` running?"),
        ("bench --var absent", "bench: absent/bundles holds no bundle; `shortlist train` publishes one"),
        ("configs put absent.yaml", "absent.yaml: No such file or directory"),
        ("configs put broken.yaml", "broken.yaml: while parsing a flow node"),
        ("configs put typo.yaml", 'has no field named "slate_sise"'),
        ("report absent", "report: absent is not the folder of a finished run; `shortlist train` makes one"),
        ("bundles list --store absent", "absent holds no release; `shortlist train` publishes one"),
    ],
)
def test_it_is_one_line(words: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shortlist_telemetry.logging.configure", lambda _: None)  # of the whole process, for `serve`
    Path("broken.yaml").write_text("slate_size: [\n")
    Path("typo.yaml").write_text("slate_sise: 3\n")
    result = CliRunner().invoke(app, words.split(), env={"COLUMNS": "80"})
    assert result.exit_code == 1
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_an_answer_is_shown_with_its_reasons_and_warnings() -> None:
    kinds = [kind for kind in answer_pb2.ReasonKind.values() if kind != answer_pb2.REASON_KIND_UNSPECIFIED]
    answer = RecommendResponse(
        results=[{"item_id": str(kind), "reasons": [{"kind": kind}]} for kind in kinds],
        meta={"warnings": ["pin of [b] is left out"]},
    )
    assert all(list(answer_table(answer, "t").columns[-1].cells))
    assert "warning: pin of \\[b] is left out" in notes(answer)


def test_every_kind_of_attribute_is_in_the_help() -> None:
    assert [kind for kind in AttributeKind if kind.value not in SCHEMA_EXAMPLE] == []
