"""Evidence of one message is of one moment, whatever is committed while it is collected. On both databases."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.log.ledger import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_node.features.audit.trail import Audit
from tests.log_entries import entry_of
from tests.unit.paiza_node.between import erased
from tests.unit.paiza_node.room import Room


def test_a_commit_between_two_reads_shows_in_no_evidence(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer and an erasure that come after the first read are left to the next evidence file."""
    with Room(database_url) as room:
        note = room.message("tjk", "free-message", FreeMessage(subject="Exercise", text="Nothing of this is real."))
        room.put(note)
        cache = SimpleNamespace(version=bytes(32), archived=lambda _version: None)
        audit = Audit(
            register_cache=cast("Any", cache), ledger=room.ledger, store=room.store, misbehaviour=lambda _member: []
        )
        before = audit.evidence(note.digest)
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
        assert audit.evidence(note.digest) == before
        after = audit.evidence(note.digest)
        assert (len(after.answers), after.message == before.message) == (len(before.answers) + 1, False)
