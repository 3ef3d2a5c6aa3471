"""Seals, against an HMAC written out, and everything that may be wrong with one."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shortlist_gateway.seals import BrokenSeal, Keyring, Purpose
from shortlist_gateway.settings import GatewaySettings

KEY, OTHER = "k" * 32, "o" * 32
FOR = Purpose.ATTRIBUTION


@given(st.binary(max_size=200))
def test_a_sealed_text_gives_back_its_payload_and_fits_into_a_url(payload: bytes) -> None:
    sealed = Keyring([KEY]).seal(FOR, payload)
    assert Keyring([KEY]).open(FOR, sealed) == payload
    assert set(sealed) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_the_signature_is_an_hmac_sha256_cut_to_sixteen_bytes() -> None:
    raw = base64.urlsafe_b64decode(Keyring([KEY]).seal(FOR, b"abc") + "==")
    body, mac = raw[:-16], raw[-16:]
    assert body[:1] + body[5:] == b"\x01abc"
    assert mac == hmac.new(KEY.encode(), b"attribution\x00" + body, hashlib.sha256).digest()[:16]


@given(st.data())
def test_no_change_of_any_character_goes_unnoticed(data: st.DataObject) -> None:
    sealed = Keyring([KEY]).seal(FOR, b"some payload")
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:at] + data.draw(st.sampled_from("ABab01-_").filter(lambda c: c != sealed[at])) + sealed[at + 1 :]
    with pytest.raises(BrokenSeal):
        Keyring([KEY]).open(FOR, changed)


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(BrokenSeal):
        Keyring([KEY]).open(FOR, text)


def test_what_an_old_key_sealed_is_opened_until_the_key_goes() -> None:
    sealed = Keyring([OTHER]).seal(FOR, b"x")
    assert Keyring([KEY, OTHER]).open(FOR, sealed) == b"x"
    assert Keyring([KEY, OTHER]).seal(FOR, b"x") == Keyring([KEY]).seal(FOR, b"x")
    with pytest.raises(BrokenSeal, match="key that is not in use"):
        Keyring([KEY]).open(FOR, sealed)


def test_without_keys_each_process_has_its_own() -> None:
    ring = Keyring([])
    assert ring.open(FOR, ring.seal(FOR, b"x")) == b"x"
    with pytest.raises(BrokenSeal, match="key that is not in use"):
        Keyring([]).open(FOR, ring.seal(FOR, b"x"))


def test_keys_are_split_and_short_ones_refused_without_being_shown() -> None:
    assert GatewaySettings.model_validate({"token_keys": f"{KEY}, {OTHER}"}).keys == (KEY, OTHER)
    assert GatewaySettings().keys == ()
    with pytest.raises(ValidationError, match="fewer than 16") as refused:
        GatewaySettings.model_validate({"token_keys": f"{KEY},short-key"})
    assert KEY not in str(GatewaySettings.model_validate({"token_keys": KEY}).model_dump(mode="json"))
    assert "short-key" not in str(refused.value)
