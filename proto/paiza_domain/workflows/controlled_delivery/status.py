"""The types of the view of a delivery: overall status, deadlines, alarms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from paiza.content.v1.common_pb2 import Quantity
from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryLeg
from paiza_domain.workflows.controlled_delivery.rules import Breach
from paiza_domain.workflows.controlled_delivery.state import DeliveryState, Event, Offer, StateDecision, Stop

CONFIRM_WITHIN: Final = timedelta(days=3)  # an oral request, in writing
REPORT_WITHIN: Final = timedelta(days=30)  # the outcome, after the end


class OverallStatus(StrEnum):
    """The overall status of a delivery. The values are the codes of the list "cd_overall"."""

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


MOVING: Final = frozenset({OverallStatus.ACTIVE, OverallStatus.HANDOVER_OFFERED, OverallStatus.HANDOVER_ACCEPTED})
"""Under way and not stopped: "ACTIVE" in the sense of the first invariant."""


OVER: Final = frozenset({OverallStatus.REFUSED, OverallStatus.EXPIRED, OverallStatus.WITHDRAWN, OverallStatus.CLOSED})
"""Nothing more is to be done."""


class DeadlineKind(StrEnum):
    """The kind of a deadline. The values are the codes of the list "cd_deadline"."""

    DECISION = "decision"
    AUTHORISATION_END = "authorisation-end"
    CONFIRMATION = "confirmation"
    STOP_ACKNOWLEDGEMENT = "stop-acknowledgement"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """A task that `member` must complete by `due_time`; a completed task has no deadline."""

    due_time: datetime
    code: DeadlineKind
    member: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """A stop or a loss of control, with the members that acknowledged it."""

    digest: bytes
    kind: str
    member: str
    time: datetime
    in_force: bool
    acknowledged_by: tuple[str, ...]
    still_to_acknowledge: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """The view of a delivery; equal on every node that holds the same steps.

    `order` holds the digests of all steps in the order that is common to all nodes, ineffective steps included.
    `waiting_for` holds the digests of missing ancestors, `waiting` those of the steps that have no effect until these
    arrive (a stop takes effect at once). `heads` are the parents of a next step. `custody` lists each member that
    became responsible, with the step; the last is `responsible`. `lacking` lists the breaches that keep the consignment
    from moving on while the delivery is under way. `delivery` is the state that a next step follows from.
    """

    overall: OverallStatus
    request: bytes
    requester: str
    states: Mapping[str, StateDecision]
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
    delivery: DeliveryState


def overdue(view: DeliveryView, now: datetime) -> tuple[Deadline, ...]:
    """Return the deadlines that have passed at `now`."""
    return passed(view.deadlines, now)


def passed(deadlines: Iterable[Deadline], now: datetime) -> tuple[Deadline, ...]:
    """Return the deadlines before `now`."""
    return tuple(each for each in deadlines if each.due_time < now)
