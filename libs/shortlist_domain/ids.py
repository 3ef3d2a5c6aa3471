"""External ids: what is accepted, and how an actor is named."""

import re
import unicodedata

from shortlist_domain.errors import Violation

MAX_ID_BYTES = 256
MAX_ATTRIBUTE_NAME_BYTES = 64
MAX_ATTRIBUTE_BYTES = 1_024
"""Longest name and text of an attribute of an actor, in UTF-8."""

NAME_RULE = "it must be 1 to 64 lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit"
"""What the name of something that the server keeps must be, in words; see :func:`is_name`."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def id_violation(field: str, value: str, *, required: bool = True) -> Violation | None:
    """Return what is wrong with the external id ``value`` of ``field``, or ``None``.

    Ids are opaque text of 1 to 256 bytes in UTF-8 without control characters; ``{}``, spaces, slashes and any script
    are fine.
    """
    if not value:
        return Violation(field, "is required and empty") if required else None
    size = len(value.encode("utf-8", "surrogatepass"))
    if size > MAX_ID_BYTES:
        return Violation(field, f"is {size} bytes long; at most {MAX_ID_BYTES} are allowed")
    return control_violation(field, value)


def control_violation(field: str, value: str) -> Violation | None:
    """Return the first control character of ``value`` as a violation of ``field``, or ``None``."""
    for position, character in enumerate(value):
        if unicodedata.category(character) in ("Cc", "Cs"):
            return Violation(field, f"has the control character U+{ord(character):04X} at position {position}")
    return None


def is_name(text: str) -> bool:
    """Return whether ``text`` can name what the server keeps, as a serving config."""
    return _NAME.fullmatch(text) is not None


def actor_id(user_id: str, visitor_id: str, session_id: str = "") -> str:
    """Return the name under which an actor's features are kept.

    A user id wins over a visitor id, and either over a session's. Each lives in a space of its own beside the others,
    so that a visitor can never read the history of a user whose id it guessed.
    """
    if user_id:
        return f"u/{user_id}"
    return f"v/{visitor_id}" if visitor_id else f"s/{session_id}"


def user_id_of(actor_id: str) -> str:
    """Return the user id behind :func:`actor_id`'s name; empty for a visitor or a session."""
    return actor_id[2:] if actor_id.startswith("u/") else ""


def session_id_of(actor_id: str) -> str:
    """Return the session id behind :func:`actor_id`'s name; empty for a user or a visitor."""
    return actor_id[2:] if actor_id.startswith("s/") else ""
