"""The data of two nodes on disk, read from outside and compared: with itself, with the other, with receipts.

No node is called. The database is read from disk, after a kill too, and everything is hashed anew by
code of its own, so that a defect of the node's store or tree cannot hide itself.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ProofKind
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import CheckpointSlots
from paiza_node.core.log.model import Head
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageState
from paiza_node.core.storage import ReadConnection, Store, open_store
from paiza_node.ops.config import load
from paiza_register import Register
from paiza_wire import receipts
from paiza_wire.tlog import checkpoint, merkle
from tests.federation import NodeProcess

RELEASED, RECEIVED = log_pb2.LOG_EVENT_RELEASED, log_pb2.LOG_EVENT_RECEIVED
RECOVERY_SECONDS: Final = 60.0  # after a backend was killed; a limit, not a measure
DELIVERED, REFUSED = log_pb2.LOG_EVENT_DELIVERED, log_pb2.LOG_EVENT_DELIVERY_REFUSED


@dataclass(frozen=True)
class Proof:
    """A kept proof of the other member's log."""

    entry: bytes
    index: int
    hashes: bytes
    note: bytes


@dataclass(frozen=True)
class Holding:
    """Everything that one node's database and checkpoint file say."""

    member: str
    head: Head
    entries: Sequence[bytes]
    messages: Mapping[bytes, int]
    bodies: frozenset[bytes]
    deliveries: Sequence[tuple[bytes, str, int]]
    answers: Mapping[bytes, int]
    proofs: Mapping[tuple[bytes, int], Proof]
    signed_note: bytes | None

    @cached_property
    def parsed(self) -> Sequence[log_pb2.LogEntry]:
        """Return the entries as messages."""
        return [log_pb2.LogEntry.FromString(entry) for entry in self.entries]

    def events(self, event: int, counterpart: str) -> Counter[bytes]:
        """Count the entries of an event with a member, by message."""
        return Counter(e.message_digest for e in self.parsed if e.event == event and e.counterpart == counterpart)

    def delivered_to(self, member: str) -> set[bytes]:
        """Return the messages whose receipt from this member the node says it has."""
        return {
            digest
            for digest, recipient, state in self.deliveries
            if recipient == member and state == delivery_pb2.DELIVERY_STATE_DELIVERED
        }

    def waiting(self) -> int:
        """Count the deliveries that wait."""
        return sum(state == delivery_pb2.DELIVERY_STATE_WAITING for _, _, state in self.deliveries)


def read(node: NodeProcess) -> Holding:
    """Read what a node has on disk, all of one moment; it may run or lie there killed."""
    config = load(node.config)
    # Before the database, which may only have grown since.
    slots = CheckpointSlots(config.data / "checkpoint")
    try:
        signed_note = slots.load()
    finally:
        slots.close()
    store = open_store(config.database, read_only=True)
    try:
        with _connected(store) as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                return _read(node.member, connection, signed_note)
    finally:
        store.close()


