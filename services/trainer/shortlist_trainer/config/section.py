"""What all sections of the settings have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Settings that know their names and do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
