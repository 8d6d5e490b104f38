"""Queries of the index and their results. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime

from paiza_node.core.access.model import Viewer
from paiza_node.core.messages.model import MessageRow


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A query: of every clause at least one token must match, in messages that ``viewer`` sees.

    ``annex``: the officer may read nominal annexes.
    """

    clauses: tuple[tuple[bytes, ...], ...]
    annex: bool
    viewer: Viewer
    author: str = ""
    kind: str = ""
    since_time: datetime | None = None
    until_time: datetime | None = None
    before_seq: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A matching message, and the time of the event it reports."""

    row: MessageRow
    event_time: datetime | None


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search of an officer that waits for messages with numbers above ``after_seq``.

    Of every clause at least one token must match. ``key_fingerprint`` is of the key that made the tokens.
    """

    officer: str
    search_id: bytes
    clauses: tuple[tuple[bytes, ...], ...]
    author: str
    kind: str
    saved_time: datetime
    after_seq: int
    key_fingerprint: bytes


@dataclass(frozen=True, slots=True)
class SearchMatch:
    """A message that meets a saved search. ``annex``: only with tokens of its nominal annex."""

    officer: str
    search_id: bytes
    seq: int
    annex: bool


@dataclass(frozen=True, slots=True)
class IndexedMessage:
    """The tokens of one message: (token, field, whether it is in the annex alone), and the saved searches it meets."""

    seq: int
    event_time: datetime | None
    tokens: tuple[tuple[bytes, str, bool], ...]
    linked: bool
    matches: tuple[SearchMatch, ...] = ()


@dataclass(frozen=True, slots=True)
class SharedToken:
    """One message that contains the term of a token."""

    seq: int
    field: str
    annex: bool
    token: bytes
