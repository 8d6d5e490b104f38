"""Checks of queries and answers of a log, so that a relaying node can withhold an answer, but not change it.

Pure: question, answer and a verified register in, proven records out. What does not hold is `NotProven`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from google.protobuf.message import DecodeError

from paiza.core.v1 import log_pb2
from paiza.core.v1 import log_query_pb2 as pb
from paiza_client.verify.logs import LogReader
from paiza_client.verify.model import Proof
from paiza_officer.errors import NotProven, located
from paiza_wire import log_entries, receipts
from paiza_wire.errors import Rejected
from paiza_wire.message import message_digest, parse_header, parse_strictly
from paiza_wire.tlog import log_queries
from paiza_wire.tlog.merkle import leaf_hash

Content = Literal["", "held", "erased", "missing"]

_OPENINGS: Final = frozenset({log_pb2.LOG_EVENT_OPENED, log_pb2.LOG_EVENT_OPENED_TOGETHER})
MAX_COUNTS: Final = 1_000  # members in one word: a federation has some dozens

_CONTENT: Final[dict[int, Content]] = {
    pb.CONTENT_STATE_UNSPECIFIED: "",
    pb.CONTENT_STATE_HELD: "held",
    pb.CONTENT_STATE_ERASED: "erased",
    pb.CONTENT_STATE_MISSING: "missing",
}


@dataclass(frozen=True, slots=True)
class VisibleEntry:
    """An entry that a log showed, proven; ``held`` are entries of the counterpart's log that its holder kept."""

    proof: Proof
    raw: bytes
    held: tuple[tuple[Proof, bytes], ...] = ()
    header: bytes = b""
    content: Content = ""
    text: str = ""
    """The text that the entry commits to; empty where there is none, it was not asked for, or it was erased."""
    purpose: str = ""

    @property
    def leaf(self) -> bytes:
        """The entry's leaf hash."""
        return leaf_hash(self.raw)


@dataclass(frozen=True, slots=True)
class Scope:
    """The visible entries: all entries of ``events`` since ``since``, and of ``party_events`` those about the asker."""

    events: frozenset[int]
    since: datetime | None
    until: datetime | None
    headers: bool
    party_events: frozenset[int]

    def covers(self, event: int, asker: str, counterpart: str, time: datetime) -> bool:
        """Return whether an entry had to be shown."""
        if event in self.party_events and counterpart == asker:
            return True
        return event in self.events and (self.since is None or time >= self.since)


@dataclass(frozen=True, slots=True)
class VisiblePage:
    """One answer: all that matches in ``member``'s log from the first index of the question up to ``next_index``."""

    member: str
    entries: tuple[VisibleEntry, ...]
    next_index: int
    complete: bool
    scope: Scope
    consulted: Proof
    retired_end: int = 0
    """Audit retention took some entries below this index."""


@dataclass(frozen=True, slots=True)
class Counts:
    """A member's word about what it exchanged with one other. Numbers, not proofs."""

    counterpart: str
    sent: int
    receipted: int
    refused: int
    overdue: int
    received: int
    refused_here: int


