"""Approvals and tasks past their time, over a real store and ledger with a clock that is set by hand."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from paiza.content.v1.information_pb2 import InformationRequest
from paiza.core.v1 import log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import notice_pb2, task_pb2
from paiza_node.core.access.model import Officer, StandIn, Viewer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.exchange.reactions import ReceivedMessage
from paiza_node.core.log import store as log_store
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.approve import Approve
from paiza_node.features.approvals.model import ApprovalRow, ApprovalState
from paiza_node.features.inbox.notices import PendingNotices
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.assign import MAX_ESCALATIONS, Assign, make_tasks, task_of
from paiza_node.features.tasks.model import TaskRow
from paiza_wire.message import new_message_id
from tests.unit.paiza_node.room import BEGIN, Room

NODE = "spiffe://kaz.paiza.example/node"


def officer(name: str, *roles: str, unit: str = "") -> Officer:
    """Make an officer of kaz."""
    return Officer(f"spiffe://kaz.paiza.example/officer/{name}", frozenset(roles), unit)


OFFICERS = {
    each.id: each
    for each in (
        officer("liaison", "liaison", unit="bureau"),
        officer("duty-a", "duty", unit="duty"),
        officer("duty-b", "duty", unit="duty"),
    )
}
DESKS = UnitDirectory("kaz", "duty", lambda: OFFICERS)


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A node's room with an empty store, on each database."""
    with Room(database_url) as room:
        yield room


def header(urgency: pb.Urgency.ValueType, attention: str = "bureau") -> pb.Header:
    """Write as much of a header as is read here."""
    found = pb.Header(
        subject_sha256=bytes(32),
        suite=pb.SUITE_1,
        message_id=new_message_id(BEGIN),
        kind="information-request",
        kind_version=1,
        author="tjk",
        required_signers=[pb.RequiredSigner(id="spiffe://tjk.paiza.example/officer/liaison", role="liaison")],
        recipients=[pb.Recipient(member="kaz", attention=attention)],
        urgency=urgency,
        urgency_reason="consignment-moving",
        handling=pb.Handling(code="H0", tlp="AMBER"),
        register_version=bytes(32),
        parts=[pb.PartDescription(kind=pb.PART_KIND_MAIN, ciphertext_sha256=bytes(32), ciphertext_size=100)],
    )
    found.thread_id = found.message_id
    found.author_time.FromDatetime(BEGIN)
    found.review_time.FromDatetime(BEGIN + timedelta(days=1))
    return found


def events(room: Room, digest: bytes) -> list[str]:
    """Name what the log says of a message."""
    with room.store.reads() as reads:
        entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries_of(reads, digest)]
    return [log_pb2.LogEvent.Name(each.event).removeprefix("LOG_EVENT_") for each in entries]


def approve_in(room: Room) -> Approve:
    """Make the verb; nothing is submitted here, so there is no Submit."""
    return Approve(
        room.core,
        submit=None,  # type: ignore[arg-type]  # giving up needs none
        officers=lambda: OFFICERS,
    )


def received(room: Room, urgency: pb.Urgency.ValueType) -> TaskRow:
    """Receive a message for the bureau."""
    read = header(urgency)
    row = MessageRow(
        seq=1,
        digest=secrets.token_bytes(32),
        author="tjk",
        message_id=read.message_id,
        thread_id=read.thread_id,
        thread_name="TJK-2026-00001",
        kind=read.kind,
        urgency=urgency,
        state=MessageState.RECEIVED,
        header=read.SerializeToString(deterministic=True),
        stored_time=BEGIN,
        signed=b"sealed",
    )

    def work(tx: LogTransaction) -> None:
        placed = DESKS.received(tx.conn, [(replace(row, seq=tx.next_message_seq()), read)])
        messages_store.add_messages(tx.conn, [stored for stored, _assignee in placed])
        make_tasks(tx, [ReceivedMessage(stored, read, "tjk", assignee) for stored, assignee in placed])

    room.ledger.commit_now(work)
    return work_now(room, row.digest)


def work_now(room: Room, digest: bytes) -> TaskRow:
    """Return how the work on a message stands."""
    with room.store.reads() as reads:
        return tasks_store.tasks_of(reads, [digest])[digest]


