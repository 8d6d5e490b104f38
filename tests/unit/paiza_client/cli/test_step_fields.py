"""What a step of a controlled delivery fills in by itself."""

from paiza.officer.v1 import workflow_pb2
from paiza_client.cli import step_fields

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


def test_the_oldest_stop_that_waits_for_us_is_acknowledged() -> None:
    """Of two stops the older one that this member has not acknowledged is taken, never its own."""
    found = _thread(_stop(LATER, "tjk", 20, "kaz"), _stop(EARLIER, "uzb", 10, "kaz"), _stop(OTHER, "kaz", 30, "uzb"))
    assert step_fields.ACKNOWLEDGED.find(found, "kaz") == (EARLIER.hex(),)
    assert step_fields.ACKNOWLEDGED.find(found, "uzb") == (OTHER.hex(),)


def test_without_a_stop_the_request_is_acknowledged() -> None:
    """Where no alarm waits for this member, what is acknowledged is the request."""
    assert step_fields.ACKNOWLEDGED.find(_thread(), "kaz") == (OTHER.hex(),)


def test_a_member_lifts_its_own_stop() -> None:
    """Another member's later stop, and one that was lifted before, are not what a lifting names."""
    found = _thread(
        _stop(OTHER, "uzb", 5, in_force=False), _stop(EARLIER, "uzb", 10), _stop(LATER, "kaz", 20)
    )  # fmt: skip
    assert step_fields.OWN_STOP.find(found, "uzb") == (EARLIER.hex(),)
    assert step_fields.OWN_STOP.find(found, "tjk") == ()


def test_the_answer_goes_to_conditions_that_are_open() -> None:
    """Conditions that were answered are passed over, whatever came last."""
    found = _thread()
    found.status.states.add(member="tjk", status="conditions-answered", step_digest=LATER)
    assert step_fields.CONDITIONS.find(found, "kaz") == ()
    found.status.states.add(member="uzb", status="conditions-proposed", step_digest=EARLIER)
    assert step_fields.CONDITIONS.find(found, "kaz") == ("uzb", EARLIER.hex())