@dataclass(frozen=True, slots=True)
class CountsReply:
    """A member's stated counts by counterpart and period; its log commits to the statement."""

    member: str
    counts: tuple[Counts, ...]
    since: datetime | None
    until: datetime | None
    only_with_asker: bool
    consulted: Proof = field(repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """The parties of a query: ``officer`` of ``asker``, the log of ``member``, with this serialized question."""

    asker: str
    officer: str
    member: str
    query: bytes


def check_page(page: pb.EntriesPage, asked: Query, logs: LogReader) -> VisiblePage:
    """Check an answer about entries.

    1. The checkpoint is signed by a log of the member that was asked.
    2. That log committed to just this question of this officer and this answer.
    3. What may be seen is stated, and is no more than was asked for.
    4. The entries are proven, in order, within what was looked at, of this log, and match the question and the scope.
    5. Headers are those of the messages, texts those of the entries, and proofs from other logs hold and are about the
       same messages.
    6. The answer makes progress: repeated queries from its end come to an end.
    """
    query = log_queries.parse_entry_query(asked.query)
    # 1. and 2.
    consulted = _check_consulted(
        page.consulted, page.checkpoint, asked, log_queries.entries_digest(asked.query, page), logs
    )
    where = f"{consulted.origin} #{consulted.index}"
    # 3.
    scope = _scope(page.scope, where)
    wanted = frozenset(query.events)
    if wanted and not scope.events | scope.party_events <= wanted:
        raise NotProven("unexpected_answer", where, "the scope names events that were not asked for")
    # 4.
    if len(page.entries) > log_queries.MAX_PAGE:
        raise NotProven("too_large", where, "the answer has too many entries")
    shown = tuple(_entry(each, page.checkpoint, query, scope, asked, logs) for each in page.entries)
    indices = [each.proof.index for each in shown]
    if any(later <= earlier for earlier, later in zip([query.from_index - 1, *indices], indices, strict=False)):
        raise NotProven("bad_proof", where, "the entries are not in order of index")
    if indices and indices[-1] >= page.next_index:
        raise NotProven("bad_proof", where, "an entry lies behind what was looked at")
    # 6.
    if page.next_index > consulted.index or (not page.complete and page.next_index <= query.from_index):
        raise NotProven("unexpected_answer", where, "the answer does not say where to go on")
    return VisiblePage(asked.member, shown, page.next_index, page.complete, scope, consulted, page.retired_end)


def check_counts(page: pb.CountsPage, asked: Query, logs: LogReader) -> CountsReply:
    """Check an answer about counts: its log committed to having told this officer just this."""
    consulted = _check_consulted(
        page.consulted, page.checkpoint, asked, log_queries.counts_digest(asked.query, page.word), logs
    )
    where = f"{consulted.origin} #{consulted.index}"
    try:
        word = pb.CountsReply.FromString(page.word)
    except DecodeError:
        raise NotProven("malformed", where, "the counts are not of the protocol") from None
    if page.member != asked.member or len(word.counts) > MAX_COUNTS:
        raise NotProven("unexpected_answer", where, "the counts are of another member, or too many")
    named = [each.counterpart for each in word.counts]
    if len(set(named)) != len(named) or asked.member in named:
        raise NotProven("unexpected_answer", where, "the counts name a member twice, or the member itself")
    if word.only_with_caller and set(named) - {asked.asker}:
        raise NotProven("unexpected_answer", where, "the counts name more than the answer says")
    period = word.period
    with located(where, NotProven):
        return CountsReply(
            asked.member,
            tuple(_counts(each) for each in word.counts),
            log_queries.query_time(period.since_time) if period.HasField("since_time") else None,
            log_queries.query_time(period.until_time) if period.HasField("until_time") else None,
            word.only_with_caller,
            consulted,
        )


def check_reconciled(proof: log_pb2.LogProof, member: str, counterpart: str, digest: bytes, logs: LogReader) -> Proof:
    """Check that a member's log says that it agrees with another on what this digest stands for."""
    shown, entry = logs.proof(proof)
    said = (shown.event, shown.member, shown.counterpart, entry.entry.reconciled.period_digest)
    if said != ("RECONCILED", member, counterpart, digest):
        raise NotProven("bad_proof", f"{shown.origin} #{shown.index}", "the entry does not say that the period agrees")
    return shown


def _check_consulted(proven: log_pb2.ProvenEntry, note: bytes, asked: Query, digest: bytes, logs: LogReader) -> Proof:
    shown, entry = logs.entry(proven, note)
    where = f"{shown.origin} #{shown.index}"
    if shown.member != asked.member:
        raise NotProven("bad_checkpoint", where, "the answer is proven by another member's log")
    said = (shown.event, shown.actor, shown.counterpart)
    if said != ("CONSULTED", asked.officer, "" if asked.member == asked.asker else asked.asker):
        raise NotProven("bad_proof", where, "the log does not say that this officer was answered")
    if entry.entry.consulted.answer_sha256 != digest:
        raise NotProven("bad_proof", where, "the log committed to another question or answer")
    return shown


def _scope(data: bytes, where: str) -> Scope:
    with located(where, NotProven):
        scope = parse_strictly(pb.AuditScope, data, "the scope")
        return Scope(
            frozenset(scope.events),
            log_queries.query_time(scope.since_time) if scope.HasField("since_time") else None,
            log_queries.query_time(scope.until_time) if scope.HasField("until_time") else None,
            scope.headers,
            frozenset(scope.party_events),
        )


def _entry(
    shown: pb.VisibleEntry, note: bytes, query: pb.EntryQuery, scope: Scope, asked: Query, logs: LogReader
) -> VisibleEntry:
    proof, entry = logs.entry(shown.proven, note)
    where = f"{proof.origin} #{proof.index}"
    if proof.member != asked.member or not _matches(entry, query):
        raise NotProven("bad_proof", where, "the entry is not one that was asked for")
    if not scope.covers(entry.entry.event, asked.asker, proof.counterpart, proof.time):
        raise NotProven("bad_proof", where, "the entry is not within what may be seen")
    if len(shown.held) > log_queries.MAX_HELD:
        raise NotProven("too_large", where, "too many proofs stand beside the entry")
    if shown.text:
        with located(where, NotProven):
            receipts.check_text(entry.entry, shown.text_salt, shown.text)
    return VisibleEntry(
        proof,
        shown.proven.entry,
        _held(shown.held, proof, where, logs),
        _header(shown.header, proof.digest, where),
        _CONTENT.get(shown.content, ""),
        shown.text,
        log_entries.purpose(entry.entry),
    )


def _matches(verified: receipts.VerifiedEntry, query: pb.EntryQuery) -> bool:
    entry = verified.entry
    time = entry.entry_time.ToDatetime(tzinfo=UTC)
    return not (
        (query.events and entry.event not in query.events)
        or (query.counterpart and entry.counterpart != query.counterpart)
        or query.actor not in entry.actor
        or (query.without_need and entry.event not in _OPENINGS)
        or (query.message_digests and not any(map(verified.concerns, query.message_digests)))
        or (query.HasField("since_time") and time < query.since_time.ToDatetime(tzinfo=UTC))
        or (query.HasField("until_time") and time >= query.until_time.ToDatetime(tzinfo=UTC))
    )


def _held(
    proofs: Sequence[log_pb2.LogProof], beside: Proof, where: str, logs: LogReader
) -> tuple[tuple[Proof, bytes], ...]:
    held = []
    for each in proofs:
        proof, _entry = logs.proof(each)
        if (proof.member, proof.digest) != (beside.counterpart, beside.digest):
            raise NotProven("bad_proof", where, "a proof beside the entry is of another log or message")
        held.append((proof, each.proven.entry))
    return tuple(held)


def _header(header: bytes, digest: bytes, where: str) -> bytes:
    if header:
        with located(where, NotProven):
            parse_header(header)
            if message_digest(header) != digest:
                raise Rejected("part_digest_mismatch", "the header is not that of the message")
    return header


def _counts(each: pb.MessageCounts) -> Counts:
    return Counts(
        each.counterpart,
        each.sent,
        each.receipted,
        each.refused,
        each.overdue,
        each.received,
        each.refused_here,
    )
