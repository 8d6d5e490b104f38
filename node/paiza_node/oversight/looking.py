"""Looking: finds entries of our log that a question asks for, in bounded steps, and what is shown beside them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from paiza.v1 import log_pb2, oversight_pb2
from paiza_node.lawful.by_time import index_at
from paiza_node.model import ForeignProof, Possession, StoredEntry
from paiza_node.oversight.sight import Sight
from paiza_node.ports import Reads
from paiza_node.proofs import foreign_proof
from paiza_wire.consultations import DEFAULT_PAGE, MAX_HELD, MAX_PAGE

MAX_SCANNED: Final = 20_000  # entries looked at for one page; the caller goes on from next_index
SCAN_BLOCK: Final = 1_000  # entries read at once
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024  # of what one page shows, roughly: an answer holds twice that

_Standing = oversight_pb2.ContentStanding


@dataclass(frozen=True, slots=True)
class Found:
    """Entries that match, with what is shown beside each; every entry below ``next_index`` was looked at."""

    entries: list[tuple[StoredEntry, oversight_pb2.ShownEntry]]
    next_index: int
    complete: bool
    retired_end: int


def scan(reads: Reads, first: int, size: int) -> Iterator[StoredEntry]:
    """Give the entries from an index on, below ``size``, block by block."""
    while first < size:
        block = reads.entries(first, min(SCAN_BLOCK, size - first))
        if not block:
            return
        yield from block
        first = block[-1].index + 1


def parse(stored: StoredEntry) -> log_pb2.LogEntry:
    """Parse an entry of our own."""
    return log_pb2.LogEntry.FromString(stored.entry)


def look(reads: Reads, query: oversight_pb2.EntryQuery, sight: Sight, size: int) -> Found:
    """Find entries that match and may be seen, in order of index, in a log of ``size``; what is beside them as well."""
    candidates, last = _candidates(reads, query, size)
    until = query.until_time.ToDatetime(tzinfo=UTC) if query.HasField("until_time") else None
    page = _Page(reads, query, sight)
    next_index, complete = last, last == size
    for stored in candidates:
        entry = parse(stored)
        if until is not None and _time(entry) >= until:
            next_index, complete = stored.index, True
            break
        if page.is_full():
            next_index, complete = stored.index, False
            break
        if _matches(entry, query) and sight.shows(entry):
            page.add(stored, entry)
    return Found(page.entries, next_index, complete, reads.retired_end())


def _candidates(reads: Reads, query: oversight_pb2.EntryQuery, size: int) -> tuple[Iterable[StoredEntry], int]:
    """Give the entries to be looked at, and the index that these are all there are below."""
    first = min(query.from_index, size)
    if query.message_digests:
        named = {
            entry.index: entry
            for digest in dict.fromkeys(query.message_digests)
            for entry in reads.entries_of(digest)
            if first <= entry.index < size
        }
        return [named[index] for index in sorted(named)], size
    if query.HasField("since_time"):
        first = max(first, index_at(reads, query.since_time.ToDatetime(tzinfo=UTC), size) or 0)
    last = min(size, first + MAX_SCANNED)
    return scan(reads, first, last), last


def _matches(entry: log_pb2.LogEntry, query: oversight_pb2.EntryQuery) -> bool:
    if query.events and entry.event not in query.events:
        return False
    if query.counterpart and entry.counterpart != query.counterpart:
        return False
    return not query.HasField("since_time") or _time(entry) >= query.since_time.ToDatetime(tzinfo=UTC)


class _Page:
    """Gathers what is shown; full when it has as many entries as asked for, or is large enough."""

    def __init__(self, reads: Reads, query: oversight_pb2.EntryQuery, sight: Sight) -> None:
        self._reads = reads
        self._query = query
        self._sight = sight
        self._limit = min(query.page_size or DEFAULT_PAGE, MAX_PAGE)
        self._bytes = 0
        self.entries: list[tuple[StoredEntry, oversight_pb2.ShownEntry]] = []

    def is_full(self) -> bool:
        return len(self.entries) >= self._limit or self._bytes >= MAX_PAGE_BYTES

    def add(self, stored: StoredEntry, entry: log_pb2.LogEntry) -> None:
        shown = oversight_pb2.ShownEntry()
        if entry.message_digest:
            if self._query.with_held_proofs and entry.counterpart:
                held = self._reads.held_proofs([entry.message_digest], entry.counterpart)
                shown.held.extend(map(foreign_proof, _distinct(held.get(entry.message_digest, []))[:MAX_HELD]))
            if self._query.with_headers and self._sight.shows_header(entry):
                self._add_possession(shown, entry)
        self._bytes += len(stored.entry) + shown.ByteSize()
        self.entries.append((stored, shown))

    def _add_possession(self, shown: oversight_pb2.ShownEntry, entry: log_pb2.LogEntry) -> None:
        possession = self._reads.possessions([entry.message_digest]).get(entry.message_digest)
        if possession is not None:
            shown.header = possession.header
        if entry.event == log_pb2.LOG_EVENT_RECEIVED and not entry.HasField("part_number"):
            shown.content = self._content(possession, entry.message_digest)

    def _content(self, possession: Possession | None, digest: bytes) -> "_Standing.ValueType":
        if possession is not None and possession.has_body:
            return _Standing.CONTENT_STANDING_HELD
        erased = any(parse(each).event == log_pb2.LOG_EVENT_ERASED for each in self._reads.entries_of(digest))
        return _Standing.CONTENT_STANDING_ERASED if erased else _Standing.CONTENT_STANDING_MISSING


def _distinct(proofs: Iterable[ForeignProof]) -> list[ForeignProof]:
    return list({(proof.entry, proof.index): proof for proof in proofs}.values())


def _time(entry: log_pb2.LogEntry) -> datetime:
    return entry.entry_time.ToDatetime(tzinfo=UTC)