def _connected(store: Store) -> Connection:
    """Connect; a PostgreSQL of which a backend was killed takes nobody for the seconds that it recovers."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            return store._readers.connect()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _read(member: str, connection: Connection, signed_note: bytes | None) -> Holding:
    rows = connection.execute(
        select(log_store.log_entry_table.c.index, log_store.log_entry_table.c.entry).order_by(
            log_store.log_entry_table.c.index
        )
    )
    entries = []
    for at, (index, entry) in enumerate(rows):
        assert at == index, f"{member}: entry {at} of the log is missing"
        entries.append(bytes(entry))
    messages = connection.execute(
        select(messages_store.message_table.c.digest, messages_store.message_table.c.state)
    ).all()
    joined = messages_store.message_table.join(
        messages_store.message_body_table, messages_store.message_body_table.c.seq == messages_store.message_table.c.seq
    )
    bodies = connection.execute(select(messages_store.message_table.c.digest).select_from(joined)).scalars().all()
    d = deliveries_store.delivery_table.c
    deliveries = connection.execute(select(d.digest, d.recipient, d.state).order_by(d.id)).all()
    answers = connection.execute(
        select(exchange_store.answer_table.c.digest, exchange_store.answer_table.c.log_index)
    ).all()
    proofs = map(exchange_store.foreign_proof, connection.execute(exchange_store.PROOFS))
    return Holding(
        member=member,
        head=log_store.head(ReadConnection(connection)),
        entries=entries,
        messages={row[0]: row[1] for row in messages},
        bodies=frozenset(bodies),
        deliveries=[(row[0], row[1], row[2]) for row in deliveries],
        answers={row[0]: row[1] for row in answers},
        proofs={
            (each.digest, int(each.kind)): Proof(each.entry, each.index, each.hashes, each.checkpoint)
            for each in proofs
        },
        signed_note=signed_note,
    )


def check_own(holding: Holding, register: Register) -> None:
    """Check one node at rest: its log hashes to its head and its last checkpoint, and its counters count its rows."""
    member = holding.member
    assert holding.head.size == len(holding.entries), f"{member}: the head counts other entries than there are"
    assert holding.head.messages == len(holding.messages), f"{member}: the head counts other messages than there are"
    assert holding.head.deliveries == len(holding.deliveries), f"{member}: the head counts other deliveries"
    times = [entry.entry_time.ToNanoseconds() for entry in holding.parsed]
    assert times == sorted(times), f"{member}: the times of the log run backwards"
    assert set(holding.messages.values()) <= {state.value for state in MessageState}
    whole = {digest for digest, state in holding.messages.items() if state != MessageState.REFUSED}
    assert whole == holding.bodies, f"{member}: messages without body, or bodies without message"
    end = len(holding.entries)
    notes = [] if holding.signed_note is None else [_checkpoint(holding.signed_note, member, register)]
    roots = roots_at(holding.entries, {end, *(note.size for note in notes)})
    assert roots[end] == holding.head.root, f"{member}: the log does not hash to its head"
    for note in notes:
        assert note.size <= end, f"{member}: a checkpoint of more than the log holds was signed"
        assert roots[note.size] == note.root, f"{member}: the log does not hash to the checkpoint that was signed"


def check_exchange(sender: Holding, receiver: Holding, register: Register) -> None:
    """Check one direction between two nodes, at any moment: receipts are proven and backed, nothing stands twice.

    ``receiver`` must have been read after ``sender``.
    """
    released = sender.events(RELEASED, receiver.member)
    received = receiver.events(RECEIVED, sender.member)
    confirmed = sender.events(DELIVERED, receiver.member)
    for what, counted in (("released", released), ("received", received), ("confirmed", confirmed)):
        twice = [digest.hex() for digest, count in counted.items() if count > 1]
        assert not twice, f"{sender.member} to {receiver.member}: {what} twice: {twice[:3]}"
    queued = Counter(digest for digest, recipient, _ in sender.deliveries if recipient == receiver.member)
    assert queued == released, f"{sender.member}: the queue and the log disagree on what was released"
    delivered = sender.delivered_to(receiver.member)
    assert delivered == set(confirmed), f"{sender.member}: the queue and the log disagree on what was delivered"
    assert not sender.events(REFUSED, receiver.member), f"{receiver.member} refused what was in order"
    taken = {digest for digest, state in receiver.messages.items() if state == MessageState.RECEIVED}
    assert taken == set(received), f"{receiver.member}: the inbox and the log disagree on what was received"
    assert delivered <= taken, f"{receiver.member} does not have what it gave a receipt for"
    assert {d: i for d, i in receiver.answers.items() if d in taken}.keys() == taken
    # Every receipt at the sender is proven, and backed by the receiver's disk; and every release the other way round.
    answers = {digest: _proof(sender, digest, ProofKind.ANSWER) for digest in delivered}
    _check_proofs(answers, receiver, register, RECEIVED, sender.member)
    for digest, proof in answers.items():
        assert receiver.answers[digest] == proof.index, f"{receiver.member}: answered {digest.hex()} at two places"
    dispatches = {digest: _proof(receiver, digest, ProofKind.RELEASED) for digest in taken}
    known = {digest: proof for digest, proof in dispatches.items() if digest in released}
    # What was released after the sender was read is looked at next time.
    _check_proofs(known, sender, register, RELEASED, receiver.member)


def roots_at(entries: Sequence[bytes], sizes: Collection[int]) -> dict[int, bytes]:
    """Hash a log and give its roots at these sizes (RFC 9162 §2.1.1), in one pass."""
    found = {0: sha256(b"").digest()}
    peaks: list[tuple[int, bytes]] = []
    for size, entry in enumerate(entries, 1):
        height, digest = 0, sha256(b"\0" + entry).digest()
        while peaks and peaks[-1][0] == height:
            digest = sha256(b"\1" + peaks.pop()[1] + digest).digest()
            height += 1
        peaks.append((height, digest))
        if size in sizes:
            root = peaks[-1][1]
            for _, left in reversed(peaks[:-1]):
                root = sha256(b"\1" + left + root).digest()
            found[size] = root
    return found


def _proof(holder: Holding, digest: bytes, kind: ProofKind) -> Proof:
    proof = holder.proofs.get((digest, int(kind)))
    assert proof is not None, f"{holder.member}: no proof of {kind.name} is kept for {digest.hex()}"
    return proof


def _check_proofs(
    proofs: Mapping[bytes, Proof], log: Holding, register: Register, event: int, counterpart: str
) -> None:
    notes = {proof.note: _checkpoint(proof.note, log.member, register) for proof in proofs.values()}
    reached = [note for note in notes.values() if note.size <= len(log.entries)]
    roots = roots_at(log.entries, {note.size for note in reached})
    for note in reached:
        assert roots[note.size] == note.root, f"{log.member} signed a root of size {note.size} that its log has not"
    for digest, proof in proofs.items():
        hashes = list(_hashes(proof.hashes))
        verified = receipts.verify_entry(
            log_pb2.ProvenEntry(entry=proof.entry, index=proof.index, inclusion_hashes=hashes), notes[proof.note]
        )
        entry = verified.entry
        assert (entry.event, entry.message_digest, entry.counterpart) == (event, digest, counterpart)
        assert log.entries[proof.index] == proof.entry, f"{log.member}: entry {proof.index} is not the one it proved"


def _hashes(joined: bytes) -> Iterator[bytes]:
    for at in range(0, len(joined), merkle.HASH_BYTES):
        yield joined[at : at + merkle.HASH_BYTES]


def _checkpoint(note: bytes, member: str, register: Register) -> checkpoint.VerifiedCheckpoint:
    owner = register.member(member)
    return owner.checkpoint(note, owner.origin)
