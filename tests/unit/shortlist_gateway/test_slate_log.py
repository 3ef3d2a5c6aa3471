"""The log of served slates: what is chosen for it, and that it can be in nobody's way."""

from __future__ import annotations

import asyncio
import hashlib
import struct
import time
from collections.abc import Callable, Sequence

import pytest
from prometheus_client import CollectorRegistry

from shortlist.common.v1 import answer_pb2
from shortlist.common.v1.slate_record_pb2 import SlateRecord
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import InvalidRequest, UpstreamFailed, Violation
from shortlist_domain.stages import ActorKey
from shortlist_gateway import slate_log
from shortlist_gateway.slate_log import SlateLog
from shortlist_telemetry.catalogue import Metrics
from shortlist_testing.fakes import FakeFeatures


def answer(slate_id: str, n_items: int = 2) -> pb.RecommendResponse:
    meta = answer_pb2.AnswerMeta(
        slate_id=slate_id,
        request_id="r",
        serving_config="default",
        bundle=answer_pb2.Bundle(bundle_id="b"),
        degradation=answer_pb2.Degradation(
            level=answer_pb2.DEGRADATION_LEVEL_PARTIAL, causes=[answer_pb2.DEGRADATION_CAUSE_RANKING_PARTIAL]
        ),
    )
    results = [answer_pb2.Result(item_id=f"i{at}", rank=at + 3, score=0.5, propensity=0.25) for at in range(n_items)]
    return pb.RecommendResponse(meta=meta, results=results)


def metrics() -> tuple[Metrics, CollectorRegistry]:
    registry = CollectorRegistry()
    return Metrics(registry), registry


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def test_slates_are_chosen_by_their_id_alone_in_the_share_that_is_set() -> None:
    ids = [f"slate-{at}" for at in range(20_000)]
    tenth, half = (
        {one for one in ids if SlateLog(FakeFeatures(), share, 1, metrics()[0]).wants(one)} for share in (0.1, 0.5)
    )
    assert tenth < half, "a larger share adds slates and loses none"
    # four standard deviations of a binomial: sqrt(20000 * 0.1 * 0.9) = 42.4, sqrt(20000 * 0.5 * 0.5) = 70.7
    assert abs(len(tenth) - 2_000) < 170
    assert abs(len(half) - 10_000) < 283
    # sha256("slate-0") begins with these eight bytes
    first = hashlib.sha256(b"slate-0").hexdigest()[:13]
    assert slate_log.position_of("slate-0") == int(first, 16) / 16**13


@pytest.mark.parametrize(("share", "wanted"), [(0.0, False), (1.0, True)])
def test_all_or_none_are_exactly_that(share: float, wanted: bool) -> None:
    log = SlateLog(FakeFeatures(), share, 1, metrics()[0])
    assert {log.wants(str(at)) for at in range(1_000)} == {wanted}


async def test_a_record_says_what_was_shown_to_whom_by_what() -> None:
    features, (instruments, registry) = FakeFeatures(), metrics()
    log = SlateLog(features, 0.5, 10, instruments)
    log.add("Recommend", answer("s"), ActorKey("shop", "u/1"), [7, 300, 2], 1_700_000_000.1234)
    log.start()
    await until(lambda: features.slates)
    await log.close()
    record = SlateRecord.FromString(features.slates[0])
    assert (record.schema_version, record.slate_id, record.request_id, record.rpc) == (1, "s", "r", "Recommend")
    assert (record.made_ms, record.tenant, record.actor_id) == (1_700_000_000_123, "shop", "u/1")
    assert (record.bundle_id, record.serving_config, list(record.variants)) == ("b", "default", [])
    assert record.candidate_digest == hashlib.sha256(struct.pack("<3I", 7, 300, 2)).digest()
    assert (record.candidate_count, record.logged_share) == (3, 0.5)
    shown = [(one.item_id, one.position, one.score, one.propensity) for one in record.items]
    assert shown == [("i0", 3, 0.5, 0.25), ("i1", 4, 0.5, 0.25)]
    assert record.degradation_level == answer_pb2.DEGRADATION_LEVEL_PARTIAL
    assert list(record.degradation_causes) == [answer_pb2.DEGRADATION_CAUSE_RANKING_PARTIAL]
    assert registry.get_sample_value("shortlist_slates_logged_total") == 1


