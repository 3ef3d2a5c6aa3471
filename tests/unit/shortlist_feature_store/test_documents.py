"""Documents over the wire, by the gateway's own client, on a real Valkey; and what is damaged there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from shortlist.featurestore.v1 import feature_store_service_pb2 as pb
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import FeatureStoreServiceStub
from shortlist_domain.deadline import Deadline
from shortlist_domain.documents import Document
from shortlist_domain.errors import NotFound, UpstreamFailed, VersionConflict
from shortlist_feature_store.document_records import pack_document, unpack_document
from shortlist_feature_store.keys import documents_key
from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_feature_store.wiring import FeatureStoreService
from shortlist_gateway.clients import FeatureStoreClient
from shortlist_testing.redis import RunningValkey, running_valkey
from shortlist_testing.running import running

HERE = "serving_configs"


@pytest.fixture
def valkey() -> Iterator[RunningValkey]:
    with running_valkey() as server:
        yield server


@pytest.fixture
async def channel(valkey: RunningValkey) -> AsyncIterator[grpc.aio.Channel]:
    service = FeatureStoreService(FeatureStoreSettings(redis_url=SecretStr(valkey.url)))
    async with running(service) as server, grpc.aio.insecure_channel(server.address) as channel:
        yield channel


def soon() -> Deadline:
    return Deadline.after(5.0)


async def test_the_client_says_what_the_store_says(channel: grpc.aio.Channel, valkey: RunningValkey) -> None:
    documents = FeatureStoreClient(channel).documents
    first = await documents.write_document(HERE, "home", b"\x00\xff", 0, soon())
    assert first.written_s > 1e9
    assert await documents.list_documents(HERE, soon()) == [first]
    read = await documents.read_document(HERE, "home", 0, soon())
    assert read == Document("home", first.version, first.written_s, b"\x00\xff")
    with pytest.raises(VersionConflict) as caught:
        await documents.write_document(HERE, "home", b"", first.version + 1, soon())
    assert (caught.value.name, caught.value.expected, caught.value.current) == (
        "home",
        first.version + 1,
        first.version,
    )
    gone = await documents.write_document(HERE, "home", None, first.version, soon())
    assert await documents.list_versions(HERE, "home", soon()) == [gone, first]
    with pytest.raises(NotFound):
        await documents.read_document(HERE, "home", 0, soon())
    valkey.kill()
    with pytest.raises(UpstreamFailed):
        await documents.list_documents(HERE, soon())


async def test_what_is_damaged_is_said_and_can_be_replaced(channel: grpc.aio.Channel, valkey: RunningValkey) -> None:
    documents = FeatureStoreClient(channel).documents
    written = await documents.write_document(HERE, "home", b"text", None, soon())
    for raw in ("", "x", "damaged and quite long enough"):
        valkey.command("HSET", documents_key(HERE), "home", raw)
        damaged = Document("home", 0, 0.0, is_damaged=True)
        assert await documents.list_documents(HERE, soon()) == [damaged]
        assert await documents.read_document(HERE, "home", 0, soon()) == damaged
        for expected in (0, written.version):
            with pytest.raises(VersionConflict, match="is damaged"):
                await documents.write_document(HERE, "home", b"", expected, soon())
    again = await documents.write_document(HERE, "home", b"new", None, soon())
    assert again.version > written.version
    assert await documents.list_documents(HERE, soon()) == [again]


@pytest.mark.parametrize("at", range(26))
def test_a_flipped_bit_is_seen_or_changes_no_content(at: int) -> None:
    packed = bytearray(pack_document(Document("home", 7, 1.7e9, b"text")))
    assert len(packed) == 26
    packed[at] ^= 4
    found = unpack_document("home", bytes(packed))
    assert found.is_damaged or found.content == b"text"


async def test_what_names_no_document_is_refused_by_field(channel: grpc.aio.Channel) -> None:
    stub: Any = FeatureStoreServiceStub(channel)
    cases = (
        (stub.ListDocuments(pb.ListDocumentsRequest()), "collection: is ''"),
        (stub.ListDocuments(pb.ListDocumentsRequest(collection="A-b")), "collection: is 'A-b'"),
        (stub.ReadDocument(pb.ReadDocumentRequest(collection="a")), "name: is required"),
        (stub.ReadDocument(pb.ReadDocumentRequest(collection="a", name="b", version=-1)), "version: is -1"),
        (
            stub.ListDocumentVersions(pb.ListDocumentVersionsRequest(collection="a", name="\x00")),
            "has the control",
        ),
        (
            stub.WriteDocument(pb.WriteDocumentRequest(collection="a", name="b", expected_version=-1)),
            "expected_version",
        ),
        (
            stub.WriteDocument(pb.WriteDocumentRequest(collection="a", name="b", content=b"x", is_deletion=True)),
            "content: is given while",
        ),
        (
            stub.WriteDocument(pb.WriteDocumentRequest(collection="a", name="b", content=bytes(65_537))),
            "content: has 65537",
        ),
    )
    for call, said in cases:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert said in str(caught.value.details())
