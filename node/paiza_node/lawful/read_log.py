"""Read the log: entries by what they say, proven, with the reasons beside them; that they were read is logged first.

Who reads is an auditor or coordinator of the own member. A crash after the commit leaves a CONSULTED entry for what was
not shown: the safe side.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final

from paiza.v1 import lawful_pb2, log_pb2
from paiza_node.context import Context
from paiza_node.lawful.by_time import index_at
from paiza_node.lawful.facts import Facts
from paiza_node.ledger import Committed, Pen
from paiza_node.model import LogQuery, Officer, StoredEntry
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 500
MAX_FILTER: Final = 128  # characters of a filter
MAX_EVENTS: Final = 64
MAX_INDEX: Final = 2**63 - 1  # what both databases can hold
LATEST_SECONDS: Final = 221_845_392_000  # the year 9000: what calendars can hold


class ReadLog:
    """The verb of looking into the own log."""

    def __init__(self, context: Context, facts: Facts) -> None:
        """Take what the verb needs; ``facts`` are what it searches."""
        self._context = context
        self._facts = facts

    async def __call__(self, officer: Officer, request: lawful_pb2.ReadLogRequest) -> lawful_pb2.ReadLogResponse:
        """Give one page of entries. Rejected: malformed, too_large."""
        _check(request)
        noted = await self._facts.catch_up()
        committed = await self.note(officer, _in_words(request), request.message_digest)
        size = committed.checkpoint.size
        found, texts, following = await asyncio.to_thread(self._find, request, min(noted, size))
        proofs = await asyncio.to_thread(self._context.ledger.prove, [entry.index for entry in found], size)
        return lawful_pb2.ReadLogResponse(
            entries=[
                lawful_pb2.ReadEntry(
                    proven=log_pb2.ProvenEntry(entry=entry.entry, index=entry.index, inclusion_hashes=hashes),
                    text=texts.get(entry.index, ""),
                )
                for entry, hashes in zip(found, proofs, strict=True)
            ],
            checkpoint=committed.checkpoint.note,
            next_index=following,
        )

    async def note(self, officer: Officer, asked: str, digest: bytes = b"") -> Committed[int]:
        """Log that an officer consulted the log, and what he asked."""

        def work(pen: Pen) -> int:
            return pen.append(log_entries.consulted(actor=officer.id, digest=digest), text=asked).index

        return await self._context.ledger.commit(work)

    def _find(self, request: lawful_pb2.ReadLogRequest, end: int) -> tuple[list[StoredEntry], dict[int, str], int]:
        """Give a page of entries, the texts beside them, and the index to go on from."""
        limit = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
        with self._context.store.reads() as reads:
            first = max(request.from_index, index_at(reads, _time(request, "since_time"), end) or 0)
            until = index_at(reads, _time(request, "until_time"), end)
            query = LogQuery(
                first=first,
                end=end if until is None else until,
                limit=limit + 1,
                events=tuple(request.events),
                actor=request.actor,
                counterpart=request.counterpart,
                digest=request.message_digest,
                needless=request.without_need,
            )
            indices = reads.find_entries(query)
            following = indices[limit] if len(indices) > limit else 0
            found = reads.entries_at(indices[:limit])
            texts = reads.texts(indices[:limit]) if request.with_texts else {}
        return found, texts, following


def _check(request: lawful_pb2.ReadLogRequest) -> None:
    if len(request.events) > MAX_EVENTS:
        raise Rejected("too_large", f"at most {MAX_EVENTS} events are named")
    if any(len(text) > MAX_FILTER for text in (request.actor, request.counterpart)):
        raise Rejected("malformed", f"a filter has at most {MAX_FILTER} characters")
    if len(request.message_digest) not in (0, wire.DIGEST_SIZE):
        raise Rejected("malformed", "message_digest is not 32 bytes long")
    if request.from_index > MAX_INDEX:
        raise Rejected("malformed", "from_index is not one this node gave")
    for name in ("since_time", "until_time"):
        if request.HasField(name) and not 0 <= getattr(request, name).seconds < LATEST_SECONDS:
            raise Rejected("malformed", f"{name} is not a time between 1970 and 9000")


def _time(request: lawful_pb2.ReadLogRequest, name: str) -> datetime | None:
    if not request.HasField(name):  # type: ignore[arg-type]
        return None
    found: datetime = getattr(request, name).ToDatetime(tzinfo=UTC)
    return found


def _name(event: int) -> str:
    known = log_pb2.LogEvent.values()
    return log_pb2.LogEvent.Name(event).removeprefix("LOG_EVENT_") if event in known else str(event)  # type: ignore[arg-type]  # a number from outside


def _in_words(request: lawful_pb2.ReadLogRequest) -> str:
    """Say what was asked, as it stands beside the log."""
    said = (
        ("events", ",".join(map(_name, request.events))),
        ("actor", request.actor),
        ("counterpart", request.counterpart),
        ("since", request.since_time.ToJsonString() if request.HasField("since_time") else ""),
        ("until", request.until_time.ToJsonString() if request.HasField("until_time") else ""),
        ("without_need", "yes" if request.without_need else ""),
        ("texts", "yes" if request.with_texts else ""),
        ("from", str(request.from_index) if request.from_index else ""),
    )
    return "; ".join(f"{name}={value}" for name, value in said if value) or "everything"
