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


def channel_options() -> list[tuple[str, str | int]]:
    """Return the options of every channel, ours and the public clients'."""
    return [
        ("grpc.service_config", service_config()),
        # A server that was killed is tried again within a second, not after the default of up to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 2_000),
        ("grpc.max_receive_message_length", 16 << 20),
        ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ]


def service_config() -> str:
    """Return the service config: round robin, and one retry of UNAVAILABLE under a budget.

    Deadlines are not in it: a timeout there is not sent to the server, so the callee could not see its budget.
    """
    retry = {
        "maxAttempts": 2,
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
            "methodConfig": [{"name": names, "retryPolicy": retry}],
            "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
        }
    )
