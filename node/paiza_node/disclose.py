"""Disclose: a part of a message is handed to an officer, and that it was stands in the log before its key leaves.

The officer's client opens and checks the part itself; the node gives the ciphertext, the part's key and the proofs. A
crash after the commit and before the answer leaves an OPENED entry for something that was not shown: the safe side.
"""

import asyncio

from paiza.v1 import attachment_pb2, message_pb2, officer_pb2
from paiza_domain import kinds
from paiza_node.context import Context
from paiza_node.desks.need_to_know import may_see
from paiza_node.ledger import Pen
from paiza_node.model import (
    MAX_REASON,
    MessageRow,
    MessageState,
    Officer,
    Opened,
    StoredEntry,
)
from paiza_node.opening import stored
from paiza_node.passing import taking_back
from paiza_node.policy import MessageFacts, principal_of
from paiza_node.proofs import forwardings_of, own_proof, proofs_of
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage


class Disclose:
    """The verb of reading."""

    def __init__(self, context: Context) -> None:
        """Take what the verb needs."""
        self._member = context.member
        self._registers = context.registers
        self._ledger = context.ledger
        self._store = context.store
        self._news = context.news
        self._own_keys = context.own_keys

    async def __call__(
        self, officer: Officer, request: officer_pb2.OpenMessageRequest
    ) -> officer_pb2.OpenMessageResponse:
        """Hand over one part. Rejected: unknown_id, part_missing, opening_reason_missing, policy_denied (logged)."""
        row, message = await self.check(officer, request)
        number = request.part_number
        part_key = self._own_keys.part_key(message, number)
        committed = await self._ledger.commit(lambda pen: _log_opened(pen, officer, row, number, request.reason_text))
        opened = committed.result
        self._news.publish([row.digest])
        released, answers = await asyncio.to_thread(
            proofs_of, self._store, self._ledger, row, committed.checkpoint.size, committed.checkpoint.note
        )
        forwarded = await asyncio.to_thread(
            forwardings_of, self._store, self._ledger, row.digest, committed.checkpoint.size, committed.checkpoint.note
        )
        return officer_pb2.OpenMessageResponse(
            message=message_pb2.SignedMessage(
                header=message.signed.header,
                signatures=message.signed.signatures,
                parts=[part for part in message.signed.parts if part.part_number == number],
            ),
            part_key=part_key,
            opened=own_proof(self._ledger, opened, committed.checkpoint.size, committed.checkpoint.note),
            released=released,
            answers=answers,
            thread_name=row.thread_name,
            forwarded=forwarded,
        )

    async def check(
        self, officer: Officer, request: officer_pb2.OpenMessageRequest
    ) -> tuple[MessageRow, VerifiedMessage]:
        """Find the message and refuse a part that is not there, or that this officer may not open."""
        row, signed = await asyncio.to_thread(self._read, request.message_digest)
        if row is None or signed is None:
            raise _gone(row)
        message = stored(signed)
        header = message.header
        number = request.part_number
        if number >= len(header.parts):
            raise Rejected("part_missing", f"the message has no part {number}")
        await self._allow(officer, row, header, request)
        if row.received and header.parts[number].kind == message_pb2.PART_KIND_ATTACHMENT:
            await asyncio.to_thread(self._check_attachment, row.digest, number)
        return row, message

    def _check_attachment(self, digest: bytes, number: int) -> None:
        """Refuse an attachment that has not come whole: nobody knows yet what it is."""
        with self._store.reads() as reads:
            found = reads.attachment(digest, number, self._member)
        if found is not None and found.state == attachment_pb2.ATTACHMENT_STATE_RECEIVED:
            return
        if found is None or found.state != attachment_pb2.ATTACHMENT_STATE_AWAITED:
            reason = "" if found is None else f": {found.reason}"
            raise Rejected("part_missing", f"attachment {number} was refused or given up{reason}")
        raise Unavailable("attachment_incomplete", f"attachment {number} has not come whole yet", 10.0)

    def _read(self, digest: bytes) -> tuple[MessageRow | None, bytes | None]:
        with self._store.reads() as reads:
            row = reads.message(digest)
        return row, self._store.signed(digest)

    async def _allow(
        self,
        officer: Officer,
        row: MessageRow,
        header: message_pb2.Header,
        request: officer_pb2.OpenMessageRequest,
    ) -> None:
        annex = header.parts[request.part_number].kind == message_pb2.PART_KIND_NOMINAL_ANNEX
        if len(request.reason_text) > MAX_REASON:
            raise Rejected("too_large", f"a reason has at most {MAX_REASON} characters")
        if annex and not request.reason_text.strip():
            raise Rejected("opening_reason_missing", "the nominal annex is opened only with a stated reason")
        await asyncio.to_thread(self._check_recalled, row, request.reason_text)
        ceiling = self._registers.current.member(self._member).classification_ceiling
        kind = kinds.get(header.kind, header.kind_version)
        facts = MessageFacts.of(header, kind.sender_roles, ceiling, kind.workflow)
        try:
            await asyncio.to_thread(self._check_needs, officer, row)
            self._registers.policy.check(principal_of(officer), "open_annex" if annex else "open", facts)
        except Rejected as denied:
            detail = denied.detail
            await self._ledger.commit(lambda pen: _log_denied(pen, officer, row, detail))
            raise

    def _check_needs(self, officer: Officer, row: MessageRow) -> None:
        with self._store.reads() as reads:
            if not may_see(reads, officer, row):
                raise Rejected("policy_denied", "need-to-know")

    def _check_recalled(self, row: MessageRow, reason: str) -> None:
        with self._store.reads() as reads:
            taking_back.check_reason(reads, row, reason)


def _gone(row: MessageRow | None) -> Rejected:
    if row is not None and row.state is not MessageState.REFUSED:
        return Rejected("erased", "its content was erased; header, signatures and proofs are still here")
    return Rejected("unknown_id", "there is no such message here, or its content was refused")


def _log_opened(pen: Pen, officer: Officer, row: MessageRow, number: int, reason: str) -> StoredEntry:
    stored = pen.append(log_entries.opened(actor=officer.id, digest=row.digest, part_number=number), text=reason)
    pen.tx.add_opened(Opened(row.digest, number, officer.id, stored.index))
    return stored


def _log_denied(pen: Pen, officer: Officer, row: MessageRow, detail: str) -> None:
    entry = log_entries.denied(actor=officer.id, reason="policy_denied", digest=row.digest)
    pen.append(entry, text=detail)
