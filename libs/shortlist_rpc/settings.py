"""Settings that every server has. Each service adds its own."""

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
