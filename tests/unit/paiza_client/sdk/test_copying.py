"""What answers a message, and what a step of a delivery takes over from earlier ones."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza.content.v1.common_pb2 import Quantity
from paiza_client.sdk import copying

if TYPE_CHECKING:
    from paiza_client.sdk.model import MessageSummary


def answers(kind: str) -> list[str]:
    """Return the names of the kinds that are offered as answers to a message of a kind."""
    message = cast("MessageSummary", SimpleNamespace(header=SimpleNamespace(kind=kind)))
    return [each.name for each in copying.kinds_that_answer(message)]


@pytest.mark.parametrize(
    ("kind", "offered"),
    [
        ("information-request", ["information-answer", "free-message", "feedback", "release-request"]),
        ("pre-export-notification", ["pre-export-reply", "free-message", "feedback", "pre-export-arrival",
                                     "release-request"]),
        ("operation", ["free-message", "feedback", "release-request", "result-sheet", "situation-report"]),
        ("sample-handover", ["sample-receipt", "free-message", "feedback", "release-request", "sample-destruction"]),
    ],
)  # fmt: skip
def test_a_message_is_answered_by_what_fits_it(kind: str, offered: list[str]) -> None:
    """The usual answers first, then what may follow from any message, and what follows from this kind alone."""
    assert answers(kind) == offered


def test_a_plan_repeats_the_request() -> None:
    """Route, quantities and means are taken over, in the order of the thread; its number and remarks are its own."""
    request = pb.ControlledDeliveryRequest(
        reference="R-1",
        remarks="of the request",
        substitution_mode="intact",
        quantities=[Quantity(millionths=12_000_000, unit="kg")],
        route=[pb.ControlledDeliveryLeg(member="tjk"), pb.ControlledDeliveryLeg(member="kaz")],
    )
    plan: Any = pb.ControlledDeliveryPlan()
    copying._copy_same(request, plan)
    changed = pb.ControlledDeliveryRouteChange(reason="weather", route=[pb.ControlledDeliveryLeg(member="uzb")])
    copying._copy_same(changed, plan)
    assert [leg.member for leg in plan.route] == ["uzb"]
    assert (plan.substitution_mode, plan.quantities[0].unit) == ("intact", "kg")
    assert (plan.reference, plan.remarks) == ("", "")
