"""What is asked of the log. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogIndexRow:
    """What an entry of the log says that is asked about. ``needless``: an opening without need."""

    index: int
    event: int
    actor: str
    counterpart: str
    needless: bool = False


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which entries of the own log to find, from index ``first`` on and below ``end``; what is not set is not asked."""

    first: int
    end: int
    limit: int
    events: tuple[int, ...] = ()
    actor: str = ""
    counterpart: str = ""
    digests: tuple[bytes, ...] = ()
    needless: bool = False
