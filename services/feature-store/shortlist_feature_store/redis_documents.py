"""Documents on Redis: the current ones of a collection in one hash, what each was before in a list of its own.

A write is an optimistic transaction on the collection (WATCH, read, MULTI … EXEC): of two writers that expect the same
version one wins, whatever process they are in.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from shortlist_domain.deadline import Deadline
from shortlist_domain.documents import Document
from shortlist_domain.errors import NotFound
from shortlist_feature_store.document_records import pack_document, refused, unpack_document, without_content
from shortlist_feature_store.keys import document_counter_key, document_history_key, documents_key
from shortlist_feature_store.redis_link import Command, RedisLink
from shortlist_feature_store.store import HISTORY_OF_DELETED_S, Limits


class RedisDocuments:
    """:class:`shortlist_domain.documents.DocumentStage` on one Redis."""

    def __init__(self, link: RedisLink, limits: Limits, now: Callable[[], float] = time.time) -> None:
        self._link = link
        self._n_versions = limits.document_versions
        self._now = now

    async def list_documents(self, collection: str, deadline: Deadline) -> list[Document]:
        """Return the documents of ``collection``; see the protocol."""
        read: Command = ("HGETALL", documents_key(collection))
        (flat,) = await self._link.exchange([read], deadline, "listing documents")
        found = (unpack_document(name.decode(), raw) for name, raw in zip(flat[0::2], flat[1::2], strict=True))
        return sorted(map(without_content, found), key=lambda document: document.name)

    async def read_document(self, collection: str, name: str, version: int, deadline: Deadline) -> Document:
        """Return a document; see the protocol."""
        if not version:
            read: Command = ("HGET", documents_key(collection), name)
            (raw,) = await self._link.exchange([read], deadline, "reading a document")
            if raw is None:
                raise NotFound(f"there is no {name!r} in {collection}")
            return unpack_document(name, raw)
        for document in await self._versions(collection, name, deadline):
            if document.version == version:
                return document
        raise NotFound(f"version {version} of {name!r} is not kept in {collection}")

    async def write_document(
        self, collection: str, name: str, content: bytes | None, expected_version: int | None, deadline: Deadline
    ) -> Document:
        """Write or delete a document; see the protocol."""
        current_key, counter_key = documents_key(collection), document_counter_key(collection)
        history_key = document_history_key(collection, name)
        async with self._link.session(deadline, "writing a document") as session:
            while True:
                read: list[Command] = [
                    ("WATCH", current_key, counter_key),
                    ("GET", counter_key),
                    ("HGET", current_key, name),
                    ("HLEN", current_key),
                ]
                _, counter, raw, count = await session.exchange(read)
                old = None if raw is None else unpack_document(name, raw)
                if refusal := refused(collection, name, content, expected_version, old, count):
                    await session.exchange([("UNWATCH",)])
                    raise refusal
                new = Document(name, int(counter or 0) + 1, self._now(), content or b"", is_deleted=content is None)
                packed = pack_document(new)
                write: list[Command] = [
                    ("SET", counter_key, new.version),
                    ("HDEL", current_key, name) if content is None else ("HSET", current_key, name, packed),
                    ("LPUSH", history_key, packed),
                    ("LTRIM", history_key, 0, self._n_versions - 1),
                    ("EXPIRE", history_key, HISTORY_OF_DELETED_S) if content is None else ("PERSIST", history_key),
                ]
                if await session.commit(write) is not None:
                    return without_content(new)

    async def list_versions(self, collection: str, name: str, deadline: Deadline) -> list[Document]:
        """Return what a document was; see the protocol."""
        return list(map(without_content, await self._versions(collection, name, deadline)))

    async def _versions(self, collection: str, name: str, deadline: Deadline) -> list[Document]:
        read: Command = ("LRANGE", document_history_key(collection, name), 0, -1)
        (raw,) = await self._link.exchange([read], deadline, "reading a document's history")
        return [unpack_document(name, one) for one in raw]
