"""What items are shown with under an attribute, as caps read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortlist_bundle.store import BundleStore
from shortlist_gateway.catalogue import Catalogue
from shortlist_testing.tiny_bundle import tiny_attributes, tiny_bundle

N = 60


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    release = tiny_bundle(tmp_path, n_items=N)
    return Catalogue(BundleStore(tmp_path).open(release))


def test_values_are_those_of_the_display(catalogue: Catalogue) -> None:
    titles, genres = (tiny_attributes(N)[name][1] for name in ("title", "genres"))
    for row in range(N):
        assert catalogue.shown_values("title")[row] == (titles[row],)
        assert catalogue.shown_values("genres")[row] == tuple(genres[row])
        assert catalogue.shown_values("unheard of")[row] == ()


def test_an_item_is_read_once_and_names_that_no_item_has_are_not_kept(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert [catalogue.shown_values("genres")[row] for row in range(N)]
    monkeypatch.setattr(catalogue, "display", lambda row: pytest.fail(f"row {row} was read again"))
    assert [catalogue.shown_values("genres")[row] for row in range(N)]
    assert catalogue.shown_values("genres") is catalogue.shown_values("genres")
    assert catalogue.shown_values("unheard of") is not catalogue.shown_values("unheard of")
