"""Benchmark tables, by name. Adding one: a module with a ``TABLE`` here, an entry here."""

from collections.abc import Mapping
from typing import Any

from shortlist_trainer.benchmarks import ctr, global_time, losses, ncf, rankers, sequential, stratified
from shortlist_trainer.benchmarks.table import Table

_MODULES = (ctr, ncf, sequential, global_time, stratified, rankers, losses)
TABLES: Mapping[str, Table[Any]] = {module.TABLE.name: module.TABLE for module in _MODULES}
"""Every table there is."""
