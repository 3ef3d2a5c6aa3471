"""Serving configs in short."""

from __future__ import annotations

from typing import Any

import grpc

from shortlist.gateway.v1 import serving_config_service_pb2 as pb
from shortlist.gateway.v1.serving_config_service_pb2_grpc import ServingConfigServiceStub


class Configs:
    """A gateway's serving configs."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.stub: Any = ServingConfigServiceStub(channel)

    async def put(
        self, name: str, expected_version: int | None = None, validate_only: bool = False, **fields: Any
    ) -> pb.ServingConfigRecord:
        request = pb.PutServingConfigRequest(
            config=pb.ServingConfig(name=name, **fields),
            expected_version=expected_version,
            validate_only=validate_only,
        )
        record: pb.ServingConfigRecord = (await self.stub.PutServingConfig(request)).record
        return record

    async def get(self, name: str, version: int = 0) -> pb.ServingConfigRecord:
        request = pb.GetServingConfigRequest(name=name, version=version)
        record: pb.ServingConfigRecord = (await self.stub.GetServingConfig(request)).record
        return record

    async def all(self) -> dict[str, pb.ServingConfigRecord]:
        found = await self.stub.ListServingConfigs(pb.ListServingConfigsRequest())
        return {record.config.name: record for record in found.records}

    async def history(self, name: str) -> list[pb.ServingConfigRecord]:
        request = pb.ListServingConfigVersionsRequest(name=name)
        return list((await self.stub.ListServingConfigVersions(request)).records)

    async def delete(self, name: str, expected_version: int | None = None) -> None:
        await self.stub.DeleteServingConfig(pb.DeleteServingConfigRequest(name=name, expected_version=expected_version))

    async def rollback(self, name: str, version: int = 0, **fields: Any) -> pb.ServingConfigRecord:
        request = pb.RollbackServingConfigRequest(name=name, version=version, **fields)
        record: pb.ServingConfigRecord = (await self.stub.RollbackServingConfig(request)).record
        return record
