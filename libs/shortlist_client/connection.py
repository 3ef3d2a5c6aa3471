"""How a client reaches a gateway: TLS, tokens, retries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

from shortlist_rpc.channel import channel_options

Token = Callable[[], str]
"""Returns the bearer token of a call; asked for every call, so that it may change."""

MOST_ATTEMPTS = 5
"""What gRPC allows."""


@dataclass(frozen=True, slots=True)
class Retries:
    """When a call is repeated: after UNAVAILABLE alone, within its deadline, and while the budget lasts.

    The budget keeps a fleet of clients from burying a server that is down already: each failure takes one from it, each
    success gives a tenth back, and nothing is repeated while half or less is left. It belongs to the address.
    """

    attempts: int = 2
    """Times a call is sent at most, in [1, 5]; 1 repeats nothing."""

    budget: int = 10
    """Failures that it begins with, in [1, 1000]."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: A number is outside its range.
        """
        if not 1 <= self.attempts <= MOST_ATTEMPTS:
            raise ValueError(f"attempts is {self.attempts}; it must be in [1, {MOST_ATTEMPTS}]")
        if not 1 <= self.budget <= 1000:
            raise ValueError(f"budget is {self.budget}; it must be in [1, 1000]")

    def options(self) -> list[tuple[str, str | int]]:
        """Return the options of a channel."""
        return channel_options(self.attempts, self.budget)


def tls(ca: Path | None = None, certificate: Path | None = None, key: Path | None = None) -> grpc.ChannelCredentials:
    """Return credentials for TLS, or for mutual TLS.

    Args:
        ca: File with the certificates, in PEM, that the server's must lead to; ``None``: those that gRPC brings.
        certificate: File with the client's own certificate, in PEM; only with ``key``.
        key: File with its private key, in PEM.

    Raises:
        ValueError: A certificate without its key, or a key alone.
        OSError: A file cannot be read.
    """
    if (certificate is None) != (key is None):
        raise ValueError("certificate and key belong together: give both, or neither")
    ca_, key_, certificate_ = (path.read_bytes() if path else None for path in (ca, key, certificate))
    return grpc.ssl_channel_credentials(ca_, key_, certificate_)


def check_token(credentials: grpc.ChannelCredentials | None, token: Token | None) -> None:
    """Refuse a token where there is no TLS.

    Raises:
        ValueError: There is a token and no TLS: it would cross the network for all to read.
    """
    if token is not None and credentials is None:
        raise ValueError("a token needs TLS: give credentials as well, as in credentials=tls()")
