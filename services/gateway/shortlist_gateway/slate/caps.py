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
        self._shown = [catalogue.shown_values(cap.attribute) for cap in caps]
        self._values: dict[int, tuple[Value, ...]] = {}
        self._taken: Counter[Value] = Counter()
        self._found: set[int] = set()

    def values(self, row: int) -> tuple[Value, ...]:
        """Return the capped values of the item in ``row``."""
        found = self._values.get(row)
        if found is None:
            found = self._values[row] = tuple([(n, one) for n, shown in enumerate(self._shown) for one in shown[row]])
            self._found.update([number for number, _ in found])
        return found

    def room(self, value: Value) -> int:
        """Return how many more items may have ``value``; below 0 where pins took more than the cap."""
        return self._caps[value[0]].maximum - self._taken.get(value, 0)

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
