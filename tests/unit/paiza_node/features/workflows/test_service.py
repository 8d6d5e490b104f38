"""The officers' view of workflows: the board, one workflow, and hints of others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paiza.officer.v1 import workflow_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.api.authentication import Caller
from paiza_node.features.workflows.service import OF_CONTENT, MayOpen, WorkflowService
from paiza_wire.errors import Rejected
from tests import delivery
from tests.unit.paiza_node.room import MEMBERS, Room, open_room

DUTY = Officer("spiffe://kaz.paiza.example/officer/duty", frozenset({"duty"}), "")
STRANGER = Officer("spiffe://kaz.paiza.example/officer/other", frozenset({"liaison"}), "elsewhere")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room on an empty database."""
    with open_room(tmp_path) as opened:
        yield opened


def service(room: Room, *, entitled: bool = True, may_open: MayOpen | None = None) -> WorkflowService:
    """Serve a room's workflows."""
    return WorkflowService(
        member="kaz",
        store=room.store,
        deadlines=room.deadlines,
        entitled=lambda _officer, _thread: entitled,
        may_open=may_open or (lambda _officer, _digest: True),
        clock=room.clock,
    )


def asks(officer: Officer) -> Caller:
    """Call as an officer."""
    return Caller(officer.id, officer=officer)


@pytest.mark.parametrize(
    "request_",
    [
        workflow_pb2.GetWorkflowRequest(),
        workflow_pb2.GetWorkflowRequest(thread_id=bytes(16), thread_name="KAZ-2026-00001"),
        workflow_pb2.GetWorkflowRequest(thread_id=bytes(15)),
        workflow_pb2.GetWorkflowRequest(thread_name="K" * 65),
    ],
)
async def test_thread_is_named_in_one_way(room: Room, request_: workflow_pb2.GetWorkflowRequest) -> None:
    """A question that names no thread, or one in two ways or none, is malformed."""
    with pytest.raises(Rejected, match="malformed"):
        await service(room).get_workflow(asks(DUTY), request_)


@pytest.mark.parametrize("token", ["-1", "1e3", "٣", "9" * 19])
async def test_page_token_is_one_that_was_given(room: Room, token: str) -> None:
    """A token must be the digits of a number that the database can hold."""
    with pytest.raises(Rejected, match="malformed"):
        await service(room).list_workflows(asks(DUTY), workflow_pb2.ListWorkflowsRequest(page_token=token))


async def test_ineffective_step_is_shown_with_its_rule(room: Room) -> None:
    """A step of another member that breaks a rule stands in the list, without effect, in both languages."""
    request = room.begin()
    thread = request.header.thread_id
    plan = delivery.plan(MEMBERS, room.clock.now)
    bad = room.put(room.message("tjk", "cd-plan", plan, thread=thread, parents=[request.digest]))
    found = await service(room).get_workflow(asks(DUTY), workflow_pb2.GetWorkflowRequest(thread_name="KAZ-2026-00001"))
    shown = {step.message_digest: step for step in found.steps}
    assert shown[request.digest].effective
    assert not shown[bad].effective
    assert "not_requester" in {breach.rule for breach in shown[bad].breaches}
    assert [dict(each.values) for each in shown[bad].breaches if each.rule == "not_requester"] == [{"member": "kaz"}]
    assert found.status.ineffective_count == 1


async def test_next_steps_are_those_of_the_own_member(room: Room) -> None:
    """Each kind with what stands against it: the requester waits for decisions, and decides itself if it is asked."""
    room.begin()
    found = await service(room).get_workflow(asks(DUTY), workflow_pb2.GetWorkflowRequest(thread_name="KAZ-2026-00001"))
    against = {each.kind: [breach.rule for breach in each.breaches] for each in found.next_steps}
    assert "cd-request" not in against
    assert not against["cd-authorisation"]
    assert not against["cd-withdrawal"]
    assert against["cd-plan"][:1] == ["authorisation_missing"]
    assert against["cd-handover-offer"][:1] == ["not_active"]


async def test_board_is_paged_and_leaves_out_what_is_over(room: Room) -> None:
    """The newest first, page by page; every workflow once."""
    threads = [room.begin().header.thread_id for _ in range(5)]
    seen, token = [], ""
    while True:
        request = workflow_pb2.ListWorkflowsRequest(page_size=2, page_token=token)
        page = await service(room).list_workflows(asks(DUTY), request)
        seen += [line.thread_id for line in page.workflows]
        token = page.next_page_token
        if not token:
            break
    assert seen == threads[::-1]
    other = workflow_pb2.ListWorkflowsRequest(workflow="other")
    assert list((await service(room).list_workflows(asks(DUTY), other)).workflows) == []


async def test_nobody_is_told_of_what_he_does_not_need_to_know(room: Room) -> None:
    """An officer of another unit finds neither line nor workflow; overlaps are named to those entitled to them."""
    first, _ = room.begin(), room.begin()
    await room.deadlines.round()
    listed = await service(room).list_workflows(asks(STRANGER), workflow_pb2.ListWorkflowsRequest())
    assert list(listed.workflows) == []
    one = workflow_pb2.GetWorkflowRequest(thread_id=first.header.thread_id)
    with pytest.raises(Rejected, match="unknown_id"):
        await service(room).get_workflow(asks(STRANGER), one)
    told = (await service(room).get_workflow(asks(DUTY), one)).status.overlaps
    assert [(each.thread_name, list(each.fields)) for each in told] == [("KAZ-2026-00002", ["place", "plate"])]
    assert list((await service(room, entitled=False).get_workflow(asks(DUTY), one)).status.overlaps) == []


async def test_who_opens_no_step_learns_no_route(room: Room) -> None:
    """A coordinator or an auditor sees how a delivery stands; times, places and amounts are content."""
    request = room.begin()
    thread = request.header.thread_id
    asked: list[bytes] = []

    def closed(_officer: Officer, digest: bytes) -> bool:
        asked.append(digest)
        return False

    one = workflow_pb2.GetWorkflowRequest(thread_id=thread)
    assert len((await service(room).get_workflow(asks(DUTY), one)).legs) == len(MEMBERS)
    found = await service(room, may_open=closed).get_workflow(asks(DUTY), one)
    assert (found.status.live, list(found.legs)) == (True, [])
    given = delivery.authorisation(MEMBERS[:1], room.clock.now)  # which covers no border point
    decisions = [
        room.put(room.message(member, "cd-authorisation", given, thread=thread, parents=[request.digest], two=True))
        for member in MEMBERS
    ]
    plan = delivery.plan(MEMBERS, room.clock.now)
    room.put(room.message("kaz", "cd-plan", plan, thread=thread, parents=decisions, two=True))
    seen = {name for each in all_breaches(await service(room).get_workflow(asks(DUTY), one)) for name in each.values}
    assert seen & OF_CONTENT
    found = await service(room, may_open=closed).get_workflow(asks(DUTY), one)
    assert not {name for each in all_breaches(found) for name in each.values} & OF_CONTENT
    await service(room, may_open=closed).list_workflows(asks(DUTY), workflow_pb2.ListWorkflowsRequest())
    assert set(asked) == {request.digest}


def all_breaches(found: workflow_pb2.GetWorkflowResponse) -> list[workflow_pb2.WorkflowBreach]:
    """Return every breach that an answer names."""
    return [
        *found.status.lacking,
        *(breach for step in found.steps for breach in step.breaches),
        *(breach for step in found.next_steps for breach in step.breaches),
    ]
