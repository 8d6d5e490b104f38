"""The node's own log as it is stored. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from paiza.core.v1 import log_pb2

MAX_REASON: Final = 1000  # characters of an officer's or operator's reason
LogEvent = log_pb2.LogEvent


@dataclass(frozen=True, slots=True)
class FormerLog:
    """An earlier log of this node. Its ``size`` entries are in the present one from ``first_index`` on.

    They lead to ``kept_note``; ``largest_note`` is the largest checkpoint of it that another member presented.
    """

    origin: str
    first_index: int
    size: int
    kept_note: bytes
    largest_note: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The size of the own log, and the counters that grow with it. ``batch`` identifies the last commit."""

    size: int
    root: bytes
    messages: int
    deliveries: int
    last_time: datetime
    batch: bytes


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry of the own log."""

    index: int
    entry: bytes


@dataclass(frozen=True, slots=True)
class LogText:
    """A free text beside an entry, with the salt under which the entry commits to it. Both are erased together."""

    salt: bytes
    text: str


def origin_of(note: bytes) -> str:
    """Return the name of the log from a checkpoint note that was verified before: its first line."""
    return note.split(b"\n", 1)[0].decode()
