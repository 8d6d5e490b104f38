"""The limits that an operator may set, in the table `[limits]` of node.toml; each is described in node/README.md.

Only what an operator has a reason to change is here. Every other limit is a constant beside the code it bounds.
"""

from dataclasses import Field, dataclass, field
from typing import Any, Final

_LEAST: Final = "least"
_MOST: Final = "most"


def _limit(default: int, least: int, most: int) -> Any:
    return field(default=default, metadata={_LEAST: least, _MOST: most})


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one node; `bounds` says what each may be set to.

    A commit that takes longer than `commit_seconds` is a slow database: its callers are answered that it is.
    Calls are those under way at once, of one caller; an officer's watches are counted apart from their other calls.
    A day is one of UTC. Messages of an officer are those they release; of a peer, those it delivers and we store. The
    bytes are those of the messages as they come, without attachments, also of those that wait for a second officer.
    Log entries are those of our own log that the caller's calls cause. No limit of a day refuses a stop, a report of
    lost control, a recall, an approval or a FLASH message.
    """

    connections: int = _limit(2_048, 64, 65_536)
    commit_seconds: float = _limit(10, 1, 600)
    calls_per_officer: int = _limit(16, 8, 256)
    watches_per_officer: int = _limit(8, 1, 64)
    calls_per_peer: int = _limit(16, 8, 256)
    officer_messages_per_day: int = _limit(120_000, 100, 10_000_000)
    officer_message_bytes_per_day: int = _limit(4_000_000_000, 10_000_000, 1_000_000_000_000)
    officer_log_entries_per_day: int = _limit(1_000_000, 1_000, 100_000_000)
    peer_messages_per_day: int = _limit(500_000, 1_000, 10_000_000)
    peer_message_bytes_per_day: int = _limit(16_000_000_000, 100_000_000, 1_000_000_000_000)
    peer_log_entries_per_day: int = _limit(1_000_000, 1_000, 100_000_000)


@dataclass(frozen=True, slots=True)
class LimitUse:
    """How much of a limit is used: by the ``caller`` who used most of it, or by all together if it is empty."""

    name: str
    used: int
    limit: int
    caller: str = ""


def bounds(limit: "Field[Any]") -> tuple[int, int]:
    """Return the least and the most that a limit may be set to."""
    return limit.metadata[_LEAST], limit.metadata[_MOST]
