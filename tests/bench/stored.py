"""Fills the store of a stopped node with many messages, quickly: through the node's own ledger and store.

Of messages (`fill`) half are received from another member, half are released to it and delivered. Each has its rows,
its log entries and its proof, as `receive` and `deliver` would leave them, and a header and digest of its own. What is
not real: bodies hold the header only (no ciphertexts), proofs hold one hash, nothing was signed by an officer. The log
is real. `fill_log` writes a log alone, of entries about messages that there are not.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from paiza.core.v1 import delivery_pb2, log_pb2, message_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryRow, ForeignProof, ProofKind
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import CheckpointSlots
from paiza_node.core.log.ledger import Ledger, LogTransaction
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import open_store
from paiza_node.ops import config, keys
from paiza_register import Register
from paiza_wire import message as wire
from paiza_wire import receipts
from tests.federation import NodeProcess
from tests.log_entries import entry_of
from tests.officer import Officer

BATCH: Final = 5_000  # messages, or entries, in one commit
SPREAD: Final = 97  # one in so many entries is asked for later
LIFE: Final = timedelta(days=14)
NOTE: Final = b"a checkpoint of another log"  # what the proofs refer to


@dataclass
class Filled:
    """The content of a filled store; ``released`` and ``received`` are digests of some messages, spread over all."""

    messages: int
    entries: int
    released: list[bytes]
    received: list[bytes]
    threads: list[bytes]


def fill(node: NodeProcess, officer: Officer, other: Officer, messages: int, say: Callable[[str], None]) -> Filled:
    """Store this many messages more at ``officer``'s node; ``other`` is an officer of the other member."""
    writer = _Writer(officer, other, officer.register)
    with _ledger(node, officer) as ledger:
        for first in range(0, messages, BATCH):
            count = min(BATCH, messages - first)
            ledger.commit_now(lambda tx, count=count: writer.write(tx, count))  # type: ignore[misc]
            if first // BATCH % 20 == 19:
                say(f"{first + count:,} messages stored")
        head = ledger.commit_now(lambda tx: log_store.head(tx.conn)).result
    return Filled(head.messages, head.size, writer.released, writer.received, writer.threads)


def fill_log(node: NodeProcess, officer: Officer, other: str, size: int) -> Sequence[bytes]:
    """Bring the log to ``size`` entries; gives the digests of messages that they speak of, spread over all of it."""
    chosen: list[bytes] = []
    with _ledger(node, officer) as ledger:

        def write(tx: LogTransaction) -> None:
            for at in range(min(BATCH, size - tx.size)):
                digest = os.urandom(32)
                tx.append(
                    entry_of(log_pb2.LOG_EVENT_RELEASED, actor=officer.id, counterpart=other, message_digest=digest)
                )
                if at % SPREAD == 0:
                    chosen.append(digest)

        while ledger.checkpoint.size < size:
            ledger.commit_now(write)
    return chosen


@contextmanager
def _ledger(node: NodeProcess, officer: Officer) -> Iterator[Ledger]:
    """Open the ledger of a node that does not run."""
    assert not node.running, "the store has one writer"
    settings = config.load(node.config)
    own = officer.register.member(officer.member)
    with ExitStack() as closing:
        store = open_store(settings.database)
        closing.callback(store.close)
        slots = CheckpointSlots(settings.data / "checkpoint")
        closing.callback(slots.close)
        log_keys = keys.load_keys(settings, own).log
        ledger = Ledger(store, LogSigner(log_keys), slots, lambda: officer.register.version)
        closing.callback(ledger.close)
        yield ledger


class _Writer:
    """Writes batches of messages, half of them released, half received."""

    def __init__(self, own: Officer, other: Officer, register: Register) -> None:
        self._own = own
        self._other = other
        self._register = register
        self._templates = {
            officer.member: _header(officer.compose([recipient.member]))
            for officer, recipient in ((own, other), (other, own))
        }
        self._written = 0
        self.released: list[bytes] = []
        self.received: list[bytes] = []
        self.threads: list[bytes] = []

    def write(self, tx: LogTransaction, count: int) -> None:
        messages: list[MessageRow] = []
        deliveries: list[DeliveryRow] = []
        proofs: list[ForeignProof] = []
        answers: list[tuple[bytes, int]] = []
        for _ in range(count):
            self._written += 1
            received = bool(self._written % 2)
            row = self._row(tx, self._other if received else self._own, received=received)
            messages.append(row)
            if received:
                answers.append((row.digest, self._entry(tx, log_pb2.LOG_EVENT_RECEIVED, row, "dispatch_sha256")))
                proofs.append(self._proof(row, ProofKind.RELEASED))
            else:
                index = self._entry(tx, log_pb2.LOG_EVENT_RELEASED, row)
                self._entry(tx, log_pb2.LOG_EVENT_DELIVERED, row, "answer_sha256")
                deliveries.append(self._delivery(tx, row, index))
                proofs.append(self._proof(row, ProofKind.ANSWER))
        for row in messages[:: max(1, count // 10)]:
            (self.received if row.received else self.released).append(row.digest)
            self.threads.append(row.thread_id)
        messages_store.add_messages(tx.conn, messages)
        deliveries_store.add_deliveries(tx.conn, deliveries)
        exchange_store.add_answers(tx.conn, answers)
        exchange_store.add_proofs(tx.conn, proofs)

    def _row(self, tx: LogTransaction, author: Officer, *, received: bool) -> MessageRow:
        template, template_id = self._templates[author.member]
        message_id = wire.new_message_id(datetime.now(UTC))
        header = template.replace(template_id, message_id)
        seq = tx.next_message_seq()
        return MessageRow(
            seq=seq,
            digest=wire.message_digest(header),
            author=author.member,
            message_id=message_id,
            thread_id=message_id,
            thread_name=f"{author.member.upper()}-1999-{seq:07d}",  # no year of ours, so that no number is taken twice
            kind="free-message",
            urgency=message_pb2.URGENCY_ROUTINE,
            state=MessageState.RECEIVED if received else MessageState.RELEASED,
            header=header,
            stored_time=tx.now,
            signed=message_pb2.SignedMessage(header=header).SerializeToString(),
        )

    def _entry(
        self, tx: LogTransaction, event: log_pb2.LogEvent.ValueType, row: MessageRow, relied_on: str = ""
    ) -> int:
        return tx.append(
            entry_of(
                event,
                actor=self._own.id,
                counterpart=self._other.member,
                message_digest=row.digest,
                **({relied_on: receipts.evidence_digest(row.digest, NOTE)} if relied_on else {}),
            )
        ).index

    def _delivery(self, tx: LogTransaction, row: MessageRow, index: int) -> DeliveryRow:
        return DeliveryRow(
            id=tx.next_delivery_id(),
            message_seq=row.seq,
            digest=row.digest,
            recipient=self._other.member,
            urgency=row.urgency,
            released_index=index,
            released_time=tx.now,
            expires_time=tx.now + LIFE,
            next_attempt_time=tx.now,
            state=delivery_pb2.DELIVERY_STATE_DELIVERED,
            attempts=1,
            settled_time=tx.now,
        )

    def _proof(self, row: MessageRow, kind: ProofKind) -> ForeignProof:
        return ForeignProof(
            digest=row.digest,
            member=self._other.member,
            kind=kind,
            entry=row.digest,
            index=row.seq,
            hashes=sha256(row.digest).digest(),
            checkpoint=NOTE,
            register_version=self._register.version,
        )


def _header(message: bytes) -> tuple[bytes, bytes]:
    header = message_pb2.SignedMessage.FromString(message).header
    return header, message_pb2.Header.FromString(header).message_id
