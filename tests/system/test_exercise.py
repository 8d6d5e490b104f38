"""A live exercise: five members, a delivery across four borders, a node killed and a node cut off during a handover.

The stop is ordered on the side that is cut off. When the network is back, every node must hold the same steps and fold
them to the same standing, every log must verify, and the trail must tell the story.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import grpc
import pytest_asyncio
from google.protobuf.message import Message

from paiza.content.v1 import controlled_delivery_pb2 as cd
from paiza.content.v1.common_pb2 import TIME_PRECISION_MINUTE, PartialTime
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import audit_pb2, audit_pb2_grpc, officer_pb2, officer_pb2_grpc, workflow_pb2, workflow_pb2_grpc
from tests import delivery
from tests.federation import Federation, free_ports
from tests.officer import Officer
from tests.registers import read_register
from tests.system import importing
from tests.system.proxy import Proxy

ROUTE: Final = ("tjk", "kgz", "uzb", "kaz", "rus")
CONVERGED_SECONDS: Final = 180.0  # a limit, not a measure
CALL_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.1


@dataclass
class Exercise:
    """The federation with a stretch of network of its own before every node, and an officer's way into each."""

    federation: Federation
    proxies: dict[str, Proxy]
    liaisons: dict[str, Officer]
    authorisers: dict[str, Officer]
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)
    thread: bytes = b""

    async def workflow(self, member: str) -> workflow_pb2.GetWorkflowResponse:
        """Ask a node where the delivery stands."""
        stub = workflow_pb2_grpc.WorkflowServiceStub(self.channels[member])
        answer: workflow_pb2.GetWorkflowResponse = await stub.GetWorkflow(
            workflow_pb2.GetWorkflowRequest(thread_id=self.thread), timeout=CALL_SECONDS
        )
        return answer

    async def submit(
        self, member: str, kind: str, content: Message, *, two: bool = False, **changes: Any
    ) -> officer_pb2.SubmitResult:
        """Release a step of a member that follows from all steps its node knows."""
        officer, second = self.liaisons[member], self.authorisers[member] if two else None
        if self.thread:
            found = await self.workflow(member)
            changes |= {"thread": self.thread, "parents": found.heads}
            recipients = [each for each in found.participants if each != member]
        else:
            recipients = [each for each in ROUTE if each != member]
        header = delivery.header(officer, kind, recipients, second=second, **changes)
        data = delivery.seal(officer, header, content, second=second)
        stub = officer_pb2_grpc.OfficerServiceStub(self.channels[member])
        request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=data)])
        answer = await stub.Submit(request, timeout=CALL_SECONDS)
        result: officer_pb2.SubmitResult = answer.results[0]
        return result

    async def release(self, member: str, kind: str, content: Message, *, two: bool = False, **changes: Any) -> bytes:
        """Release a step that must be legal; gives its digest."""
        result = await self.submit(member, kind, content, two=two, **changes)
        assert result.HasField("released"), result
        return result.released.message_digest

    async def until(self, members: Sequence[str], *digests: bytes) -> None:
        """Wait until these nodes hold these steps, and miss none."""
        async with asyncio.timeout(CONVERGED_SECONDS):
            for member in members:
                while True:
                    with contextlib.suppress(grpc.aio.AioRpcError):
                        found = await self.workflow(member)
                        if {*digests} <= {each.message_digest for each in found.steps} and not found.missing_digests:
                            break
                    await asyncio.sleep(POLL_SECONDS)

    def part(self, member: str) -> None:
        """Cut one node off from all others, both ways."""
        pid = self.federation.node(member).pid
        for name, proxy in self.proxies.items():
            if name == member:
                proxy.cut()
            else:
                proxy.cut_caller(pid)

    def mend(self) -> None:
        """Forward everything again."""
        for proxy in self.proxies.values():
            proxy.mend()


@pytest_asyncio.fixture
async def exercise(tmp_path: Path) -> AsyncIterator[Exercise]:
    """Run five nodes, each behind a proxy; their officers dial them directly."""
    federation = Federation.create(tmp_path / "f", ROUTE)
    register = read_register(federation.folder)
    async with contextlib.AsyncExitStack() as stack:
        proxies = {}
        ports = iter(range(start := free_ports(len(ROUTE)), start + len(ROUTE)))
        liaisons = {member: Officer(federation.folder, f"{member}-liaison", register) for member in ROUTE}
        authorisers = {member: Officer(federation.folder, f"{member}-authoriser", register) for member in ROUTE}
        for member in ROUTE:
            node = federation.node(member)
            published = int(node.address.rpartition(":")[2])
            node.configure(listen=f"127.0.0.1:{next(ports)}")
            proxies[member] = await stack.enter_async_context(Proxy(published, node.address))
            liaisons[member].node = node.address
        stack.enter_context(federation)
        await asyncio.to_thread(federation.start)
        found = Exercise(federation, proxies, liaisons, authorisers)
        for member, officer in liaisons.items():
            found.channels[member] = await stack.enter_async_context(officer.channel())
        yield found


def _told(found: workflow_pb2.GetWorkflowResponse) -> Any:
    """Return what must be equal everywhere: all but overlaps with other threads and the short name."""
    status = found.status
    return (
        status.overall,
        status.responsible,
        [(each.member, each.status, each.until_time.seconds) for each in status.states],
        [(each.author, each.in_force, sorted(each.acknowledged_by), list(each.waiting_for)) for each in status.alarms],
        [(each.code, each.member, each.due_time.seconds) for each in status.deadlines],
        [
            (each.message_digest, each.effective, each.waiting, [breach.rule for breach in each.breaches])
            for each in found.steps
        ],
        sorted(found.heads),
    )


