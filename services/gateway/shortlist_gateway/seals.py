"""Seals: text that only this platform can have made. Signed, not secret.

A sealed text is, in url-safe base64 without padding: a byte of layout, four bytes that name the key, the payload, and
the first 16 bytes of an HMAC-SHA256 over all of that and the purpose (RFC 2104; cutting it, section 5).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from enum import StrEnum

_LAYOUT = b"\x01"
_KEY_NAME_BYTES = 4
_MAC_BYTES = 16
_HEAD_BYTES = len(_LAYOUT) + _KEY_NAME_BYTES


class Purpose(StrEnum):
    """What a sealed text is for; one made for another purpose is refused."""

    ATTRIBUTION = "attribution"
    CONTINUATION = "continuation"
    BATCH = "batch"


class BrokenSeal(Exception):
    """A text is not one that was sealed here. The message says why, as a predicate: ``is not …``."""


class Keyring:
    """Seals texts and opens them."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take over keys.

        Args:
            keys: The first seals, all of them open: a new key is put in front of the old one, which goes when what it
                sealed has expired. None: a random one, so that texts end with the process and mean nothing to others.
        """
        raw = [key.encode() for key in keys] or [secrets.token_bytes(32)]
        self._bare = {purpose: {_name(key): _mac(key, purpose) for key in raw} for purpose in Purpose}
        self._first = _name(raw[0])

    def seal(self, purpose: Purpose, payload: bytes) -> str:
        """Return ``payload`` as a text that :meth:`open` takes."""
        body = _LAYOUT + self._first + payload
        mac = self._bare[purpose][self._first].copy()
        mac.update(body)
        return base64.urlsafe_b64encode(body + mac.digest()[:_MAC_BYTES]).rstrip(b"=").decode()

    def open(self, purpose: Purpose, sealed: str) -> bytes:
        """Return the payload of ``sealed``.

        Raises:
            BrokenSeal: It was not sealed here for this purpose, or was changed since.
        """
        try:
            raw = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise BrokenSeal("is not a token") from error
        if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != sealed:
            raise BrokenSeal("is not a token")  # padding, or other spare bits: one payload has one text
        if len(raw) < _HEAD_BYTES + _MAC_BYTES:
            raise BrokenSeal("is not a token")
        if raw[:1] != _LAYOUT:
            raise BrokenSeal("is a token of a version that is not known here")
        keyed = self._bare[purpose].get(raw[1:_HEAD_BYTES])
        if keyed is None:
            raise BrokenSeal("was signed with a key that is not in use here")
        mac = keyed.copy()
        mac.update(raw[:-_MAC_BYTES])
        if not hmac.compare_digest(mac.digest()[:_MAC_BYTES], raw[-_MAC_BYTES:]):
            raise BrokenSeal("was not issued here for this, or was changed")
        return raw[_HEAD_BYTES:-_MAC_BYTES]


def _name(key: bytes) -> bytes:
    return hashlib.sha256(b"name of " + key).digest()[:_KEY_NAME_BYTES]


def _mac(key: bytes, purpose: Purpose) -> hmac.HMAC:
    return hmac.new(key, purpose.encode() + b"\x00", hashlib.sha256)
