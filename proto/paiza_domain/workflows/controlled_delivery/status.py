"""What the board shows: the folded state of a delivery as a whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from paiza.content.v1.common_pb2 import Quantity
from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryLeg
from paiza_domain.workflows.controlled_delivery.rules import Breach
from paiza_domain.workflows.controlled_delivery.state import Event, Offer, StateStanding, Stop

CONFIRM_WITHIN: Final = timedelta(days=3)  # an oral request, in writing
REPORT_WITHIN: Final = timedelta(days=30)  # the outcome, after the end


class Overall(StrEnum):
    """Where the delivery is. The values are the codes of the list "cd_overall"."""

    WAITING = "waiting"
    REQUESTED = "requested"
    AUTHORISED = "authorised"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    PLAN_SIGNED = "plan-signed"
    ACTIVE = "active"
    HANDOVER_OFFERED = "handover-offered"
    HANDOVER_ACCEPTED = "handover-accepted"
    ROUTE_CHANGED = "route-changed"
    SUSPENDED = "suspended"
    CONTROL_LOST = "control-lost"
    STOP_ORDERED = "stop-ordered"
    DELIVERED = "delivered"
    INTERVENED = "intervened"
    OUTCOME_REPORTED = "outcome-reported"
    EVIDENCE_RETURNED = "evidence-returned"
    CLOSED = "closed"


MOVING: Final = frozenset({Overall.ACTIVE, Overall.HANDOVER_OFFERED, Overall.HANDOVER_ACCEPTED})
"""Under way and not halted: "ACTIVE" in the sense of the first invariant."""


class Due(StrEnum):
    """What a deadline is for. The values are the codes of the list "cd_deadline"."""

    DECISION = "decision"
    AUTHORISATION_END = "authorisation-end"
    CONFIRMATION = "confirmation"
    STOP_ACKNOWLEDGEMENT = "stop-acknowledgement"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """Something still to be done by `member` until `due_time`; what was done has no deadline any more."""

    due_time: datetime
    code: Due
    member: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """A stop or a loss of control, and who has taken note of it."""

    digest: bytes
    kind: str
    member: str
    time: datetime
    standing: bool
    acknowledged_by: tuple[str, ...]
    still_to_acknowledge: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The folded state; equal on every node that holds the same steps.

    `order` is the thread in the one order of all nodes, ineffective steps included. `waiting_for` are the digests of
    missing ancestors, `waiting` of the steps that therefore count for nothing yet (a stop counts at once). `heads` are
    what a next step names as parents. `custody` is who became responsible by which step; the last is `responsible`.
    `lacking` is what keeps the consignment from moving on while the delivery is under way.
    """

    overall: Overall
    request: bytes
    requester: str
    states: Mapping[str, StateStanding]
    participants: tuple[str, ...]
    responsible: str
    custody: tuple[Event, ...]
    route: tuple[ControlledDeliveryLeg, ...]
    position: int
    quantities: tuple[Quantity, ...]
    substitution_mode: str
    plan: bytes
    offer: Offer | None
    stops: tuple[Stop, ...]
    suspensions: tuple[Event, ...]
    losses: tuple[Event, ...]
    alarms: tuple[Alarm, ...]
    substitutions: tuple[Event, ...]
    end: Event | None
    outcomes: tuple[Event, ...]
    lacking: tuple[Breach, ...]
    ineffective: Mapping[bytes, tuple[Breach, ...]]
    deadlines: tuple[Deadline, ...]
    order: tuple[bytes, ...]
    waiting: tuple[bytes, ...]
    waiting_for: tuple[bytes, ...]
    heads: tuple[bytes, ...]


def overdue(standing: Standing, now: datetime) -> tuple[Deadline, ...]:
    """Return the deadlines that have passed; `now` only colours the display."""
    return passed(standing.deadlines, now)


def passed(deadlines: Iterable[Deadline], now: datetime) -> tuple[Deadline, ...]:
    """Return those that lie before `now`."""
    return tuple(each for each in deadlines if each.due_time < now)
