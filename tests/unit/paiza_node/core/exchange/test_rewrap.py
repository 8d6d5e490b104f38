"""Messages as they are delivered: each recipient gets its own wraps and the author's."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2, message_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.exchange.model import Outgoing
from paiza_node.core.exchange.rewrap import for_recipient
from paiza_node.core.exchange.send.peer_queue import PeerQueue
from paiza_node.core.exchange.send.results import Outcome, _write
from paiza_node.core.messages import store as messages_store
from paiza_node.core.peers.model import PeerLogView
from tests.unit.paiza_node.between import erased
from tests.unit.paiza_node.room import MEMBER, Room

KNOWN = PeerLogView("tjk", 1, bytes(32), b"tjk.paiza.example/log/1\n", datetime(2026, 11, 23, tzinfo=UTC))


def message(*readers: str) -> message_pb2.SignedMessage:
    """Make a message of two parts, both wrapped for these readers, with a field of a later version."""
    made = message_pb2.SignedMessage(
        header=b"header",
        subject=b"subject",
        signatures=[message_pb2.Signature(signer_id="spiffe://kaz.paiza.example/officer/liaison", signature=b"s")],
        wraps=[
            message_pb2.Wrap(part_number=number, recipient=reader, wrapped_key=f"{number} {reader}".encode())
            for reader in readers
            for number in (0, 1)
        ],
        parts=[message_pb2.SealedPart(part_number=number, ciphertext=b"c") for number in (0, 1)],
    )
    made.MergeFromString(b"\xfa\x07\x01x")
    return made


@pytest.mark.parametrize("others", [(), ("uzb",), ("uzb", "rus", "tkm")])
def test_a_recipient_gets_its_wraps_and_the_authors(others: tuple[str, ...]) -> None:
    """Nothing else of the message changes."""
    whole = message(*others, "tjk", "kaz").SerializeToString(deterministic=True)
    assert for_recipient(whole, "kaz", "tjk") == message("tjk", "kaz").SerializeToString(deterministic=True)


def test_a_damaged_message_is_delivered_as_it_is() -> None:
    """It is the recipient who refuses it; the messages behind it go on."""
    assert for_recipient(b"\xff\xff", "kaz", "tjk") == b"\xff\xff"


def test_the_queue_of_a_member_sends_the_wraps_of_that_member() -> None:
    """A notice to many does not carry the keys of the others."""
    queue = PeerQueue(
        cast("Any", SimpleNamespace(member="kaz")),
        cast("Any", SimpleNamespace(member="tjk")),
        lambda _reads, _proof: None,
    )
    outgoing = Outgoing(1, b"digest", 0, message("tjk", "uzb", "kaz").SerializeToString(), 5, b"entry")
    sent = exchange_pb2.Dispatch()
    queue._fill(sent, outgoing, [b"hash"])
    assert sent.release.released == log_pb2.ProvenEntry(entry=b"entry", index=5, inclusion_hashes=[b"hash"])
    assert sent.release.message == message("tjk", "kaz").SerializeToString(deterministic=True)


def test_a_peer_that_asks_anew_does_not_bring_back_what_was_erased(database_url: str) -> None:
    """A peer may hold a batch for a minute before it says that it cannot open it: what was erased meanwhile is gone."""
    with Room(database_url) as room:
        note = room.message(MEMBER, "free-message", FreeMessage(subject="Exercise", text="Nothing of this is real."))
        room.ledger.commit_now(lambda tx: room.write(tx, note))
        raw = note.signed.SerializeToString()
        outcome = Outcome(Outgoing(1, note.digest, 0, raw, 0, b""), rewrapped=raw)
        room.ledger.commit_now(lambda tx: erased(room, note, tx))
        room.ledger.commit_now(lambda tx: _write("node", "tjk", [outcome], KNOWN, tx, ahead=False))
        assert messages_store.read_signed(room.store, note.digest) is None
