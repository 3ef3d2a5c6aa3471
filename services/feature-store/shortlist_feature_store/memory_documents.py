"""Documents in memory: the twin of :mod:`shortlist_feature_store.redis_documents`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from shortlist_domain.deadline import Deadline
from shortlist_domain.documents import Document
from shortlist_domain.errors import NotFound
from shortlist_feature_store.document_records import refused, without_content
from shortlist_feature_store.store import Limits


@dataclass(slots=True)
class _Collection:
    current: dict[str, Document] = field(default_factory=dict)
    versions: dict[str, list[Document]] = field(default_factory=dict)
    """By name, newest first."""

    counter: int = 0


class MemoryDocuments:
    """:class:`shortlist_domain.documents.DocumentStage` in this process."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.time) -> None:
        self._n_versions = limits.document_versions
        self._now = now
        self._collections: defaultdict[str, _Collection] = defaultdict(_Collection)

    async def list_documents(self, collection: str, deadline: Deadline) -> list[Document]:
        """Return the documents of ``collection``; see the protocol."""
        deadline.check("listing documents")
        return [without_content(one) for _, one in sorted(self._collections[collection].current.items())]

    async def read_document(self, collection: str, name: str, version: int, deadline: Deadline) -> Document:
        """Return a document; see the protocol."""
        deadline.check("reading a document")
        kept = self._collections[collection]
        among = kept.versions.get(name, []) if version else [one for one in (kept.current.get(name),) if one]
        for document in among:
            if version in (0, document.version):
                return document
        raise NotFound(f"there is no {name!r} of version {version} in {collection}")

    async def write_document(
        self, collection: str, name: str, content: bytes | None, expected_version: int | None, deadline: Deadline
    ) -> Document:
        """Write or delete a document; see the protocol."""
        deadline.check("writing a document")
        kept = self._collections[collection]
        old = kept.current.get(name)
        if refusal := refused(collection, name, content, expected_version, old, len(kept.current)):
            raise refusal
        kept.counter += 1
        new = Document(name, kept.counter, self._now(), content or b"", is_deleted=content is None)
        kept.versions[name] = [new, *kept.versions.get(name, [])][: self._n_versions]
        if content is None:
            del kept.current[name]
        else:
            kept.current[name] = new
        return without_content(new)

    async def list_versions(self, collection: str, name: str, deadline: Deadline) -> list[Document]:
        """Return what a document was; see the protocol."""
        deadline.check("reading a document's history")
        return list(map(without_content, self._collections[collection].versions.get(name, [])))
