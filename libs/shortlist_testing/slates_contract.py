"""What is true of every log of served slates. A test class inherits it and provides the fixture ``make_store``."""

# The tests' names are sentences; they need no other.
# ruff: noqa: D102, S101

from __future__ import annotations

from shortlist_feature_store.store import FeatureStore, Limits
from shortlist_testing.feature_store_contract import MakeStore, soon

RECORDS = [b"", b"\x00\xff\r\n", b"c", b"d", b"e"]


async def taken(store: FeatureStore, count: int = 10, consumer: str = "one") -> list[bytes | None]:
    """Return the records that ``consumer`` is given, and confirm none."""
    return [entry.record for entry in await store.take_slates(consumer, count, soon())]


class SlatesContract:
    """Inherit from it, next to the fixture ``make_store``."""

    async def test_a_log_of_nothing_gives_nothing(self, make_store: MakeStore) -> None:
        store = await make_store()
        assert await taken(store) == []
        await store.append_slates([], soon())
        await store.confirm_slates([], soon())
        assert await taken(store) == []

    async def test_slates_are_taken_in_order_and_each_once_where_they_are_confirmed(
        self, make_store: MakeStore
    ) -> None:
        store = await make_store()
        await store.append_slates(RECORDS[:3], soon())
        await store.append_slates(RECORDS[3:], soon())
        found, ids = [], []
        while entries := await store.take_slates("one", 2, soon()):
            found += [entry.record for entry in entries]
            ids += [entry.entry_id for entry in entries]
            await store.confirm_slates([entry.entry_id for entry in entries], soon())
        assert found == RECORDS
        assert len(set(ids)) == 5
        await store.append_slates([b"f"], soon())
        assert await taken(store) == [b"f"]

    async def test_what_was_taken_and_not_confirmed_is_given_again_first_and_whole(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_slates(RECORDS, soon())
        first = await store.take_slates("one", 3, soon())
        assert await store.take_slates("one", 1, soon()) == first, "whatever count is asked for the second time"
        await store.confirm_slates([first[0].entry_id], soon())
        assert await store.take_slates("one", 3, soon()) == first[1:]
        await store.confirm_slates([entry.entry_id for entry in first], soon())
        await store.confirm_slates([entry.entry_id for entry in first], soon())
        assert await taken(store) == RECORDS[3:]

    async def test_what_one_has_taken_no_other_is_given(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_slates(RECORDS, soon())
        assert await taken(store, 2, "one") == RECORDS[:2]
        assert await taken(store, 2, "two") == RECORDS[2:4]
        assert await taken(store, 2, "one") == RECORDS[:2]

    async def test_the_log_keeps_the_newest_and_says_what_it_let_go_of_what_was_taken(
        self, make_store: MakeStore
    ) -> None:
        store = await make_store(Limits(slate_log_length=100))
        records = [b"%d" % at for at in range(1_000)]
        await store.append_slates(records[:10], soon())
        first = await store.take_slates("one", 10, soon())
        await store.append_slates(records[10:], soon())
        again = await store.take_slates("one", 10, soon())
        assert [entry.entry_id for entry in again] == [entry.entry_id for entry in first]
        assert {entry.record for entry in again} == {None}
        await store.confirm_slates([entry.entry_id for entry in again], soon())
        kept = await taken(store, 1_000)
        assert 100 <= len(kept) <= 250, "roughly the limit, never fewer"
        assert kept == records[-len(kept) :]

    async def test_appending_says_how_many_the_log_let_go_that_nobody_had_taken(self, make_store: MakeStore) -> None:
        store = await make_store(Limits(slate_log_length=100))
        records = [b"%d" % at for at in range(1_000)]
        lost = sum([await store.append_slates(records[at : at + 50], soon()) for at in range(0, 1_000, 50)])
        kept = await store.take_slates("one", 1_000, soon())
        assert lost + len(kept) == 1_000, "each is taken or counted as lost"
        await store.confirm_slates([entry.entry_id for entry in kept], soon())
        assert await store.append_slates(records[:200], soon()) <= 100, "what was taken is not lost where it goes"
        rest = await store.take_slates("one", 1_000, soon())
        assert len(rest) >= 100

    async def test_a_log_that_is_emptied_in_time_loses_nothing(self, make_store: MakeStore) -> None:
        store = await make_store(Limits(slate_log_length=100))
        for at in range(0, 1_000, 50):
            assert await store.append_slates([b"%d" % n for n in range(at, at + 50)], soon()) == 0
            entries = await store.take_slates("one", 50, soon())
            assert len(entries) == 50
            await store.confirm_slates([entry.entry_id for entry in entries], soon())
