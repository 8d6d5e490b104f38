"""Standard error of a process that logs JSON: every line is JSON, of the program, of a library or of the interpreter.

1. Our own log goes to a duplicate of the descriptor.
2. In its place stands a pipe. A thread reads it and logs each line (`stray_lines`), counted and limited in its rate.
3. What is in the pipe when the process dies is written by a small process that waits for that.
4. The interpreter's report of a fatal error goes to a pipe that only this small process reads: the thread would read
   the beginning of it, and die before it is logged.
5. Python's own reports come to the log by its hooks: errors that nobody caught, in threads and destructors too, and
   what libraries report by `logging` (asyncio: of tasks) and `warnings`.
"""

import contextlib
import faulthandler
import fcntl
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

import structlog
from typing_extensions import override

from paiza_node.app import stray_lines
from paiza_node.app.stray_lines import INTERVAL_SECONDS, READ_BYTES, Event, StrayLines
from paiza_node.core.api import metrics

PIPE_BYTES: Final = 1024 * 1024  # thousands of lines: who writes them waits only if the thread cannot follow
END_SECONDS: Final = 5.0

log = structlog.get_logger("paiza.stderr")

Addresses = Callable[[], list[str]]
"""Returns the addresses from which connections without an admitted call were open lately."""


class RefusedHandshakes:
    """What adds the addresses to refused handshakes, which the TLS library does not know."""

    def __init__(self) -> None:
        """Begin without a listener."""
        self.addresses: Addresses = list


REFUSED = RefusedHandshakes()
"""Those of this process."""


@contextmanager
def captured() -> Iterator[TextIO]:
    """Capture standard error while the block runs; yield the file for the log."""
    own, (reading, writing), (report, fault) = os.dup(2), _pipe(), _pipe()
    os.set_blocking(fault, False)  # nobody reads it before the end: what does not fit is left out
    sys.stderr.flush()
    os.dup2(writing, 2)
    os.close(writing)
    process, life = _start_writer(reading, report, own)
    os.close(report)
    thread = threading.Thread(target=_read, args=(reading,), name="stderr", daemon=True)
    thread.start()
    try:
        with _hooked(fault):
            yield os.fdopen(own, "w", encoding="utf-8")  # open as long as the process: its loggers keep the file
    finally:
        sys.stderr.flush()
        os.dup2(own, 2)  # no writer is left: the thread meets the end of the pipe
        thread.join(END_SECONDS)
        os.close(fault)
        os.close(life)
        os.waitpid(process, 0)


def _pipe() -> tuple[int, int]:
    """Return both ends of a large pipe."""
    reading, writing = os.pipe()
    with contextlib.suppress(OSError, AttributeError):  # more than the system allows, or a system without it
        fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return reading, writing


def _start_writer(reading: int, report: int, own: int) -> tuple[int, int]:
    """Start the process that writes what is left in both pipes when this one ends; return its id and what it waits for.

    It waits until the last copy of that descriptor is closed: here, or by the end of this process.
    """
    ended, life = os.pipe()
    process = os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", stray_lines.__file__],
        {},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, ended, stray_lines.ENDED),
            (os.POSIX_SPAWN_DUP2, own, stray_lines.OWN),
            (os.POSIX_SPAWN_DUP2, own, 2),  # instead of the pipe, whose end it waits for
            (os.POSIX_SPAWN_DUP2, reading, stray_lines.PIPE),
            (os.POSIX_SPAWN_DUP2, report, stray_lines.FAULT),
        ],
        setsid=True,  # Ctrl-C is not meant for it
    )
    os.close(ended)
    return process, life


def _read(pipe: int) -> None:
    lines = StrayLines()
    while True:
        ready, _, _ = select.select([pipe], [], [], INTERVAL_SECONDS)
        data = os.read(pipe, READ_BYTES) if ready else None
        if data:
            _log(lines.feed(data, time.monotonic()))
        _log(lines.due(time.monotonic()))
        if data == b"":
            _log(lines.rest())
            os.close(pipe)
            return


def _log(events: list[Event]) -> None:
    for event in events:
        values = event.values
        if event.name == "handshake_refused":
            metrics.HANDSHAKES_REFUSED.labels(values["cause"]).inc(values["count"])
            values = {**values, "addresses": REFUSED.addresses()}
        log.log(logging.getLevelNamesMapping()[event.level.upper()], event.name, **values)


@contextmanager
def _hooked(fault: int) -> Iterator[None]:
    """Send Python's own reports to the log, that of a fatal error to this descriptor."""
    former = sys.excepthook, threading.excepthook, sys.unraisablehook
    handler = _ToLog()
    sys.excepthook = lambda kind, error, trace: log.critical("uncaught_error", exc_info=(kind, error, trace))
    threading.excepthook = _thread_ended
    sys.unraisablehook = _ignored
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(capture=True)
    faulthandler.enable(fault)
    try:
        yield
    finally:
        faulthandler.disable()
        logging.captureWarnings(capture=False)
        logging.getLogger().removeHandler(handler)
        sys.excepthook, threading.excepthook, sys.unraisablehook = former


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    thread = "" if ended.thread is None else ended.thread.name
    log.critical("thread_ended", thread=thread, exc_info=ended.exc_value)


def _ignored(ignored: "sys.UnraisableHookArgs") -> None:
    log.error("error_ignored", detail=ignored.err_msg or "", place=repr(ignored.object), exc_info=ignored.exc_value)


class _ToLog(logging.Handler):
    """The records of libraries, of level warning and above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        text, trace = record.getMessage(), record.exc_info
        log.log(record.levelno, "library_message", place=record.name, text=text, exc_info=trace)
