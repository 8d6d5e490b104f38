"""Attacks of a member with valid keys on controlled deliveries of others are detected."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from paiza.content.v1 import controlled_delivery_pb2 as cd
from paiza.content.v1.erasure_pb2 import ErasureRequest
from paiza.core.v1 import message_pb2
from paiza.officer.v1 import workflow_pb2, workflow_pb2_grpc
from paiza.peer.v1 import exchange_pb2, exchange_pb2_grpc
from paiza_register import Register
from paiza_wire import message
from paiza_wire.message import MAX_PARENTS
from tests import delivery
from tests.federation import Federation
from tests.integration.exchange.desk import Desk, digest_of
from tests.integration.exchange.hostile import HostilePeer
from tests.officer import Officer

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEMBERS: Final = ("tjk", "kaz", "uzb")
SECONDS: Final = 60
SERVED_SECONDS: Final = 60.0  # an officer's question while others flood; a limit on shared machines, not a measure


class Room:
    """Two members whose nodes are in the hands of a test, and what the node of kaz makes of what they send."""

    def __init__(self, federation: Federation, register: Register, tjk: HostilePeer) -> None:
        self.peers = {"tjk": tjk, "uzb": HostilePeer(federation.folder, "uzb", federation.node("kaz"), register)}
        self.officers = {member: Officer(federation.folder, f"{member}-liaison", register) for member in self.peers}
        self.seconds = {member: Officer(federation.folder, f"{member}-authoriser", register) for member in self.peers}
        self.channel = Officer(federation.folder, "kaz-liaison", register).channel()

    def seal(
        self,
        member: str,
        kind: str,
        content: Message,
        thread: bytes = b"",
        parents: Sequence[bytes] = (),
        members: Sequence[str] = MEMBERS,
    ) -> bytes:
        """Write a step to these members."""
        second = self.seconds[member] if kind == "cd-authorisation" else None
        officer = self.officers[member]
        to = [each for each in members if each != member]
        header = delivery.header(officer, kind, to, thread=thread, parents=parents, second=second)
        return delivery.seal(officer, header, content, second=second)

    async def send(self, member: str, *steps: bytes, **changes: object) -> list[tuple[str, str]]:
        """Hand steps over to kaz."""
        peer = self.peers[member]
        indices = [peer.release(step, **changes) for step in steps]
        answer = await peer.deliver(*(peer.dispatch(step, at) for step, at in zip(steps, indices, strict=True)))
        return [answer.reason(at) for at in range(len(steps))]

    async def workflow_state(self, thread: bytes) -> workflow_pb2.GetWorkflowResponse:
        """Return where a thread stands at kaz."""
        stub = workflow_pb2_grpc.WorkflowServiceStub(self.channel)
        answer: workflow_pb2.GetWorkflowResponse = await stub.GetWorkflow(
            workflow_pb2.GetWorkflowRequest(thread_id=thread), timeout=SECONDS
        )
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(federation: Federation, register: Register, peer: HostilePeer) -> AsyncIterator[Room]:
    """Return the room."""
    made = Room(federation, register, peer)
    async with made.peers["uzb"].channel, made.channel:
        yield made


async def _begun(room: Room) -> tuple[bytes, bytes]:
    """Request a delivery as tjk, authorise and stop it as uzb; return thread and last step."""
    now = datetime.now(UTC)
    request = room.seal("tjk", "cd-request", delivery.request(MEMBERS, now))
    thread = delivery_thread(request)
    assert await room.send("tjk", request) == [("received", "")]
    permit = room.seal("uzb", "cd-authorisation", delivery.authorisation(MEMBERS, now), thread, [digest_of(request)])
    stop = room.seal("uzb", "cd-stop", delivery.stop(), thread, [digest_of(permit)])
    assert await room.send("uzb", permit, stop) == [("received", "")] * 2
    return thread, digest_of(stop)


async def test_a_request_that_is_dated_back_takes_nothing_over(room: Room) -> None:
    """A member that sets its log's clock back and reopens a thread neither becomes requester nor undoes a stop."""
    thread, _ = await _begun(room)
    before = await room.workflow_state(thread)
    assert (before.status.author, before.status.overall) == ("tjk", "stop-ordered")
    usurper = room.officers["uzb"]
    header = delivery.header(usurper, "cd-request", ["kaz", "tjk"], thread=thread, parents=[bytes(32)])
    usurping = delivery.seal(usurper, header, delivery.request(("uzb", "kaz"), datetime.now(UTC)))
    earlier = min(step.release_time.ToDatetime(tzinfo=UTC) for step in before.steps) - timedelta(seconds=5)
    assert await room.send("uzb", usurping, entry_time=earlier) == [("received", "")]
    after = await room.workflow_state(thread)
    assert (after.status.author, after.status.overall) == ("tjk", "stop-ordered")
    assert after.participants == before.participants
    broken = {step.message_digest: [each.rule for each in step.breaches] for step in after.steps}
    assert broken[digest_of(usurping)] == ["request_repeated"]


