"""`paiza-node run`: serve until stopped."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TextIO

import click
import structlog

from paiza_node.app import allocator
from paiza_node.app.line_limit import LineLimit
from paiza_node.app.standard_error import captured
from paiza_node.app.start import run as run_node
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops import log_level
from paiza_node.ops.cli.options import settings, shared
from paiza_node.ops.config import Config
from paiza_node.ops.passphrase import ask_passphrase
from paiza_wire.errors import PaizaError


@click.command(
    "run",
    help=N_(
        "Serve until stopped (SIGTERM or Ctrl-C). If another process already serves from the same"
        " PostgreSQL database, wait as its standby and take over when it ends."
    ),
)
@shared
def command(config_path: Path, log_level: str | None) -> None:
    """Serve."""
    run(partial(settings, config_path, log_level))


def run(read_config: Callable[[], Config]) -> None:
    """Set up logs (text on a terminal, JSON elsewhere) and run the node; it reads its configuration again on SIGHUP."""
    # Until the node serves, there is nothing to reload: without this the signal would end it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    config = read_config()
    allocator.set_up()
    if config.sealed:
        ask_passphrase(config)  # now: a standby that takes over at night finds nobody at its terminal
    with logs(config.log_level):
        try:
            asyncio.run(run_node(config, read_config))
        except (NodeStopped, PaizaError) as error:
            structlog.get_logger("paiza.node").critical("stopped", reason=error.reason, detail=str(error))
            raise
        except Exception:
            # The operator gets one line; the log has the details.
            structlog.get_logger("paiza.node").critical("ended", exc_info=True)
            raise


@contextmanager
def logs(level: str) -> Iterator[None]:
    """Log to standard error while the block runs: text on a terminal, elsewhere JSON and nothing but JSON."""
    with nullcontext(sys.stderr) if sys.stderr.isatty() else captured() as file:
        limit = set_up_logs(level, file)
        try:
            yield
        finally:
            limit.report()


def set_up_logs(level: str, file: TextIO) -> LineLimit:
    """Write structured logs to this file: message ids and codes, never content; return what bounds their lines.

    Tracebacks name places and never show variables, which may hold keys and plaintext.
    """
    limit = LineLimit()
    renderers: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if file.isatty()
        else [
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    )
    log_level.LEVEL.use(level)
    structlog.configure(
        processors=[
            log_level.LEVEL,
            limit,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        logger_factory=structlog.WriteLoggerFactory(file),
        cache_logger_on_first_use=True,
    )
    return limit
