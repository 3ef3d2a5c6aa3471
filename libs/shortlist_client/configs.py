"""Serving configs of a gateway, read and changed: for ordinary code, and for asyncio's.

Changes are sent once: after UNAVAILABLE nobody knows whether one was made, and a second would be another version. Read
first, then change by ``expected_version``, which makes a repetition harmless: ABORTED.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.gateway.v1 import serving_config_service_pb2 as pb
from shortlist_client.timeouts import DEFAULT_TIMEOUT_S

if TYPE_CHECKING:
    from shortlist.gateway.v1.serving_config_service_pb2_grpc import (
        ServingConfigServiceAsyncStub,
        ServingConfigServiceStub,
    )

_CHANGE_TIMEOUT_S = 3 * DEFAULT_TIMEOUT_S


class ServingConfigs:
    """Serving configs, by ``Client.serving_configs``."""

    def __init__(self, stub: ServingConfigServiceStub) -> None:
        self._stub = stub

    def list(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> pb.ListServingConfigsResponse:
        """Return all configs by name, and what is wrong with them."""
        return self._stub.ListServingConfigs(pb.ListServingConfigsRequest(), timeout=timeout_s)

    def get(
        self, name: str = "", *, version: int = 0, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> pb.GetServingConfigResponse:
        """Return a config, ``default`` where left out; as it was at a ``version``, where that is not 0."""
        request = pb.GetServingConfigRequest(name=name, version=version)
        return self._stub.GetServingConfig(request, timeout=timeout_s)

    def versions(self, name: str, *, timeout_s: float = _CHANGE_TIMEOUT_S) -> pb.ListServingConfigVersionsResponse:
        """Return the versions of a config, newest first, deletions among them."""
        request = pb.ListServingConfigVersionsRequest(name=name)
        return self._stub.ListServingConfigVersions(request, timeout=timeout_s)

    def put(
        self,
        config: pb.ServingConfig,
        *,
        expected_version: int | None = None,
        validate_only: bool = False,
        timeout_s: float = _CHANGE_TIMEOUT_S,
    ) -> pb.PutServingConfigResponse:
        """Create or replace a config.

        Args:
            config: The config; its name says which.
            expected_version: Version that is to be replaced, 0 where there must be none: another one there is ABORTED.
                ``None``: whatever there is.
            validate_only: Whether everything is checked and nothing written.
            timeout_s: Deadline.
        """
        request = pb.PutServingConfigRequest(
            config=config, expected_version=expected_version, validate_only=validate_only
        )
        return self._stub.PutServingConfig(request, timeout=timeout_s)

    def delete(
        self, name: str, *, expected_version: int | None = None, timeout_s: float = _CHANGE_TIMEOUT_S
    ) -> pb.DeleteServingConfigResponse:
        """Delete a config, if it is at ``expected_version``; :meth:`rollback` brings it back for 30 days."""
        request = pb.DeleteServingConfigRequest(name=name, expected_version=expected_version)
        return self._stub.DeleteServingConfig(request, timeout=timeout_s)

    def rollback(
        self,
        name: str,
        *,
        version: int = 0,
        expected_version: int | None = None,
        validate_only: bool = False,
        timeout_s: float = _CHANGE_TIMEOUT_S,
    ) -> pb.RollbackServingConfigResponse:
        """Write what a config was before as its new version.

        Args:
            name: Name of the config.
            version: Version to go back to; 0 is the one before the current one, or the last one of a deleted config.
            expected_version: As of :meth:`put`.
            validate_only: Whether everything is checked and nothing written.
            timeout_s: Deadline.
        """
        request = pb.RollbackServingConfigRequest(
            name=name, version=version, expected_version=expected_version, validate_only=validate_only
        )
        return self._stub.RollbackServingConfig(request, timeout=timeout_s)


class AsyncServingConfigs:
    """Serving configs, by ``AsyncClient.serving_configs``."""

    def __init__(self, stub: ServingConfigServiceAsyncStub) -> None:
        self._stub = stub

    async def list(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> pb.ListServingConfigsResponse:
        """Return all configs by name, and what is wrong with them."""
        return await self._stub.ListServingConfigs(pb.ListServingConfigsRequest(), timeout=timeout_s)

    async def get(
        self, name: str = "", *, version: int = 0, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> pb.GetServingConfigResponse:
        """Return a config, ``default`` where left out; as it was at a ``version``, where that is not 0."""
        request = pb.GetServingConfigRequest(name=name, version=version)
        return await self._stub.GetServingConfig(request, timeout=timeout_s)

    async def versions(
        self, name: str, *, timeout_s: float = _CHANGE_TIMEOUT_S
    ) -> pb.ListServingConfigVersionsResponse:
        """Return the versions of a config, newest first, deletions among them."""
        request = pb.ListServingConfigVersionsRequest(name=name)
        return await self._stub.ListServingConfigVersions(request, timeout=timeout_s)

    async def put(
        self,
        config: pb.ServingConfig,
        *,
        expected_version: int | None = None,
        validate_only: bool = False,
        timeout_s: float = _CHANGE_TIMEOUT_S,
    ) -> pb.PutServingConfigResponse:
        """Create or replace a config.

        Args:
            config: The config; its name says which.
            expected_version: Version that is to be replaced, 0 where there must be none: another one there is ABORTED.
                ``None``: whatever there is.
            validate_only: Whether everything is checked and nothing written.
            timeout_s: Deadline.
        """
        request = pb.PutServingConfigRequest(
            config=config, expected_version=expected_version, validate_only=validate_only
        )
        return await self._stub.PutServingConfig(request, timeout=timeout_s)

    async def delete(
        self, name: str, *, expected_version: int | None = None, timeout_s: float = _CHANGE_TIMEOUT_S
    ) -> pb.DeleteServingConfigResponse:
        """Delete a config, if it is at ``expected_version``; :meth:`rollback` brings it back for 30 days."""
        request = pb.DeleteServingConfigRequest(name=name, expected_version=expected_version)
        return await self._stub.DeleteServingConfig(request, timeout=timeout_s)

    async def rollback(
        self,
        name: str,
        *,
        version: int = 0,
        expected_version: int | None = None,
        validate_only: bool = False,
        timeout_s: float = _CHANGE_TIMEOUT_S,
    ) -> pb.RollbackServingConfigResponse:
        """Write what a config was before as its new version.

        Args:
            name: Name of the config.
            version: Version to go back to; 0 is the one before the current one, or the last one of a deleted config.
            expected_version: As of :meth:`put`.
            validate_only: Whether everything is checked and nothing written.
            timeout_s: Deadline.
        """
        request = pb.RollbackServingConfigRequest(
            name=name, version=version, expected_version=expected_version, validate_only=validate_only
        )
        return await self._stub.RollbackServingConfig(request, timeout=timeout_s)