async def test_a_flood_of_stops_holds_nobody_up(room: Room) -> None:
    """Only a bounded number of a member's stops count; officers are served meanwhile, and can still add steps."""
    thread, last = await _begun(room)
    waits: list[float] = []
    for _ in range(8):
        flood = [room.seal("tjk", "cd-stop", delivery.stop(), thread, [last]) for _ in range(40)]
        sent = asyncio.create_task(room.send("tjk", *flood))
        began = time.monotonic()
        workflow_state = await room.workflow_state(thread)
        waits.append(time.monotonic() - began)
        assert set(await sent) == {("received", "")}
    workflow_state = await room.workflow_state(thread)
    rules = [each.rule for step in workflow_state.steps for each in step.breaches]
    assert rules.count("too_many_steps") == 8 * 40 - 128
    assert len(workflow_state.heads) <= MAX_PARENTS
    assert workflow_state.status.overall == "stop-ordered"
    assert max(waits) < SERVED_SECONDS


async def test_a_stranger_to_a_delivery_changes_nothing(room: Room) -> None:
    """Steps of who takes no part are ineffective, are nobody's parents, and let nobody ask for the thread."""
    now = datetime.now(UTC)
    request = room.seal("tjk", "cd-request", delivery.request(("tjk", "kaz"), now), members=["kaz"])
    thread = delivery_thread(request)
    await room.send("tjk", request)
    forged: list[tuple[str, Message]] = [
        ("cd-stop", delivery.stop()),
        ("cd-authorisation", delivery.authorisation(("tjk", "kaz"), now)),
        ("cd-withdrawal", cd.ControlledDeliveryWithdrawal(withdrawn="request")),
    ]
    steps = [room.seal("uzb", kind, content, thread, [digest_of(request)]) for kind, content in forged]
    answers = await room.send("uzb", *steps)
    assert {event for event, _ in answers} <= {"received", "refused"}
    workflow_state = await room.workflow_state(thread)
    assert workflow_state.status.overall == "requested"
    assert list(workflow_state.heads) == [digest_of(request)]
    assert "uzb" not in workflow_state.participants
    assert {rule.rule for step in workflow_state.steps for rule in step.breaches} == {"not_participant"}
    question = exchange_pb2.FetchMessagesRequest(message_digests=[digest_of(request), *map(digest_of, steps)])
    told = await exchange_pb2_grpc.ExchangeServiceStub(room.peers["uzb"].channel).FetchMessages(question)
    assert (list(told.dispatches), list(told.forwarded_digests)) == ([], [])


@pytest.mark.parametrize("request_first", [False, True])
async def test_a_lying_author_has_no_step_erased(room: Room, federation: Federation, *, request_first: bool) -> None:
    """A request that an honest node would not release erases the note it names, and never the step."""
    officer = room.officers["tjk"]
    step = room.seal("tjk", "cd-request", delivery.request(MEMBERS, datetime.now(UTC)))
    note = officer.compose(["kaz"])
    named = [digest_of(step), digest_of(note)]
    header = delivery.header(
        officer, "erasure-request", ["kaz"], thread=delivery_thread(step), parents=named, second=room.seconds["tjk"]
    )
    asked = delivery.seal(
        officer, header, ErasureRequest(reason="review", explanation="Exercise"), second=room.seconds["tjk"]
    )
    sent = [asked, step, note] if request_first else [step, note, asked]
    for signed in sent:
        assert await room.send("tjk", signed) == [("received", "")]
    desk = Desk(federation.folder, "kaz")
    async with desk.channel:
        while await desk.open(digest_of(note)) != "erased":  # noqa: ASYNC110 - nothing tells of an erasure
            await asyncio.sleep(0.05)
        assert await desk.open(digest_of(step)) == ""


def delivery_thread(signed: bytes) -> bytes:
    """Return the thread of a message."""
    return bytes(message.parse_header(message_pb2.SignedMessage.FromString(signed).header).thread_id)
