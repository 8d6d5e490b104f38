"""Evidence of one message is a snapshot, despite commits meanwhile; its trail comes in pages."""

from dataclasses import replace
from datetime import UTC, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2
from paiza.officer.v1 import audit_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_node.features.audit.trail import Audit
from paiza_node.features.officers import admit
from paiza_node.features.officers.model import Admission, CertificatePair
from paiza_wire import log_entries
from paiza_wire.errors import Rejected
from paiza_wire.message import VerifiedMessage
from paiza_wire.tlog import notes
from paiza_wire.tlog.checkpoint import Checkpoint
from tests.log_entries import entry_of
from tests.unit.paiza_node.between import erased
from tests.unit.paiza_node.office import ACTOR, Office, officer_id
from tests.unit.paiza_node.room import Room
from tests.unit.paiza_wire.minting import NOW

OFFICER = Officer("spiffe://kaz.paiza.example/officer/auditor", frozenset({"auditor"}), "inspection")


def received(room: Room) -> VerifiedMessage:
    """Receive a message."""
    note = room.message("tjk", "free-message", FreeMessage(subject="Exercise", text="Nothing of this is real."))
    room.put(note)
    return note


def audit_of(room: Room) -> Audit:
    """Make the verb; no register but the one in force is known."""
    cache = SimpleNamespace(version=bytes(32), archived=lambda _version: None)
    return Audit(
        register_cache=cast("Any", cache),
        ledger=room.ledger,
        store=room.store,
        misbehaviour=lambda _member: [],
        clock=lambda: NOW,
    )


def append(room: Room, digest: bytes, actor: str) -> None:
    """Log something about a message."""
    room.ledger.commit_now(lambda tx: tx.append(log_entries.opened(actor=actor, digest=digest, part_number=0)))


def test_a_commit_between_two_reads_shows_in_no_evidence(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer and an erasure that come after the first read are left to the next evidence file."""
    with Room(database_url) as room:
        note, audit = received(room), audit_of(room)
        before = audit.evidence(OFFICER, note.digest)
        read_message = messages_store.message

        def work(tx: LogTransaction) -> None:
            answer = entry_of(log_pb2.LOG_EVENT_RECEIVED, message_digest=note.digest).SerializeToString()
            proof = ForeignProof(note.digest, "uzb", ProofKind.ANSWER, answer, 0, b"", b"note of uzb", bytes(32))
            exchange_store.add_proofs(tx.conn, [proof])
            erased(room, note, tx)

        def commit_after(reads: ReadConnection, digest: bytes) -> MessageRow | None:
            found = read_message(reads, digest)
            monkeypatch.undo()
            room.ledger.commit_now(work)
            return found

        monkeypatch.setattr(messages_store, "message", commit_after)
        assert audit.evidence(OFFICER, note.digest) == before
        after = audit.evidence(OFFICER, note.digest)
        assert (len(after.answers), after.message == before.message) == (len(before.answers) + 1, False)


def test_a_trail_comes_in_pages_that_end_where_the_first_was_asked_for(database_url: str) -> None:
    """Each is proven to the checkpoint of its moment; what is logged while they are read is left to the next trail."""
    with Room(database_url) as room:
        note, audit = received(room), audit_of(room)
        actors = [f"officer {number}" for number in range(5)]
        for actor in actors:
            append(room, note.digest, actor)
        request = audit_pb2.GetTrailRequest(message_digest=note.digest, page_size=2)
        found: list[str] = []
        foreign: list[int] = []
        for _ in range(3):
            page = audit.trail(OFFICER, request)
            size = Checkpoint.parse(notes.parse_note(page.checkpoint).text).size
            assert size == room.ledger.checkpoint.size
            found += [log_pb2.LogEntry.FromString(each.entry).actor for each in page.entries]
            foreign.append(len(page.foreign_proofs))
            append(room, note.digest, "who reads")
            request.page_token = page.next_page_token
        assert (found, foreign, request.page_token) == (actors, [1, 0, 0], "")


@pytest.mark.parametrize("token", ["x", "1", "1.2.3", "-1.4"])
def test_a_token_of_somebody_else_is_refused(database_url: str, token: str) -> None:
    """Only what this node gave leads to a page."""
    with Room(database_url) as room:
        note, audit = received(room), audit_of(room)
        append(room, note.digest, "officer")
        with pytest.raises(Rejected, match="malformed"):
            audit.trail(OFFICER, audit_pb2.GetTrailRequest(message_digest=note.digest, page_token=token))


def test_coordinators_see_whose_certificates_end_soon(office: Office) -> None:
    """From 30 days before the end, the earliest first; nobody else is told."""
    admissions: list[Admission] = []
    for name, days in (("petrov", 29), ("sidorov", 3), ("ivanov", 90)):
        pair = office.pair(name)
        ends = replace(pair.signing, not_after=NOW + timedelta(days=days))
        both = CertificatePair(pair.authentication, ends)
        admissions.append(Admission(officer_id(name), frozenset({"liaison"}), "", both))
    office.run(lambda tx: admit.admit(tx, admissions, actor=ACTOR))
    cache = SimpleNamespace(last=SimpleNamespace(members={}, unusable={}, certificate_verifier=office.verifier))
    audit = Audit(
        register_cache=cast("Any", cache),
        ledger=office.ledger,
        store=office.store,
        misbehaviour=lambda _member: [],
        clock=lambda: NOW,
    )
    told = audit.status(with_officers=True).ending_certificates
    assert [each.officer for each in told] == [officer_id("sidorov"), officer_id("petrov")]
    assert told[0].expiry_time.ToDatetime(tzinfo=UTC) == NOW + timedelta(days=3)
    assert not audit.status().ending_certificates
