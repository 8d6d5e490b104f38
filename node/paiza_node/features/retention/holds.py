"""Legal hold: while it lasts nothing erases a message here. Officer and reason of placing and lifting are logged."""

import asyncio
from collections.abc import Callable

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import retention_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import known, list_scope, unknown_to
from paiza_node.core.api import paging
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.proofs import own_proof
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import MessagesChanged
from paiza_node.core.log.model import MAX_REASON, StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.requests import plan_again
from paiza_wire import log_entries
from paiza_wire.errors import Rejected


class Holds:
    """Handles legal holds."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def place(self, officer: Officer, request: retention_pb2.PlaceHoldRequest) -> retention_pb2.PlaceHoldResponse:
        """Put a message under hold; a repeat is logged again and changes nothing.

        Rejected: unknown_id (logged), erased, reason_missing, too_large.
        """
        check_words(request.reason_text)
        return retention_pb2.PlaceHoldResponse(held=await self._logged(lambda tx: self._place(tx, officer, request)))

    async def release(
        self, officer: Officer, request: retention_pb2.ReleaseHoldRequest
    ) -> retention_pb2.ReleaseHoldResponse:
        """Release a message from hold; pending requests to erase it are then carried out.

        Rejected: unknown_id (logged), conflict, reason_missing, too_large.
        """
        check_words(request.reason_text)
        released = await self._logged(lambda tx: self._release(tx, officer, request))
        return retention_pb2.ReleaseHoldResponse(released=released)

    async def _logged(self, write: Callable[[LogTransaction], StoredEntry | Rejected]) -> log_pb2.LogProof:
        """Commit a change of a hold; return the proof of its entry."""
        committed = await self._core.ledger.commit(write)
        if isinstance(committed.result, Rejected):
            raise committed.result
        size, note = committed.checkpoint.size, committed.checkpoint.note
        return own_proof(self._core.ledger, committed.result, size, note)

    def _place(
        self, tx: LogTransaction, officer: Officer, request: retention_pb2.PlaceHoldRequest
    ) -> StoredEntry | Rejected:
        digest = request.message_digest
        refused = check_known(tx, officer, digest)
        if refused is not None:
            return refused
        if messages_store.erased(tx.conn, [digest]):
            return Rejected("erased", "the content was erased before: there is nothing to hold")
        entry = tx.append(log_entries.held(actor=officer.id, digest=digest), text=request.reason_text)
        retention_store.put_hold(tx.conn, digest, entry.index)
        tx.announce(MessagesChanged((digest,)))
        return entry

    def _release(
        self, tx: LogTransaction, officer: Officer, request: retention_pb2.ReleaseHoldRequest
    ) -> StoredEntry | Rejected:
        digest = request.message_digest
        refused = check_known(tx, officer, digest)
        if refused is not None:
            return refused
        if not retention_store.holds(tx.conn, [digest]):
            return Rejected("conflict", "the message is not under hold")
        entry = tx.append(log_entries.hold_released(actor=officer.id, digest=digest), text=request.reason_text)
        retention_store.lift_hold(tx.conn, digest)
        plan_again(tx, self._core.member, self._core.node_id, digest)
        tx.announce(MessagesChanged((digest,)))
        return entry

    async def listed(
        self, officer: Officer, request: retention_pb2.ListHoldsRequest
    ) -> retention_pb2.ListHoldsResponse:
        """Return the messages under hold that an officer may know of, the newest hold first."""
        return await asyncio.to_thread(self._listed, officer, request)

    def _listed(self, officer: Officer, request: retention_pb2.ListHoldsRequest) -> retention_pb2.ListHoldsResponse:
        answer = retention_pb2.ListHoldsResponse()
        size = paging.page_size(request)
        below = paging.numbers_of(request, 1)
        with self._core.store.reads() as reads:
            holds = retention_store.all_holds(reads, list_scope(officer), size + 1, below[0] if below else None)
            if len(holds) > size:
                del holds[size:]
                answer.next_page_token = paging.token_of(holds[-1][1])
            entries = {each.index: each.entry for each in log_store.entries_at(reads, [index for _, index in holds])}
            texts = log_store.texts(reads, entries)
            for row, index in holds:
                entry = log_pb2.LogEntry.FromString(entries.get(index, b""))
                shown = answer.holds.add(
                    message_digest=row.digest,
                    thread_name=row.thread_name,
                    actor=entry.actor,
                    reason_text=texts[index].text if index in texts else "",
                )
                shown.since_time.CopyFrom(entry.entry_time)
        return answer


def check_words(reason: str) -> None:
    """Raise unless a reason of bounded length is stated."""
    if not reason.strip():
        raise Rejected("reason_missing", "say why")
    if len(reason) > MAX_REASON:
        raise Rejected("too_large", f"a reason has at most {MAX_REASON} characters")


def check_known(tx: LogTransaction, officer: Officer, digest: bytes) -> Rejected | None:
    """Return why an officer may not act on a message that is here; a denial is logged."""
    return unknown_to(tx, officer, digest) if known(tx.conn, officer, digest) is None else None
