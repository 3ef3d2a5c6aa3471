"""Documents: what is kept by name, with versions, as serving configs. The store that keeps them reads none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shortlist_domain.deadline import Deadline

MAX_DOCUMENTS = 100
"""Most documents in one collection."""

MAX_DOCUMENT_BYTES = 65_536

_COLLECTION = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Document:
    """A version of a document."""

    name: str
    version: int
    """Rises with every write to the collection, and is never used twice. At least 1; 0 of one that is damaged."""

    written_s: float
    """When it was written, seconds since 1970 UTC."""

    content: bytes = b""
    """What it says; empty in lists."""

    is_deleted: bool = False
    """Whether it was deleted with this version."""

    is_damaged: bool = False
    """Whether what is kept of it cannot be read; there are no version, time and content then."""


class DocumentStage(Protocol):
    """The store of documents.

    Every call raises :class:`~shortlist_domain.errors.BudgetExceeded` where its deadline passed, and
    :class:`~shortlist_domain.errors.UpstreamFailed` where the server behind the store failed.
    """

    async def list_documents(self, collection: str, deadline: Deadline) -> Sequence[Document]:
        """Return the documents of ``collection`` by name, without their content; deleted ones are not among them."""
        ...

    async def read_document(self, collection: str, name: str, version: int, deadline: Deadline) -> Document:
        """Return a document.

        Args:
            collection: Where it is kept.
            name: Its name.
            version: Which version; 0 is the current one.
            deadline: When the answer is due.

        Raises:
            NotFound: There is none, or it was deleted, or the version is not kept any more.
        """
        ...

    async def write_document(
        self, collection: str, name: str, content: bytes | None, expected_version: int | None, deadline: Deadline
    ) -> Document:
        """Write a document, or delete it.

        Args:
            collection: Where it is kept.
            name: Its name.
            content: What it says from now on; ``None`` deletes it.
            expected_version: Version that it must be at; 0: it must not be there; ``None``: any.
            deadline: When it is due. Where it passes, the document may or may not be written.

        Returns:
            The new version, without its content.

        Raises:
            VersionConflict: It is at another version, and nothing was written.
            NotFound: It is to be deleted, and is not there.
            Overloaded: The collection is full.
        """
        ...

    async def list_versions(self, collection: str, name: str, deadline: Deadline) -> Sequence[Document]:
        """Return what is kept of a document's history, newest first, without content; deletions are in it."""
        ...


def is_collection(name: str) -> bool:
    """Return whether ``name`` can name a collection."""
    return _COLLECTION.fullmatch(name) is not None
