"""One call of a stage by a client of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from shortlist_domain.deadline import Deadline
from shortlist_rpc.status import to_domain


async def call(
    upstream: str, method: Callable[..., Any], request: object, deadline: Deadline
) -> Any:  # the stubs know the type, their common supertype does not
    """Return what ``method`` of ``upstream`` answers within ``deadline``.

    Raises:
        ShortlistError: The one that the status it ends with stands for.
    """
    try:
        return await method(request, timeout=deadline.remaining_s())
    except grpc.aio.AioRpcError as error:
        raise to_domain(upstream, error) from error
