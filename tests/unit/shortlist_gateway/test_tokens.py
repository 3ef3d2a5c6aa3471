"""Consistency tokens."""

from hypothesis import given
from hypothesis import strategies as st

from shortlist_domain.stages import ActorKey
from shortlist_gateway.tokens import consistency_token, version_of

KEY = ActorKey("", "u/alice")


@given(st.integers(0, 2**62 - 1))
def test_a_token_gives_back_its_version(version: int) -> None:
    assert version_of(consistency_token(KEY, version), KEY) == version


def test_a_token_of_another_actor_or_tenant_is_none() -> None:
    token = consistency_token(KEY, 3)
    assert version_of(token, ActorKey("", "u/bob")) is None
    assert version_of(token, ActorKey("other", "u/alice")) is None


@given(st.text(max_size=40))
def test_any_other_text_is_no_token(text: str) -> None:
    assert version_of(text, KEY) is None
