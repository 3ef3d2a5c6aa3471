"""Settings of retrieval, from the environment (``SHORTLIST_RETRIEVAL_...``)."""

import math
import os
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from shortlist_domain.stages import Source
from shortlist_rpc.settings import ServerSettings


class RetrievalSettings(ServerSettings):
    """What retrieval needs to know."""

    model_config = SettingsConfigDict(env_prefix="SHORTLIST_RETRIEVAL_", frozen=True, extra="ignore")

    port: int = Field(default=50052, ge=0, le=65535)
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

    quotas: dict[str, float] = Field(default_factory=dict)
    """Guaranteed share of the candidates by source, as JSON, where a request brings none; empty: the bundle's own."""

    @field_validator("quotas")
    @classmethod
    def _check_quotas(cls, quotas: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(quotas) - {source.value for source in Source})
        if unknown:
            raise ValueError(f"unknown sources {unknown}; there are {[source.value for source in Source]}")
        if not all(math.isfinite(q) and 0.0 <= q <= 1.0 for q in quotas.values()) or sum(quotas.values()) > 1.0 + 1e-6:
            raise ValueError(f"shares {quotas} must be in [0, 1] and at most 1 together")
        return quotas
