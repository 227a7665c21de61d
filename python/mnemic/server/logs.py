"""The server's log: structured lines on standard error, as text for people or JSON for machines."""

from __future__ import annotations

import logging
import sys

import structlog

from mnemic.engine.settings import ServerSettings


def configure_logs(settings: ServerSettings) -> None:
    """Sets the process's structlog up; for programs that are the server, not for those that embed one."""
    # Plain tracebacks: richer ones print the values of local variables, and those hold people's memories.
    renderer: structlog.typing.Processor
    if settings.log_format == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    tracebacks = [structlog.processors.format_exc_info] if settings.log_format == "json" else []
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *tracebacks,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
