"""Channels to other stages: round robin over every address, retries of what is harmless, quick to notice a return."""

import json

import grpc

from shortlist_rpc.policy import POLICIES


def open_channel(target: str) -> grpc.aio.Channel:
    """Return a channel to ``target``.

    Args:
        target: ``host:port`` or any gRPC name, as in ``dns:///retrieval:50052`` for a headless service.
    """
    return grpc.aio.insecure_channel(target, options=channel_options())


def channel_options(attempts: int = 2, budget: int = 10) -> list[tuple[str, str | int]]:
    """Return the options of every channel, ours and the public clients'; arguments as of :func:`service_config`."""
    return [
        ("grpc.service_config", service_config(attempts, budget)),
        # A server that was killed is tried again within a second, not after the default of up to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 2_000),
        ("grpc.max_receive_message_length", 16 << 20),
        ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ]


def service_config(attempts: int = 2, budget: int = 10) -> str:
    """Return the service config: round robin, and retries of UNAVAILABLE under a budget.

    Deadlines are not in it: a timeout there is not sent to the server, so the callee could not see its budget.

    Args:
        attempts: Times a call is sent at most, in [1, 5]; 1 repeats nothing.
        budget: Tokens to begin with: a failure takes one, a success gives a tenth back, and nothing is repeated while
            half or less is left.
    """
    retry = {
        "maxAttempts": attempts,
        "initialBackoff": "0.005s",
        "maxBackoff": "0.02s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    names = [
        {"service": method.split("/")[1], "method": method.split("/")[2]}
        for method, policy in POLICIES.items()
        if policy.is_idempotent and not policy.is_long
    ]
    return json.dumps(
        {
            "loadBalancingConfig": [{"round_robin": {}}],
            "methodConfig": [{"name": names, "retryPolicy": retry}] if attempts > 1 else [],
            "retryThrottling": {"maxTokens": budget, "tokenRatio": 0.1},
        }
    )
