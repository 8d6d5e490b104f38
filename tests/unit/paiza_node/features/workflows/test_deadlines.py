"""Duties of live workflows: reminders, overdue marks, overlaps and missing steps, all computed from what is held."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from paiza.content.v1.acknowledgement_pb2 import Acknowledgement
from paiza.content.v1.controlled_delivery_pb2 import (
    ControlledDeliveryRouteChange,
    ControlledDeliveryState,
    ControlledDeliveryWithdrawal,
)
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza_node.core.log.changes import WorkflowsMoved
from paiza_node.features.workflows import deadlines
from paiza_node.features.workflows.deadlines import ASK_AFTER, IDLE_SECONDS, REMIND_BEFORE
from tests import delivery
from tests.unit.paiza_node.room import MEMBERS, Room, open_room

SECOND = timedelta(seconds=1)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room on an empty database."""
    with open_room(tmp_path) as opened:
        yield opened


def decision_time(room: Room) -> datetime:
    """Return the deadlines of the states in the only live delivery."""
    (thread,) = room.deadlines.live
    found: datetime = next(
        each.due_time for each in room.workflow_state(thread).view.deadlines if each.code == "decision"
    )
    return found


async def test_officers_are_reminded_before_and_when_a_decision_falls_due(room: Room) -> None:
    """A day before, an hour before and at the time itself, each once; the loop sleeps until exactly then."""
    room.begin(decision=timedelta(days=3))
    watch = room.notifier.subscribe()
    assert await room.deadlines.round() == IDLE_SECONDS
    for before in REMIND_BEFORE:
        room.clock.now = decision_time(room) - before - SECOND
        assert await room.deadlines.round() == pytest.approx(1.0)
        assert await room.deadlines.round() == pytest.approx(1.0)
        room.clock.now += SECOND
        await room.deadlines.round()
    told = await room.told(watch)
    assert [(notice.code, notice.overdue) for notice in told] == [
        *[("decision", False)] * 6,
        *[("decision", True)] * 3,
    ]
    assert {notice.member for notice in told} == set(MEMBERS)
    assert told[0].text.en.startswith("KAZ-2026-00001: Decision of the state (")
    assert told[-1].text.ru.endswith(" UTC.")
    assert "срок истёк" in told[-1].text.ru


