"""Steps of workflows: what may be released is judged where it is released; what is held is folded as it stands."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryAcknowledgement
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza_node.core.errors import BrokenRules
from paiza_node.core.exchange.precedence import overtakes, read_small, urgency_of
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.model import MessageRow
from paiza_node.features.workflows.legality import MAX_CHECKED_STEPS, StepLegality
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage
from tests import delivery
from tests.unit.paiza_node.room import MEMBERS, Room, open_room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room on an empty database."""
    with open_room(tmp_path) as opened:
        yield opened


def judged(room: Room, *messages: VerifiedMessage) -> list[Rejected | Unavailable | None]:
    """Judge messages as one batch does, each released before the next is judged; nothing is stored."""

    def work(tx: LogTransaction, released: list[MessageRow]) -> list[Rejected | Unavailable | None]:
        turns = StepLegality(room.steps, tx)
        found: list[Rejected | Unavailable | None] = []
        for message in messages:
            verdict = turns.judge(message.header, room.steps.open(message, room.clock.now), released)
            if verdict is None:
                released.append(room.row(tx, message))
            found.append(verdict)
        return found

    return room.ledger.commit_now(lambda tx: work(tx, [])).result


def test_step_that_breaks_a_rule_is_refused_by_its_name(room: Room) -> None:
    """A plan without the authorisations names the rule and whose authorisation is missing."""
    request = room.begin()
    plan = room.message(
        "kaz",
        "cd-plan",
        delivery.plan(MEMBERS, room.clock.now),
        thread=request.header.thread_id,
        parents=[request.digest],
    )
    (refused,) = judged(room, plan)
    assert isinstance(refused, BrokenRules)
    assert refused.reason == "workflow_breach"
    assert ("authorisation_missing", {"member": "tjk"}) in refused.breaches
    assert "authorisation_missing member=tjk" in refused.detail


def test_steps_of_one_batch_count_for_those_behind_them(room: Room) -> None:
    """A request and what follows from it are judged in one batch as if they had been released one after the other."""
    request = room.message("kaz", "cd-request", delivery.request(MEMBERS, room.clock.now))
    conditions = room.message(
        "kaz",
        "cd-authorisation",
        delivery.authorisation(MEMBERS, room.clock.now),
        thread=request.header.thread_id,
        parents=[request.digest],
        two=True,
    )
    assert judged(room, request, conditions) == [None, None]


def test_what_came_between_check_and_release_counts(room: Room) -> None:
    """The check sees what the transaction sees: a stop stored by work of the same commit stops what follows."""
    request = room.begin()
    thread = request.header.thread_id
    for member in MEMBERS:
        permit = delivery.authorisation(MEMBERS, room.clock.now)
        room.put(room.message(member, "cd-authorisation", permit, thread=thread, parents=[request.digest], two=True))
    heads = room.workflow_state(thread).view.heads
    plan = room.message("kaz", "cd-plan", delivery.plan(MEMBERS, room.clock.now), thread=thread, parents=heads)
    assert judged(room, plan) == [None]
    room.put(plan)
    begun = room.message(
        "kaz", "cd-activation", delivery.activation(room.clock.now), thread=thread, parents=[plan.digest]
    )
    opened = room.steps.open(begun, room.clock.now)
    stop = room.message("tjk", "cd-stop", delivery.stop(), thread=thread, parents=[plan.digest])

    def work(tx: LogTransaction) -> list[Rejected | Unavailable | None]:
        before = StepLegality(room.steps, tx).judge(begun.header, opened, [])
        room.write(tx, stop)
        return [before, StepLegality(room.steps, tx).judge(begun.header, opened, [])]

    before, after = room.ledger.commit_now(work).result
    assert before is None
    assert after is not None
    assert after.reason == "workflow_breach"


def test_only_so_many_steps_are_judged_at_once(room: Room) -> None:
    """The log waits while a step is judged: of a larger batch the rest is to be brought again, and nothing is lost."""
    requests = [room.message("kaz", "cd-request", delivery.request(MEMBERS, room.clock.now)) for _ in range(10)]
    found = judged(room, *requests)
    assert found[:MAX_CHECKED_STEPS] == [None] * MAX_CHECKED_STEPS
    assert {each.reason for each in found[MAX_CHECKED_STEPS:] if each is not None} == {"busy"}
    assert None not in found[MAX_CHECKED_STEPS:]


