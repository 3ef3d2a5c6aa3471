"""Filters at the door: read, held against the bundle's attributes, and rid of what only the gateway knows."""
