"""A serving config as a gateway holds it: where it comes from, and what goes on where the newest cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shortlist_domain.documents import Document
from shortlist_domain.errors import InvalidRequest
from shortlist_gateway.configs.config import ServingConfig
from shortlist_gateway.configs.files import FileConfig
from shortlist_gateway.configs.reading import decoded, read_config


class Origin(StrEnum):
    """Where a config comes from; the names of ``ServingConfigOrigin``."""

    BUILT_IN = "BUILT_IN"
    STORE = "STORE"
    FILE = "FILE"


@dataclass(frozen=True, slots=True)
class Held:
    """A config as this gateway holds it."""

    name: str
    origin: Origin
    config: ServingConfig | None
    """The last one that could be used; ``None`` where there never was one."""

    version: int = 0
    """Version that was read last, whether or not it could be used."""

    written_s: float = 0.0
    """When it was written, of a stored one."""

    file: str = ""
    problem: str = ""
    """Why the version that was read last cannot be used, or what it hides; empty where all is well."""


def stored(document: Document, before: Held | None) -> Held:
    """Return a stored config as it is held; the one before goes on where it cannot be used.

    Args:
        document: As the store has it.
        before: As it was held.
    """
    try:
        if document.is_damaged:
            raise InvalidRequest
        message = decoded(document.content)
        config = read_config(message, document.version)
        if config.name != document.name:
            raise InvalidRequest
    except InvalidRequest as error:
        last = before.config if before is not None else None
        said = f"version {document.version} in the store cannot be used: {error}"
        if not str(error):
            said = "what the store has of it is damaged"
        goes_on = f"; version {last.version} goes on" if last is not None else ""
        return Held(document.name, Origin.STORE, last, document.version, document.written_s, problem=said + goes_on)
    return Held(document.name, Origin.STORE, config, document.version, document.written_s)


def in_file(one: FileConfig, before: Held | None) -> Held:
    """Return a config in a file as it is held; what stood there before goes on where it cannot be used."""
    if one.config is not None:
        return Held(one.name, Origin.FILE, one.config, one.config.version, file=one.path)
    last = before.config if before is not None else None
    goes_on = "; what stood there before goes on" if last is not None else ""
    return Held(one.name, Origin.FILE, last, file=one.path, problem=one.problem + goes_on)
