"""Steps of an invented controlled delivery, made without keys: a digest is the hash of what the step says."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza.content.v1.common_pb2 import Quantity
from paiza_domain.workflows.step import Step

BEGIN = datetime(2026, 11, 23, 8, tzinfo=UTC)
NAMES = ("tjk", "uzb", "kaz", "kgz")
SHORT: dict[str, type[Message]] = {
    "request": pb.ControlledDeliveryRequest,
    "acknowledgement": pb.ControlledDeliveryAcknowledgement,
    "conditions": pb.ControlledDeliveryConditions,
    "conditions-answer": pb.ControlledDeliveryConditionsAnswer,
    "authorisation": pb.ControlledDeliveryAuthorisation,
    "refusal": pb.ControlledDeliveryRefusal,
    "withdrawal": pb.ControlledDeliveryWithdrawal,
    "confirmation": pb.ControlledDeliveryConfirmation,
    "plan": pb.ControlledDeliveryPlan,
    "activation": pb.ControlledDeliveryActivation,
    "handover-offer": pb.ControlledDeliveryHandoverOffer,
    "handover-acceptance": pb.ControlledDeliveryHandoverAcceptance,
    "handover-refusal": pb.ControlledDeliveryHandoverRefusal,
    "route-change": pb.ControlledDeliveryRouteChange,
    "suspension": pb.ControlledDeliverySuspension,
    "resumption": pb.ControlledDeliveryResumption,
    "control-lost": pb.ControlledDeliveryControlLost,
    "stop": pb.ControlledDeliveryStop,
    "stop-lifting": pb.ControlledDeliveryStopLifting,
    "intervention": pb.ControlledDeliveryIntervention,
    "delivered": pb.ControlledDeliveryDelivered,
    "substitution": pb.ControlledDeliverySubstitution,
    "outcome": pb.ControlledDeliveryOutcome,
    "evidence-return": pb.ControlledDeliveryEvidenceReturn,
    "closing": pb.ControlledDeliveryClosing,
}
TWO_SIGNED = {"cd-authorisation", "cd-stop-lifting"}


def stamp(time: datetime) -> Timestamp:
    """Make a Timestamp."""
    made = Timestamp()
    made.FromDatetime(time)
    return made


def kilograms(amount: int) -> Quantity:
    """Make a quantity."""
    return Quantity(millionths=amount * 10**6, unit="kg")


def border(giver: str, taker: str) -> str:
    """Name the border point between two states."""
    return f"{giver}-{taker}"


def legs(members: Iterable[str], begin: datetime = BEGIN) -> list[pb.ControlledDeliveryLeg]:
    """Make a route of one day a state."""
    names = list(members)
    return [
        pb.ControlledDeliveryLeg(
            member=member,
            entry_point=border(names[place - 1], member) if place else "",
            entry_time=stamp(begin + timedelta(days=place)),
            exit_point=border(member, names[place + 1]) if place + 1 < len(names) else "",
            exit_time=stamp(begin + timedelta(days=place + 1)),
        )
        for place, member in enumerate(names)
    ]


def scope(members: Iterable[str] = NAMES, **changes: Any) -> pb.ControlledDeliveryScope:
    """Make the scope of an authorisation that covers every route of these states, for ten days."""
    names = list(members)
    made = pb.ControlledDeliveryScope(
        valid_from_time=stamp(BEGIN - timedelta(days=1)),
        valid_until_time=stamp(changes.get("until", BEGIN + timedelta(days=10))),
        border_points=changes.get("border_points", [border(one, other) for one in names for other in names]),
        quantities=[kilograms(changes.get("kilograms", 20))],
        substitution_modes=changes.get("modes", ["intact", "partial"]),
    )
    if "begin" in changes:
        made.valid_from_time.CopyFrom(stamp(changes["begin"]))
    return made


def recorded(weight: int) -> pb.ControlledDeliveryConsignmentState:
    """Record a consignment as before or after a substitution."""
    return pb.ControlledDeliveryConsignmentState(
        gross_weight=kilograms(weight), seals=["7"], photograph_digests=[bytes(32)]
    )


def request_content(states: Iterable[str], **changes: Any) -> pb.ControlledDeliveryRequest:
    """Make a request to these states."""
    names = list(states)
    content = pb.ControlledDeliveryRequest(
        states=[pb.ControlledDeliveryState(member=each, role="transit") for each in names],
        latest_decision_time=stamp(changes.pop("latest", BEGIN + timedelta(days=3))),
        route=legs(names),
        quantities=[kilograms(12)],
        substitution_mode="intact",
    )
    if "oral" in changes:
        content.oral_request_time.CopyFrom(stamp(changes["oral"]))
    return content


def make(
    kind: str,
    author: str,
    parents: Iterable[Step | bytes] = (),
    content: Message | None = None,
    *,
    time: datetime = BEGIN,
    to: Iterable[str] = NAMES,
    signers: Iterable[tuple[str, str]] | None = None,
    salt: str = "",
) -> Step:
    """Make a step; `kind` without its "cd-"; its digest follows from everything it says, and from `salt`."""
    body = SHORT[kind]() if content is None else content
    named = tuple(sorted(each if isinstance(each, bytes) else each.digest for each in parents))
    name = f"cd-{kind}"
    if signers is None:
        signers = [(f"{author}-officer", "liaison")]
        if name in TWO_SIGNED:
            signers = [*signers, (f"{author}-authoriser", "authoriser")]
    recipients = tuple(sorted(set(to) - {author}))
    told = (salt, name, author, named, recipients, tuple(signers), time.isoformat(), body.SerializeToString())
    return Step(
        digest=sha256(repr(told).encode()).digest(),
        kind=name,
        author=author,
        parents=named,
        release_time=time,
        recipients=recipients,
        signers=tuple(signers),
        content=body,
    )


@dataclass
class Thread:
    """A thread that grows step by step, each following from all before it unless said otherwise."""

    states: tuple[str, ...] = NAMES[:2]
    requester: str = "tjk"
    salt: str = ""
    route: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Begin without steps."""
        self.steps: list[Step] = []
        self.time = BEGIN - timedelta(hours=12)
        self.to: tuple[str, ...] = self.states

    def add(
        self,
        kind: str,
        author: str,
        content: Message | None = None,
        *,
        after: Iterable[Step] | None = None,
        time: datetime | None = None,
        signers: Iterable[tuple[str, str]] | None = None,
    ) -> Step:
        """Add a step that follows from `after`, else from the whole thread, a minute later than the last one."""
        self.time = time or self.time + timedelta(minutes=1)
        parents = heads(self.steps) if after is None else list(after)
        step = make(kind, author, parents, content, time=self.time, to=self.to, signers=signers, salt=self.salt)
        self.steps.append(step)
        return step

    def request(self, **changes: Any) -> Step:
        """Add the request."""
        return self.add("request", self.requester, request_content(self.states, **changes))

    def authorise(self, member: str, **changes: Any) -> Step:
        """Add an authorisation that covers everything, but for `changes`."""
        return self.add("authorisation", member, pb.ControlledDeliveryAuthorisation(scope=scope(**changes)))

    def plan(self, *states: str) -> Step:
        """Add the plan of a route through these states, or through all."""
        content = pb.ControlledDeliveryPlan(
            route=legs(states or self.states), quantities=[kilograms(12)], substitution_mode="intact"
        )
        return self.add("plan", self.requester, content)

    def activate(self) -> Step:
        """Add everything up to the activation by the first state."""
        self.request()
        for member in self.states:
            self.authorise(member)
        self.plan()
        return self.add("activation", self.states[0])

    def offer(self, giver: str, taker: str, **more: Any) -> Step:
        """Add an offer of a handover."""
        content = pb.ControlledDeliveryHandoverOffer(taker=taker, point=border(giver, taker))
        return self.add("handover-offer", giver, content, **more)

    def accept(self, taker: str, offer: Step, **more: Any) -> Step:
        """Add the acceptance of an offer."""
        content = pb.ControlledDeliveryHandoverAcceptance(offer_digest=offer.digest)
        return self.add("handover-acceptance", taker, content, **more)

    def hand_over(self, giver: str, taker: str) -> Step:
        """Add offer and acceptance."""
        return self.accept(taker, self.offer(giver, taker))

    def lift(self, stop: Step, **more: Any) -> Step:
        """Add the lifting of a stop by who ordered it."""
        return self.add("stop-lifting", stop.author, pb.ControlledDeliveryStopLifting(stop_digest=stop.digest), **more)


def heads(steps: Iterable[Step]) -> list[Step]:
    """Return the steps no other one follows from."""
    known = list(steps)
    named = {parent for step in known for parent in step.parents}
    return [step for step in known if step.digest not in named]


def ancestors(steps: Iterable[Step]) -> dict[bytes, frozenset[bytes]]:
    """Return the ancestors of every step, found naively; a missing parent counts as one."""
    known = {step.digest: step for step in steps}
    found: dict[bytes, frozenset[bytes]] = {}

    def look(digest: bytes) -> frozenset[bytes]:
        if digest not in found:
            step = known.get(digest)
            parents = () if step is None or step.kind == "cd-request" else step.parents
            found[digest] = frozenset(parents).union(*(look(parent) for parent in parents))
        return found[digest]

    return {digest: look(digest) for digest in known}


def later(step: Step, time: timedelta) -> Step:
    """Return the step as released later."""
    return replace(step, release_time=step.release_time + time)
