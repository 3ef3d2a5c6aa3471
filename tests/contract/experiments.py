"""Experiments in short, and what tokens and the log say of the answers that they divide."""

from __future__ import annotations

import asyncio

from shortlist.common.v1.slate_record_pb2 import SlateRecord
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1 import serving_config_service_pb2 as configs_pb
from shortlist.gateway.v1.token_claims_pb2 import AttributionClaims
from shortlist_domain.deadline import Deadline
from shortlist_gateway.seals import Keyring, Purpose
from shortlist_testing.platform import Platform

KEY = "a key that this test knows of"


def experiment(name: str, **variants: tuple[int, str]) -> configs_pb.ServingExperiment:
    return configs_pb.ServingExperiment(
        name=name,
        variants=[
            configs_pb.ServingVariant(name=variant, weight=weight, serving_config=config)
            for variant, (weight, config) in variants.items()
        ],
    )


def claims_of(answer: pb.RecommendResponse) -> AttributionClaims:
    return AttributionClaims.FromString(Keyring([KEY]).open(Purpose.ATTRIBUTION, answer.meta.attribution_token))


async def record_of(platform: Platform, answer: pb.RecommendResponse) -> SlateRecord:
    """Return what the log has of ``answer``; what came before it is taken out of the log."""
    store = platform.service.features.store()
    async with asyncio.timeout(10):
        while True:
            for entry in await store.take_slates("test", 100, Deadline.after(5.0)):
                await store.confirm_slates([entry.entry_id], Deadline.after(5.0))
                record = SlateRecord.FromString(entry.record or b"")
                if record.slate_id == answer.meta.slate_id:
                    return record
