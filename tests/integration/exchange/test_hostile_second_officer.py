"""Four eyes against officers who would make do with two: races, replays, foreign signatures and a full desk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC
from pathlib import Path
from typing import Final

import grpc
import pytest
import pytest_asyncio

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import approval_pb2, approval_pb2_grpc, audit_pb2, audit_pb2_grpc, officer_pb2, officer_pb2_grpc
from paiza_node.features.approvals.pending import MAX_WAITING_OF_ONE
from paiza_register import Register
from paiza_wire import message
from tests.federation import Federation
from tests.officer import Officer

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTENT: Final = FreeMessage(subject="Exercise", text="Nothing of this is real.").SerializeToString()
ROUNDS: Final = 12
SECONDS: Final = 60


class UnitDirectory:
    """Officers of kaz, each with a connection of their own."""

    def __init__(self, folder: Path, register: Register, stack: AsyncExitStack) -> None:
        self.officers = {
            name: Officer(folder, f"kaz-{name}", register) for name in ("liaison", "duty", "coordinator", "auditor")
        }
        self.channels: dict[str, grpc.aio.Channel] = {}
        self._stack = stack

    async def connect(self) -> None:
        """Open the connections."""
        for name, officer in self.officers.items():
            self.channels[name] = await self._stack.enter_async_context(officer.channel())

    def draft(self, second: str = "duty", role: str = "duty") -> tuple[bytes, bytes]:
        """Write a message that a second officer must sign, signed by the first; gives it and its header."""
        first = self.officers["liaison"]
        header = first.header(["tjk"])
        header.required_signers.add(id=self.officers[second].id, role=role)
        moment = header.author_time.ToDatetime(tzinfo=UTC)
        keys = [first.recipient_key(member, moment) for member in ("tjk", "kaz")]
        sealed = message.seal(header, [message.PlainPart(message_pb2.PART_KIND_MAIN, CONTENT)], keys)
        return message.sign(sealed, [first.signer]), sealed.header

    async def submit(self, raw: bytes) -> tuple[str, str]:
        """Submit as the first officer; gives what became of it, and why."""
        stub = officer_pb2_grpc.OfficerServiceStub(self.channels["liaison"])
        request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=raw)])
        (result,) = (await stub.Submit(request, timeout=SECONDS)).results
        which = result.WhichOneof("result") or ""
        return which, getattr(result, which).reason if which in {"rejection", "retry"} else ""

    async def approve(self, name: str, header: bytes, *, signer: str = "", about: bytes = b"") -> tuple[str, int]:
        """Sign as an officer, with the key of another perhaps, a header or ``about`` another message."""
        signature = message.countersign(header, self.officers[signer or name].signer)
        request = approval_pb2.ApproveRequest(
            message_digest=message.message_digest(about or header), signature=signature
        )
        stub = approval_pb2_grpc.ApprovalServiceStub(self.channels[name])
        try:
            answer = await stub.Approve(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return _reason(error), 0
        return answer.result.WhichOneof("result") or "", answer.approved.index

    async def decline(self, name: str, header: bytes) -> str:
        """Decline, or take back."""
        request = approval_pb2.DeclineRequest(message_digest=message.message_digest(header), reason_text="Exercise")
        try:
            await approval_pb2_grpc.ApprovalServiceStub(self.channels[name]).Decline(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return _reason(error)
        return "ended"

    async def events(self, header: bytes) -> list[str]:
        """Name what the log says of a message, but for that a test looked."""
        stub = audit_pb2_grpc.AuditServiceStub(self.channels["auditor"])
        request = audit_pb2.GetTrailRequest(message_digest=message.message_digest(header))
        found = (await stub.GetTrail(request, timeout=SECONDS)).entries
        entries = [log_pb2.LogEntry.FromString(each.entry) for each in found]
        return [
            log_pb2.LogEvent.Name(each.event).removeprefix("LOG_EVENT_")
            for each in entries
            if each.event != log_pb2.LOG_EVENT_CONSULTED
        ]


@pytest_asyncio.fixture(loop_scope="module")
async def unit_directory(federation: Federation, register: Register) -> AsyncIterator[UnitDirectory]:
    """Return the officers."""
    async with AsyncExitStack() as stack:
        made = UnitDirectory(federation.folder, register, stack)
        await made.connect()
        yield made


async def test_no_signature_but_the_second_officers_own_releases(unit_directory: UnitDirectory) -> None:
    """Not the writer's, nor a stranger's, nor that under another message, nor in a role that officer does not hold."""
    raw, header = unit_directory.draft()
    other_raw, other = unit_directory.draft()
    assert await unit_directory.submit(raw) == ("waiting", "")
    assert await unit_directory.submit(other_raw) == ("waiting", "")
    assert (await unit_directory.approve("liaison", header))[0] == "self_approval"
    assert (await unit_directory.approve("coordinator", header))[0] == "unknown_id"
    assert (await unit_directory.approve("duty", header, signer="liaison"))[0] == "not_signer"
    assert (await unit_directory.approve("duty", other, about=header))[0] == "bad_signature"
    assert await unit_directory.submit(unit_directory.draft("coordinator", role="authoriser")[0]) == (
        "rejection",
        "policy_denied",
    )
    assert "RELEASED" not in await unit_directory.events(header)
    assert (await unit_directory.events(header)).count("DENIED") == 4
    for each in (header, other):
        assert await unit_directory.decline("liaison", each) == "ended"


async def test_of_all_who_decide_at_once_one_does(unit_directory: UnitDirectory) -> None:
    """Signing, declining and taking back at the same moment: it is released, or never is, and the log says so."""
    for _ in range(ROUNDS):
        raw, header = unit_directory.draft()
        await unit_directory.submit(raw)
        signing = [unit_directory.approve("duty", header) for _ in range(2)]
        ending = [unit_directory.decline("duty", header), unit_directory.decline("liaison", header)]
        signed, ended = await asyncio.gather(asyncio.gather(*signing), asyncio.gather(*ending))
        found = await unit_directory.events(header)
        ends = {"DECLINED", "WITHDRAWN"} & set(found)
        assert found.count("RELEASED") + sum(map(found.count, ends)) == 1
        assert found.count("APPROVED") == found.count("RELEASED")
        assert ("released" in {each for each, _ in signed}) == ("RELEASED" in found)
        assert ("ended" in ended) == bool(ends)
        if ends:
            assert (await unit_directory.submit(raw))[0] == "rejection"


async def test_a_signature_whose_answer_was_lost_is_answered_again(
    federation: Federation, folder: Path, register: Register, unit_directory: UnitDirectory
) -> None:
    """Signing once more gives the entry of then and logs nothing, also after the node was killed."""
    raw, header = unit_directory.draft()
    await unit_directory.submit(raw)
    first = await unit_directory.approve("duty", header)
    assert first[0] == "released"
    before = await unit_directory.events(header)
    assert await unit_directory.approve("duty", header) == first
    federation.node("kaz").kill()
    await asyncio.to_thread(federation.node("kaz").start)
    async with AsyncExitStack() as stack:
        again = UnitDirectory(folder, register, stack)
        await again.connect()
        assert await again.approve("duty", header) == first
        assert await again.events(header) == before


async def test_nobody_fills_up_a_colleagues_desk(unit_directory: UnitDirectory) -> None:
    """The messages of one officer that wait for another are bounded far below that officer's own bound."""
    drafts = [unit_directory.draft() for _ in range(MAX_WAITING_OF_ONE + 1)]
    answers = [await unit_directory.submit(raw) for raw, _ in drafts]
    assert answers == [("waiting", "")] * MAX_WAITING_OF_ONE + [("retry", "busy")]
    for _, header in drafts[:-1]:
        assert await unit_directory.decline("liaison", header) == "ended"
    assert await unit_directory.submit(drafts[-1][0]) == ("waiting", "")


def _reason(error: grpc.aio.AioRpcError) -> str:
    return str(dict(error.trailing_metadata() or ()).get("paiza-reason", ""))
