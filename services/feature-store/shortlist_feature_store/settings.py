"""Settings of the feature store, from the environment (``SHORTLIST_FEATURE_STORE_...``)."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shortlist_feature_store.store import Limits
from shortlist_rpc.settings import ServerSettings


class FeatureStoreSettings(ServerSettings):
    """What the feature store needs to know."""

    model_config = SettingsConfigDict(env_prefix="SHORTLIST_FEATURE_STORE_", frozen=True, extra="ignore")

    port: int = Field(default=50054, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""

    redis_url: SecretStr = SecretStr("")
    """Redis or Valkey, ``redis://``, ``rediss://`` or ``unix://``, password and all; empty runs a Valkey of our own."""

    valkey_folder: Path = Path("var/valkey")
    """Data of our own Valkey."""

    redis_connections: int = Field(default=8, ge=1, le=256)
    """Commands on the way to Redis at once; watchers of items have connections of their own."""

    redis_waiting: int = Field(default=1_024, ge=1)
    """Calls that may wait for a connection; more are refused with RESOURCE_EXHAUSTED."""

    redis_failures: int = Field(default=3, ge=1)
    """Failures in a row after which Redis is left alone, and probed once a second."""

    max_events_per_actor: int = Field(default=5_000, ge=1)
    """Longest history kept; the oldest events go first."""

    max_impressions_per_actor: int = Field(default=1_000, ge=1)
    """Most impressions kept beside the history; the oldest go first."""

    item_change_log_length: int = Field(default=10_000, ge=1)
    """Changes of item counters that a watcher may miss and still resume without a snapshot."""

    slate_log_length: int = Field(default=50_000, ge=1)
    """Served slates kept for ``shortlist slates export``; the oldest go first. One of ten items takes 0.4 KB."""

    document_versions: int = Field(default=50, ge=1, le=1_000)
    """Versions kept of each serving config; the oldest go first."""

    session_ttl_s: int = Field(default=30 * 86_400, ge=1)
    """Seconds for which the history of a session is kept after its last event."""

    @property
    def limits(self) -> Limits:
        """How much is kept."""
        return Limits(
            self.max_events_per_actor,
            self.max_impressions_per_actor,
            self.item_change_log_length,
            self.slate_log_length,
            self.document_versions,
            self.session_ttl_s,
        )
