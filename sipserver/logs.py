"""Logging: constant messages, values in fields, one line each, to stderr."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog


def configure(level: Literal["debug", "info", "warning", "error"], form: Literal["console", "json"]) -> None:
    """Set up structlog for this process. Standard-library loggers (uvicorn, httpx, alembic) pass through at warning."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    renderer: structlog.typing.Processor
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        # The default prints every local variable of a traceback: passwords, numbers, what callers say.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info if form == "json" else _as_it_is,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _as_it_is(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The console renderer prints exceptions by itself."""
    return event
