"""Showing what waits for a second officer: only while it waits. On both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.officer.v1 import approval_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.log.ledger import LogTransaction, Work
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.approve import Approve
from paiza_node.features.approvals.model import ApprovalRow, ApprovalState
from paiza_wire.errors import Rejected
from paiza_wire.message import VerifiedMessage
from tests.unit.paiza_node.room import MEMBER, Room

DRAFTER = Officer("spiffe://kaz.paiza.example/officer/liaison", frozenset({"liaison"}), "bureau")
SECOND = Officer("spiffe://kaz.paiza.example/officer/authoriser", frozenset({"authoriser"}), "bureau")
NOTE = FreeMessage(subject="Exercise", text="Nothing of this is real.")


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A node's room with an empty store."""
    with Room(database_url) as room:
        yield room


def waiting(room: Room) -> VerifiedMessage:
    """Submit a message that waits for the second officer."""
    message = room.message(MEMBER, "free-message", NOTE, two=True)
    row = ApprovalRow(
        digest=message.digest,
        message_id=message.header.message_id,
        drafter=DRAFTER.id,
        header=message.signed.header,
        submitted_index=0,
        submitted_time=room.clock.now,
        expires_time=room.clock.now + timedelta(hours=72),
        missing=(SECOND.id,),
        signed=message.signed.SerializeToString(),
    )
    room.ledger.commit_now(lambda tx: approvals_store.add_approval(tx.conn, row))
    return message


def approve(room: Room, before: Work[object]) -> Approve:
    """Make the verbs, with something that is committed just before their own commit."""
    return Approve(
        room.overtaken_by(before),
        submit=None,  # type: ignore[arg-type]  # nothing is submitted here
        officers=dict,
    )


async def test_what_waits_is_shown_whole_to_whom_it_names(room: Room) -> None:
    """Every part that was asked for comes with its key, and the log says who saw it."""
    message = waiting(room)
    request = approval_pb2.GetPendingApprovalRequest(message_digest=message.digest)
    shown = await approve(room, lambda _tx: None).show(SECOND, request)
    keys = [(each.part_number, each.part_key) for each in shown.part_keys]
    assert keys == [(0, room.core.decryption_keys.part_key(message, 0))]
    assert [each.proven.index for each in shown.opened] == [0]
    assert room.events(message.digest) == ["OPENED"]


async def test_what_ends_before_the_commit_is_not_shown(room: Room) -> None:
    """A message that is declined or released meanwhile is handed to nobody, and nobody read it."""
    message = waiting(room)

    def declined(tx: LogTransaction) -> None:
        approvals_store.end_approval(tx.conn, message.digest, ApprovalState.DECLINED, "approval_declined")

    with pytest.raises(Rejected) as refused:
        await approve(room, declined).show(
            SECOND, approval_pb2.GetPendingApprovalRequest(message_digest=message.digest)
        )
    assert refused.value.reason == "approval_declined"
    assert room.events(message.digest) == []
