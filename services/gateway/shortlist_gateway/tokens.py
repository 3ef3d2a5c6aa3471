"""Consistency tokens: opaque to callers, valid for one actor."""

import base64
import binascii
import hashlib
import struct

from shortlist_domain.stages import ActorKey

_LAYOUT = struct.Struct(">BQ8s")
_VERSION = 1


def consistency_token(key: ActorKey, version: int) -> str:
    """Return the token that promises writes of ``key`` up to ``version``."""
    return base64.urlsafe_b64encode(_LAYOUT.pack(_VERSION, version, _digest(key))).decode()


def version_of(token: str, key: ActorKey) -> int | None:
    """Return the version that ``token`` promises, or ``None`` where it is not a token of ``key``."""
    try:
        layout, version, digest = _LAYOUT.unpack(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, struct.error, ValueError):
        return None
    # Read as a signed number on the other side of the wire.
    return int(version) if layout == _VERSION and digest == _digest(key) and version < 1 << 62 else None


def _digest(key: ActorKey) -> bytes:
    return hashlib.sha256(f"{key.tenant}\x00{key.actor_id}".encode()).digest()[:8]
