"""Lines of the log that one caller causes again and again: some are written in a minute, the others counted.

A call costs its caller less than the line that it causes costs the disk, which the database shares. What was left out
is told by the next line of the same kind.
"""

import threading
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import structlog

MINUTE_SECONDS: Final = 60.0
REFUSALS: Final = 60  # lines of one event about one caller in a minute; a busy node refuses far less in earnest
OTHERS: Final = 600  # the same of events that are no refusals; a busy node writes some in a second
MAX_KINDS: Final = 4096  # remembered

_CALLERS: Final = ("peer", "teller", "officer", "caller", "by", "member")


@dataclass(slots=True)
class _Kind:
    """The lines of one event about one caller since a time of the monotonic clock."""

    since: float
    written: int = 0
    left_out: int = 0


class RepeatedLines:
    """A processor of structlog that drops lines beyond those of a minute; never critical ones. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Begin without lines; ``clock`` returns seconds that never go back."""
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[tuple[object, object], _Kind] = {}

    def __call__(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return an event that is to be written, with the number of those left out before it."""
        if method == "critical":
            return event
        key = event.get("event"), next((event[each] for each in _CALLERS if each in event), "")
        most = OTHERS if method in ("debug", "info") and "reason" not in event else REFUSALS
        with self._lock:
            kind, left_out = self._kind(key)
            if kind.written >= most:
                kind.left_out += 1
                raise structlog.DropEvent
            kind.written += 1
        if left_out:
            event["left_out"] = left_out
        return event

    def _kind(self, key: tuple[object, object]) -> tuple[_Kind, int]:
        """Return the lines of this minute, and how many of the one before were left out."""
        now, left_out = self._clock(), 0
        kind = self._kinds.get(key)
        if kind is not None and now - kind.since >= MINUTE_SECONDS:
            left_out, kind = kind.left_out, None
        if kind is None:
            if len(self._kinds) >= MAX_KINDS:
                self._kinds.clear()
            kind = self._kinds[key] = _Kind(now)
        return kind, left_out
