"""Queries: the entries of our log that match a query, found in bounded steps, and the data shown with them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from paiza.core.v1 import log_pb2, log_query_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof
from paiza_node.core.exchange.proofs import foreign_proof
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import LogText, StoredEntry
from paiza_node.core.log.time_index import index_at
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import Possession
from paiza_node.core.storage import ReadConnection
from paiza_node.features.audit import store as audit_store
from paiza_node.features.audit.model import LogQuery
from paiza_node.features.peer_audit.visibility import Visibility
from paiza_wire import log_entries
from paiza_wire.tlog.log_queries import DEFAULT_PAGE, MAX_HELD, MAX_PAGE

MAX_SCANNED: Final = 20_000  # entries read for one page; the caller continues from next_index
SCAN_BLOCK: Final = 1_000  # entries read at once
BESIDE_BLOCK: Final = 100  # entries whose additional data is read at once
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024  # approximate size of a page; the limit of an answer is twice that

_Standing = log_query_pb2.ContentState


@dataclass(frozen=True, slots=True)
class Found:
    """Matching entries, with the data shown with each; every entry below ``next_index`` was considered.

    ``looked`` is the number of entries read.
    """

    entries: list[tuple[StoredEntry, log_query_pb2.VisibleEntry]]
    next_index: int
    complete: bool
    retired_end: int
    looked: int


def scan(reads: ReadConnection, first: int, size: int) -> Iterator[StoredEntry]:
    """Yield the entries from an index on, below ``size``, block by block."""
    while first < size:
        block = log_store.entries(reads, first, min(SCAN_BLOCK, size - first))
        if not block:
            return
        yield from block
        first = block[-1].index + 1


def parse(stored: StoredEntry) -> log_pb2.LogEntry:
    """Parse an entry of our own."""
    return log_pb2.LogEntry.FromString(stored.entry)


def look(reads: ReadConnection, query: log_query_pb2.EntryQuery, visibility: Visibility, size: int) -> Found:
    """Return matching visible entries, in order of index, in a log of ``size``, with the data shown with each.

    For officers of our own they are found by the log index, which is complete up to ``size``; queries of other members,
    who may see little, read the log.
    """
    candidates, next_index, complete = (_index_candidates if visibility.own else _log_candidates)(reads, query, size)
    page = _Page(reads, query, visibility)
    mark = query.counterpart.encode()
    looked = 0
    for stored in candidates:
        looked += 1
        if mark and mark not in stored.entry:
            continue
        entry = parse(stored)
        if not (_matches(entry, query) and visibility.shows(entry)):
            continue
        if page.is_full():
            next_index, complete = stored.index, False
            break
        page.add(stored, entry)
    return Found(page.close(), next_index, complete, log_store.retired_end(reads), looked)


def _index_candidates(
    reads: ReadConnection, query: log_query_pb2.EntryQuery, size: int
) -> tuple[Iterable[StoredEntry], int, bool]:
    """Return the same as ``_log_candidates``, from the log index, at most a page."""
    since, until = _since(query), _until(query)
    first = max(min(query.from_index, size), index_at(reads, since, size) or 0)
    end = size if until is None else max(first, index_at(reads, until, size) or 0)
    limit = _limit(query)
    indices = audit_store.find_entries(
        reads,
        LogQuery(
            first=first,
            end=end,
            limit=limit + 1,
            events=tuple(query.events),
            actor=query.actor,
            counterpart=query.counterpart,
            digests=tuple(query.message_digests),
            needless=query.without_need,
        ),
    )
    if len(indices) > limit:
        return log_store.entries_at(reads, indices[:limit]), indices[limit], False
    return log_store.entries_at(reads, indices), end, True


def _limit(query: log_query_pb2.EntryQuery) -> int:
    return min(query.page_size or DEFAULT_PAGE, MAX_PAGE)


def _log_candidates(
    reads: ReadConnection, query: log_query_pb2.EntryQuery, size: int
) -> tuple[Iterable[StoredEntry], int, bool]:
    """Return the entries to examine, the index below which these are all, and whether none is left after it."""
    first = min(query.from_index, size)
    if query.message_digests:
        named = {
            entry.index: entry
            for digest in dict.fromkeys(query.message_digests)
            for entry in log_store.entries_about(reads, digest)
            if first <= entry.index < size
        }
        return [named[index] for index in sorted(named)], size, True
    since, until = _since(query), _until(query)
    first = max(first, index_at(reads, since, size) or 0)
    end = size if until is None else max(first, index_at(reads, until, size) or 0)
    last = min(end, first + MAX_SCANNED)
    return scan(reads, first, last), last, last == end


def _since(query: log_query_pb2.EntryQuery) -> datetime | None:
    return query.since_time.ToDatetime(tzinfo=UTC) if query.HasField("since_time") else None


def _until(query: log_query_pb2.EntryQuery) -> datetime | None:
    return query.until_time.ToDatetime(tzinfo=UTC) if query.HasField("until_time") else None


def _matches(entry: log_pb2.LogEntry, query: log_query_pb2.EntryQuery) -> bool:
    if query.events and entry.event not in query.events:
        return False
    if query.counterpart and entry.counterpart != query.counterpart:
        return False
    if query.actor not in entry.actor:  # the database compares Latin letters case-insensitively
        return False
    since, until = _since(query), _until(query)
    return (since is None or _time(entry) >= since) and (until is None or _time(entry) < until)


class _Page:
    """Collects a page; full when it has the requested number of entries, or is large enough."""

    def __init__(self, reads: ReadConnection, query: log_query_pb2.EntryQuery, visibility: Visibility) -> None:
        self._reads = reads
        self._query = query
        self._visibility = visibility
        self._limit = _limit(query)
        self._bytes = 0
        self._shown: list[tuple[StoredEntry, log_query_pb2.VisibleEntry]] = []
        self._waiting: list[tuple[StoredEntry, log_pb2.LogEntry]] = []

    def is_full(self) -> bool:
        return len(self._shown) + len(self._waiting) >= self._limit or self._bytes >= MAX_PAGE_BYTES

    def add(self, stored: StoredEntry, entry: log_pb2.LogEntry) -> None:
        self._waiting.append((stored, entry))
        if len(self._waiting) == BESIDE_BLOCK:
            self._look_beside()

    def close(self) -> list[tuple[StoredEntry, log_query_pb2.VisibleEntry]]:
        self._look_beside()
        return self._shown

    def _look_beside(self) -> None:
        """Read the data shown with some entries at once."""
        held, possessions, texts = self._held(), self._possessions(), self._texts()
        listed = log_store.listed(self._reads, [stored.index for stored, _ in self._waiting])
        for stored, entry in self._waiting:
            shown = log_query_pb2.VisibleEntry()
            shown.proven.message_digests.extend(listed.get(stored.index, ()))
            if stored.index in texts:
                shown.text, shown.text_salt = texts[stored.index].text, texts[stored.index].salt
            shown.held.extend(held.get((entry.counterpart, entry.message_digest), ()))
            if self._shows_header(entry):
                possession = possessions.get(entry.message_digest)
                if possession is not None:
                    shown.header = possession.header
                if entry.event == log_pb2.LOG_EVENT_RECEIVED and log_entries.part_number(entry) is None:
                    shown.content = self._content(possession, entry.message_digest)
            self._bytes += len(stored.entry) + shown.ByteSize()
            self._shown.append((stored, shown))
        self._waiting.clear()

    def _held(self) -> dict[tuple[str, bytes], list[log_pb2.LogProof]]:
        found: dict[tuple[str, bytes], list[log_pb2.LogProof]] = {}
        if not self._query.with_held_proofs:
            return found
        asked: dict[str, set[bytes]] = {}
        for _, entry in self._waiting:
            if entry.message_digest and entry.counterpart:
                asked.setdefault(entry.counterpart, set()).add(entry.message_digest)
        for member, digests in asked.items():
            for digest, proofs in exchange_store.held_proofs(self._reads, digests, member).items():
                found[member, digest] = list(map(foreign_proof, _distinct(proofs)[:MAX_HELD]))
        return found

    def _possessions(self) -> dict[bytes, Possession]:
        return messages_store.possessions(
            self._reads, {entry.message_digest for _, entry in self._waiting if self._shows_header(entry)}
        )

    def _texts(self) -> dict[int, LogText]:
        if not self._query.with_texts:
            return {}
        return log_store.texts(self._reads, [stored.index for stored, _ in self._waiting])

    def _shows_header(self, entry: log_pb2.LogEntry) -> bool:
        return self._query.with_headers and bool(entry.message_digest) and self._visibility.shows_header(entry)

    def _content(self, possession: Possession | None, digest: bytes) -> "_Standing.ValueType":
        if possession is not None and possession.has_body:
            return _Standing.CONTENT_STATE_HELD
        erased = any(
            parse(each).event == log_pb2.LOG_EVENT_ERASED for each in log_store.entries_of(self._reads, digest)
        )
        return _Standing.CONTENT_STATE_ERASED if erased else _Standing.CONTENT_STATE_MISSING


def _distinct(proofs: Iterable[ForeignProof]) -> list[ForeignProof]:
    return list({(proof.entry, proof.index): proof for proof in proofs}.values())


def _time(entry: log_pb2.LogEntry) -> datetime:
    return entry.entry_time.ToDatetime(tzinfo=UTC)
