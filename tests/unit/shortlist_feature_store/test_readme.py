"""The service's README names every setting, with its default."""

from __future__ import annotations

import re
from pathlib import Path

from shortlist_feature_store.settings import FeatureStoreSettings

README = Path(__file__).parents[3] / "services" / "feature-store" / "README.md"


def test_the_settings_table_is_the_settings() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| `?([^`|]*?)`? ?\|", README.read_text(), re.MULTILINE))
    own = {name: FeatureStoreSettings.model_fields[name] for name in FeatureStoreSettings.__annotations__}
    own.pop("model_config", None)
    assert rows == {name.upper(): _shown(field.default) for name, field in own.items()}


def _shown(default: object) -> str:
    shown = default.get_secret_value() if hasattr(default, "get_secret_value") else default
    return str(shown)
