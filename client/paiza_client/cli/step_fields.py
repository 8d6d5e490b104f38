"""What a step of a delivery answers, found in the node's fold of the thread, so that no officer copies a digest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from paiza.officer.v1 import workflow_pb2
from paiza_client.language import N_

_OPEN_CONDITIONS: Final = "conditions-proposed"


@dataclass(frozen=True, slots=True)
class Filling:
    """The fields that are filled in, how their texts are found, and what is said where there is nothing to answer.

    ``find`` takes the node's answer and the own member, and gives one text for each field, or none at all.
    """

    fields: tuple[str, ...]
    find: Callable[[workflow_pb2.GetWorkflowResponse, str], tuple[str, ...]]
    nothing: str


def _to_acknowledge(found: workflow_pb2.GetWorkflowResponse, own: str) -> tuple[str, ...]:
    """Return the oldest stop or loss of control that waits for us; else the newest request or change of route."""
    waiting = [each for each in found.status.alarms if each.in_force and own in each.waiting_for]
    if waiting:
        return (min(waiting, key=lambda each: each.release_time.ToNanoseconds()).message_digest.hex(),)
    return _newest(found, "cd-request", "cd-route-change")


def _conditions(found: workflow_pb2.GetWorkflowResponse, _own: str) -> tuple[str, ...]:
    for state in found.status.states:
        if state.status == _OPEN_CONDITIONS:
            return state.member, state.step_digest.hex()
    return ()


def _offer(found: workflow_pb2.GetWorkflowResponse, _own: str) -> tuple[str, ...]:
    return _newest(found, "cd-handover-offer")


def _own_stop(found: workflow_pb2.GetWorkflowResponse, own: str) -> tuple[str, ...]:
    for each in found.status.alarms:
        if each.in_force and each.author == own and each.kind == "cd-stop":
            return (each.message_digest.hex(),)
    return ()


def _newest(found: workflow_pb2.GetWorkflowResponse, *kinds: str) -> tuple[str, ...]:
    digests = [each.message_digest.hex() for each in found.steps if each.effective and each.kind in kinds]
    return tuple(digests[-1:])


ACKNOWLEDGED: Final = Filling(("message_digest",), _to_acknowledge, N_("Nothing here waits to be acknowledged."))
CONDITIONS: Final = Filling(
    ("member", "conditions_digest"), _conditions, N_("No state has conditions that wait for an answer.")
)
OFFER: Final = Filling(("offer_digest",), _offer, N_("No handover has been offered."))
OWN_STOP: Final = Filling(("stop_digest",), _own_stop, N_("No stop that your member ordered is in force."))
