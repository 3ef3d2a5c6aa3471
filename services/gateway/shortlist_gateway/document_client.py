"""The feature store's documents over gRPC."""

from __future__ import annotations

from shortlist.featurestore.v1 import feature_store_service_pb2 as store_pb
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import FeatureStoreServiceStub
from shortlist_domain.deadline import Deadline
from shortlist_domain.documents import Document
from shortlist_rpc.call import call

_UPSTREAM = "feature-store"


class DocumentClient:
    """:class:`shortlist_domain.documents.DocumentStage` over gRPC."""

    def __init__(self, stub: FeatureStoreServiceStub) -> None:
        self._stub = stub

    async def list_documents(self, collection: str, deadline: Deadline) -> list[Document]:
        """See :class:`shortlist_domain.documents.DocumentStage`."""
        request = store_pb.ListDocumentsRequest(collection=collection)
        response = await call(_UPSTREAM, self._stub.ListDocuments, request, deadline)
        return list(map(_document, response.documents))

    async def read_document(self, collection: str, name: str, version: int, deadline: Deadline) -> Document:
        """See :class:`shortlist_domain.documents.DocumentStage`."""
        request = store_pb.ReadDocumentRequest(collection=collection, name=name, version=version)
        return _document((await call(_UPSTREAM, self._stub.ReadDocument, request, deadline)).document)

    async def write_document(
        self, collection: str, name: str, content: bytes | None, expected_version: int | None, deadline: Deadline
    ) -> Document:
        """See :class:`shortlist_domain.documents.DocumentStage`."""
        request = store_pb.WriteDocumentRequest(
            collection=collection,
            name=name,
            content=content or b"",
            expected_version=expected_version,
            is_deletion=content is None,
        )
        return _document((await call(_UPSTREAM, self._stub.WriteDocument, request, deadline)).document)

    async def list_versions(self, collection: str, name: str, deadline: Deadline) -> list[Document]:
        """See :class:`shortlist_domain.documents.DocumentStage`."""
        request = store_pb.ListDocumentVersionsRequest(collection=collection, name=name)
        response = await call(_UPSTREAM, self._stub.ListDocumentVersions, request, deadline)
        return list(map(_document, response.versions))


def _document(message: store_pb.Document) -> Document:
    return Document(
        message.name,
        message.version,
        message.write_time.ToMicroseconds() / 1e6,
        message.content,
        is_deleted=message.is_deleted,
        is_damaged=message.is_damaged,
    )
