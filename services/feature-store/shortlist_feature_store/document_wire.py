"""Messages about documents to values and back."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.featurestore.v1 import feature_store_service_pb2 as pb
from shortlist_domain.documents import MAX_DOCUMENT_BYTES, Document, is_collection
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.ids import id_violation

_Named = pb.ReadDocumentRequest | pb.WriteDocumentRequest | pb.ListDocumentVersionsRequest


def check_collection(collection: str) -> None:
    """Refuse what can name no collection.

    Raises:
        InvalidRequest: It cannot.
    """
    if not is_collection(collection):
        raise InvalidRequest(_collection_violation(collection))


def check_document(request: _Named) -> None:
    """Refuse what can name no document.

    Raises:
        InvalidRequest: It cannot.
    """
    _refuse(request, [])


def check_read(request: pb.ReadDocumentRequest) -> None:
    """Refuse a request that asks for nothing that can be.

    Raises:
        InvalidRequest: It does not.
    """
    _refuse(request, [] if request.version >= 0 else [_negative("version", request.version)])


def checked_write(request: pb.WriteDocumentRequest) -> tuple[bytes | None, int | None]:
    """Return what is to be written, ``None`` for a deletion, and the version that is expected, ``None`` for any.

    Raises:
        InvalidRequest: With every violation found.
    """
    violations = []
    if len(request.content) > MAX_DOCUMENT_BYTES:
        said = f"has {len(request.content)} bytes; at most {MAX_DOCUMENT_BYTES} are allowed"
        violations.append(Violation("content", said))
    if request.is_deletion and request.content:
        violations.append(Violation("content", "is given while `is_deletion` is true; leave one of the two unset"))
    if request.expected_version < 0:
        violations.append(_negative("expected_version", request.expected_version))
    _refuse(request, violations)
    expected = request.expected_version if request.HasField("expected_version") else None
    return None if request.is_deletion else request.content, expected


def message(document: Document) -> pb.Document:
    """Return ``document`` for the wire."""
    found = pb.Document(
        name=document.name,
        version=document.version,
        content=document.content,
        is_deleted=document.is_deleted,
        is_damaged=document.is_damaged,
    )
    if not document.is_damaged:
        found.write_time.CopyFrom(_timestamp(document.written_s))
    return found


def _refuse(request: _Named, violations: list[Violation]) -> None:
    if not is_collection(request.collection):
        violations.append(_collection_violation(request.collection))
    if (violation := id_violation("name", request.name)) is not None:
        violations.append(violation)
    if violations:
        raise InvalidRequest(*violations)


def _collection_violation(collection: str) -> Violation:
    return Violation("collection", f"is {collection!r}; 1 to 64 lower-case letters, digits and `_` are needed")


def _negative(field: str, value: int) -> Violation:
    return Violation(field, f"is {value}; 0 or more is needed")


def _timestamp(time_s: float) -> Timestamp:
    moment = Timestamp()
    moment.FromMicroseconds(round(time_s * 1e6))
    return moment
