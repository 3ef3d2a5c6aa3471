"""Candidates: sources, index and fusion."""
