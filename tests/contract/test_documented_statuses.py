"""The table of calls and their statuses agrees with the calls that there are, and with the comments of the protos."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from shortlist_rpc.policy import POLICIES

from .any_message import every_method, path_of
from .documented import ANY_CALLS, PROTOS, comments_of, named_in, statuses_of_calls


def test_every_call_has_its_statuses_in_the_contract() -> None:
    assert statuses_of_calls().keys() == {path.rsplit("/", 1)[1] for path in POLICIES}
    text = (PROTOS / "README.md").read_text()
    (everybodys,) = [line for line in text.splitlines() if line.startswith("Every call may end with ")]
    assert named_in(everybodys) == ANY_CALLS


def test_every_status_of_a_call_is_explained_above_the_table() -> None:
    section = (PROTOS / "README.md").read_text().split("\n## Statuses\n")[1].split("\nEvery call may end")[0]
    used = {code for codes in statuses_of_calls().values() for code in codes}
    assert used | ANY_CALLS <= named_in(section)
    assert not used & (ANY_CALLS | {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.OK})


@pytest.mark.parametrize("method", every_method(), ids=path_of)
def test_what_a_proto_says_of_a_call_is_what_the_table_says(method: MethodDescriptor) -> None:
    own, around = comments_of(method)
    assert own.strip().startswith("//")
    listed = statuses_of_calls()[method.name]
    assert named_in(own) - ANY_CALLS <= listed, "said of the call alone"
    assert listed <= named_in(own + around)
