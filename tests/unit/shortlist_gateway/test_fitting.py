"""A config over a bundle that it does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortlist_bundle.store import BundleStore
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.configs.config import Serving, ServingConfig
from shortlist_gateway.configs.fitting import fitted
from shortlist_gateway.query import Cause, Query, Slate
from shortlist_testing.tiny_bundle import tiny_bundle


@pytest.mark.parametrize(("sources", "left"), [(("content", "popular"), ("popular",)), (("content",), ())])
def test_a_source_that_the_bundle_lacks_is_left_out_and_where_none_is_left_that_is_said(
    tmp_path: Path, sources: tuple[str, ...], left: tuple[str, ...]
) -> None:
    release = tiny_bundle(tmp_path)
    slate = Slate(Catalogue(BundleStore(tmp_path).open(release)))
    serving = Serving(ServingConfig("home", sources=sources))
    query = fitted(Query("r", 0.0, None, 10, serving=serving), slate)
    assert query.serving.config.sources == left
    assert Cause.CONFIG_UNFIT in slate.causes
    assert slate.warnings[0].startswith("serving_config: sources[0].source is 'content', which bundle")
    assert any("none of its sources is left; all were asked" in said for said in slate.warnings) is not bool(left)
