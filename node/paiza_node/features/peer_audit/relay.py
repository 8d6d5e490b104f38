"""Relay: queries of our officers to other members' logs are sent there, and the answers are returned unchanged.

We cannot alter an answer undetected, since the other log commits to it; we can withhold it. Our own log records the
officer's query too. A checkpoint that comes with an answer must be consistent with everything else that member's log
showed us: a log that differs between auditors and peers is forked, and detected here.
"""

import asyncio
from typing import Final

import structlog

from paiza.core.v1 import log_query_pb2
from paiza.officer.v1 import audit_query_pb2
from paiza.peer.v1 import peer_audit_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.dependencies import Core
from paiza_node.core.peers.claims import record_fork
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.features.peer_audit.consult import Consult, about, told_entries
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.tlog import log_queries

AT_ONCE: Final = 8  # members queried for their counts at the same time

log = structlog.get_logger("paiza.peer_audit")


class Relay:
    """Handles queries of coordinators and auditors to logs, the own one and others'."""

    def __init__(self, core: Core, consult: Consult, peers: PeerDirectory) -> None:
        self._core = core
        self._consult = consult
        self._peers = peers

    async def entries(
        self, officer: Officer, request: audit_query_pb2.ListLogEntriesRequest
    ) -> audit_query_pb2.ListLogEntriesResponse:
        """Return entries of the own log, or query another member's node for those of its log.

        1. The query is well formed, and the member is in the register.
        2. The officer's query is logged here before it is sent.
        3. The checkpoint of the answer belongs to the history that log showed us.
        """
        if request.member in ("", self._core.member):
            page = await self._consult.entries(self._consult.as_officer(officer), request.query)
            return audit_query_pb2.ListLogEntriesResponse(page=page)
        # 1.
        query = log_queries.parse_entry_query(request.query)
        self._core.register_cache.current.active_member(request.member)
        # 2.
        await self._consult.note_relayed(officer, request.member, request.query, told_entries(query), about(query))
        response = await self._peers.session(request.member).list_granted_entries(
            peer_audit_pb2.ListGrantedEntriesRequest(query=request.query, officer_id=officer.id)
        )
        # 3.
        await self._check_history(request.member, response.page.checkpoint)
        return audit_query_pb2.ListLogEntriesResponse(page=response.page)

    async def matrix(
        self, officer: Officer, request: audit_query_pb2.GetMatrixRequest, *, others: bool
    ) -> audit_query_pb2.GetMatrixResponse:
        """Return the own counts, and (``others``) those of every other member that returns them."""
        response = audit_query_pb2.GetMatrixResponse(
            pages=[await self._consult.counts(self._consult.as_officer(officer), request.query)]
        )
        if not others:
            return response
        members = sorted(self._core.register_cache.current.active_ids - {self._core.member})
        for member in members:
            await self._consult.note_relayed(officer, member, request.query, "counts")
        slots = asyncio.Semaphore(AT_ONCE)

        async def ask(member: str) -> log_query_pb2.CountsPage | audit_query_pb2.UnavailableMember:
            async with slots:
                return await self._ask_counts(officer, member, request.query)

        for answer in await asyncio.gather(*map(ask, members)):
            if isinstance(answer, log_query_pb2.CountsPage):
                response.pages.append(answer)
            else:
                response.silent.append(answer)
        return response

    async def _ask_counts(
        self, officer: Officer, member: str, query: bytes
    ) -> log_query_pb2.CountsPage | audit_query_pb2.UnavailableMember:
        request = peer_audit_pb2.CountGrantedMessagesRequest(query=query, officer_id=officer.id)
        try:
            answer = await self._peers.session(member).count_granted_messages(request)
            await self._check_history(member, answer.page.checkpoint)
        except PaizaError as error:
            return audit_query_pb2.UnavailableMember(member=member, reason=error.reason)
        return answer.page

    async def _check_history(self, member_id: str, note: bytes) -> None:
        """Verify that a checkpoint and the known one are both consistent with the peer's newest; a fork is recorded.

        Rejected("log_forked") if they are not. If it is merely not proven, Unavailable is raised and nothing is shown.
        """
        logs = self._core.logs
        shown = logs.verify(self._core.register_cache.current.member(member_id), note)
        try:
            logs.check_trusted(member_id)
            if logs.compare(member_id, shown):
                return
            await self._peers.session(member_id).prove_history(shown)
        except Rejected:
            await record_fork(self._core.ledger, logs)
            raise
        except Unavailable as error:
            log.warning("history_not_proven", member=member_id, reason=error.reason, detail=error.detail)
            raise
