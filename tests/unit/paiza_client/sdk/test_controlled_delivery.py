"""The fields that a step of a controlled delivery fills in by itself."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.message import Message

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryActivation, ControlledDeliveryHandoverOffer
from paiza.core.v1 import message_pb2
from paiza.officer.v1 import workflow_pb2
from paiza_client.sdk import controlled_delivery
from paiza_client.sdk.controlled_delivery import Delivery
from paiza_officer.errors import Refused

EARLIER, LATER, OTHER = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32


def _thread(*alarms: workflow_pb2.WorkflowAlarm) -> workflow_pb2.GetWorkflowResponse:
    request = workflow_pb2.WorkflowStep(message_digest=OTHER, kind="cd-request", author="tjk", effective=True)
    return workflow_pb2.GetWorkflowResponse(
        status=workflow_pb2.WorkflowStatus(alarms=alarms), steps=[request]
    )  # fmt: skip


def _stop(
    digest: bytes, author: str, seconds: int, *waiting_for: str, in_force: bool = True
) -> workflow_pb2.WorkflowAlarm:
    alarm = workflow_pb2.WorkflowAlarm(
        message_digest=digest, kind="cd-stop", author=author, in_force=in_force, waiting_for=waiting_for
    )
    alarm.release_time.FromSeconds(seconds)
    return alarm


def _filled(found: workflow_pb2.GetWorkflowResponse, own: str, kind: str) -> tuple[str, ...]:
    delivery = Delivery(found, message_pb2.Header(), own)
    return tuple(controlled_delivery.fill(delivery, kind, lenient=True).values())


def test_who_begins_or_takes_over_does_it_now() -> None:
    """The present minute stands where the officer names no time; an offer is needed to take over."""
    (begun,) = _filled(_thread(), "tjk", "cd-activation")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(begun)) < timedelta(minutes=2)
    assert _filled(_thread(), "uzb", "cd-handover-acceptance") == ()
    offered = _thread()
    offered.steps.add(message_digest=LATER, kind="cd-handover-offer", author="tjk", effective=True)
    taken, offer = _filled(offered, "uzb", "cd-handover-acceptance")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(taken)) < timedelta(minutes=2)
    assert offer == LATER.hex()
    named = controlled_delivery.fill(
        Delivery(offered, message_pb2.Header(), "uzb"), "cd-handover-acceptance", {"taken_at": "2026-11-29 08:00Z"}
    )
    assert named == {"taken_at": "2026-11-29 08:00Z", "offer_digest": LATER.hex()}


NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)


def _delivery(own: str) -> Delivery:
    """Return a delivery from tjk at noon over the bridge to uzb at eight."""
    found = _thread()
    for member, entry, leaving, hours in (("tjk", "", "Bridge", 4), ("uzb", "Bridge", "", 12)):
        leg = found.legs.add(member=member, entry_point=entry, exit_point=leaving)
        leg.entry_time.FromDatetime(NOW + timedelta(hours=hours))
    return Delivery(found, message_pb2.Header(), own)


def _prepared(kind: str, content: Message) -> Any:
    return SimpleNamespace(kind=SimpleNamespace(name=kind), content=content)


@pytest.mark.parametrize(
    ("own", "kind", "hours", "warned"),
    [
        ("tjk", "cd-activation", 0, True),
        ("tjk", "cd-activation", 3, False),
        ("tjk", "cd-activation", 9, False),
        ("uzb", "cd-handover-acceptance", 5, True),
        ("uzb", "cd-handover-acceptance", 11, False),
        ("tjk", "cd-plan", 0, False),
    ],
)
def test_a_beginning_long_before_the_plan_is_told(own: str, kind: str, hours: int, *, warned: bool) -> None:
    """Each state has its own time in the plan; some hours make no difference."""
    prepared = _prepared(kind, ControlledDeliveryActivation())
    found = controlled_delivery.warnings(_delivery(own), prepared, NOW + timedelta(hours=hours))
    assert bool(found) == warned
    assert all(own in each for each in found)


@pytest.mark.parametrize(("point", "warned"), [("Bridge", False), ("  bridge ", False), ("Ford", True)])
def test_a_handover_elsewhere_than_planned_is_told(point: str, *, warned: bool) -> None:
    """The authorisations may cover more border points than the plan names."""
    prepared = _prepared("cd-handover-offer", ControlledDeliveryHandoverOffer(taker="uzb", point=point))
    found = controlled_delivery.warnings(_delivery("tjk"), prepared, NOW)
    assert bool(found) == warned
    assert all("Bridge" in each for each in found)


def test_the_oldest_stop_that_waits_for_us_is_acknowledged() -> None:
    """The oldest stop that this member has not acknowledged is chosen, never its own."""
    found = _thread(_stop(LATER, "tjk", 20, "kaz"), _stop(EARLIER, "uzb", 10, "kaz"), _stop(OTHER, "kaz", 30, "uzb"))
    assert _filled(found, "kaz", "cd-acknowledgement") == (EARLIER.hex(),)
    assert _filled(found, "uzb", "cd-acknowledgement") == (OTHER.hex(),)


def test_without_a_stop_the_request_is_acknowledged() -> None:
    """The request is acknowledged if no alarm waits for this member."""
    assert _filled(_thread(), "kaz", "cd-acknowledgement") == (OTHER.hex(),)


def test_a_member_lifts_its_own_stop() -> None:
    """Another member's later stop, and one that was lifted before, are not what a lifting names."""
    found = _thread(
        _stop(OTHER, "uzb", 5, in_force=False), _stop(EARLIER, "uzb", 10), _stop(LATER, "kaz", 20)
    )  # fmt: skip
    assert _filled(found, "uzb", "cd-stop-lifting") == (EARLIER.hex(),)
    assert _filled(found, "tjk", "cd-stop-lifting") == ()


