"""Settings of ranking, from the environment (``SHORTLIST_RANKING_...``)."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shortlist_rpc.settings import StageSettings


class RankingSettings(StageSettings):
    """What ranking needs to know."""

    model_config = SettingsConfigDict(env_prefix="SHORTLIST_RANKING_", frozen=True, extra="ignore")

    port: int = Field(default=50053, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""

    step: int = Field(default=512, ge=1, le=2000)
    """Candidates scored between two looks at the deadline."""

    is_open_inference_served: bool = True
    """Whether clients of the Open Inference Protocol (Triton, KServe) are answered as well."""
