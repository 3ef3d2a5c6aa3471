"""Settings of retrieval, from the environment (``SHORTLIST_RETRIEVAL_...``)."""

import math

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from shortlist_domain.stages import Source
from shortlist_rpc.settings import StageSettings


class RetrievalSettings(StageSettings):
    """What retrieval needs to know."""

    model_config = SettingsConfigDict(env_prefix="SHORTLIST_RETRIEVAL_", frozen=True, extra="ignore")

    port: int = Field(default=50052, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""

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
