"""Queries of the index and what they find. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime

from paiza_node.core.messages.model import MessageRow


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Which messages to find: of every clause at least one token. ``annex``: the searcher may read nominal annexes."""

    clauses: tuple[tuple[bytes, ...], ...]
    annex: bool
    author: str = ""
    kind: str = ""
    since_time: datetime | None = None
    until_time: datetime | None = None
    before_seq: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was found, and when what it reports took place."""

    row: MessageRow
    event_time: datetime | None


@dataclass(frozen=True, slots=True)
class IndexedMessage:
    """What one message speaks of: (token, field, whether it stands in the annex alone)."""

    seq: int
    event_time: datetime | None
    tokens: tuple[tuple[bytes, str, bool], ...]
    linked: bool


@dataclass(frozen=True, slots=True)
class SharedToken:
    """One message that speaks of what a token stands for."""

    seq: int
    field: str
    annex: bool
    token: bytes
