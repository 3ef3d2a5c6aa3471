"""Metrics, protocols and intervals for ranked lists."""
