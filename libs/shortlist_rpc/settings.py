"""Settings that every server has, and those of the stages that serve from bundles. Each service adds its own."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServerSettings(BaseSettings):
    """How a server listens, admits and ends."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    """Address to listen on; ``0.0.0.0`` in a container."""

    port: int = Field(default=50051, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""

    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port for Prometheus, on the same address; 0 serves none."""

    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """Lowest level that is logged."""

    is_reflective: bool = True
    """Whether reflection answers; off in production."""

    max_in_flight: int = Field(default=256, ge=1)
    """Calls worked on at once; more are refused with RESOURCE_EXHAUSTED."""

    max_message_bytes: int = Field(default=1 << 20, ge=1024)
    """Largest request accepted; a larger one is RESOURCE_EXHAUSTED."""

    drain_wait_s: float = Field(default=0.0, ge=0)
    """Seconds to go on serving after SIGTERM, for balancers to notice that health says NOT_SERVING."""

    drain_grace_s: float = Field(default=5.0, ge=0)
    """Seconds that running calls get to finish."""

    max_connection_age_s: float = Field(default=300.0, ge=10)
    """Age after which a connection is closed gracefully, so that clients find new replicas."""


class StageSettings(ServerSettings):
    """How a stage follows the bundle store and the item feed, and how much it works on at once."""

    bundle_store: Path = Path("var/bundles")
    """Folder with bundles and releases."""

    bundle_poll_s: float = Field(default=1.0, gt=0)
    """Seconds between looks for a new release."""

    bundle_grace_s: float = Field(default=60.0, ge=0)
    """Seconds for which the bundle before stays loaded after the last request for it."""

    feature_store_target: str = "127.0.0.1:50054"
    """Feature store, for item counters; empty does without live counters."""

    tenant: str = ""
    """Tenant whose item counters are read."""

    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Requests worked on at once; the cores, since the work does not wait."""

    inline_below_s: float = Field(default=0.003, ge=0)
    """Requests that usually take less run on the event loop while no other is in hand; 0 uses threads always."""

    max_queued: int = Field(default=64, ge=0)
    """Requests that may wait for a thread; more are refused with RESOURCE_EXHAUSTED."""
