"""The clocks of the peers, and what they show of our own. Diagnosis only: nothing is decided by it.

Each handshake and each exchange of checkpoints carries the time at which the peer made the answer. It lies between our
sending and our receiving, so half of the round trip is the greatest error. One peer's clock proves nothing; if at least
three were compared, the median is believed: fewer than half of them may be wrong, or lie.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from statistics import median
from typing import Final

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

LEAST_SOURCES: Final = 3
OFF_WARNING: Final = timedelta(seconds=2)
OFF_FAILURE: Final = timedelta(seconds=30)
MAX_ERROR: Final = timedelta(seconds=1)  # half of a round trip; a longer one says nothing about two seconds
FRESH_SECONDS: Final = 600.0  # an older comparison counts no more: the clocks may have been set since

log = structlog.get_logger("paiza.clock")


class ClockLevel(IntEnum):
    """How wrong a clock is."""

    RIGHT = 0
    OFF = 1
    FAR_OFF = 2


def level_of(offset: timedelta) -> ClockLevel:
    """Return how wrong a clock is that is so far off."""
    size = abs(offset)
    return ClockLevel((size > OFF_WARNING) + (size > OFF_FAILURE))


@dataclass(frozen=True, slots=True)
class ClockSample:
    """How far a peer's clock was ahead of ours, and when that was compared, in seconds of the monotonic clock."""

    ahead: timedelta
    compared: float


def compare(sent: datetime, began: float, ended: float, answer_time: Timestamp) -> ClockSample | None:
    """Compare a peer's clock with ours; None if the round trip was too long, or the time is none.

    ``sent`` is our clock when the call was sent, ``began`` and ``ended`` the monotonic clock then and at the answer.
    """
    half = timedelta(seconds=(ended - began) / 2)
    try:
        answered = answer_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    if not answer_time.ByteSize() or half > MAX_ERROR:
        return None
    return ClockSample(answered - (sent + half), ended)


@dataclass(frozen=True, slots=True)
class ClockReport:
    """What the clocks compared lately show.

    ``ahead`` holds how far each peer's clock is ahead of ours. ``own`` is how far ours is ahead of their median; None
    with fewer than `LEAST_SOURCES`. ``wrong`` holds the peers whose clocks are off from the median, and by how much;
    with fewer sources those that differ from ours, although it is not known which of the two is wrong.
    """

    ahead: Mapping[str, timedelta]
    own: timedelta | None
    wrong: Mapping[str, timedelta]

    @property
    def level(self) -> ClockLevel:
        """How wrong our own clock is, as far as it is known."""
        return ClockLevel.RIGHT if self.own is None else level_of(self.own)


def report(samples: Mapping[str, ClockSample | None], now: float) -> ClockReport:
    """Judge by the samples of peers; ``now`` in seconds of the monotonic clock."""
    fresh = {
        member: sample.ahead
        for member, sample in samples.items()
        if sample is not None and now - sample.compared <= FRESH_SECONDS
    }
    if len(fresh) < LEAST_SOURCES:
        return ClockReport(fresh, None, {member: ahead for member, ahead in fresh.items() if level_of(ahead)})
    middle = timedelta(seconds=median(ahead.total_seconds() for ahead in fresh.values()))
    wrong = {member: ahead - middle for member, ahead in fresh.items() if level_of(ahead - middle)}
    return ClockReport(fresh, -middle, wrong)


class ClockLog:
    """Logs when a clock is found wrong, and when it is right again."""

    def __init__(self) -> None:
        """Begin with right clocks."""
        self._own = ClockLevel.RIGHT
        self._wrong: frozenset[str] = frozenset()

    def note(self, found: ClockReport) -> None:
        """Log what has changed since the last report."""
        if found.level != self._own:
            tell = (log.info, log.warning, log.error)[found.level]
            event = "clock_off" if found.level else "clock_right"
            tell(event, ahead_seconds=_seconds(found.own), sources=len(found.ahead))
            self._own = found.level
        for member in sorted(found.wrong.keys() - self._wrong):
            told = {"peer": member, "ahead_seconds": _seconds(found.wrong[member]), "sources": len(found.ahead)}
            log.warning("clocks_differ" if found.own is None else "peer_clock_off", **told)
        for member in sorted((self._wrong - found.wrong.keys()) & found.ahead.keys()):
            log.info("peer_clock_right", peer=member)
        self._wrong = frozenset(found.wrong)


def _seconds(offset: timedelta | None) -> float | None:
    return None if offset is None else round(offset.total_seconds(), 1)