def waiting(expires_time: datetime) -> ApprovalRow:
    """Write down that the liaison officer's message waits for a duty officer until a time."""
    read = header(pb.URGENCY_ROUTINE)
    return ApprovalRow(
        digest=secrets.token_bytes(32),
        message_id=read.message_id,
        drafter=next(iter(OFFICERS)),
        header=read.SerializeToString(deterministic=True),
        submitted_index=0,
        submitted_time=BEGIN,
        expires_time=expires_time,
        missing=("spiffe://kaz.paiza.example/officer/duty-a",),
        signed=b"sealed",
    )


def told(room: Room) -> dict[str, list[tuple[str, bool]]]:
    """Return each officer's notices at the start of a watch now: the codes, and whether one is overdue."""
    pending = PendingNotices(store=room.store, unit_directory=DESKS, clock=room.clock)
    return {
        name.rpartition("/")[2]: [(each.code, each.overdue) for each in pending.of(officer)]
        for name, officer in OFFICERS.items()
    }


async def test_what_no_second_officer_decides_is_given_up_and_its_writer_told(room: Room) -> None:
    """Not before its time; then it is logged, its body is gone, and the writer alone hears of it."""
    row = waiting(BEGIN + timedelta(hours=72))
    digest, drafter = row.digest, row.drafter
    await room.ledger.commit(lambda tx: approvals_store.add_approval(tx.conn, row))
    writer, other = room.notifier.subscribe(drafter), room.notifier.subscribe("somebody else")
    approve = approve_in(room)
    room.ledger.changes.subscribe([approve])
    room.clock.now = BEGIN + timedelta(hours=71)
    await approve.round()
    assert events(room, digest) == []
    room.clock.now = BEGIN + timedelta(hours=72)
    await approve.round()
    await approve.round()
    assert events(room, digest) == ["LAPSED"]
    with room.store.reads() as reads:
        found = approvals_store.approval(reads, digest)
    assert found is not None
    assert (found.state, found.reason, found.signed) == (ApprovalState.EXPIRED, "approval_expired", None)
    (told,) = await asyncio.wait_for(writer.take(), 30)
    assert isinstance(told, notice_pb2.Notice)
    assert told.code == "approval_expired"
    other.end()
    assert await other.take() == []


async def test_work_nobody_acknowledges_goes_to_the_duty_unit_and_round_those_on_duty(room: Room) -> None:
    """Each escalation comes after a quarter of the time to answer, is logged, and the series ends."""
    work = received(room, pb.URGENCY_URGENT)
    assert (work.unit, work.acknowledge_time, work.due_time) == (
        "bureau", BEGIN + timedelta(hours=2), BEGIN + timedelta(hours=8),
    )  # fmt: skip
    assign = Assign(
        node_id=NODE,
        ledger=room.ledger,
        store=room.store,
        notifier=room.notifier,
        unit_directory=DESKS,
        clock=room.clock,
    )
    assert await assign.escalate_late() == 0
    places = []
    for _ in range(MAX_ESCALATIONS):
        room.clock.now += timedelta(hours=2)
        assert await assign.escalate_late() == 1
        now = work_now(room, work.digest)
        places.append((now.unit, now.assignee.rpartition("/")[2]))
    assert places[:3] == [("duty", ""), ("duty", "duty-b"), ("duty", "duty-a")]
    room.clock.now += timedelta(days=30)
    assert await assign.escalate_late() == 0
    assert events(room, work.digest) == ["ESCALATED"] * MAX_ESCALATIONS


async def test_a_watch_that_begins_is_told_what_waits_for_this_officer(room: Room) -> None:
    """An officer's signatures, own tasks and overdue ones of the unit; none of a colleague or another unit."""
    await room.ledger.commit(lambda tx: approvals_store.add_approval(tx.conn, waiting(BEGIN + timedelta(days=9))))
    work = received(room, pb.URGENCY_URGENT)
    asked = [("approval_asked", False)]
    assert told(room) == {"liaison": [], "duty-a": asked, "duty-b": []}
    assign = Assign(
        node_id=NODE,
        ledger=room.ledger,
        store=room.store,
        notifier=room.notifier,
        unit_directory=DESKS,
        clock=room.clock,
    )
    liaison = next(iter(OFFICERS.values()))
    give = task_pb2.AssignTaskRequest(message_digest=work.digest, officer=liaison.id, note="yours")
    await assign.assign(OFFICERS["spiffe://kaz.paiza.example/officer/duty-a"], give)
    assert told(room) == {"liaison": [("task_assigned", False)], "duty-a": asked, "duty-b": []}
    room.clock.now += timedelta(hours=2)
    await assign.escalate_late()
    escalated = [("task_escalated", True)]
    assert told(room) == {"liaison": [], "duty-a": [*asked, *escalated], "duty-b": escalated}
    room.clock.now += timedelta(hours=2)
    await assign.escalate_late()
    assert told(room) == {"liaison": [], "duty-a": asked, "duty-b": escalated}
    room.clock.now += timedelta(hours=4)
    assert told(room) == {"liaison": [], "duty-a": asked, "duty-b": [("task_overdue", True)]}


