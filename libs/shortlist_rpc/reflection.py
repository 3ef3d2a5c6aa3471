"""Reflection that also finds methods by name.

The protobuf runtime's own pool does not resolve ``package.Service.Method``, which ``grpcurl describe`` asks for.
"""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_reflection.v1alpha import reflection


class _PoolWithMethods:
    """The default pool, with methods among its symbols."""

    def __init__(self) -> None:
        self._pool = descriptor_pool.Default()

    def __getattr__(self, name: str) -> object:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802 - the pool's own name
        """Return the file that defines ``symbol``.

        Raises:
            KeyError: Nothing here has that name.
        """
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            service, _, method = symbol.rpartition(".")
            descriptor = self._pool.FindServiceByName(service)
            if method not in descriptor.methods_by_name:
                raise
            return descriptor.file


def add_reflection(names: Sequence[str], server: grpc.aio.Server) -> None:
    """Let clients list and describe the services ``names`` of ``server``."""
    reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), server, pool=_PoolWithMethods())