async def _begin(exercise: Exercise, now: datetime) -> None:
    """Ask, authorise, plan, begin, and hand over once."""
    opened = await exercise.submit("tjk", "cd-request", delivery.request(ROUTE, now))
    assert opened.HasField("released"), opened
    desk = officer_pb2_grpc.OfficerServiceStub(exercise.channels["tjk"])
    listed = await desk.ListMessages(officer_pb2.ListMessagesRequest(box=officer_pb2.BOX_SENT))
    exercise.thread = pb.Header.FromString(listed.messages[0].header).thread_id
    await exercise.until(ROUTE, opened.released.message_digest)

    # Every state authorises beside the others; before all have, nothing can begin.
    early = await exercise.submit("tjk", "cd-plan", delivery.plan(ROUTE, now), two=True)
    assert early.rejection.reason == "workflow_breach", early
    authorised = await asyncio.gather(
        *(exercise.release(each, "cd-authorisation", delivery.authorisation(ROUTE, now), two=True) for each in ROUTE)
    )
    await exercise.until(ROUTE, *authorised)
    plan = await exercise.release("tjk", "cd-plan", delivery.plan(ROUTE, now), two=True)
    await exercise.until(["tjk"], plan)
    active = await exercise.release("tjk", "cd-activation", delivery.activation(now))
    await exercise.until(ROUTE, active)
    offer = await exercise.release("tjk", "cd-handover-offer", _offer("tjk", "kgz", now))
    await exercise.until(["kgz"], offer)
    accepted = await exercise.release("kgz", "cd-handover-acceptance", _acceptance(offer, now))
    await exercise.until(ROUTE, accepted)
    assert {(await exercise.workflow(each)).status.responsible for each in ROUTE} == {"kgz"}


async def test_a_delivery_survives_a_dead_node_and_a_cut_network(exercise: Exercise) -> None:
    """Five nodes agree on every step and deadline after kill, partition and a stop from the cut-off side."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    await _begin(exercise, now)

    # The handover to uzb: it is offered, then uzb is cut off and kaz dies.
    second = await exercise.release("kgz", "cd-handover-offer", _offer("kgz", "uzb", now))
    await exercise.until(["uzb"], second)
    exercise.part("uzb")
    exercise.federation.node("kaz").kill()
    taken = await exercise.release("uzb", "cd-handover-acceptance", _acceptance(second, now))
    stopped = await exercise.release(
        "uzb", "cd-stop", delivery.stop(), urgency=pb.URGENCY_FLASH, urgency_reason="controlled-delivery"
    )
    # On the other side nobody knows of it yet, and kgz withdraws nothing: it goes on as the one responsible.
    across = await exercise.workflow("kgz")
    assert stopped not in {each.message_digest for each in across.steps}
    assert across.status.responsible == "kgz"
    note = await exercise.release(
        "kgz", "cd-suspension", cd.ControlledDeliverySuspension(reason="Exercise: no answer.")
    )

    exercise.mend()
    await asyncio.to_thread(exercise.federation.start, "kaz")
    await exercise.until(ROUTE, taken, stopped, note)
    workflow_states = {member: await exercise.workflow(member) for member in ROUTE}
    assert len({repr(_told(each)) for each in workflow_states.values()}) == 1, {
        m: _told(s) for m, s in workflow_states.items()
    }
    alarm = next(each for each in workflow_states["rus"].status.alarms if each.message_digest == stopped)
    assert alarm.in_force
    assert alarm.author == "uzb"

    # Nothing moves while the stop stands; everybody takes note of it, and everybody sees who has.
    refused = await exercise.submit("uzb", "cd-handover-offer", _offer("uzb", "kaz", now))
    assert refused.rejection.reason == "workflow_breach", refused
    notes = [
        await exercise.release(each, "cd-acknowledgement", delivery.acknowledgement(stopped))
        for each in ROUTE
        if each != "uzb"
    ]
    await exercise.until(ROUTE, *notes)
    workflow_states = {member: await exercise.workflow(member) for member in ROUTE}
    assert len({repr(_told(each)) for each in workflow_states.values()}) == 1
    alarm = next(each for each in workflow_states["kaz"].status.alarms if each.message_digest == stopped)
    assert not alarm.waiting_for

    # The trail tells the story: released by uzb after the acceptance, received everywhere, on disk in every log.
    trail = await audit_pb2_grpc.AuditServiceStub(exercise.channels["uzb"]).GetTrail(
        audit_pb2.GetTrailRequest(message_digest=stopped)
    )
    assert trail.ByteSize()
    await asyncio.to_thread(importing.settle, exercise.federation)
    await asyncio.to_thread(exercise.federation.stop)
    await asyncio.to_thread(importing.verified, exercise.federation.nodes.values())


def _offer(giver: str, taker: str, now: datetime) -> cd.ControlledDeliveryHandoverOffer:
    return cd.ControlledDeliveryHandoverOffer(
        taker=taker, point=delivery.border(giver, taker), planned_time=delivery.at(now + delivery.BEGINS_IN)
    )


def _acceptance(offer: bytes, now: datetime) -> cd.ControlledDeliveryHandoverAcceptance:
    return cd.ControlledDeliveryHandoverAcceptance(
        offer_digest=offer, taken_at=PartialTime(time=delivery.at(now), precision=TIME_PRECISION_MINUTE)
    )
