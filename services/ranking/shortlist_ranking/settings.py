"""Settings of ranking, from the environment (``SHORTLIST_RANKING_...``)."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shortlist_rpc.settings import ServerSettings


class RankingSettings(ServerSettings):
    """What ranking needs to know."""

    model_config = SettingsConfigDict(env_prefix="SHORTLIST_RANKING_", frozen=True, extra="ignore")

    port: int = Field(default=50053, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""

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

    step: int = Field(default=512, ge=1, le=2000)
    """Candidates scored between two looks at the deadline."""