async def test_while_the_store_is_away_slates_wait_and_what_is_too_much_is_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slate_log, "_LONGEST_PAUSE_S", 0.1)
    features, (instruments, registry) = FakeFeatures(failure=UpstreamFailed("redis", "down")), metrics()
    log = SlateLog(features, 1.0, 3, instruments)
    log.start()
    began = time.perf_counter()
    for at in range(5):
        log.add("Recommend", answer(str(at)), None, [], 0.0)
    assert time.perf_counter() - began < 0.1, "nobody waits for the store"
    assert registry.get_sample_value("shortlist_slates_dropped_total", {"reason": "full"}) == 2
    await asyncio.sleep(0.2)
    assert registry.get_sample_value("shortlist_slates_logged_total") == 0
    features.failure = None
    await until(lambda: len(features.slates) == 3)
    assert [SlateRecord.FromString(raw).slate_id for raw in features.slates] == ["0", "1", "2"]
    log.add("Recommend", answer("6"), None, [], 0.0)
    await log.close()
    assert SlateRecord.FromString(features.slates[-1]).slate_id == "6", "closing hands over what waits"
    assert registry.get_sample_value("shortlist_slates_logged_total") == 4


async def test_what_waits_when_the_process_ends_without_a_store_is_counted() -> None:
    features, (instruments, registry) = FakeFeatures(failure=UpstreamFailed("redis", "down")), metrics()
    log = SlateLog(features, 1.0, 10, instruments)
    log.start()
    log.add("Recommend", answer("0"), None, [], 0.0)
    await log.close()
    assert registry.get_sample_value("shortlist_slates_dropped_total", {"reason": "closed"}) == 1


async def test_what_the_store_finds_wrong_does_not_hold_up_what_follows() -> None:
    features, (instruments, registry) = FakeFeatures(failure=InvalidRequest(Violation("slates", "no"))), metrics()
    log = SlateLog(features, 1.0, 10, instruments)
    log.start()
    log.add("Recommend", answer("0"), None, [], 0.0)

    def refused() -> bool:
        return registry.get_sample_value("shortlist_slates_dropped_total", {"reason": "refused"}) == 1

    await until(refused)
    features.failure = None
    log.add("Recommend", answer("1"), None, [], 0.0)
    await until(lambda: features.slates)
    assert SlateRecord.FromString(features.slates[0]).slate_id == "1"
    await log.close()


async def test_what_the_log_let_go_unread_is_counted() -> None:
    features, (instruments, registry) = FakeFeatures(lost=7), metrics()
    log = SlateLog(features, 1.0, 10, instruments)
    log.add("Recommend", answer("s"), None, [], 0.0)
    log.start()
    await until(lambda: registry.get_sample_value("shortlist_slates_dropped_total", {"reason": "unread"}) == 7)
    assert registry.get_sample_value("shortlist_slates_logged_total") == 1
    await log.close()


async def test_a_call_of_the_store_stays_below_the_message_that_it_accepts() -> None:
    sizes: list[int] = []

    class Calls(FakeFeatures):
        async def append_slates(self, records: Sequence[bytes], deadline: Deadline) -> int:
            sizes.append(sum(map(len, records)))
            return 0

    features = Calls()
    log = SlateLog(features, 1.0, 1_000, metrics()[0])
    for at in range(100):
        log.add("Recommend", answer(str(at), 1_000), None, [], 0.0)
    log.start()
    await until(lambda: sum(sizes) > 100 * 15_000)
    await log.close()
    assert max(sizes) < 1 << 20
    assert 1 < len(sizes) < 100
