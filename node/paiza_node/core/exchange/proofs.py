"""Proofs of one message for officers and auditors: entries of our own log, and stored ones of other members' logs."""

from collections.abc import Iterable, Sequence
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
    return proofs_of_all(reads, ledger, [row], size, note)[row.digest]


def proofs_of_all(
    reads: ReadConnection, ledger: Ledger, rows: Sequence[MessageRow], size: int, note: bytes
) -> dict[bytes, ExchangeProofs]:
    """Prove what this node knows of the exchange of each of these messages, by digest."""
    digests = [row.digest for row in rows]
    foreign = exchange_store.proofs_about(reads, digests)
    shown = {
        digest: [each for each in found if not each.denied]
        for digest, found in exchange_store.forwardings_about(reads, digests).items()
    }
    own = [row for row in rows if row.state is MessageState.RELEASED]
    deliveries = deliveries_store.by_message(reads, [row.seq for row in own])
    forwarded = deliveries_store.forwarded_by_message(reads, [row.seq for row in rows])
    answered = exchange_store.answers(reads, [row.digest for row in rows if row.state is not MessageState.RELEASED])
    indices = {
        *(each.released_index for found in deliveries.values() for each in found),
        *(index for found in forwarded.values() for index in found),
        *(each.index for each in answered.values()),
        *(each.log_index for found in shown.values() for each in found),
    }
    # What was committed a moment ago may still wait for the checkpoint that proves it.
    entries = log_store.entries_at(reads, [index for index in indices if index < size])
    proven = own_proofs(ledger, entries, size, note)

    def ours(wanted: Iterable[int]) -> list[log_pb2.LogProof]:
        return [proven[index] for index in wanted if index in proven]

    def of(row: MessageRow) -> ExchangeProofs:
        kept, passed = foreign.get(row.digest, []), shown.get(row.digest, [])
        if row.state is MessageState.RELEASED:
            released = ours(sorted(each.released_index for each in deliveries.get(row.seq, [])))
            answers = []
        else:
            released = _foreign(kept, ProofKind.RELEASED) or _foreign(kept, ProofKind.ORIGIN)
            answer = [answered[row.digest].index] if row.digest in answered else []
            answers = ours([*answer, *sorted(each.log_index for each in passed)])
        return ExchangeProofs(
            released=released,
            answers=[*answers, *_foreign(kept, ProofKind.ANSWER)],
            forwarded=[*ours(sorted(forwarded.get(row.seq, []))), *map(foreign_proof, passed)],
        )

    return {row.digest: of(row) for row in rows}


def own_proofs(ledger: Ledger, entries: Sequence[StoredEntry], size: int, note: bytes) -> dict[int, log_pb2.LogProof]:
    """Prove entries of our own log to a checkpoint of ours, by index."""
    proofs = ledger.prove([entry.index for entry in entries], size)
    return {
        entry.index: log_pb2.LogProof(
            proven=log_pb2.ProvenEntry(entry=entry.entry, index=entry.index, inclusion_hashes=hashes), checkpoint=note
        )
        for entry, hashes in zip(entries, proofs, strict=True)
    }


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
