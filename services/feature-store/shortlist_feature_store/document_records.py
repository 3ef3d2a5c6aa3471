"""Documents as stored: a head of layout, version, time, deletion and checksum, then the content; and who may write."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

from shortlist_domain.documents import MAX_DOCUMENTS, Document
from shortlist_domain.errors import NotFound, Overloaded, VersionConflict

_LAYOUT = 1
_HEAD = struct.Struct("<BQd?I")


def pack_document(document: Document) -> bytes:
    """Return the bytes that stand for ``document``; its name is its key's."""
    checksum = zlib.crc32(document.content)
    head = _HEAD.pack(_LAYOUT, document.version, document.written_s, document.is_deleted, checksum)
    return head + document.content


def unpack_document(name: str, packed: bytes) -> Document:
    """Return the document that ``packed`` stands for; one that is damaged where it stands for none."""
    if len(packed) >= _HEAD.size:
        layout, version, written_s, is_deleted, checksum = _HEAD.unpack_from(packed)
        content = packed[_HEAD.size :]
        if layout == _LAYOUT and version and checksum == zlib.crc32(content):
            return Document(name, version, written_s, content, is_deleted=is_deleted)
    return Document(name, 0, 0.0, is_damaged=True)


def without_content(document: Document) -> Document:
    """Return ``document`` as it stands in lists."""
    return replace(document, content=b"")


def refused(
    collection: str, name: str, content: bytes | None, expected_version: int | None, old: Document | None, count: int
) -> NotFound | VersionConflict | Overloaded | None:
    """Return why a document is not written, ``None`` where it may be.

    Args:
        collection: Where it would be kept.
        name: Its name.
        content: What it would say; ``None`` deletes it.
        expected_version: Version that it must be at; 0: none; ``None``: any.
        old: What there is.
        count: Documents in the collection.
    """
    # A damaged one is at no version: only who expects nothing replaces it.
    current = 0 if old is None else old.version or -1
    if expected_version is not None and expected_version != current:
        return VersionConflict(name, expected_version, current)
    if content is None and old is None:
        return NotFound(f"there is no {name!r} in {collection}")
    if content is not None and old is None and count >= MAX_DOCUMENTS:
        return Overloaded(f"{MAX_DOCUMENTS} documents in {collection}", 60.0)
    return None