async def test_a_deputy_is_told_with_the_officer(room: Room) -> None:
    """Of an escalated task that the officer got, at once and when a watch begins; another officer is not."""
    officer_a = OFFICERS["spiffe://kaz.paiza.example/officer/duty-a"]
    deputy = replace(
        OFFICERS["spiffe://kaz.paiza.example/officer/liaison"],
        stands_in=(StandIn(officer_a.id, "duty", BEGIN + timedelta(days=1)),),
    )
    desks = UnitDirectory("kaz", "duty", lambda: {**OFFICERS, deputy.id: deputy})
    assign = Assign(
        node_id=NODE,
        ledger=room.ledger,
        store=room.store,
        notifier=room.notifier,
        unit_directory=desks,
        clock=room.clock,
    )
    room.ledger.changes.subscribe([assign])
    received(room, pb.URGENCY_URGENT)
    watches = {name: room.notifier.subscribe(name) for name in (officer_a.id, deputy.id, "somebody else")}
    assignee = ""
    while assignee != officer_a.id:
        room.clock.now += timedelta(hours=2)
        await assign.escalate_late()
        with room.store.reads() as reads:
            (task,) = tasks_store.open_tasks(reads, None, Viewer("", None), 10)
        assignee = task.assignee
    for name in (officer_a.id, deputy.id):
        notice, *_rest = await asyncio.wait_for(watches[name].take(), 30)
        assert isinstance(notice, notice_pb2.Notice)
        assert notice.code == "task_escalated"
    watches["somebody else"].end()
    assert await watches["somebody else"].take() == []
    pending = PendingNotices(store=room.store, unit_directory=desks, clock=room.clock)
    assert [each.code for each in pending.of(deputy)] == ["task_escalated"]
    assert pending.of(replace(deputy, stands_in=())) == []


async def test_acknowledged_work_is_not_passed_on(room: Room) -> None:
    """A task acknowledged in time keeps its assignee."""
    work = received(room, pb.URGENCY_FLASH)
    assign = Assign(
        node_id=NODE,
        ledger=room.ledger,
        store=room.store,
        notifier=room.notifier,
        unit_directory=DESKS,
        clock=room.clock,
    )
    liaison = next(iter(OFFICERS.values()))
    assert (await assign.take(liaison, work.digest)).assignee == liaison.id
    room.clock.now += timedelta(days=1)
    assert await assign.escalate_late() == 0
    assert events(room, work.digest) == ["ASSIGNED"]


def test_what_is_for_information_is_no_work() -> None:
    """Nobody is asked to do anything about it."""
    read = header(pb.URGENCY_INFORMATION)
    row = MessageRow(
        1, bytes(32), "tjk", bytes(16), bytes(16), "", "information-request", int(pb.URGENCY_INFORMATION),
        MessageState.RECEIVED, read.SerializeToString(), BEGIN,
    )  # fmt: skip
    assert task_of(row, read, "", None) is None


def test_a_request_is_due_when_its_author_asks_for_it() -> None:
    """The deadline that the content names binds; the usual one where it names none, or is not at hand."""
    read = header(pb.URGENCY_ROUTINE)
    row = MessageRow(
        1, bytes(32), "tjk", bytes(16), bytes(16), "", "information-request", int(pb.URGENCY_ROUTINE),
        MessageState.RECEIVED, read.SerializeToString(), BEGIN,
    )  # fmt: skip
    asked = InformationRequest()
    for content in (None, asked):
        usual = task_of(row, read, "", content)
        assert usual is not None
        assert usual.due_time == BEGIN + timedelta(days=7)
    asked.deadline_time.FromDatetime(BEGIN + timedelta(days=2))
    named = task_of(row, read, "", asked)
    assert named is not None
    assert named.due_time == BEGIN + timedelta(days=2)
