"""Every command says what it does, and shows no markup of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from shortlist_cli.main import app


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command."""
    inner = getattr(group, "commands", None)
    if inner is None:
        yield path
        return
    for name, command in inner.items():
        yield from commands(command, (*path, name))


@pytest.mark.parametrize("words", sorted(commands(typer.main.get_command(app))), ids=" ".join)
def test_help_is_shown_as_it_is_meant(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage: " in result.output
    assert "\\b" not in result.output


@pytest.mark.parametrize("words", sorted(commands(typer.main.get_command(app))), ids=" ".join)
def test_no_help_has_brackets_that_are_taken_for_markup_and_not_shown(words: tuple[str, ...]) -> None:
    found: Any = typer.main.get_command(app)
    told = [found.help]
    for word in words:
        found = found.commands[word]
        told.append(found.help)
    told += [parameter.help for parameter in found.params]
    assert [text for text in told if "[" in (text or "")] == []  # a default is told by `show_default`
