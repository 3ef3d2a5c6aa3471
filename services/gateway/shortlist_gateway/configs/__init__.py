"""Serving configs: how requests that name one are answered."""