def test_invalid_content_is_refused_before_it_is_judged(room: Room) -> None:
    """A step whose content every recipient would refuse is not released."""
    request = room.begin()
    empty = room.message(
        "kaz",
        "cd-acknowledgement",
        ControlledDeliveryAcknowledgement(),
        thread=request.header.thread_id,
        parents=[request.digest],
    )
    with pytest.raises(Rejected, match="invalid_content"):
        room.steps.open(empty, room.clock.now)


def test_arrival_out_of_order_converges(room: Room, tmp_path: Path) -> None:
    """A stop is in force before its ancestors are here; with them it stands as on a node that had them first."""
    request = room.message("tjk", "cd-request", delivery.request(MEMBERS, room.clock.now))
    thread = request.header.thread_id
    note = room.message(
        "uzb",
        "free-message",
        FreeMessage(subject="Exercise", text="Exercise."),
        thread=thread,
        parents=[request.digest],
    )
    stop = room.message("uzb", "cd-stop", delivery.stop(), thread=thread, parents=[note.digest])
    room.put(stop)
    early = room.workflow_state(thread).view
    assert [alarm.digest for alarm in early.alarms] == [stop.digest]
    assert early.waiting_for == (note.digest,)
    room.put(note)
    assert room.workflow_state(thread).view.waiting_for == (request.digest,)
    room.put(request)
    (tmp_path / "other").mkdir()
    with open_room(tmp_path / "other") as other:
        other.key = room.key
        other.restart()
        for message in (request, note, stop):
            other.put(message)
        assert other.workflow_state(thread).view == room.workflow_state(thread).view


def test_own_step_takes_its_time_from_the_release_that_lasted(room: Room) -> None:
    """State read in a failed transaction is read again for a later release."""
    request = room.message("kaz", "cd-request", delivery.request(MEMBERS, room.clock.now))

    def undone(tx: LogTransaction) -> None:
        room.write(tx, request)
        assert len(room.steps.of_thread(tx.conn, request.header.thread_id)) == 1
        raise Rejected("conflict", "undone")

    with pytest.raises(Rejected):
        room.ledger.commit_now(undone)
    room.clock.now += timedelta(minutes=5)
    room.put(request)
    (step,) = room.workflow_state(request.header.thread_id).steps
    assert step.release_time == room.clock.now


def test_kinds_say_what_goes_first(room: Room) -> None:
    """A stop waits above FLASH and a request as its header says; a large batch is not looked through for a claim."""
    request = room.message("kaz", "cd-request", delivery.request(MEMBERS, room.clock.now))
    thread = request.header.thread_id
    stop = room.message("kaz", "cd-stop", delivery.stop(), thread=thread, parents=[request.digest])
    raw = [message.signed.SerializeToString(deterministic=True) for message in (request, stop)]
    assert overtakes("cd-stop")
    assert overtakes("cd-control-lost")
    assert not overtakes("cd-request")
    assert urgency_of(stop.header) > 5
    assert urgency_of(request.header) == request.header.urgency
    read = read_small([*raw, b"nonsense"])
    assert [each and overtakes(each.header.kind) for each in read] == [False, True, None]
    assert read_small(raw * 5) == []


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("stopped", [False, True])
def test_an_exercise_stops_no_real_delivery(room: Room, *, opened: bool, stopped: bool) -> None:
    """A member whose node let it pass moves nothing by it; a real stop stops an exercise too."""
    request = room.message("kaz", "cd-request", delivery.request(MEMBERS, room.clock.now), exercise=opened)
    thread = request.header.thread_id
    room.put(request)
    stop = room.message("tjk", "cd-stop", delivery.stop(), thread=thread, parents=[request.digest], exercise=stopped)
    room.put(stop)
    state = room.workflow_state(thread)
    assert state.exercise is opened
    moved = stopped == opened or not stopped
    assert [alarm.digest for alarm in state.view.alarms] == ([stop.digest] if moved else [])
    assert state.view.waiting_for == ()
