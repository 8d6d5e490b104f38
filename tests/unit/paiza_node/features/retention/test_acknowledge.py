"""Holders' answers to erasure requests: only proven, requested and new ones change anything."""

from collections.abc import Iterator

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.content.v1.erasure_pb2 import ErasureRequest
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2
from paiza.officer.v1 import retention_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.exchange.piggyback import check_answers
from paiza_node.core.log import store as log_store
from paiza_node.features.retention.acknowledge import MAX_ANSWERS, erasure_answers
from paiza_node.features.retention.erasure_status import ANSWER_WITHIN, ErasureStatus
from paiza_wire.errors import Rejected
from paiza_wire.receipts import ERASURE_ANSWERS
from paiza_wire.tlog import merkle
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from tests.log_entries import entry_of
from tests.unit.paiza_node.room import BEGIN, MEMBER, Room

NOTE = FreeMessage(subject="Exercise", text="Nothing of this is real.")
REQUEST = ErasureRequest(reason="review", explanation="Exercise")
ANSWERS = erasure_answers(MEMBER, "node")
AUDITOR = Officer("spiffe://kaz.paiza.example/officer/auditor", frozenset({"auditor"}), "")


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A room on either database."""
    with Room(database_url) as room:
        yield room


def answered(
    digest: bytes,
    request: bytes,
    event: "log_pb2.LogEvent.ValueType" = log_pb2.LOG_EVENT_ERASED,
    counterpart: str = MEMBER,
    index: int = 0,
    log: int = 1,
) -> tuple[log_pb2.ProvenEntry, VerifiedCheckpoint]:
    """Make an entry of a holder's log that stands at ``index``, proven to a checkpoint."""
    entry = entry_of(
        event,
        salt=bytes(16),
        actor="spiffe://tjk.paiza.example/node",
        counterpart=counterpart,
        message_digest=digest,
        **({"reason": "policy_denied"} if event == log_pb2.LOG_EVENT_DENIED else {}),
        **({"request_digest": request} if event in ERASURE_ANSWERS else {}),
        register_version=bytes(32),
    )
    entry.entry_time.CopyFrom(Timestamp(seconds=1_800_000_000))
    raw = entry.SerializeToString(deterministic=True)
    leaf, other = merkle.leaf_hash(raw), merkle.leaf_hash(b"other")
    root = merkle.node_hash(leaf, other) if index == 0 else merkle.node_hash(other, leaf)
    origin = f"tjk.paiza.example/log/{log}"
    checkpoint = VerifiedCheckpoint(origin, 2, root, f"{origin}\nnote {raw.hex()} {index}".encode())
    return log_pb2.ProvenEntry(entry=raw, index=index, inclusion_hashes=[other]), checkpoint


def take(room: Room, proven: log_pb2.ProvenEntry, checkpoint: VerifiedCheckpoint, member: str = "tjk") -> set[bytes]:
    """Record an answer that comes with a Deliver; return the messages that it changed."""
    answers = check_answers(ANSWERS, [proven], checkpoint, member)
    return room.ledger.commit_now(lambda tx: ANSWERS.record(tx, answers, member)).result


def asked(room: Room, members: tuple[str, ...] = ("kaz", "tjk")) -> tuple[bytes, bytes]:
    """Release a message and a request to erase it; gives both digests."""
    note = room.message(MEMBER, "free-message", NOTE, members=members)
    room.put(note)
    request = room.message(
        MEMBER,
        "erasure-request",
        REQUEST,
        thread=note.header.thread_id,
        parents=[note.digest],
        members=members,
        two=True,
    )
    room.put(request)
    return note.digest, request.digest


def states(room: Room) -> dict[str, tuple[int, bool]]:
    """Return state, and whether it is overdue, by holder."""
    answer = ErasureStatus(room.core)(AUDITOR, retention_pb2.ListErasuresRequest())
    return {each.holder: (each.state, each.overdue) for each in answer.erasures}


def test_an_answer_is_kept_and_logged_once(room: Room) -> None:
    """A repeat, or an earlier entry, changes nothing; a later one of the same holder takes its place."""
    digest, request = asked(room)
    held = answered(digest, request, log_pb2.LOG_EVENT_ERASURE_DENIED)
    erased = answered(digest, request, index=1)
    assert states(room) == {"tjk": (1, False)}
    assert take(room, *held) == {digest}
    assert states(room) == {"tjk": (3, True)}
    assert take(room, *held) == set()
    assert take(room, *erased) == {digest}
    assert take(room, *held) == set()
    assert states(room) == {"tjk": (2, False)}
    with room.store.reads() as reads:
        entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries_of(reads, digest)]
    assert {each.event for each in entries} == {log_pb2.LOG_EVENT_ERASURE_ANSWERED}
    answers = [each.erasure_answered.answer for each in entries]
    assert answers == [log_pb2.LOG_EVENT_ERASURE_DENIED, log_pb2.LOG_EVENT_ERASED]


def test_an_answer_of_the_log_that_follows_a_lost_one_is_later(room: Room) -> None:
    """A holder that was restored erases after all: its new log says so at an index below that of its earlier word."""
    digest, request = asked(room)
    take(room, *answered(digest, request, log_pb2.LOG_EVENT_ERASURE_DENIED, index=1))
    assert states(room) == {"tjk": (3, True)}
    erased = answered(digest, request, index=0, log=2)
    assert take(room, *erased) == {digest}
    assert take(room, *erased) == set()
    assert states(room) == {"tjk": (2, False)}


def test_who_does_not_answer_in_time_is_named(room: Room) -> None:
    """Silence is overdue after the time to answer, not before."""
    asked(room)
    room.clock.now = BEGIN + ANSWER_WITHIN
    assert states(room) == {"tjk": (1, True)}


def test_what_was_not_asked_is_passed_over(room: Room) -> None:
    """An answer of a member that was not asked, for another message, to another request, or of another kind."""
    digest, request = asked(room)
    other, _ = asked(room, ("kaz", "uzb"))
    for proven, checkpoint in (
        answered(other, request),
        answered(digest, bytes(32)),
        answered(digest, digest),
        answered(digest, request, counterpart="uzb"),
        answered(digest, request, log_pb2.LOG_EVENT_DENIED),
        answered(digest, request, log_pb2.LOG_EVENT_RECEIVED),
    ):
        assert take(room, proven, checkpoint) == set()
    assert take(room, *answered(digest, request), member="uzb") == set()
    assert {state for state, _ in states(room).values()} == {1}


def test_what_is_not_proven_is_passed_over(room: Room) -> None:
    """An entry that does not lead to the checkpoint is the teller's own loss, and too many are refused."""
    digest, request = asked(room)
    proven, checkpoint = answered(digest, request)
    forged = VerifiedCheckpoint(checkpoint.origin, 2, bytes(32), checkpoint.note)
    assert take(room, proven, forged) == set()
    with pytest.raises(Rejected, match="at most"):
        check_answers(ANSWERS, [proven] * (MAX_ANSWERS + 1), checkpoint, "tjk")
