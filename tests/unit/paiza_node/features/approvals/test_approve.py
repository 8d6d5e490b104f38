"""What waits for a second officer is shown only while it waits, and signed by those who may act. On both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1.message_pb2 import Signature, SignedMessage
from paiza.officer.v1 import approval_pb2, officer_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.exchange.stages import Submission
from paiza_node.core.limits import Limits
from paiza_node.core.log.ledger import Work
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.quotas.model import Used
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.approve import Approve
from paiza_node.features.approvals.model import ApprovalRow, ApprovalState
from paiza_wire import log_entries
from paiza_wire.errors import Rejected
from paiza_wire.message import PendingMessage, VerifiedMessage
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


async def test_no_quota_of_a_day_holds_up_an_approval(room: Room) -> None:
    """An officer who has used up their log entries signs all the same."""
    message = waiting(room)
    signer = message.header.required_signers[-1]
    last = replace(SECOND, id=signer.id)
    base = SignedMessage(header=message.signed.header).SerializeToString()
    room.ledger.commit_now(lambda tx: tx.append(log_entries.consulted(actor=last.id)))  # stands for SUBMITTED
    room.ledger.commit_now(lambda tx: approvals_store.put_signed(tx.conn, message.digest, base, (last.id,)))
    caller = CallerKey("officer", last.id)
    room.ledger.quotas.add(caller, Used(log_entries=Limits().officer_log_entries_per_day))
    certificate: Any = SimpleNamespace(fingerprint=bytes(32))
    pending = PendingMessage(message.digest, message.header, message.signed, ((signer, certificate),), ())
    submit: Any = SimpleNamespace(
        examine=lambda _officer, raw: Submission(pending, raw, b""),
        check_signers=lambda _message: None,
        log_released=lambda _officer, _outcomes: None,
        answer=lambda _outcome, _size: officer_pb2.SubmitResult(),
    )
    request = approval_pb2.ApproveRequest(message_digest=message.digest, signature=Signature(signer_id=last.id))
    token = CALLER.set(caller)
    try:
        await Approve(room.core, submit=submit, officers=dict).sign(last, request)
    finally:
        CALLER.reset(token)
    assert room.events(message.digest) == ["APPROVED"]


class Overtaken:
    """The checks of a submission, which an officer's suspension overtakes before the commit."""

    def __init__(self, pending: PendingMessage) -> None:
        self._pending = pending

    def examine(self, _officer: Officer, raw: bytes) -> Submission:
        """Find nothing wrong."""
        return Submission(self._pending, raw, b"")

    def check_signers(self, _message: PendingMessage) -> None:
        """Find a signer suspended."""
        raise Rejected("officer_suspended", "they are suspended")


async def test_a_suspended_officers_signature_is_not_added(room: Room) -> None:
    """Nothing of theirs comes after their suspension in the log, also where a third signature is missing still."""
    message = waiting(room)
    last = replace(SECOND, id=message.header.required_signers[-1].id)
    base = SignedMessage(header=message.signed.header).SerializeToString()
    room.ledger.commit_now(lambda tx: approvals_store.put_signed(tx.conn, message.digest, base, (last.id,)))
    submit: Any = Overtaken(PendingMessage(message.digest, message.header, message.signed, (), ()))
    request = approval_pb2.ApproveRequest(message_digest=message.digest, signature=Signature(signer_id=last.id))
    with pytest.raises(Rejected, match="officer_suspended"):
        await Approve(room.core, submit=submit, officers=dict).sign(last, request)
    assert room.events(message.digest) == ["DENIED officer_suspended"]
