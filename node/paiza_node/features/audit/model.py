"""Queries of the log. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogIndexRow:
    """The queried attributes of an entry of the log. ``needless``: an opening without need."""

    index: int
    event: int
    actor: str
    counterpart: str
    needless: bool = False


@dataclass(frozen=True, slots=True)
class LogQuery:
    """The entries of the own log to find, from index ``first`` on and below ``end``; unset fields do not restrict."""

    first: int
    end: int
    limit: int
    events: tuple[int, ...] = ()
    actor: str = ""
    counterpart: str = ""
    digests: tuple[bytes, ...] = ()
    needless: bool = False