async def test_a_member_cannot_fill_the_watch_with_its_own(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a bounded number of one member's live workflows is watched; others' always are."""
    monkeypatch.setattr(deadlines, "MAX_LIVE", 3)
    flood = [room.begin("tjk").header.thread_id for _ in range(5)]
    await room.deadlines.round()
    assert len(set(room.deadlines.live) & set(flood)) == 3
    others = {room.begin(member).header.thread_id for member in ("uzb", *["kaz"] * 4)}
    await room.deadlines.round()
    assert set(room.deadlines.live) >= others
    assert len(room.deadlines.live) == 3 + len(others)


async def test_restart_forgets_no_duty(room: Room) -> None:
    """A node that was stopped at a deadline notifies the next watch, and reminds nobody twice."""
    room.begin(decision=timedelta(days=3), oral=timedelta(hours=1))
    await room.deadlines.round()
    assert room.deadlines.current() == []
    room.clock.now += timedelta(days=3, hours=1)
    room.restart()
    await room.deadlines.load()
    watch = room.notifier.subscribe()
    await room.deadlines.round()
    current = room.deadlines.current()
    assert {(notice.code, notice.overdue) for notice in current} == {("decision", True), ("confirmation", True)}
    assert await room.told(watch) == []


async def test_everyones_acknowledgement_of_a_stop_is_tracked(room: Room) -> None:
    """Acknowledgements of either kind are named; other members are reminded, and overdue after an hour."""
    request = room.begin()
    thread = request.header.thread_id
    stop = room.put(room.message("tjk", "cd-stop", delivery.stop(), thread=thread, parents=[request.digest]))
    await room.deadlines.round()
    (alarm,) = room.workflow_state(thread).view.alarms
    assert (alarm.acknowledged_by, set(alarm.still_to_acknowledge)) == ((), {"kaz", "uzb"})
    taken = delivery.acknowledgement(stop)
    room.put(room.message("kaz", "cd-acknowledgement", taken, thread=thread, parents=[stop]))
    (alarm,) = room.workflow_state(thread).view.alarms
    assert (alarm.acknowledged_by, alarm.still_to_acknowledge) == (("kaz",), ("uzb",))
    await room.deadlines.round()
    watch = room.notifier.subscribe()
    room.clock.now += timedelta(hours=1, minutes=1)
    await room.deadlines.round()
    told = [notice for notice in await room.told(watch) if notice.code == "stop-acknowledgement"]
    assert [(notice.member, notice.overdue) for notice in told] == [("uzb", True)]
    plain = Acknowledgement(message_digest=stop)
    room.put(room.message("uzb", "acknowledgement", plain, thread=thread, parents=[stop]))
    (alarm,) = room.workflow_state(thread).view.alarms
    assert alarm.still_to_acknowledge == ()


async def test_operations_that_share_a_plate_are_told_of_each_other(room: Room) -> None:
    """A second request with the same plate, in either alphabet, is told of; one with another plate is not."""
    first = room.begin(plate="123 ABC 02")
    await room.deadlines.round()
    watch = room.notifier.subscribe()
    room.clock.now += timedelta(days=20)
    second = room.begin(plate="123 АВС 02", members=("kgz", "kaz"))
    third = room.begin(plate="999 XYZ 01", members=("aze", "kaz"))
    await room.deadlines.round()
    ids = [each.header.thread_id for each in (first, second, third)]
    assert [set(room.deadlines.overlaps(each)) for each in ids] == [{ids[1]}, {ids[0]}, set()]
    assert room.deadlines.overlaps(ids[0])[ids[1]] == {"plate"}
    (notice,) = [each for each in await room.told(watch) if each.code == "overlap"]
    assert notice.other_threads == ["KAZ-2026-00001"]
    assert (notice.thread_name, "KAZ-2026-00001" in notice.text.ru) == ("KAZ-2026-00002", True)


async def test_same_border_point_overlaps_only_in_the_same_days(room: Room) -> None:
    """Two operations over one border point are told of each other if their days meet, and not if they do not."""
    first = room.begin(plate="123 ABC 02")
    soon = room.begin(plate="456 DEF 02")
    room.clock.now += timedelta(days=20)
    late = room.begin(plate="789 GHI 02")
    await room.deadlines.round()
    found = room.deadlines.overlaps(first.header.thread_id)
    assert found == {soon.header.thread_id: {"place"}}
    assert room.deadlines.overlaps(late.header.thread_id) == {}


async def test_ended_operation_overlaps_no_more(room: Room) -> None:
    """A request that was withdrawn is no live operation."""
    first, second = room.begin(), room.begin()
    await room.deadlines.round()
    assert room.deadlines.overlaps(first.header.thread_id)
    taken_back = ControlledDeliveryWithdrawal(withdrawn="request", reason="Exercise.")
    thread = second.header.thread_id
    room.put(room.message("kaz", "cd-withdrawal", taken_back, thread=thread, parents=[second.digest]))
    await room.deadlines.round()
    assert room.deadlines.overlaps(first.header.thread_id) == {}
    assert set(room.deadlines.live) == {first.header.thread_id}


async def test_missing_step_is_asked_for_until_it_comes(room: Room) -> None:
    """A missing step is asked for first from the sender that names it, then from others, with growing pauses."""
    request = room.begin("tjk")
    thread = request.header.thread_id
    missing = room.message("tjk", "free-message", _note(), thread=thread, parents=[request.digest])
    room.put(room.message("uzb", "free-message", _note(), thread=thread, parents=[missing.digest]))
    await room.deadlines.round()
    assert room.asked == []
    for _ in range(3):
        room.clock.now += timedelta(seconds=await room.deadlines.round())
        await room.deadlines.round()
    assert [member for member, _ in room.asked] == ["uzb", "tjk", "uzb"]
    assert {digests for _, digests in room.asked} == {(missing.digest,)}
    room.put(missing)
    await room.deadlines.round()
    room.clock.now += 100 * ASK_AFTER
    await room.deadlines.round()
    assert len(room.asked) == 3


async def test_who_joins_late_gets_the_whole_thread_from_who_invited_him(room: Room) -> None:
    """A route change of ours that adds a state has all earlier steps shared with it, once; notes in the thread stay."""
    request = room.begin()
    thread = request.header.thread_id
    room.put(room.message("tjk", "free-message", _note(), thread=thread, parents=[request.digest]))
    longer = (*MEMBERS, "kgz")
    change = ControlledDeliveryRouteChange(
        reason="Exercise.",
        route=delivery.route(longer, room.clock.now),
        new_states=[ControlledDeliveryState(member="kgz", role="destination")],
        latest_decision_time=delivery.at(room.clock.now + timedelta(days=1)),
    )
    step = room.message("kaz", "cd-route-change", change, thread=thread, parents=[request.digest], members=longer)
    room.put(step)
    await room.deadlines.round()
    room.deadlines.notify([WorkflowsMoved(frozenset({thread}))])
    await room.deadlines.round()
    assert room.shared == [((request.digest,), "kgz", "spiffe://kaz.paiza.example/officer/liaison")]
    assert room.workflow_state(thread).heads == (step.digest,)


async def test_nobody_gets_a_thread_by_being_addressed(room: Room) -> None:
    """A step addressed to a member that takes no part shares nothing with it."""
    request = room.begin()
    taken = delivery.acknowledgement(request.digest)
    thread = request.header.thread_id
    everybody = (*MEMBERS, "kgz")
    room.put(
        room.message("kaz", "cd-acknowledgement", taken, thread=thread, parents=[request.digest], members=everybody)
    )
    await room.deadlines.round()
    assert room.shared == []


def _note() -> FreeMessage:
    return FreeMessage(subject="Exercise", text="Nothing of this is real.")
