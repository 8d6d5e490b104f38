"""Exercise and reality do not mix in a thread, nor in a federation that is an exercise."""

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.access.model import Officer
from paiza_node.core.exchange.send.exercises import exercise_stage
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_wire.errors import Rejected
from paiza_wire.message import new_message_id
from tests.unit.paiza_node.room import BEGIN, Room

OFFICER = Officer("spiffe://kaz.paiza.example/officer/petrov", frozenset({"liaison"}), "bureau")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A node's room with an empty store."""
    with Room(f"sqlite:///{tmp_path / 'node.db'}") as room:
        yield room


def header(*, exercise: bool, parents: Sequence[bytes] = ()) -> pb.Header:
    """Write as much of a header as is read here."""
    found = pb.Header(
        subject_sha256=bytes(32),
        suite=pb.SUITE_1,
        message_id=new_message_id(BEGIN),
        kind="free-message",
        kind_version=1,
        author="kaz",
        required_signers=[pb.RequiredSigner(id=OFFICER.id, role="liaison")],
        recipients=[pb.Recipient(member="tjk")],
        urgency=pb.URGENCY_ROUTINE,
        handling=pb.Handling(code="H0", tlp="AMBER"),
        register_version=bytes(32),
        parts=[pb.PartDescription(kind=pb.PART_KIND_MAIN, ciphertext_sha256=bytes(32), ciphertext_size=100)],
        parent_digests=parents,
        exercise=exercise,
    )
    found.thread_id = secrets.token_bytes(16) if parents else found.message_id
    found.author_time.FromDatetime(BEGIN)
    found.review_time.FromDatetime(BEGIN)
    return found


def row(*, exercise: bool, seq: int = 1) -> MessageRow:
    """Make a stored message."""
    written = header(exercise=exercise)
    return MessageRow(
        seq=seq,
        digest=secrets.token_bytes(32),
        author="kaz",
        message_id=written.message_id,
        thread_id=written.thread_id,
        thread_name="KAZ-2026-00001",
        kind=written.kind,
        urgency=written.urgency,
        state=MessageState.RELEASED,
        header=written.SerializeToString(deterministic=True),
        stored_time=BEGIN,
        signed=b"sealed",
    )


def judged(
    room: Room, written: pb.Header, before: Sequence[MessageRow] = (), *, all_are: bool = False, first: bool = False
) -> Rejected | None:
    """Return what the stage says of a message."""

    def work(tx: LogTransaction) -> Any:
        item: Any = SimpleNamespace(message=SimpleNamespace(header=written), goes_first=first)
        judge = exercise_stage(lambda: all_are).open(tx, OFFICER, [item]).judge
        assert judge is not None
        return judge(item, before)

    refused: Rejected | None = room.ledger.commit_now(work).result
    return refused


@pytest.mark.parametrize("parent", [False, True])
@pytest.mark.parametrize("answer", [False, True])
@pytest.mark.parametrize("stored", [False, True])
def test_an_answer_is_an_exercise_exactly_if_its_parent_is(
    room: Room, *, parent: bool, answer: bool, stored: bool
) -> None:
    """Of a stored parent, and of one released in the same batch."""
    known = row(exercise=parent)
    if stored:
        room.ledger.commit_now(lambda tx: messages_store.add_messages(tx.conn, [known]))
    refused = judged(room, header(exercise=answer, parents=[known.digest]), [] if stored else [known])
    assert (refused is None) is (parent == answer)
    assert refused is None or refused.reason == "exercise_differs"


def test_a_parent_that_is_not_here_decides_nothing(room: Room) -> None:
    """Another stage refuses what follows from it."""
    assert judged(room, header(exercise=True, parents=[bytes(32)])) is None


def test_a_real_stop_goes_everywhere(room: Room) -> None:
    """Nothing holds it up; a stop that is an exercise stays among exercises."""
    drill, real = row(exercise=True), row(exercise=False, seq=2)
    assert judged(room, header(exercise=False, parents=[drill.digest]), [drill], first=True) is None
    assert judged(room, header(exercise=True, parents=[real.digest]), [real], first=True) is not None


def test_in_a_federation_that_is_an_exercise_every_message_is_marked(room: Room) -> None:
    """Also the first of a thread."""
    assert judged(room, header(exercise=True), all_are=True) is None
    refused = judged(room, header(exercise=False), all_are=True)
    assert refused is not None
    assert refused.reason == "exercise_differs"
