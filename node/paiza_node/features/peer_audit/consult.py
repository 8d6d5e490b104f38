"""Consult: entries and counts of our log for callers who may see them; each query is logged.

The CONSULTED entry contains the digest of query and answer (`paiza_wire.tlog.log_queries`), so that neither we nor a
node that relays the answer can later claim another one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import Final

import structlog

from paiza.core.v1 import log_pb2, log_query_pb2
from paiza_node.core.access.consultations import Consultations
from paiza_node.core.access.model import Officer
from paiza_node.core.dependencies import Core
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.rate_limit import RateLimit
from paiza_node.features.peer_audit import store as peer_audit_store
from paiza_node.features.peer_audit.model import AuditGrant, Tally
from paiza_node.features.peer_audit.query import Found, look
from paiza_node.features.peer_audit.visibility import Visibility, grant_in_force
from paiza_node.features.peer_audit.work_limit import WorkLimit
from paiza_register.model import Member
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import SpiffeId
from paiza_wire.tlog import log_queries

COUNTED: Final = (log_pb2.LOG_EVENT_RELEASED, log_pb2.LOG_EVENT_RECEIVED)
"""The events that a member must have been granted to get the counts of messages with others."""
MAX_QUERIES: Final = 1_200  # of one member in a minute: each makes an entry; reading page by page takes fewer
MAX_LOOKED: Final = 2_000_000  # entries read for one member in a minute: some seconds of work, also if none is shown
COUNTS_LOOKED: Final = 20_000  # cost of a query of counts, in entries
MAX_OVERDUE_SECONDS: Final = 366 * 24 * 3600

log = structlog.get_logger("paiza.peer_audit")


@dataclass(frozen=True, slots=True)
class Asker:
    """The caller: an officer, and the other member they query for (empty for our own)."""

    officer: str
    member: str
    visibility: Visibility


class Consult:
    """Answers queries of our log."""

    def __init__(
        self, core: Core, consultations: Consultations, update_log_index: Callable[[], Awaitable[int]]
    ) -> None:
        """Store the core; ``update_log_index`` returns the end of the updated log index."""
        self._core = core
        self._consultations = consultations
        self._update_log_index = update_log_index
        self._calls = RateLimit(MAX_QUERIES)
        self._looked = WorkLimit()

    async def entries(self, asker: Asker, data: bytes) -> log_query_pb2.EntriesPage:
        """Return entries.

        1. The query is well formed.
        2. Some of the requested entries may be visible: else the denial is logged.
        3. The answer is committed to by a log entry, and proven to the checkpoint after that.
        """
        # 1.
        query = log_queries.parse_entry_query(data)
        # 2.
        if not asker.visibility.covers(query.events, query.counterpart):
            raise await self._denied(asker, f"entries about {query.counterpart}")
        if not asker.visibility.own and (query.actor or query.without_need or query.with_texts):
            raise await self._denied(asker, "texts, officers or judgements of need")
        # 3.
        size = await self._update_log_index() if asker.visibility.own else self._core.ledger.checkpoint.size
        found = await asyncio.to_thread(self._query, query, asker.visibility, size)
        self._looked.add(asker.member, found.looked, monotonic())
        page = log_query_pb2.EntriesPage(
            entries=[shown for _, shown in found.entries],
            next_index=found.next_index,
            complete=found.complete,
            retired_end=found.retired_end,
            scope=asker.visibility.scope(query.events).SerializeToString(deterministic=True),
        )
        for (stored, _), shown in zip(found.entries, page.entries, strict=True):
            shown.proven.entry, shown.proven.index = stored.entry, stored.index
        page.consulted.index, page.checkpoint, size = await self._log(
            asker, log_queries.entries_digest(data, page), told_entries(query), page.consulted, about(query)
        )
        proven = [*(shown.proven for shown in page.entries), page.consulted]
        hashes = await asyncio.to_thread(self._core.ledger.prove, [each.index for each in proven], size)
        for each, proof in zip(proven, hashes, strict=True):
            each.inclusion_hashes.extend(proof)
        return page

    async def counts(self, asker: Asker, data: bytes) -> log_query_pb2.CountsPage:
        """Return counts: of the exchange with everybody if those are visible, else with the caller alone."""
        query = log_queries.parse_count_query(data)
        word = await asyncio.to_thread(self._count, query, asker.visibility)
        self._looked.add(asker.member, COUNTS_LOOKED, monotonic())
        page = log_query_pb2.CountsPage(member=self._core.member, word=word.SerializeToString(deterministic=True))
        digest = log_queries.counts_digest(data, page.word)
        page.consulted.index, page.checkpoint, size = await self._log(asker, digest, "counts", page.consulted)
        (hashes,) = self._core.ledger.prove([page.consulted.index], size)
        page.consulted.inclusion_hashes.extend(hashes)
        return page

    async def note(self, officer: Officer, asked: str, digest: bytes) -> None:
        """Log that an officer consulted the log by another call: what was queried, and of which message."""
        entry = log_entries.consulted(actor=officer.id, digest=digest)
        await self._consultations.log(officer.id, lambda tx: tx.append(entry, text=asked), what=(asked, digest))

    async def note_relayed(self, officer: Officer, member: str, query: bytes, asked: str, digest: bytes = b"") -> None:
        """Log that an officer of ours queries another member's log; the evidence is the digest of the query."""
        question = sha256(query).digest()
        entry = log_entries.consulted(actor=officer.id, member=member, digest=digest, question_sha256=question)
        await self._consultations.log(
            officer.id, lambda tx: tx.append(entry, text=asked), what=(member, asked, question)
        )

    def as_officer(self, officer: Officer) -> Asker:
        """Return the visibility for an officer of our own, whom authentication let read the log."""
        return Asker(officer.id, "", Visibility(self._core.member, own=True))

    async def as_member(self, member: Member, officer_id: str) -> Asker:
        """Return the visibility for another member; it names the officer, who must be its own."""
        named = SpiffeId.parse(officer_id)
        federation = self._core.register_cache.current.federation
        if (named.member, named.federation, named.role) != (member.id, federation, "officer"):
            raise Rejected("wrong_member", "the officer named is not one of the caller's member")
        if not self._calls.take(member.id, monotonic()):
            raise Unavailable("busy", f"{MAX_QUERIES} questions of {member.id} in a minute are answered", 10.0)
        self._looked.check(member.id, MAX_LOOKED, monotonic())
        grant = await asyncio.to_thread(self._grant, member.id)
        return Asker(officer_id, member.id, Visibility(member.id, grant=grant))

    def _grant(self, member: str) -> AuditGrant | None:
        with self._core.store.reads() as reads:
            return grant_in_force(peer_audit_store.audit_grants(reads, member), self._core.clock())

    def _query(self, query: log_query_pb2.EntryQuery, visibility: Visibility, size: int) -> Found:
        with self._core.store.reads() as reads:
            return look(reads, query, visibility, size)

    def _count(self, query: log_query_pb2.CountQuery, visibility: Visibility) -> log_query_pb2.CountsReply:
        core, now = self._core, self._core.clock()
        everybody = visibility.own or set(COUNTED) <= set(visibility.scope(COUNTED).events)
        since = log_queries.query_time(query.period.since_time) if query.period.HasField("since_time") else None
        until = log_queries.query_time(query.period.until_time) if query.period.HasField("until_time") else None
        if everybody and visibility.grant is not None and visibility.grant.since_time is not None:
            since = max(since or visibility.grant.since_time, visibility.grant.since_time)
        overdue = min(query.overdue_seconds or log_queries.DEFAULT_OVERDUE_SECONDS, MAX_OVERDUE_SECONDS)
        members = self._counterparts() if everybody else {visibility.member}
        with core.store.reads() as reads:
            tallies = peer_audit_store.tallies(reads, members, since, until, now - timedelta(seconds=overdue))
        word = log_query_pb2.CountsReply(counts=map(_counts, tallies), only_with_caller=not everybody)
        _set(word.period, since, until)
        return word

    def _counterparts(self) -> set[str]:
        """Return the other members, including suspended and unusable ones: past exchange with them stays."""
        register = self._core.register_cache.current
        return {*register.members, *register.unusable} - {self._core.member}

    async def _log(
        self, asker: Asker, digest: bytes, text: str, consulted: log_pb2.ProvenEntry, message: bytes = b""
    ) -> tuple[int, bytes, int]:
        """Log a consultation; return the entry's index, and note and size of a checkpoint that contains it."""
        entry = log_entries.consulted(actor=asker.officer, member=asker.member, digest=message, answer_sha256=digest)

        def work(tx: LogTransaction) -> StoredEntry:
            return tx.append(entry, text=text)

        # Each answer is another one, and committed to; other members' officers have a share of their own (`as_member`).
        own = not asker.member
        committed = await (self._consultations.log(asker.officer, work) if own else self._core.ledger.commit(work))
        consulted.entry = committed.result.entry
        log.info("consulted", by=asker.officer, member=asker.member, what=text)
        return committed.result.index, committed.checkpoint.note, committed.checkpoint.size

    async def _denied(self, asker: Asker, what: str) -> Rejected:
        denied = Rejected("audit_not_granted", f"{self._core.member} granted {asker.member} no {what}")
        entry = log_entries.denied(actor=asker.officer, reason=denied.reason, counterpart=asker.member)
        await self._core.ledger.commit(lambda tx: tx.deny(entry, text=denied.detail))
        return denied


