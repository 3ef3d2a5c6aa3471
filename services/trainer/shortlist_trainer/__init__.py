"""Prepare, train, evaluate, publish."""
