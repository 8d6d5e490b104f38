"""How many lines the program's log takes in a minute: no caller fills the disk of the database with them.

1. `REFUSALS` bounds warnings and what has a reason: of one event and one caller, of one caller, of all callers.
   `OTHERS` bounds the rest in the same way. The caller is the one that the node works for, or the peer or officer that
   a line of the node's own work names. Other lines of its own work are bounded by their event alone: nobody crowds
   them out.
2. Lines of level error or critical do not count there: identical ones are bounded by `SAME_ERRORS`, those of one event
   and one caller by `EVENT_ERRORS`.
3. Lines beyond are left out and counted: a metric, and a minute after the first of them a line for each event and
   caller (`lines_left_out`), of the level of those left out.
"""

import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping
from time import monotonic
from typing import Any, Final, NamedTuple

import structlog

from paiza_node.core.api import metrics
from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.ops.log_level import LEVELS

PERIOD_SECONDS: Final = 60.0
SAME_ERRORS: Final = 10  # a traceback has several KiB
EVENT_ERRORS: Final = 300
MAX_KEYS: Final = 10_000  # counts remembered; beyond, the lines of an event are counted without regard to the caller
MAX_REPORTS: Final = 1000  # events and callers counted apart between two reports
SUMMARY: Final = "lines_left_out"
REST: Final = CallerKey("node", "others")

log = structlog.get_logger("paiza.log")


class Limits(NamedTuple):
    """Lines a minute: of one event and one caller, of one caller, of all callers."""

    event: int
    caller: int
    all: int


REFUSALS: Final = Limits(60, 300, 1200)  # a busy node refuses far less in earnest; a line has some 250 bytes
OTHERS: Final = Limits(300, 300, 3000)  # a busy node writes some in a second


class _Left(NamedTuple):
    """What is counted together of the lines left out."""

    level: int
    event: str
    caller: CallerKey


class LineLimit:
    """A processor of structlog that leaves out what is beyond the limits. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Begin without lines; ``clock`` returns seconds."""
        self._clock = clock
        # A line may be written while the same thread is in here: a destructor that fails is logged.
        self._guard = threading.RLock()
        self._began = clock()
        self._lines: Counter[Hashable] = Counter()
        self._left_out: Counter[_Left] = Counter()
        self._timer: threading.Timer | None = None

    def __call__(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return an event that is to be written; DropEvent if it is beyond a limit."""
        name = str(event.get("event"))
        if name == SUMMARY:
            return event
        level = LEVELS[method]
        caller = _caller(event)
        with self._guard:
            now = self._clock()
            if now - self._began >= PERIOD_SECONDS:
                self._began = now
                self._lines.clear()
            limits = [(self._known(key, name), most) for key, most in _limits(level, name, caller, event)]
            if all(self._lines[key] < most for key, most in limits):
                self._lines.update(key for key, _ in limits)
                return event
            self._leave_out(_Left(level, name, caller))
        metrics.LINES_LEFT_OUT.labels(name).inc()
        raise structlog.DropEvent

    def report(self) -> None:
        """Write how many lines were left out since the last report."""
        with self._guard:
            left_out, self._left_out = self._left_out, Counter()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        for (level, name, caller), count in left_out.items():
            log.log(level, SUMMARY, of=name, caller=caller.id, count=count)

    def _known(self, key: Hashable, name: str) -> Hashable:
        return key if key in self._lines or len(self._lines) < MAX_KEYS else name

    def _leave_out(self, left: _Left) -> None:
        if left not in self._left_out and len(self._left_out) >= MAX_REPORTS:
            left = left._replace(caller=REST)
        self._left_out[left] += 1
        if self._timer is None:
            self._timer = threading.Timer(PERIOD_SECONDS, self.report)
            self._timer.daemon = True
            self._timer.start()


def _caller(event: Mapping[str, Any]) -> CallerKey:
    """Return whose share a line counts in."""
    caller = CALLER.get()
    if caller.kind != "node" or caller.id:
        return caller
    return CallerKey("node", str(event.get("peer") or event.get("teller") or event.get("officer") or ""))


def _limits(level: int, name: str, caller: CallerKey, event: Mapping[str, Any]) -> Iterator[tuple[Hashable, int]]:
    """Yield what a line counts in, and how many lines of that are written in a minute."""
    if level >= logging.ERROR:
        yield (name, caller, "same", _identity(event)), SAME_ERRORS
        yield (name, caller, "errors"), EVENT_ERRORS
        return
    is_refusal = level >= logging.WARNING or "reason" in event
    most = REFUSALS if is_refusal else OTHERS
    # A library's lines and refused handshakes are one event each, of many origins: one does not hide another.
    yield (name, caller, event.get("cause") or event.get("place")), most.event
    if caller.id:
        yield (caller, is_refusal), most.caller
        yield is_refusal, most.all


def _identity(event: Mapping[str, Any]) -> Hashable:
    """Return what two errors have in common if they are the same: the place that failed, else all values."""
    found = event.get("exc_info")
    error = found if isinstance(found, BaseException) else found[1] if isinstance(found, tuple) else sys.exc_info()[1]
    if not found or error is None:
        return hash(repr(event))
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return type(error).__qualname__, place
