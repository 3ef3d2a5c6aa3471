"""Logs and metrics: the catalogue of both, wired once."""