def test_the_answer_goes_to_conditions_that_are_open() -> None:
    """Answered conditions are skipped, in any order of arrival."""
    found = _thread()
    found.status.states.add(member="tjk", status="conditions-answered", step_digest=LATER)
    assert _filled(found, "kaz", "cd-conditions-answer") == ()
    found.status.states.add(member="uzb", status="conditions-proposed", step_digest=EARLIER)
    assert _filled(found, "kaz", "cd-conditions-answer") == ("uzb", EARLIER.hex())


def test_a_step_without_what_it_answers_is_refused_unless_the_officer_names_it() -> None:
    """Accepting without an offer is refused with the reason; a named offer is used unchanged."""
    delivery = Delivery(_thread(), message_pb2.Header(), "kaz")
    with pytest.raises(Refused, match="workflow_breach"):
        controlled_delivery.fill(delivery, "cd-handover-acceptance")
    named = {"offer_digest": EARLIER.hex()}
    assert controlled_delivery.fill(delivery, "cd-handover-acceptance", named) == named


def test_a_step_that_is_impossible_now_is_refused_with_its_rule() -> None:
    """The rules are those that the node found against the kind; a kind without one may be taken."""
    found = _thread(_stop(LATER, "uzb", 20))
    found.status.thread_name = "TJK-2026-00001"
    breach = workflow_pb2.WorkflowBreach(rule="stopped", values={"member": "uzb"})
    found.next_steps.add(kind="cd-activation", breaches=[breach])
    found.next_steps.add(kind="cd-stop")
    delivery = Delivery(found, message_pb2.Header(), "tjk")
    with pytest.raises(Refused) as refused:
        controlled_delivery.check_possible(delivery, "cd-activation")
    assert (refused.value.reason, refused.value.where) == ("workflow_breach", "TJK-2026-00001")
    assert [each.code for each in refused.value.problems] == ["stopped"]
    controlled_delivery.check_possible(delivery, "cd-stop")
