"""Fills the store of a stopped node with many messages, quickly: through the node's own ledger and store.

Of messages (`fill`) half are received from another member, half are released to it and delivered. Each opens a thread,
and has its rows, its log entries, its proof and its places in the indexes, as `receive`, `deliver` and the indexes
would leave them, and a header and digest of its own. What is not real: bodies hold the header only (no ciphertexts),
proofs hold one hash, terms are invented, nothing was signed by an officer. The log is real. `fill_log` writes a log
alone, of entries about messages that do not exist.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from paiza.core.v1 import delivery_pb2, log_pb2, message_pb2
from paiza_domain.terms import query_terms
from paiza_node.core.access.need_to_know import COMMON
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryRow, ForeignProof, ProofKind
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.limits import Limits
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import CheckpointSlots
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import open_store
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.audit import log_index
from paiza_node.features.audit import store as audit_store
from paiza_node.features.audit.model import LogIndexRow
from paiza_node.features.retention import store as retention_store
from paiza_node.features.search import index as search_index
from paiza_node.features.search import store as search_store
from paiza_node.features.search.index import TokenKey
from paiza_node.features.search.model import IndexedMessage
from paiza_node.features.witness import upgrade_proofs
from paiza_node.ops import config, keys
from paiza_register import Register
from paiza_wire import message as wire
from paiza_wire import receipts
from tests.federation import NodeProcess
from tests.log_entries import entry_of
from tests.officer import Officer

BATCH: Final = 25_000  # messages, or entries, in one commit: each writes pages all over the tables
COMMIT_SECONDS: Final = 600  # a limit of one commit, not a measure
SPREAD: Final = 97  # one in so many entries is asked for later
LIFE: Final = timedelta(days=14)
REVIEW: Final = timedelta(days=365)
COUNTRY: Final = "KAZ"  # of one message in ``COUNTRY_SHARE``
COUNTRY_SHARE: Final = 8
NOTE: Final = b"a checkpoint of another log"  # what the proofs refer to


@dataclass
class Filled:
    """The content of a filled store; ``released`` and ``received`` are some messages, spread over all.

    Each is the thread that the message opens, and its digest. ``containers`` are terms that one message each has;
    ``common`` are those of them whose messages are also of `COUNTRY`.
    """

    messages: int
    entries: int
    released: list[tuple[bytes, bytes]]
    received: list[tuple[bytes, bytes]]
    containers: list[str]
    common: list[str]


def fill(
    node: NodeProcess,
    officer: Officer,
    other: Officer,
    messages: int,
    say: Callable[[str], None],
    *,
    waiting: bool = False,
) -> Filled:
    """Store this many messages more at ``officer``'s node; ``other`` is an officer of the other member.

    With ``waiting`` every second of the released messages waits for the other member instead of being delivered.
    """
    with _ledger(node, officer) as (ledger, index_key):
        writer = _Writer(officer, other, officer.register, TokenKey(index_key), waiting=waiting)
        for first in range(0, messages, BATCH):
            count = min(BATCH, messages - first)
            ledger.commit_now(lambda tx, count=count: writer.write(tx, count), COMMIT_SECONDS)  # type: ignore[misc]
            if first // BATCH % 4 == 3:
                say(f"{first + count:,} messages stored")
        head = ledger.commit_now(lambda tx: log_store.head(tx.conn)).result
    return Filled(head.messages, head.size, writer.released, writer.received, writer.containers, writer.common)


def fill_log(node: NodeProcess, officer: Officer, other: str, size: int) -> Sequence[bytes]:
    """Bring the log to ``size`` entries; gives the digests of messages that they speak of, spread over all of it."""
    chosen: list[bytes] = []
    with _ledger(node, officer) as (ledger, _index_key):

        def write(tx: LogTransaction) -> None:
            for at in range(min(BATCH, size - tx.size)):
                digest = os.urandom(32)
                tx.append(
                    entry_of(log_pb2.LOG_EVENT_RELEASED, actor=officer.id, counterpart=other, message_digest=digest)
                )
                if at % SPREAD == 0:
                    chosen.append(digest)

        while ledger.checkpoint.size < size:
            ledger.commit_now(write, COMMIT_SECONDS)
    return chosen


@contextmanager
def _ledger(node: NodeProcess, officer: Officer) -> Iterator[tuple[Ledger, bytes]]:
    """Open the ledger of a node that does not run; gives it with the key of the search index."""
    assert not node.running, "the store has one writer"
    settings = config.load(node.config)
    own = officer.register.member(officer.member)
    with ExitStack() as closing:
        store = open_store(settings.database)
        closing.callback(store.close)
        slots = CheckpointSlots(settings.data / "checkpoint")
        closing.callback(slots.close)
        node_keys = keys.load_keys(settings, own)
        limits = Limits(commit_seconds=COMMIT_SECONDS)
        ledger = Ledger(store, LogSigner(node_keys.log), slots, lambda: officer.register.version, limits=limits)
        closing.callback(ledger.close)
        yield ledger, node_keys.index


class _Writer:
    """Writes batches of messages, half of them released, half received."""

    def __init__(self, own: Officer, other: Officer, register: Register, token_key: TokenKey, *, waiting: bool) -> None:
        self._own = own
        self._other = other
        self._register = register
        self._templates = {
            officer.member: _header(officer.compose([recipient.member]))
            for officer, recipient in ((own, other), (other, own))
        }
        self._token_key = token_key
        self._country = self._tokens("country", COUNTRY)
        self._waiting = waiting
        self._written = 0
        self._facts: list[LogIndexRow] = []  # of the batch
        self.released: list[tuple[bytes, bytes]] = []
        self.received: list[tuple[bytes, bytes]] = []
        self.containers: list[str] = []
        self.common: list[str] = []

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
                continue
            index = self._entry(tx, log_pb2.LOG_EVENT_RELEASED, row)
            delivered = not self._waiting or bool(self._written % 4)
            deliveries.append(self._delivery(tx, row, index, delivered=delivered))
            if delivered:
                self._entry(tx, log_pb2.LOG_EVENT_DELIVERED, row, "answer_sha256")
                proofs.append(self._proof(row, ProofKind.ANSWER))
        for row in messages[::SPREAD]:
            (self.received if row.received else self.released).append((row.thread_id, row.digest))
            self.containers.append(_container(row.seq))
            self.common.append(_container(row.seq // COUNTRY_SHARE * COUNTRY_SHARE or COUNTRY_SHARE))
        messages_store.add_messages(tx.conn, messages)
        deliveries_store.add_deliveries(tx.conn, deliveries)
        exchange_store.add_answers(tx.conn, answers)
        exchange_store.add_proofs(tx.conn, proofs)
        self._index(tx, messages)

    def _index(self, tx: LogTransaction, messages: Sequence[MessageRow]) -> None:
        """Write what the node derives from messages and entries after their commit."""
        settings_store.put_setting(tx.conn, search_index.SETTING_KEY, self._token_key.fingerprint)
        search_store.add_indexed(
            tx.conn, [IndexedMessage(row.seq, None, self._terms(row.seq), linked=False) for row in messages]
        )
        audit_store.add_facts(tx.conn, self._facts)
        self._facts = []
        retention_store.put_reviews(tx.conn, [(row.seq, row.stored_time + REVIEW) for row in messages])
        for counter, value in (
            (search_index.CURSOR, messages[-1].seq),
            (log_index.CURSOR, tx.size),
            (upgrade_proofs.COUNTER, tx.size),
        ):
            settings_store.put_counter(tx.conn, counter, value)

    def _terms(self, seq: int) -> tuple[tuple[bytes, str, bool], ...]:
        return (*self._tokens("container", _container(seq)), *(() if seq % COUNTRY_SHARE else self._country))

    def _tokens(self, field: str, text: str) -> tuple[tuple[bytes, str, bool], ...]:
        """Return the tokens by which a search for this text finds a message."""
        terms = [term for clause in query_terms.clauses(field, text) for term in sorted(clause)]
        return tuple((self._token_key.token(term), field, False) for term in terms)

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
            unit=COMMON,
            signed=message_pb2.SignedMessage(header=header).SerializeToString(),
        )

    def _entry(
        self, tx: LogTransaction, event: log_pb2.LogEvent.ValueType, row: MessageRow, relied_on: str = ""
    ) -> int:
        index = tx.append(
            entry_of(
                event,
                actor=self._own.id,
                counterpart=self._other.member,
                message_digest=row.digest,
                **({relied_on: receipts.evidence_digest(row.digest, NOTE)} if relied_on else {}),
            )
        ).index
        self._facts.append(LogIndexRow(index, int(event), self._own.id, self._other.member))
        return index

    def _delivery(self, tx: LogTransaction, row: MessageRow, index: int, *, delivered: bool) -> DeliveryRow:
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
            state=delivery_pb2.DELIVERY_STATE_DELIVERED if delivered else delivery_pb2.DELIVERY_STATE_WAITING,
            attempts=int(delivered),
            settled_time=tx.now if delivered else None,
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


def _container(seq: int) -> str:
    return f"BENU{seq:09d}"


def _header(message: bytes) -> tuple[bytes, bytes]:
    header = message_pb2.SignedMessage.FromString(message).header
    return header, message_pb2.Header.FromString(header).message_id
