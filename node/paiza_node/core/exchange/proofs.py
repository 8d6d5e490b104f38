"""Proofs of one message for officers and auditors: entries of our own log, and stored ones of other members' logs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from paiza.core.v1 import log_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import ReadConnection
from paiza_wire.tlog.merkle import split_hashes


class KeptProof(Protocol):
    """An entry of another member's log as stored: the entry's bytes, its index, and joined inclusion hashes."""

    @property
    def entry(self) -> bytes:
        """The serialized entry."""

    @property
    def index(self) -> int:
        """The index in that log."""

    @property
    def hashes(self) -> bytes:
        """The inclusion proof, its 32-byte hashes joined."""

    @property
    def checkpoint(self) -> bytes:
        """The signed checkpoint that the proof leads to."""


@dataclass(frozen=True, slots=True)
class ExchangeProofs:
    """Releases of one message, the answers to them, and its FORWARDED entries, each proven."""

    released: list[log_pb2.LogProof]
    answers: list[log_pb2.LogProof]
    forwarded: list[log_pb2.LogProof]


def proofs_of(reads: ReadConnection, ledger: Ledger, row: MessageRow, size: int, note: bytes) -> ExchangeProofs:
    """Prove what this node knows of one message's exchange: our own entries to our checkpoint, others as kept."""

    def ours(entries: Sequence[StoredEntry]) -> list[log_pb2.LogProof]:
        # What was committed a moment ago may still wait for the checkpoint that proves it.
        return [own_proof(ledger, entry, size, note) for entry in entries if entry.index < size]

    foreign = exchange_store.proofs(reads, row.digest)
    shown = [each for each in exchange_store.forwardings_of_message(reads, row.digest) if not each.denied]
    if row.state is MessageState.RELEASED:
        deliveries = deliveries_store.deliveries_of(reads, row.digest)
        released = ours(log_store.entries_at(reads, [delivery.released_index for delivery in deliveries]))
        answers = []
    else:
        released = _foreign(foreign, ProofKind.RELEASED) or _foreign(foreign, ProofKind.ORIGIN)
        answered = exchange_store.answers(reads, [row.digest]).values()
        answers = ours([*answered, *log_store.entries_at(reads, [each.log_index for each in shown])])
    indices = [index for _, index, _ in deliveries_store.forwarded_indices(reads, row.digest)]
    return ExchangeProofs(
        released=released,
        answers=[*answers, *_foreign(foreign, ProofKind.ANSWER)],
        forwarded=[*ours(log_store.entries_at(reads, indices)), *map(foreign_proof, shown)],
    )


def own_proof(
    ledger: Ledger, entry: StoredEntry, size: int, note: bytes, listed: Sequence[bytes] = ()
) -> log_pb2.LogProof:
    """Prove an entry of our own log to a checkpoint of ours; ``listed`` are the messages of an entry about several."""
    (hashes,) = ledger.prove([entry.index], size)
    return log_pb2.LogProof(
        proven=log_pb2.ProvenEntry(
            entry=entry.entry, index=entry.index, inclusion_hashes=hashes, message_digests=listed
        ),
        checkpoint=note,
    )


def foreign_proof(proof: KeptProof) -> log_pb2.LogProof:
    """Return a stored proof of another member's log in the form sent to officers."""
    return log_pb2.LogProof(
        proven=log_pb2.ProvenEntry(entry=proof.entry, index=proof.index, inclusion_hashes=split_hashes(proof.hashes)),
        checkpoint=proof.checkpoint,
    )


def _foreign(proofs: Sequence[ForeignProof], kind: ProofKind) -> list[log_pb2.LogProof]:
    return [foreign_proof(proof) for proof in proofs if proof.kind is kind]
