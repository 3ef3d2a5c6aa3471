"""The public door: pipeline, budgets, degradation."""
