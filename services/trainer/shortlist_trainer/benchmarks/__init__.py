"""Benchmark tables, by name. Adding one: a module with a ``TABLE`` here, an entry here."""

from collections.abc import Mapping
from typing import Any

from shortlist_trainer.benchmarks import global_time, sequential, stratified
from shortlist_trainer.benchmarks.table import Table

TABLES: Mapping[str, Table[Any]] = {module.TABLE.name: module.TABLE for module in (sequential, global_time, stratified)}
"""Every table there is."""
