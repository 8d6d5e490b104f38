"""The state of a delivery after a set of steps. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from paiza.content.v1.common_pb2 import Quantity
from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryLeg


class Status(StrEnum):
    """The status of one state's decision. The values are the codes of the list "cd_status"."""

    REQUESTED = "requested"
    ACKNOWLEDGED = "acknowledged"
    CONDITIONS_PROPOSED = "conditions-proposed"
    CONDITIONS_ANSWERED = "conditions-answered"
    AUTHORISED = "authorised"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


UNDECIDED: Final = frozenset(
    {Status.REQUESTED, Status.ACKNOWLEDGED, Status.CONDITIONS_PROPOSED, Status.CONDITIONS_ANSWERED}
)


@dataclass(frozen=True, slots=True)
class StateDecision:
    """The decision of one state of the route.

    `scope` is a ControlledDeliveryScope, `until` its end; both are set for an authorisation only.
    `conditions` are those proposed or, once authorised, those that hold; `answers` answer the proposed ones.
    `step` is the digest of the step that set the status, `conditions_step` that of the last proposed conditions.
    """

    role: str
    status: Status = Status.REQUESTED
    decided: bool = False
    latest_decision: datetime | None = None
    scope: Any = None
    until: datetime | None = None
    conditions: tuple[Any, ...] = ()
    answers: tuple[Any, ...] = ()
    conditions_step: bytes = b""
    refusal: str = ""
    step: bytes = b""


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its step, the member and the time."""

    digest: bytes
    member: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Stop(Event):
    """A stop; `lifted_by` is the digest of its lifting, empty while it is in force."""

    lifted_by: bytes = b""


@dataclass(frozen=True, slots=True)
class Offer:
    """An open offer of a handover."""

    digest: bytes
    giver: str
    taker: str


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """The state of a delivery. `responsible` is empty until the delivery begins.

    `route` is the last planned route, `position` the index of the current leg, `movement` the kind of the last step
    that moved the consignment. `rerouted` is the digest of the last route change, if no plan came after it.
    """

    request: bytes = b""
    requester: str = ""
    oral_request: datetime | None = None
    confirmed: bool = False
    withdrawn: bool = False
    states: Mapping[str, StateDecision] = field(default_factory=lambda: MappingProxyType({}))
    participants: frozenset[str] = frozenset()
    route: tuple[ControlledDeliveryLeg, ...] = ()
    position: int = 0
    quantities: tuple[Quantity, ...] = ()
    substitution_mode: str = ""
    plan: bytes = b""
    rerouted: bytes = b""
    responsible: str = ""
    movement: str = ""
    custody: tuple[Event, ...] = ()
    offer: Offer | None = None
    stops: tuple[Stop, ...] = ()
    suspensions: tuple[Event, ...] = ()
    losses: tuple[Event, ...] = ()
    delivered: Event | None = None
    interventions: tuple[Event, ...] = ()
    substitutions: tuple[Event, ...] = ()
    outcomes: tuple[Event, ...] = ()
    evidence_returned: bool = False
    closed: bool = False
    acknowledgeable: frozenset[bytes] = frozenset()

    @property
    def active(self) -> bool:
        """Return whether the delivery has begun; it stays True when the delivery is stopped or has ended."""
        return bool(self.responsible)

    @property
    def ended(self) -> bool:
        """Return whether the consignment was delivered or an intervention took place."""
        return self.delivered is not None or bool(self.interventions)

    @property
    def stops_in_force(self) -> tuple[Stop, ...]:
        """Return the stops that were not lifted."""
        return tuple(stop for stop in self.stops if not stop.lifted_by)

    @property
    def remaining(self) -> tuple[ControlledDeliveryLeg, ...]:
        """Return the legs from the current one on."""
        return self.route[self.position :]

    @property
    def end(self) -> Event | None:
        """Return the earliest event that ended the delivery; a stop in force or a loss of control ends it too."""
        events = [*self.interventions, *self.losses, *self.stops_in_force]
        if self.delivered is not None:
            events.append(self.delivered)
        return min(events, key=lambda event: (event.time, event.digest), default=None)


START: Final = DeliveryState()
