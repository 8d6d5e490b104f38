"""Queries of coordinators and auditors to their own and others' logs, through their own node; all verified."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import grpc

from paiza.core.v1 import log_query_pb2
from paiza.officer.v1 import audit_query_pb2 as pb
from paiza.officer.v1 import audit_query_pb2_grpc
from paiza_client.reconciliation.log_queries import Answer, Question, go_on
from paiza_client.verify import log_query_checks as checks
from paiza_client.verify.log_query_checks import CountsReply, Query, VisibleEntry, VisiblePage
from paiza_client.verify.logs import LogReader, Registers
from paiza_client.verify.model import Proof
from paiza_officer import channel
from paiza_officer.errors import NotProven
from paiza_wire.identity import SpiffeId
from paiza_wire.tlog import log_queries

ASK_SECONDS: Final = 30.0  # the own node asks another one, which looks through its log
CLOSE_SECONDS: Final = 120.0  # both nodes go through the period
MAX_PAGES: Final = 20_000  # of one question: ten million entries


@dataclass(frozen=True, slots=True)
class Matrix:
    """The counts stated by members, and the members without an answer, with the reason code."""

    replies: tuple[CountsReply, ...]
    silent: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """The RECONCILED entries of both logs; ``digest`` is what they agree on."""

    digest: bytes
    own: Proof
    theirs: Proof


@dataclass(frozen=True, slots=True)
class OwnEntries:
    """Entries of the own log; ``next_index`` is where to go on, None where the whole log was looked through."""

    entries: list[VisibleEntry]
    next_index: int | None


class AuditQuery:
    """The session's calls across logs."""

    def __init__(
        self, connection: grpc.aio.Channel, call: channel.Call, registers: Registers, officer: SpiffeId
    ) -> None:
        self._stub = audit_query_pb2_grpc.AuditQueryServiceStub(connection)
        self._call = call
        self._registers = registers
        self._officer = officer
        self.kept: list[Answer] | None = None
        """A list, if set, that collects the answers about entries unchanged."""

    async def pages(self, member: str, question: Question) -> AsyncIterator[VisiblePage]:
        """Yield the answers to a question, checked, page by page, until the log was looked through."""
        for query in question.queries():
            for _ in range(MAX_PAGES):
                page = await self._page(member, query)
                yield page
                if page.complete:
                    break
                go_on(query, page)
            else:
                raise NotProven("too_large", member, "the answers do not come to an end")

    async def read_own(self, question: Question, limit: int) -> OwnEntries:
        """Return at most ``limit`` entries of the own log, in order of index; each is proven and meets the question.

        The node can withhold an entry or a text; it cannot alter or invent any. It logs CONSULTED with the question,
        before it answers. Refused("role_missing") for officers who are neither coordinators nor auditors.
        """
        question = replace(question, page_size=min(question.page_size, limit))
        found: list[VisibleEntry] = []
        following: int | None = None
        async for page in self.pages(self._officer.member, question):
            found += page.entries
            following = None if page.complete else page.next_index
            if len(found) >= limit:
                break
        if len(found) > limit:
            following = found[limit].proof.index
        return OwnEntries(found[:limit], following)

    async def matrix(self, since: datetime | None, until: datetime | None, overdue_seconds: int) -> Matrix:
        """Ask for counts: the own member's reply first, then that of every other that answered."""
        query = log_query_pb2.CountQuery(
            nonce=secrets.token_bytes(log_queries.NONCE_SIZE), overdue_seconds=overdue_seconds
        )
        _set(query.period, since, until)
        data = query.SerializeToString(deterministic=True)
        answer: pb.GetMatrixResponse = await self._call(
            lambda: self._stub.GetMatrix(pb.GetMatrixRequest(query=data), timeout=ASK_SECONDS)
        )
        logs = LogReader(self._registers)
        replies = tuple(checks.check_counts(page, self._asked(page.member, data), logs) for page in answer.pages)
        named = [reply.member for reply in replies]
        if named[:1] != [self._officer.member] or len(set(named)) != len(named):
            raise NotProven("unexpected_answer", "matrix", "the replies are not the own member's first, then others'")
        return Matrix(replies, tuple((each.member, each.reason) for each in answer.silent))

    async def close(self, counterpart: str, since: datetime, until: datetime, digest: bytes) -> Closed:
        """Close a period; both entries must contain ``digest``, which is computed from the shown entries."""
        request = pb.ClosePeriodRequest(counterpart=counterpart)
        _set(request.period, since, until)
        answer: pb.ClosePeriodResponse = await self._call(
            lambda: self._stub.ClosePeriod(request, timeout=CLOSE_SECONDS)
        )
        logs, own = LogReader(self._registers), self._officer.member
        return Closed(
            digest,
            checks.check_reconciled(answer.own, own, counterpart, digest, logs),
            checks.check_reconciled(answer.theirs, counterpart, own, digest, logs),
        )

    async def _page(self, member: str, query: log_query_pb2.EntryQuery) -> VisiblePage:
        data = query.SerializeToString(deterministic=True)
        answer: pb.ListLogEntriesResponse = await self._call(
            lambda: self._stub.ListLogEntries(pb.ListLogEntriesRequest(member=member, query=data), timeout=ASK_SECONDS)
        )
        page = checks.check_page(answer.page, self._asked(member, data), LogReader(self._registers))
        if self.kept is not None:
            self.kept.append(Answer(member, data, answer.page.SerializeToString()))
        return page

    def _asked(self, member: str, query: bytes) -> Query:
        return Query(self._officer.member, str(self._officer), member, query)


def _set(period: log_query_pb2.Period, since: datetime | None, until: datetime | None) -> None:
    if since is not None:
        period.since_time.FromDatetime(since)
    if until is not None:
        period.until_time.FromDatetime(until)
