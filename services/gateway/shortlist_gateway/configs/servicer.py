"""The door of ServingConfigService."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.gateway.v1 import serving_config_service_pb2 as pb
from shortlist.gateway.v1 import serving_config_service_pb2_grpc as pb_grpc
from shortlist_domain.documents import Document
from shortlist_domain.errors import InvalidRequest, NotFound, Violation
from shortlist_gateway.configs.changes import Change, ConfigChanges
from shortlist_gateway.configs.config import DEFAULT, ServingConfig
from shortlist_gateway.configs.held import Held, Origin
from shortlist_gateway.configs.registry import ServingConfigs
from shortlist_rpc.interceptor import current_deadline

Context = grpc.aio.ServicerContext[Any, Any]

_ORIGINS = {origin: getattr(pb, f"SERVING_CONFIG_ORIGIN_{origin}") for origin in Origin}


class ServingConfigServicer(pb_grpc.ServingConfigServiceServicer):
    """ServingConfigService."""

    def __init__(self, configs: ServingConfigs, changes: ConfigChanges) -> None:
        self._configs = configs
        self._changes = changes

    async def ListServingConfigs(  # noqa: N802, D102
        self, request: pb.ListServingConfigsRequest, context: Context
    ) -> pb.ListServingConfigsResponse:
        return pb.ListServingConfigsResponse(records=map(self._record, self._configs.all_held()))

    async def GetServingConfig(  # noqa: N802, D102
        self, request: pb.GetServingConfigRequest, context: Context
    ) -> pb.GetServingConfigResponse:
        _check_version("version", request.version)
        name = request.name or DEFAULT
        held = self._configs.held(name)
        if request.version and (held is None or request.version != held.version):
            found = await self._changes.version(name, request.version, current_deadline())
            return pb.GetServingConfigResponse(record=_version_record(*found))
        if held is None:
            self._configs.config(name)
            raise NotFound(f"there is no serving config {name!r}")
        return pb.GetServingConfigResponse(record=self._record(held))

    async def PutServingConfig(  # noqa: N802, D102
        self, request: pb.PutServingConfigRequest, context: Context
    ) -> pb.PutServingConfigResponse:
        if not request.HasField("config"):
            raise InvalidRequest(Violation("config", "is required"))
        change = Change(request.config, _expected(request), request.validate_only)
        held = await self._changes.put(change, current_deadline())
        return pb.PutServingConfigResponse(record=self._record(held))

    async def DeleteServingConfig(  # noqa: N802, D102
        self, request: pb.DeleteServingConfigRequest, context: Context
    ) -> pb.DeleteServingConfigResponse:
        _check_required("name", request.name)
        await self._changes.delete(request.name, _expected(request), current_deadline())
        return pb.DeleteServingConfigResponse()

    async def ListServingConfigVersions(  # noqa: N802, D102
        self, request: pb.ListServingConfigVersionsRequest, context: Context
    ) -> pb.ListServingConfigVersionsResponse:
        _check_required("name", request.name)
        found = await self._changes.versions(request.name, current_deadline())
        return pb.ListServingConfigVersionsResponse(records=map(_version_record, found))

    async def RollbackServingConfig(  # noqa: N802, D102
        self, request: pb.RollbackServingConfigRequest, context: Context
    ) -> pb.RollbackServingConfigResponse:
        _check_required("name", request.name)
        _check_version("version", request.version)
        held = await self._changes.rollback(
            request.name, request.version, _expected(request), request.validate_only, current_deadline()
        )
        return pb.RollbackServingConfigResponse(record=self._record(held))

    def _record(self, held: Held) -> pb.ServingConfigRecord:
        config = held.config.message if held.config is not None else pb.ServingConfig(name=held.name)
        return pb.ServingConfigRecord(
            config=config,
            version=held.version,
            write_time=_timestamp(held.written_s),
            origin=_ORIGINS[held.origin],
            file=held.file,
            problems=self._configs.problems(held),
        )


def _version_record(document: Document, config: ServingConfig | None = None) -> pb.ServingConfigRecord:
    return pb.ServingConfigRecord(
        config=config.message if config is not None else pb.ServingConfig(name=document.name),
        version=document.version,
        write_time=_timestamp(document.written_s),
        origin=pb.SERVING_CONFIG_ORIGIN_STORE,
        problems=["is damaged and cannot be read"] if document.is_damaged else [],
        is_deleted=document.is_deleted,
    )


def _timestamp(time_s: float) -> Timestamp | None:
    if not time_s:
        return None
    moment = Timestamp()
    moment.FromMicroseconds(round(time_s * 1e6))
    return moment


def _expected(
    request: pb.PutServingConfigRequest | pb.DeleteServingConfigRequest | pb.RollbackServingConfigRequest,
) -> int | None:
    _check_version("expected_version", request.expected_version)
    return request.expected_version if request.HasField("expected_version") else None


def _check_version(field: str, version: int) -> None:
    if version < 0:
        raise InvalidRequest(Violation(field, f"is {version}; 0 or more is needed"))


def _check_required(field: str, value: str) -> None:
    if not value:
        raise InvalidRequest(Violation(field, "is required"))
