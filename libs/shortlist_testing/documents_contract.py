"""What is true of every store of documents. A test class inherits it and provides the fixture ``make_store``."""

# The tests' names are sentences; they need no other.
# ruff: noqa: D102, S101

from __future__ import annotations

import asyncio

import pytest

from shortlist_domain.deadline import Deadline
from shortlist_domain.documents import MAX_DOCUMENTS, Document
from shortlist_domain.errors import BudgetExceeded, NotFound, Overloaded, VersionConflict
from shortlist_feature_store.store import Limits
from shortlist_testing.feature_store_contract import NOW_S, MakeStore, soon

HERE = "serving_configs"


class DocumentsContract:
    """Tests of the documents of a :class:`~shortlist_feature_store.store.FeatureStore`, made by ``make_store``."""

    async def test_what_is_written_is_read_and_listed(self, make_store: MakeStore) -> None:
        documents = (await make_store()).documents
        assert await documents.list_documents(HERE, soon()) == []
        first = await documents.write_document(HERE, "home", b"\x00\xff", 0, soon())
        assert first == Document("home", first.version, NOW_S)
        assert first.version >= 1
        second = await documents.write_document(HERE, "a {b}:c/d", b"", None, soon())
        assert await documents.list_documents(HERE, soon()) == [second, first]
        assert await documents.read_document(HERE, "home", 0, soon()) == Document(
            "home", first.version, NOW_S, b"\x00\xff"
        )
        assert await documents.list_documents("others", soon()) == [], "collections are apart"
        with pytest.raises(NotFound):
            await documents.read_document("others", "home", 0, soon())

    async def test_a_version_is_replaced_only_by_who_expects_it(self, make_store: MakeStore) -> None:
        documents = (await make_store()).documents
        first = await documents.write_document(HERE, "home", b"1", None, soon())
        with pytest.raises(VersionConflict, match="not to be there"):
            await documents.write_document(HERE, "home", b"2", 0, soon())
        with pytest.raises(VersionConflict) as caught:
            await documents.write_document(HERE, "home", b"2", first.version + 7, soon())
        assert (caught.value.expected, caught.value.current) == (first.version + 7, first.version)
        with pytest.raises(VersionConflict, match="is not there"):
            await documents.write_document(HERE, "else", b"2", 1, soon())
        second = await documents.write_document(HERE, "home", b"2", first.version, soon())
        assert second.version > first.version
        with pytest.raises(VersionConflict):
            await documents.write_document(HERE, "home", None, first.version, soon())
        assert (await documents.read_document(HERE, "home", 0, soon())).content == b"2"

    async def test_of_writers_that_expect_the_same_version_one_wins(self, make_store: MakeStore) -> None:
        documents = (await make_store()).documents
        version = (await documents.write_document(HERE, "home", b"0", None, soon())).version
        writes = (documents.write_document(HERE, "home", b"%d" % at, version, soon()) for at in range(1, 9))
        done = await asyncio.gather(*writes, return_exceptions=True)
        assert sum(isinstance(one, Document) for one in done) == 1
        assert sum(isinstance(one, VersionConflict) for one in done) == 7

    async def test_writers_of_other_documents_do_not_hinder_each_other(self, make_store: MakeStore) -> None:
        documents = (await make_store()).documents
        done = await asyncio.gather(*(documents.write_document(HERE, f"d{at}", b"x", 0, soon()) for at in range(8)))
        assert len({one.version for one in done}) == 8

    async def test_a_deleted_document_leaves_its_history_and_no_version_comes_again(
        self, make_store: MakeStore
    ) -> None:
        documents = (await make_store()).documents
        first = await documents.write_document(HERE, "home", b"1", 0, soon())
        gone = await documents.write_document(HERE, "home", None, first.version, soon())
        assert gone.is_deleted
        assert await documents.list_documents(HERE, soon()) == []
        for name in ("home", "never"):
            with pytest.raises(NotFound):
                await documents.read_document(HERE, name, 0, soon())
            with pytest.raises(NotFound):
                await documents.write_document(HERE, name, None, None, soon())
        assert (await documents.read_document(HERE, "home", first.version, soon())).content == b"1"
        again = await documents.write_document(HERE, "home", b"2", 0, soon())
        assert again.version > gone.version > first.version
        assert await documents.list_versions(HERE, "home", soon()) == [again, gone, first]
        assert await documents.list_versions(HERE, "never", soon()) == []

    async def test_the_history_keeps_the_newest_versions(self, make_store: MakeStore) -> None:
        documents = (await make_store(Limits(document_versions=3))).documents
        written = [await documents.write_document(HERE, "home", b"%d" % at, None, soon()) for at in range(5)]
        assert await documents.list_versions(HERE, "home", soon()) == written[:1:-1]
        with pytest.raises(NotFound, match="version"):
            await documents.read_document(HERE, "home", written[1].version, soon())
        assert (await documents.read_document(HERE, "home", written[2].version, soon())).content == b"2"

    async def test_a_collection_that_is_full_takes_no_other_name(self, make_store: MakeStore) -> None:
        documents = (await make_store()).documents
        for at in range(MAX_DOCUMENTS):
            await documents.write_document(HERE, f"d{at}", b"x", None, soon())
        with pytest.raises(Overloaded, match=f"{MAX_DOCUMENTS} documents in {HERE}"):
            await documents.write_document(HERE, "more", b"x", None, soon())
        await documents.write_document(HERE, "d7", b"y", None, soon())
        await documents.write_document(HERE, "d7", None, None, soon())
        await documents.write_document(HERE, "more", b"x", None, soon())

    async def test_what_is_too_late_is_not_begun(self, make_store: MakeStore) -> None:
        documents = (await make_store()).documents
        with pytest.raises(BudgetExceeded):
            await documents.write_document(HERE, "home", b"x", None, Deadline.after(0.0))
        assert await documents.list_documents(HERE, soon()) == []
