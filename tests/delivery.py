"""A controlled delivery as tests send it: valid contents of its steps, on an invented route through given members."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.content.v1 import controlled_delivery_pb2 as cd
from paiza.content.v1.common_pb2 import TIME_PRECISION_MINUTE, PartialTime, Quantity, Substance, Transport
from paiza.core.v1 import message_pb2 as pb
from tests.officer import Officer

ROLES: Final = ("origin", "transit", "destination")
MASS: Final = Quantity(millionths=10_000_000, unit="kg")
PLATE: Final = "000 TEST 00"
BEGINS_IN: Final = timedelta(days=2)
LEG: Final = timedelta(hours=12)
INTACT: Final = "intact"


def at(time: datetime) -> Timestamp:
    """Return a time as messages hold it."""
    stamp = Timestamp()
    stamp.FromDatetime(time.replace(microsecond=0))
    return stamp


def contact() -> cd.ControlledDeliveryContact:
    """Somebody who answers."""
    return cd.ControlledDeliveryContact(name="Duty desk (invented)", telephone="+70000000000")


def border(giver: str, taker: str) -> str:
    """The border point between two members."""
    return f"Point {giver}-{taker}"


def route(members: Sequence[str], now: datetime) -> list[cd.ControlledDeliveryLeg]:
    """One leg per member."""
    legs = []
    for place, member in enumerate(members):
        legs.append(
            cd.ControlledDeliveryLeg(
                member=member,
                entry_point=border(members[place - 1], member) if place else "",
                entry_time=at(now + BEGINS_IN + place * LEG),
                exit_point=border(member, members[place + 1]) if place + 1 < len(members) else "",
                exit_time=at(now + BEGINS_IN + (place + 1) * LEG),
            )
        )
    return legs


def request(
    members: Sequence[str],
    now: datetime,
    *,
    decision: timedelta = timedelta(days=1),
    plate: str = PLATE,
    oral: timedelta | None = None,
) -> cd.ControlledDeliveryRequest:
    """Ask every state of a route; ``oral`` is how long ago it was asked orally."""
    roles = ["origin", *["transit"] * (len(members) - 2), "destination"]
    content = cd.ControlledDeliveryRequest(
        reference="EX-1",
        requesting_authority="Authority (invented)",
        case_officer=contact(),
        duty_contact=contact(),
        states=[
            cd.ControlledDeliveryState(member=member, role=role) for member, role in zip(members, roles, strict=True)
        ],
        latest_decision_time=at(now + decision),
        legal_basis="Nothing of this is real.",
        case_number="CASE-1",
        facts="Nothing of this is real.",
        objective="Exercise.",
        why_necessary="Exercise.",
        substances=[Substance(as_named="heroin", drug_group="opioids", drug_type="heroin", quantity=MASS)],
        quantities=[MASS],
        transport=[Transport(mode="road", means="truck", plate=plate)],
        route=route(members, now),
        substitution_mode=INTACT,
    )
    if oral is not None:
        content.oral_request_time.CopyFrom(at(now - oral))
    return content


def authorisation(
    members: Sequence[str], now: datetime, *, valid: timedelta = timedelta(days=5)
) -> cd.ControlledDeliveryAuthorisation:
    """Permit all of the route."""
    points = [border(one, other) for one, other in pairwise(members)]
    return cd.ControlledDeliveryAuthorisation(
        reference="AUTH-1",
        authority="Authority (invented)",
        legal_basis="Nothing of this is real.",
        scope=cd.ControlledDeliveryScope(
            valid_from_time=at(now),
            valid_until_time=at(now + valid),
            border_points=points,
            quantities=[MASS],
            substitution_modes=[INTACT],
        ),
        duty_contact=contact(),
    )


def plan(members: Sequence[str], now: datetime) -> cd.ControlledDeliveryPlan:
    """The route as it was asked for."""
    return cd.ControlledDeliveryPlan(
        reference="PLAN-1", route=route(members, now), quantities=[MASS], substitution_mode=INTACT
    )


def activation(now: datetime) -> cd.ControlledDeliveryActivation:
    """Start the delivery."""
    begun = PartialTime(time=at(now.replace(second=0)), precision=TIME_PRECISION_MINUTE)
    return cd.ControlledDeliveryActivation(started_at=begun)


def stop() -> cd.ControlledDeliveryStop:
    """Stop the delivery."""
    return cd.ControlledDeliveryStop(stop_reason="danger-to-life", text="Exercise.")


def acknowledgement(digest: bytes) -> cd.ControlledDeliveryAcknowledgement:
    """Acknowledge a step."""
    return cd.ControlledDeliveryAcknowledgement(message_digest=digest)


def header(
    officer: Officer,
    kind: str,
    recipients: Sequence[str],
    *,
    thread: bytes = b"",
    parents: Sequence[bytes] = (),
    second: Officer | None = None,
    **changes: Any,
) -> pb.Header:
    """Write the header of a step; ``second`` signs as authoriser."""
    made = officer.header(recipients, **changes)
    made.kind = kind
    if thread:
        made.thread_id = thread
    made.parent_digests.extend(parents)
    if second is not None:
        made.required_signers.add(id=second.id, role="authoriser")
    return made


def seal(officer: Officer, header: pb.Header, content: Message, *, second: Officer | None = None) -> bytes:
    """Seal and sign a step."""
    return officer.seal(header, content.SerializeToString(), *([second] if second is not None else []))
