"""`paiza-node run`: serve until asked to stop."""

import asyncio
import logging
import sys

import structlog

from paiza_node.bootstrap import run as run_node
from paiza_node.config import Config


def run(config: Config) -> None:
    """Set up logs (for a person on a terminal, JSON elsewhere) and run the node."""
    set_up_logs(config.log_level)
    asyncio.run(run_node(config))


def set_up_logs(level: str) -> None:
    """Write structured logs to standard error: message ids and codes, never content."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
