"""Open-loop load: requests leave when they are due, and latency counts from then."""
