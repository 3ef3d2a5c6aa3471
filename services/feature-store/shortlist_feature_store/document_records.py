"""Documents as stored: a head of layout, version, time, deletion and checksum, then the content."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

from shortlist_domain.documents import Document

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
