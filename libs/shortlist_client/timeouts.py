"""How long calls may take where the caller does not say: as long as the gateway gives them."""

DEFAULT_TIMEOUT_S = 1.0
"""Deadline of a call where the caller sets none; no call goes out without one."""

BATCH_TIMEOUT_S = 600.0
"""The same for a batch, from its beginning to its end."""

RESUMES = 3
"""Times in a row that a batch is resumed without getting any further before it is given up."""

RESUME_PAUSE_S = 0.1
"""Pause before a batch is resumed, longer by as much each time."""
