"""A message that three officers must sign: it waits for each of the others, and goes with the last signature."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC
from typing import Final

import grpc
import pytest
import pytest_asyncio

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import approval_pb2, approval_pb2_grpc, audit_pb2, audit_pb2_grpc
from paiza_register import Register
from paiza_wire import log_entries, message
from tests.attaching import submit
from tests.federation import Federation
from tests.officer import Officer

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIGNERS: Final = ("liaison", "duty", "authoriser")
SECONDS: Final = 60


class Three:
    """Three officers of kaz and an auditor, each with a connection of their own."""

    def __init__(self, federation: Federation, register: Register) -> None:
        self.officers = {name: Officer(federation.folder, f"kaz-{name}", register) for name in (*SIGNERS, "auditor")}
        self.channels: dict[str, grpc.aio.Channel] = {}

    def draft(self) -> tuple[bytes, bytes]:
        """Write a message for the three, signed by the first; gives it and its header."""
        first = self.officers["liaison"]
        header = first.header(["tjk"])
        for name in SIGNERS[1:]:
            header.required_signers.add(id=self.officers[name].id, role=name)
        moment = header.author_time.ToDatetime(tzinfo=UTC)
        content = FreeMessage(subject="Exercise", text="Nothing of this is real.").SerializeToString()
        keys = [first.recipient_key(member, moment) for member in ("tjk", "kaz")]
        sealed = message.seal(header, [message.PlainPart(message_pb2.PART_KIND_MAIN, content)], keys)
        return message.sign(sealed, [first.signer]), sealed.header

    async def approve(self, name: str, header: bytes) -> approval_pb2.ApproveResponse:
        """Sign as an officer."""
        request = approval_pb2.ApproveRequest(
            message_digest=message.message_digest(header),
            signature=message.countersign(header, self.officers[name].signer),
        )
        stub = approval_pb2_grpc.ApprovalServiceStub(self.channels[name])
        answer: approval_pb2.ApproveResponse = await stub.Approve(request, timeout=SECONDS)
        return answer

    async def waiting(self, name: str, header: bytes) -> list[str]:
        """Name the missing signers that an officer sees; empty if the message does not wait for that officer."""
        stub = approval_pb2_grpc.ApprovalServiceStub(self.channels[name])
        found = (await stub.ListPendingApprovals(approval_pb2.ListPendingApprovalsRequest(), timeout=SECONDS)).messages
        digest = message.message_digest(header)
        return [
            each.rpartition("/")[2] for one in found if one.message_digest == digest for each in one.missing_signers
        ]

    async def trail(self, header: bytes) -> list[tuple[str, list[str]]]:
        """Return what the log says of a message, and whose signatures it names."""
        stub = audit_pb2_grpc.AuditServiceStub(self.channels["auditor"])
        request = audit_pb2.GetTrailRequest(message_digest=message.message_digest(header))
        entries = [log_pb2.LogEntry.FromString(each.entry) for each in (await stub.GetTrail(request)).entries]
        return [
            (
                log_pb2.LogEvent.Name(each.event).removeprefix("LOG_EVENT_"),
                [signer.id.rpartition("/")[2] for signer in log_entries.signers(each)],
            )
            for each in entries
            if each.event != log_pb2.LOG_EVENT_CONSULTED  # that a test looked
            if each.event != log_pb2.LOG_EVENT_DELIVERED
        ]


@pytest_asyncio.fixture(loop_scope="module")
async def three(federation: Federation, register: Register) -> AsyncIterator[Three]:
    """Return the officers."""
    async with AsyncExitStack() as stack:
        made = Three(federation, register)
        for name, officer in made.officers.items():
            made.channels[name] = await stack.enter_async_context(officer.channel())
        yield made


@pytest.mark.parametrize("order", [("duty", "authoriser"), ("authoriser", "duty")])
async def test_it_waits_for_each_and_goes_with_the_last(three: Three, order: tuple[str, str]) -> None:
    """A message is released after both other signatures, in either order."""
    raw, header = three.draft()
    assert (await submit(three.channels["liaison"], raw)).WhichOneof("result") == "waiting"
    assert sorted(await three.waiting("liaison", header)) == ["authoriser", "duty"]
    first = await three.approve(order[0], header)
    assert first.result.WhichOneof("result") == "waiting"
    assert [each.rpartition("/")[2] for each in first.result.waiting.missing_signers] == [order[1]]
    assert "RELEASED" not in [event for event, _ in await three.trail(header)]
    assert await three.waiting(order[0], header) == []
    assert await three.waiting(order[1], header) == [order[1]]
    # A repeated signature adds nothing.
    again = await three.approve(order[0], header)
    assert (again.result.WhichOneof("result"), again.approved.index) == ("waiting", first.approved.index)
    last = await three.approve(order[1], header)
    assert last.result.WhichOneof("result") == "released"
    assert [each.signer_id.rpartition("/")[2] for each in last.signatures] == list(SIGNERS)
    assert await three.trail(header) == [
        ("SUBMITTED", ["liaison"]),
        ("APPROVED", [order[0]]),
        ("APPROVED", [order[1]]),
        ("RELEASED", list(SIGNERS)),
    ]


async def test_both_who_are_missing_sign_at_once(three: Three) -> None:
    """One of two simultaneous signatures may have to be repeated; the message is released once."""
    for _ in range(5):
        raw, header = three.draft()
        await submit(three.channels["liaison"], raw)
        answers = await asyncio.gather(*(three.approve(name, header) for name in SIGNERS[1:]), return_exceptions=True)
        for name, answer in zip(SIGNERS[1:], answers, strict=True):
            if isinstance(answer, BaseException):
                assert isinstance(answer, grpc.aio.AioRpcError), answer
                assert dict(answer.trailing_metadata() or ())["paiza-reason"] == "busy"
                await three.approve(name, header)
        events = [event for event, _ in await three.trail(header)]
        assert (events.count("APPROVED"), events.count("RELEASED")) == (2, 1)
