"""Settings of the gateway, from the environment (``SHORTLIST_GATEWAY_...``)."""

from pathlib import Path
from typing import Literal

from pydantic import Field, FiniteFloat, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from shortlist_rpc.settings import ServerSettings

SHORTEST_KEY = 16
"""Characters of a key that signs tokens, at least."""

RetailEventType = Literal["detail-page-view", "add-to-cart", "shopping-cart-page-view", "purchase-complete"]


class GatewaySettings(ServerSettings):
    """What the gateway needs to know."""

    model_config = SettingsConfigDict(
        env_prefix="SHORTLIST_GATEWAY_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

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

    token_keys: SecretStr = SecretStr("")
    """Keys that tokens are signed with, comma-separated, 16 characters or more each: the first signs, all are accepted.
    Empty: one is made up at start, so that tokens end with the process and other replicas refuse them."""

    attribution_ttl_s: float = Field(default=7 * 86_400.0, ge=60, le=90 * 86_400.0)
    """Seconds for which events may come back with the attribution token of an answer."""

    continuation_ttl_s: float = Field(default=1_800.0, ge=1, le=86_400.0)
    """Seconds from the first page of a slate for which RecommendNext goes on with it, while its bundle is held."""

    batch_concurrency: int = Field(default=4, ge=1, le=64)
    """Answers worked on at once for all BatchRecommend streams together, so that they leave room for other callers."""

    read_actor_budget_s: float = Field(default=0.05, gt=0)
    """Longest wait for the feature store, whatever time is left."""

    retrieve_budget_s: float = Field(default=0.2, gt=0)
    """Longest wait for retrieval."""

    rank_budget_s: float = Field(default=0.2, gt=0)
    """Longest wait for ranking."""

    slate_log_share: float = Field(default=0.0, ge=0, le=1)
    """Share of answers that are logged through the feature store, chosen by slate id; 0 logs none, 1 all. Somebody has
    to take them out again (``shortlist slates export``)."""

    slate_log_queue: int = Field(default=5_000, ge=1, le=1_000_000)
    """Slates that may wait for the feature store; more are dropped, and counted (``shortlist_slates_dropped``)."""

    config_folder: Path | None = None
    """Folder with serving configs as files, ``<name>.json`` or ``<name>.yaml``; they win over those in the feature
    store. None: all are in the store."""

    are_configs_changeable: bool = True
    """Whether ServingConfigService changes configs; off, it only reads, and answers FAILED_PRECONDITION to the rest."""

    config_poll_s: float = Field(default=2.0, gt=0)
    """Seconds between looks for changed serving configs, in the feature store and in the folder."""

    is_retail_served: bool = False
    """Whether callers of Google Retail are answered as well; needs the extra ``retail``."""

    retail_event_values: dict[RetailEventType, FiniteFloat] = Field(default_factory=dict)
    """Values of Retail's events on the data set's own scale, by event type; 1 where a type is not in it."""

    @field_validator("token_keys")
    @classmethod
    def _are_long(cls, given: SecretStr) -> SecretStr:
        if any(len(key) < SHORTEST_KEY for key in _split(given)):
            raise ValueError(f"token_keys has a key of fewer than {SHORTEST_KEY} characters")
        return given

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys that tokens are signed with, the one that signs first; none where one is to be made up."""
        return _split(self.token_keys)


def _split(keys: SecretStr) -> tuple[str, ...]:
    return tuple(key.strip() for key in keys.get_secret_value().split(",") if key.strip())
