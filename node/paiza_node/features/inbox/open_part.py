"""Opening: a part of a message is opened for an officer, and the opening is logged before its key leaves the node.

The officer's client decrypts and checks the part itself; the node returns the ciphertext, the part's key and the
proofs. A crash after the commit and before the answer leaves an OPENED entry for a part that was not shown: the safe
side.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import officer_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.denials import deny
from paiza_node.core.access.model import Officer, Opened
from paiza_node.core.access.open import DENIED, OpenAuthorizer, OpenRequest
from paiza_node.core.access.open_rules import OpenRule
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.proofs import ExchangeProofs, own_proof, proofs_of
from paiza_node.core.log.changes import MessagesChanged
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import stored
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import Store
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage


@dataclass(frozen=True, slots=True)
class _Opened:
    """An opened part, with its OPENED entry."""

    row: MessageRow
    message: VerifiedMessage
    part_key: bytes
    entry: StoredEntry


class OpenPart:
    """Opens single parts."""

    def __init__(self, core: Core, rules: Sequence[OpenRule]) -> None:
        """Store the collaborators; ``rules`` are those of capabilities against opening a part, in their order."""
        self._authorizer = OpenAuthorizer(core, rules)
        self._ledger = core.ledger
        self._store = core.store
        self._decryption_keys = core.decryption_keys

    async def __call__(
        self, officer: Officer, request: officer_pb2.OpenMessageRequest
    ) -> officer_pb2.OpenMessageResponse:
        """Open one part.

        Rejected: unknown_id (logged), part_missing, too_large, opening_reason_missing, erased, recalled, cannot_open,
        policy_denied (logged). Unavailable: attachment_incomplete. Whether it may be opened is checked in the
        transaction that writes OPENED.
        """
        opening = await self._authorizer.request(
            officer, request.message_digest, request.part_number, request.reason_text
        )
        committed = await self._ledger.commit(lambda tx: self._open(tx, officer, opening))
        if not isinstance(committed.result, _Opened):
            raise committed.result
        row, message, number = committed.result.row, committed.result.message, opening.number
        size, note = committed.checkpoint.size, committed.checkpoint.note
        proofs = await asyncio.to_thread(proofs_of_opened, self._store, self._ledger, row, size, note)
        return officer_pb2.OpenMessageResponse(
            message=message_pb2.SignedMessage(
                header=message.signed.header,
                signatures=message.signed.signatures,
                subject=message.signed.subject if number == 0 else b"",
                parts=[part for part in message.signed.parts if part.part_number == number],
            ),
            part_key=committed.result.part_key,
            opened=own_proof(self._ledger, committed.result.entry, size, note),
            released=proofs.released,
            answers=proofs.answers,
            thread_name=row.thread_name,
            forwarded=proofs.forwarded,
        )

    def _open(self, tx: LogTransaction, officer: Officer, request: OpenRequest) -> _Opened | Rejected | Unavailable:
        """Check again, read body and key, and write OPENED or DENIED; runs in the transaction."""
        refused = self._authorizer.refusal(tx.conn, officer, request)
        if refused is not None:
            return deny(tx, officer, refused, request.digest) if refused.reason in DENIED else refused
        row = messages_store.message(tx.conn, request.digest)
        body = None if row is None else messages_store.body(tx.conn, row.seq)
        assert row is not None
        if body is None:  # though it is neither refused nor erased
            raise Unavailable("log_damaged", "the body of the message is missing in the database")
        message = stored(body)
        part_key = self._decryption_keys.part_key(message, request.number)
        return _Opened(row, message, part_key, _log_opened(tx, officer, row, request.number, request.reason))


def proofs_of_opened(store: Store, ledger: Ledger, row: MessageRow, size: int, note: bytes) -> ExchangeProofs:
    """Return the proofs shown with an opened message: its releases, the answers to them, and its forwardings."""
    with store.reads() as reads:
        return proofs_of(reads, ledger, row, size, note)


def _log_opened(tx: LogTransaction, officer: Officer, row: MessageRow, number: int, reason: str) -> StoredEntry:
    stored = tx.append(log_entries.opened(actor=officer.id, digest=row.digest, part_number=number), text=reason)
    access_store.add_opened(tx.conn, Opened(row.digest, number, officer.id, stored.index))
    tx.announce(MessagesChanged((row.digest,)))
    return stored
