"""Logs: JSON lines on standard error, or coloured ones on a terminal. Never a request body, never a user's history."""

import logging
import sys
from typing import cast

import structlog

Log = structlog.stdlib.BoundLogger


def configure(level: str = "INFO", *, json: bool | None = None) -> None:
    """Set up logging for this process; called once, by ``__main__``.

    Args:
        level: Lowest level that is written, as in ``INFO``.
        json: JSON lines; ``None`` decides by whether standard error is a terminal.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(pad_event_to=24)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info if as_json else _keep,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def get_log(component: str) -> Log:
    """Return the log of ``component``, a package or service by name."""
    return cast("Log", structlog.get_logger(component=component))


def _keep(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    return event
