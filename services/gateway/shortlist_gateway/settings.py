"""Settings of the gateway, from the environment (``SHORTLIST_GATEWAY_...``)."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shortlist_rpc.settings import ServerSettings


class GatewaySettings(ServerSettings):
    """What the gateway needs to know."""

    model_config = SettingsConfigDict(env_prefix="SHORTLIST_GATEWAY_", frozen=True, extra="ignore")

    port: int = Field(default=50051, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""

    bundle_store: Path = Path("var/bundles")
    """Folder with bundles and releases."""

    feature_store_target: str = "127.0.0.1:50054"
    """Feature store, as gRPC names it; ``dns:///feature-store:50054`` for a headless service."""

    retrieval_target: str = "127.0.0.1:50052"
    """Retrieval, likewise."""

    ranking_target: str = "127.0.0.1:50053"
    """Ranking, likewise."""

    candidate_count: int = Field(default=500, ge=1, le=2000)
    """Candidates to retrieve and rank where the request names no number."""

    bundle_poll_s: float = Field(default=0.5, gt=0)
    """Seconds between looks for a new release."""

    read_actor_budget_s: float = Field(default=0.05, gt=0)
    """Longest wait for the feature store, whatever time is left."""

    retrieve_budget_s: float = Field(default=0.2, gt=0)
    """Longest wait for retrieval."""

    rank_budget_s: float = Field(default=0.2, gt=0)
    """Longest wait for ranking."""
