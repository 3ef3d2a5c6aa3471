"""Serving configs in a folder: what has not changed is not parsed again."""

from __future__ import annotations

import os
from pathlib import Path

from shortlist_gateway.configs.files import ConfigFolder


def test_what_has_not_changed_is_not_parsed_again(tmp_path: Path) -> None:
    folder = ConfigFolder(tmp_path)
    (tmp_path / "home.yaml").write_text("slate_size: 3")
    (tmp_path / "broken.json").write_text("{")
    first, again = folder.read(), folder.read()
    assert again["home"] is first["home"]
    assert again["broken"] is first["broken"]


def test_a_change_within_one_tick_of_the_clock_is_seen(tmp_path: Path) -> None:
    folder = ConfigFolder(tmp_path)
    path = tmp_path / "home.yaml"
    path.write_text("slate_size: 3")
    os.utime(path, (1, 1))
    folder.read()
    path.write_text("slate_size: 4")
    os.utime(path, (1, 1))
    config = folder.read()["home"].config
    assert config is not None
    assert config.slate_size == 4
