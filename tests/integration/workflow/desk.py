"""A member's desk in the tests of workflows: two officers, their node's services, and news to wait for."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc, workflow_pb2, workflow_pb2_grpc
from paiza_register import Register
from paiza_wire import message as wire
from tests import delivery
from tests.integration.exchange.lawful_desk import log_entries
from tests.officer import Officer

WAIT_SECONDS: Final = 120.0  # for what other nodes do; the machines of tests are shared

Workflow = workflow_pb2.GetWorkflowResponse


class Desk:
    """The officers of one member and what they ask of their node."""

    def __init__(
        self, folder: Path, member: str, register: Register, channel: grpc.aio.Channel, audit: grpc.aio.Channel
    ) -> None:
        self.member = member
        self.liaison = Officer(folder, f"{member}-liaison", register)
        self.authoriser = Officer(folder, f"{member}-authoriser", register)
        self.channel = channel
        self.officer = officer_pb2_grpc.OfficerServiceStub(channel)
        self.workflows = workflow_pb2_grpc.WorkflowServiceStub(channel)
        self.audit = audit

    async def submit(self, *messages: bytes) -> list[officer_pb2.SubmitResult]:
        """Hand over messages; gives what became of each."""
        items = [officer_pb2.SubmitItem(message=message) for message in messages]
        response = await self.officer.Submit(officer_pb2.SubmitRequest(items=items), timeout=WAIT_SECONDS)
        return list(response.results)

    def step(
        self,
        kind: str,
        content: Message,
        recipients: Sequence[str],
        *,
        thread: bytes = b"",
        parents: Sequence[bytes] = (),
        two: bool = False,
        **changes: Any,
    ) -> bytes:
        """Seal and sign a step."""
        second = self.authoriser if two else None
        others = [member for member in recipients if member != self.member]
        header = delivery.header(self.liaison, kind, others, thread=thread, parents=parents, second=second, **changes)
        return delivery.seal(self.liaison, header, content, second=second)

    async def send(self, kind: str, content: Message, recipients: Sequence[str], **step: Any) -> bytes:
        """Release a step; gives its digest."""
        raw = self.step(kind, content, recipients, **step)
        (result,) = await self.submit(raw)
        assert result.WhichOneof("result") == "released", result
        return bytes(result.released.message_digest)

    async def request(self, members: Sequence[str], **content: Any) -> tuple[bytes, bytes]:
        """Release a request; gives its thread and digest."""
        raw = self.step("cd-request", delivery.request(members, now(), **content), members)
        (result,) = await self.submit(raw)
        assert result.WhichOneof("result") == "released", result
        return thread_of(raw), bytes(result.released.message_digest)

    async def workflow(self, thread: bytes) -> Workflow:
        """Ask where a thread stands."""
        request = workflow_pb2.GetWorkflowRequest(thread_id=thread)
        answer: Workflow = await self.workflows.GetWorkflow(request, timeout=WAIT_SECONDS)
        return answer

    async def board(self) -> list[workflow_pb2.WorkflowStatus]:
        """Ask for the board."""
        answer = await self.workflows.ListWorkflows(workflow_pb2.ListWorkflowsRequest(), timeout=WAIT_SECONDS)
        return list(answer.workflows)

    async def until(self, thread: bytes, meets: Callable[[Workflow], bool]) -> Workflow:
        """Wait until a thread stands so, looking again whenever there is news."""
        async with asyncio.timeout(WAIT_SECONDS), self.watching(after=0) as notifier:
            async for _ in notifier:
                try:
                    found = await self.workflow(thread)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.NOT_FOUND:
                        raise
                    continue
                if meets(found):
                    return found
        raise AssertionError("the watch ended")

    @asynccontextmanager
    async def watching(self, after: int | None = None) -> AsyncIterator[AsyncIterable[officer_pb2.WatchResponse]]:
        """Watch; ends with the block."""
        stream = self.officer.Watch(officer_pb2.WatchRequest(after_sequence=after))
        try:
            yield stream
        finally:
            stream.cancel()

    async def denials(self) -> list[log_pb2.LogEntry]:
        """Return the DENIED entries of the node's log, as its auditor sees them."""
        found = await log_entries(self.audit, events=[log_pb2.LOG_EVENT_DENIED])
        return [log_pb2.LogEntry.FromString(shown.proven.entry) for shown in found]


def thread_of(raw: bytes) -> bytes:
    """Return the thread of a sealed message."""
    signed = wire.parse_strictly(message_pb2.SignedMessage, raw, "the message")
    return bytes(wire.parse_header(signed.header).thread_id)


def comparable(found: Workflow) -> Workflow:
    """Return a workflow without what each node sees for itself: clock, other workflows, its next steps."""
    plain = Workflow()
    plain.CopyFrom(found)
    del plain.status.overlaps[:]
    del plain.next_steps[:]
    for deadline in plain.status.deadlines:
        deadline.overdue = False
    return plain


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
