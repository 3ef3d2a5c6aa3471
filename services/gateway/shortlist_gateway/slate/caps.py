"""Limits on items that share a value of an attribute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.slate.rules import AttributeCap

Value = tuple[int, Any]
"""Number of the cap, and a value that an item has of its attribute."""


class Caps:
    """What is taken so far. An item counts once under each of its values; without any it is not capped."""

    def __init__(self, caps: Sequence[AttributeCap], catalogue: Catalogue) -> None:
        self._caps = caps
        self._catalogue = catalogue
        self._taken: Counter[Value] = Counter()
        self._found: set[int] = set()

    def values(self, row: int) -> tuple[Value, ...]:
        """Return the capped values of the item in ``row``."""
        if not self._caps:
            return ()
        shown = self._catalogue.display(row)
        found: dict[Value, None] = {}
        for number, cap in enumerate(self._caps):
            value = shown.get(cap.attribute)
            several = value if isinstance(value, list) else (value,)
            found.update(((number, one), None) for one in several if one is not None and one != "")
        self._found.update(number for number, _ in found)
        return tuple(found)

    def room(self, value: Value) -> int:
        """Return how many more items may have ``value``; below 0 where pins took more than the cap."""
        return self._caps[value[0]].maximum - self._taken[value]

    def admits(self, values: Iterable[Value]) -> bool:
        """Whether an item with ``values`` may still appear."""
        return all(self.room(value) > 0 for value in values)

    def take(self, values: Iterable[Value]) -> None:
        """Count an item with ``values``."""
        self._taken.update(values)

    def warnings(self) -> list[str]:
        """Return what the answer must say of the caps: those that pins broke, and those that nothing was under."""
        broken = {self._caps[n].attribute: None for n, _ in self._taken if self.room((n, _)) < 0}
        unknown = [cap.attribute for number, cap in enumerate(self._caps) if number not in self._found]
        return [
            *(f"constraints.attribute_caps: pins exceed the cap on {name!r}" for name in broken),
            *(f"constraints.attribute_caps: no candidate has the attribute {name!r}" for name in unknown),
        ]