def about(query: log_query_pb2.EntryQuery) -> bytes:
    """Return the digest of the one message that is queried, so that its trail shows it; empty if there is none."""
    return query.message_digests[0] if len(query.message_digests) == 1 else b""


def told_entries(query: log_query_pb2.EntryQuery) -> str:
    """Return a line about the requested entries; it is stored beside the log."""
    events = ",".join(sorted(log_entries.event_name(event) for event in query.events)) or "all"
    words = [f"entries: {events}"]
    if query.actor:
        words.append(f"by {query.actor}")
    if query.counterpart:
        words.append(f"with {query.counterpart}")
    if query.HasField("since_time"):
        words.append(f"since {query.since_time.ToJsonString()}")
    if query.HasField("until_time"):
        words.append(f"until {query.until_time.ToJsonString()}")
    if query.message_digests:
        words.append(f"about {len(query.message_digests)} messages, first {query.message_digests[0].hex()[:16]}")
    words.append(f"from #{query.from_index}")
    asked = (
        ("without need", query.without_need),
        ("texts", query.with_texts),
        ("headers", query.with_headers),
        ("proofs", query.with_held_proofs),
    )
    words.extend(word for word, set_ in asked if set_)
    return "; ".join(words)


def _counts(tally: Tally) -> log_query_pb2.MessageCounts:
    return log_query_pb2.MessageCounts(
        counterpart=tally.counterpart,
        sent=tally.sent,
        receipted=tally.receipted,
        refused=tally.refused,
        overdue=tally.overdue,
        received=tally.received,
        refused_here=tally.refused_here,
    )


def _set(period: log_query_pb2.Period, since: datetime | None, until: datetime | None) -> None:
    if since is not None:
        period.since_time.FromDatetime(since)
    if until is not None:
        period.until_time.FromDatetime(until)
    period.SetInParent()
