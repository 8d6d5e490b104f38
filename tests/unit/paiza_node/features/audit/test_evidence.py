"""Cosigned proofs for evidence: of our own log made when asked, of others as kept; and by which register they count."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import audit_pb2
from paiza_client.verify.logs import LogReader
from paiza_client.verify.logs import Registers as Sets
from paiza_client.verify.proven_time import Before, interval
from paiza_node.core.exchange.proofs import own_proof
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import Store, open_store
from paiza_node.features.audit.evidence import spans_of
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.model import CosignedProof, CosignedSpan, WitnessedNote
from paiza_register import RegisterReader, load_set
from paiza_wire import log_entries
from paiza_wire.tlog import cosignatures
from paiza_wire.tlog.merkle import HASH_BYTES
from paiza_wire.tlog.tlog_proof import TlogProof
from tests.evidence import Court
from tests.log_entries import entry_of
from tests.unit.paiza_node.room import NoFile

OTHERS = ("tjk", "uzb", "kgz", "tkm")


@dataclass
class Room:
    """The node of kaz as far as evidence needs it."""

    court: Court
    store: Store
    ledger: Ledger
    registers: RegisterCache

    def commit(self, count: int) -> None:
        """Add entries."""

        def work(tx: LogTransaction) -> None:
            for _ in range(count):
                tx.append(log_entries.searched(actor=""))

        self.ledger.commit_now(work)

    def witness(self, by: Sequence[str] = OTHERS) -> WitnessedNote:
        """Cosign the newest checkpoint."""
        head = self.ledger.checkpoint
        at = self.court.tick()
        made = [cosignatures.cosign(head, self.court.logs[member].keys.witness, at) for member in by]
        note = cosignatures.add_signatures(head.note, made)
        found = WitnessedNote(head.origin, head.size, head.root, note, at, tuple(sorted(by)))
        self.ledger.commit_now(lambda tx: witness_store.put_witnessed(tx.conn, found))
        return found

    def proof(self, index: int) -> log_pb2.LogProof:
        """Prove an entry to the newest checkpoint."""
        with self.store.reads() as reads:
            (entry,) = log_store.entries_at(reads, [index])
        head = self.ledger.checkpoint
        return own_proof(self.ledger, entry, head.size, head.note)

    def spans(self, *proofs: log_pb2.LogProof) -> list[audit_pb2.EvidenceSpan]:
        """Ask for the cosigned proofs of these entries."""
        with self.store.reads() as reads:
            return spans_of(reads, self.ledger, self.registers, proofs)


def registers_of(court: Court, reader: RegisterReader) -> RegisterCache:
    """Return the register that the court published last."""
    reader.refresh(court.now, court.fetch())
    return RegisterCache(reader, lambda: court.now)


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Room]:
    """A node of a federation of five, its database empty."""
    court = Court(tmp_path / "federation")
    registers = registers_of(court, RegisterReader(tmp_path / "cache", court.root))
    store = open_store(database_url)
    signer = court.logs["kaz"].keys.log
    ledger = Ledger(store, LogSigner(signer), NoFile(), lambda: court.register.version, court.tick)
    yield Room(court, store, ledger, registers)
    ledger.close()
    store.close()


def judged(room: Room, span: audit_pb2.EvidenceSpan, place: int, proof: log_pb2.LogProof) -> object:
    """Check a span as a reader of the evidence does."""
    court = room.court
    sets = Sets(court.register, {version: load_set(files, court.root, None) for version, files in court.sets.items()})
    reader = LogReader(sets)
    proven = span.span.entries[place]
    filed = TlogProof(proven.index, tuple(proven.inclusion_hashes), span.span.note, span.register_version)
    cosigned = log_pb2.LogProof()
    cosigned.CopyFrom(proof)
    cosigned.checkpoint = filed.note
    del cosigned.proven.inclusion_hashes[:]
    cosigned.proven.inclusion_hashes.extend(filed.hashes)
    _read, entry = reader.proof(cosigned)
    before = Before(span.span.before_note, tuple(span.span.consistency_hashes)) if span.span.before_note else None
    named = sets.at(entry.entry.register_version)
    return interval(filed, before, entry, named, sets.at(span.register_version), reader)


def test_entries_lie_between_the_notes_around_them(room: Room) -> None:
    """Entries between the same two witnessed notes share a span; one that no note holds has none yet."""
    room.commit(3)
    room.witness()
    room.commit(4)
    room.witness()
    room.commit(1)
    proofs = [room.proof(index) for index in (1, 4, 5, 7)]
    spans = room.spans(*proofs)
    assert [[each.index for each in span.span.entries] for span in spans] == [[1], [4, 5]]
    assert [bool(span.span.before_note) for span in spans] == [False, True]
    for span, place, proof in ((spans[0], 0, proofs[0]), (spans[1], 0, proofs[1]), (spans[1], 1, proofs[2])):
        assert judged(room, span, place, proof)


def test_whose_cosignatures_are_enough_is_said_by_a_register(room: Room) -> None:
    """The register of the entry judges, else the one in force; a note that is enough by neither is left out."""
    court = room.court
    room.commit(1)
    named = court.register.version
    room.witness(OTHERS[:2])
    proof = room.proof(0)
    assert room.spans(proof) == []
    federation = court.document("federation.json")
    for member in OTHERS[2:]:
        federation["members"][member]["status"] = "suspended"
    court.publish({"federation.json": federation})
    room.registers = registers_of(court, room.registers._reader)
    (span,) = room.spans(proof)
    assert span.register_version == court.register.version != named
    assert judged(room, span, 0, proof)


def test_a_note_before_that_is_not_enough_is_left_out(room: Room) -> None:
    """Only the upper bound is given if too few cosigned the note before an entry."""
    room.commit(1)
    room.witness(OTHERS[:1])
    room.commit(1)
    room.witness()
    (span,) = room.spans(room.proof(1))
    assert span.span.before_note == b""
    assert judged(room, span, 0, room.proof(1))


def test_of_another_log_is_given_what_is_kept(room: Room) -> None:
    """A cosigned proof of another's entry is given with the register it was judged by; of another origin none."""
    court = room.court
    log = court.logs["tjk"]
    entry = entry_of(log_pb2.LOG_EVENT_SEARCHED, register_version=court.register.version)
    index = log.append(entry, court.tick())
    note = court.cosigned(log, log.tree.size, ["kaz", "uzb", "kgz", "tkm"], court.now + timedelta(seconds=1))
    hashes = b"".join(log.tree.inclusion_proof(index, log.tree.size))
    kept = CosignedProof("tjk", index, hashes, CosignedSpan(b"", note, b"", court.register.version))
    proof = log.proof(index)
    assert room.spans(proof) == []
    room.ledger.commit_now(lambda tx: witness_store.add_cosigned(tx.conn, [kept]))
    (span,) = room.spans(proof)
    assert span.span.note == note
    assert len(span.span.entries[0].inclusion_hashes) == len(hashes) // HASH_BYTES
    assert judged(room, span, 0, proof)
    elsewhere = log_pb2.LogProof()
    elsewhere.CopyFrom(proof)
    elsewhere.checkpoint = proof.checkpoint.replace(b"/log/1", b"/log/2")
    assert room.spans(elsewhere) == []
