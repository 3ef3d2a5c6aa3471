"""Actor features, histories and item counters on Redis."""
