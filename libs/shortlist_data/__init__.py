"""Data sets: reading, checking, point-in-time features, splits, and a simulator. numpy and polars, never torch."""
