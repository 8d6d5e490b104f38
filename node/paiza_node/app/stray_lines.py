"""Lines that others than our own log write to standard error, as events: the TLS library's, the interpreter's.

Run as a program it waits until the process that started it has ended, and writes as JSON what that one left in its
pipe: a process that is dying cannot. It imports nothing but the standard library: it is small and starts at once.
"""

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

INTERVAL_SECONDS: Final = 1.0  # between two events of the same origin; those in between are counted
MAX_TEXT: Final = 8192  # characters of one event
READ_BYTES: Final = 65_536
# Descriptors of the program: what ends with its parent, where it writes, and what it reads.
ENDED, OWN, PIPE, FAULT = 0, 1, 3, 4
NO_CERTIFICATE: Final = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
"""What a peer's node causes that looks at our certificate, before it connects."""

_LIBRARY: Final = re.compile(r"([IWEF])\d{4} [\d:.]+ +\d+ ([\w./-]+:\d+)\] (.*)")  # of absl, with which gRPC logs
_LEVELS: Final = {"I": "info", "W": "warning", "E": "error", "F": "critical"}
_HANDSHAKE: Final = re.compile(r"Handshake failed with error \w+: error:[0-9a-f]+:[\w ]*:\w*:(\w+)(?:: (.*))?")
_OF_THE_LEVEL: Final = "Log level "  # the library's remark on the level that shows refused handshakes


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its level and name, and what else the log shows of it."""

    level: str
    name: str
    values: dict[str, Any]


@dataclass(slots=True)
class _Origin:
    written: float
    more: int = 0
    last: Event | None = None


class StrayLines:
    """Turns bytes into events; of each origin one a second, with the number of those that it stands for."""

    def __init__(self) -> None:
        self._rest = b""
        self._origins: dict[str, _Origin] = {}

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Return the events of the whole lines in these bytes; ``now`` in seconds."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > READ_BYTES:
            lines, self._rest = [*lines, self._rest], b""
        found = _events([line.decode("utf-8", "replace") for line in lines])
        return [event for each in found if (event := self._counted(*each, now)) is not None]

    def rest(self) -> list[Event]:
        """Return what is left when no more bytes come."""
        data, self._rest = self._rest, b""
        return [event for _, event in _events([data.decode("utf-8", "replace")])] if data else []

    def due(self, now: float) -> list[Event]:
        """Return the events that were held back, one for each origin, as soon as it may write again."""
        events = []
        for key, origin in list(self._origins.items()):
            if now - origin.written >= INTERVAL_SECONDS:
                if origin.last is None:
                    del self._origins[key]
                else:
                    events.append(_with_count(origin.last, origin.more))
                    self._origins[key] = _Origin(now)
        return events

    def _counted(self, key: str, event: Event, now: float) -> Event | None:
        origin = self._origins.get(key)
        if origin is None or now - origin.written >= INTERVAL_SECONDS:
            self._origins[key] = _Origin(now)
            return _with_count(event, 1 + (0 if origin is None else origin.more))
        origin.more += 1
        origin.last = event
        return None


def _with_count(event: Event, count: int) -> Event:
    return Event(event.level, event.name, {**event.values, "count": count})


def _events(lines: list[str]) -> Iterator[tuple[str, Event]]:
    """Yield, with their origins, an event for each line of the library and one for the lines between two of those."""
    plain: list[str] = []
    for line in lines:
        found = _LIBRARY.fullmatch(line)
        if found is None:
            plain.append(line)
            continue
        yield from _plain(plain)
        plain.clear()
        if not found[3].startswith(_OF_THE_LEVEL):
            yield _of_library(_LEVELS[found[1]], found[2], found[3])
    yield from _plain(plain)


def _of_library(level: str, place: str, text: str) -> tuple[str, Event]:
    if (refused := _HANDSHAKE.fullmatch(text)) is not None:
        cause = refused[1]
        level = "info" if cause == NO_CERTIFICATE else "warning"
        return cause, Event(level, "handshake_refused", {"cause": cause, "detail": refused[2] or ""})
    return place, Event(level, "library_message", {"place": place, "text": text[:MAX_TEXT]})


def _plain(lines: list[str]) -> Iterator[tuple[str, Event]]:
    if text := "\n".join(lines).strip():
        yield "", Event("error", "standard_error", {"text": text[:MAX_TEXT]})


def as_json(event: Event) -> str:
    """Return an event as a line of the log."""
    timestamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({**event.values, "event": event.name, "level": event.level, "timestamp": timestamp})


def _write_what_is_left() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the process that is watched
    os.read(ENDED, 1)
    with os.fdopen(PIPE, "rb") as pipe, os.fdopen(FAULT, "rb") as fault, os.fdopen(OWN, "w", encoding="utf-8") as own:
        for left in (pipe, fault):
            lines = StrayLines()
            events = lines.feed(left.read(), 0.0)
            for event in [*events, *lines.due(INTERVAL_SECONDS), *lines.rest()]:
                own.write(as_json(event) + "\n")


if __name__ == "__main__":
    _write_what_is_left()
