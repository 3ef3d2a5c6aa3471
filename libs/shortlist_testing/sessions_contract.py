"""What is true of sessions in every store of features. A test class inherits it and provides ``make_store``."""

# The tests' names are sentences; they need no other.
# ruff: noqa: D102, S101

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import ActorKey, ItemDelta
from shortlist_feature_store.store import FeatureStore, Limits
from shortlist_testing.feature_store_contract import NOW_S, MakeStore, event, history, soon

SESSION = ActorKey("", "s/x")
USER = ActorKey("", "u/1")
VISITOR = ActorKey("", "v/1")
USER_IN_SESSION = ActorKey("", "u/1", "x")
VISITOR_IN_SESSION = ActorKey("", "v/1", "x")


async def items_of(store: FeatureStore, key: ActorKey) -> Sequence[str]:
    """Return the items of a history, oldest first."""
    return list((await store.read_actor(key, 0, soon())).item_ids)


async def counts(store: FeatureStore, *item_ids: str) -> list[float]:
    """Return how often each of ``item_ids`` was counted."""
    return [found.count if found else 0.0 for found in await store.read_items("", item_ids, soon())]


class SessionsContract:
    """Inherited by the tests of each store."""

    async def test_what_a_session_did_before_a_login_counts_for_who_logged_in(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(USER, [event("old", ago_s=900), event("new", ago_s=5)], soon())
        result = await store.append_events(SESSION, [event("seen", ago_s=10)], soon())
        assert (result.version, list(result.added)) == (1, [True])
        state = await store.read_actor(USER_IN_SESSION, 0, soon())
        assert [row[0] for row in history(state)] == ["old", "seen", "new"], "in order of time"
        assert (state.version, state.session_version, state.known) == (1, 1, True)
        assert await items_of(store, USER) == ["old", "new"]
        assert await items_of(store, ActorKey("", "u/1", "y")) == ["old", "new"]
        assert await items_of(store, ActorKey("t", "u/1", "x")) == [], "tenants share no sessions"
        assert await items_of(store, ActorKey("", "u/2", "x")) == ["seen"]
        kept = await store.read_events(USER_IN_SESSION, soon())
        assert [row[0] for row in history(kept)] == ["old", "seen", "new"]

    async def test_spaces_of_users_visitors_and_sessions_are_apart(self, make_store: MakeStore) -> None:
        store = await make_store()
        for space in ("u", "v", "s"):
            await store.append_events(ActorKey("", f"{space}/1"), [event(space)], soon())
        for space in ("u", "v", "s"):
            assert await items_of(store, ActorKey("", f"{space}/1")) == [space]

    async def test_what_is_done_in_a_session_is_in_both_histories_and_counted_once(self, make_store: MakeStore) -> None:
        store = await make_store()
        result = await store.append_events(VISITOR_IN_SESSION, [event("a", 3.0, event_id="1"), event("b")], soon())
        assert (result.version, list(result.added)) == (1, [True, True])
        for key in (VISITOR, SESSION, VISITOR_IN_SESSION):
            assert sorted(await items_of(store, key)) == ["a", "b"], "none twice"
        assert await store.read_items("", ["a", "b"], soon()) == [ItemDelta("a", 1.0, 3.0), ItemDelta("b", 1.0, 1.0)]
        again = await store.append_events(VISITOR_IN_SESSION, [event("a", 3.0, event_id="1")], soon())
        assert (again.version, list(again.added)) == (1, [False])
        assert await items_of(store, ActorKey("", "u/1", "x")) == await items_of(store, SESSION)

    async def test_an_event_that_is_repeated_after_a_login_counts_once(self, make_store: MakeStore) -> None:
        store = await make_store()
        once = [event("a", event_id="1")]
        for key, is_new in ((SESSION, True), (USER_IN_SESSION, True), (VISITOR_IN_SESSION, True), (SESSION, False)):
            assert list((await store.append_events(key, once, soon())).added) == [is_new], "new in its own history"
        assert await items_of(store, USER) == await items_of(store, VISITOR) == ["a"]
        assert await counts(store, "a") == [1.0]
        for key in (USER, VISITOR, SESSION):
            await store.erase_actor(key, soon())
        assert await counts(store, "a") == [0.0], "and is taken out once"

    async def test_an_event_of_before_the_session_counts_once(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(USER, [event("a", event_id="1")], soon())
        result = await store.append_events(USER_IN_SESSION, [event("a", event_id="1")], soon())
        assert list(result.added) == [False]
        assert await items_of(store, SESSION) == ["a"]
        assert await counts(store, "a") == [1.0]
        await store.erase_actor(SESSION, soon())
        assert (await counts(store, "a"), await items_of(store, USER)) == ([1.0], ["a"])

    async def test_of_two_events_with_one_id_the_actors_own_is_read(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(SESSION, [event("theirs", ago_s=1, event_id="1")], soon())
        await store.append_events(USER, [event("own", ago_s=2, event_id="1")], soon())
        assert await items_of(store, USER_IN_SESSION) == ["own"]

    async def test_a_merged_history_has_the_newest_of_both(self, make_store: MakeStore) -> None:
        store = await make_store(Limits(max_events_per_actor=3))
        await store.append_events(USER, [event(f"u{ago}", ago_s=ago) for ago in (2, 4, 6)], soon())
        await store.append_events(SESSION, [event(f"s{ago}", ago_s=ago) for ago in (1, 3, 5)], soon())
        assert await items_of(store, USER_IN_SESSION) == ["s3", "u2", "s1"]

    async def test_impressions_of_a_session_are_read_with_the_actors(self, make_store: MakeStore) -> None:
        store = await make_store()
        shown = [event("a", ago_s=3, event_id="slate:0", event_type="impression")]
        await store.append_events(SESSION, shown, soon())
        await store.append_events(USER_IN_SESSION, [*shown, event("b", ago_s=2)], soon())
        state = await store.read_actor(USER_IN_SESSION, 0, soon(), with_impressions=True)
        assert history(state) == [("a", "impression", 1.0, 3), ("b", "rating", 1.0, 2)]
        assert list((await store.read_events(USER_IN_SESSION, soon(), impressions=True)).item_ids) == ["a"]
        assert await items_of(store, USER_IN_SESSION) == ["b"]

    async def test_attributes_of_a_session_count_where_the_actor_has_none_of_the_name(
        self, make_store: MakeStore
    ) -> None:
        store = await make_store()
        await store.write_attributes(SESSION, {"genre": "Drama", "age": "20"}, NOW_S, soon())
        await store.write_attributes(USER_IN_SESSION, {"age": "30"}, NOW_S - 9, soon())
        assert (await store.read_actor(USER_IN_SESSION, 0, soon())).attributes == {"genre": "Drama", "age": "30"}
        assert (await store.read_actor(USER, 0, soon())).attributes == {"age": "30"}
        assert (await store.read_actor(SESSION, 0, soon())).attributes == {"genre": "Drama", "age": "20"}

    async def test_a_write_of_a_session_is_waited_for_like_one_of_the_actor(self, make_store: MakeStore) -> None:
        store = await make_store()
        reading = asyncio.create_task(store.read_actor(USER_IN_SESSION, 0, soon(), min_session_version=1))
        await asyncio.sleep(0.03)
        await store.append_events(SESSION, [event("a")], soon())
        state = await reading
        assert (state.caught_up, state.version, state.session_version) == (True, 0, 1)
        assert list(state.item_ids) == ["a"]
        late = await store.read_actor(USER_IN_SESSION, 0, Deadline.after(0.2), min_session_version=2)
        assert (late.caught_up, list(late.item_ids)) == (False, ["a"])
        late = await store.read_actor(USER_IN_SESSION, 1, Deadline.after(0.2), min_session_version=1)
        assert not late.caught_up

    async def test_erasing_a_session_leaves_what_is_the_users(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(SESSION, [event("before", ago_s=3)], soon())
        await store.append_events(USER_IN_SESSION, [event("after", ago_s=2)], soon())
        erased = await store.erase_actor(SESSION, soon())
        assert (erased.events, erased.verified) == (2, True)
        assert await items_of(store, USER_IN_SESSION) == ["after"]
        assert await counts(store, "before", "after") == [0.0, 1.0]

    async def test_erasing_a_user_takes_the_sessions_along_that_it_wrote_in(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(SESSION, [event("before", ago_s=3)], soon())
        await store.write_attributes(SESSION, {"genre": "Drama"}, NOW_S, soon())
        await store.append_events(USER_IN_SESSION, [event("after", ago_s=2)], soon())
        await store.append_events(ActorKey("", "u/1", "y"), [event("elsewhere", ago_s=1)], soon())
        await store.append_events(ActorKey("", "s/z"), [event("strange")], soon())
        erased = await store.erase_actor(USER, soon())
        assert (erased.events, erased.attributes, erased.verified) == (3, 1, True)
        for key in (USER, SESSION, ActorKey("", "s/y"), USER_IN_SESSION):
            assert not (await store.read_actor(key, 0, soon())).known
        assert await items_of(store, ActorKey("", "s/z")) == ["strange"], "of a session of somebody else nothing"
        assert await counts(store, "before", "after", "elsewhere", "strange") == [0.0, 0.0, 0.0, 1.0]
        erased = await store.erase_actor(USER, soon())
        assert (erased.events, erased.attributes, erased.verified) == (0, 0, True)

    async def test_what_another_user_did_in_an_erased_session_stays_with_that_user(self, make_store: MakeStore) -> None:
        store = await make_store()
        other = ActorKey("", "u/2", "x")
        await store.append_events(other, [event("theirs", ago_s=3)], soon())
        await store.append_events(USER_IN_SESSION, [event("own", ago_s=2)], soon())
        assert (await store.erase_actor(USER, soon())).verified
        assert await items_of(store, other) == ["theirs"]
        assert await counts(store, "own", "theirs") == [0.0, 1.0]
        assert (await store.erase_actor(other, soon())).events == 1
        assert await counts(store, "theirs") == [0.0]

    async def test_erasing_an_actor_in_a_session_erases_both(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(SESSION, [event("before")], soon())
        await store.append_events(USER, [event("own")], soon())
        assert (await store.erase_actor(USER_IN_SESSION, soon())).events == 2
        assert not (await store.read_actor(USER_IN_SESSION, 0, soon())).known
