"""Every way a delivery can go, up to a depth: each next step by each state, knowing each part of what was said before.

What a state knows is a set of steps closed under ancestors. An honest node names the heads of all it knows as parents,
so "who knew what when" and "which parents has each step" are the same question: exploring all sets of known steps
covers all orders in which messages can arrive between the states. Threads that consist of the same steps are met once.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from random import Random

from google.protobuf.message import Message

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain.workflows import controlled_delivery
from paiza_domain.workflows.controlled_delivery.legality import addressing, breaches
from paiza_domain.workflows.controlled_delivery.reducer import Reduction
from paiza_domain.workflows.step import Step
from tests.unit.paiza_domain.workflows import deliveries
from tests.unit.paiza_domain.workflows.oracle import Oracle

Move = tuple[str, str, Message | None]  # kind, author, content
VIEWS = 4  # of what is known in one thread, where not all threads are followed
Moves = Callable[["list[Step]", "tuple[str, ...]"], Iterator[Move]]


def decisions(known: list[Step], states: tuple[str, ...]) -> Iterator[Move]:
    """Yield the moves before the delivery begins."""
    requester = states[0]
    proposed = [step for step in known if step.kind == "cd-conditions"]
    for member in states:
        yield "authorisation", member, pb.ControlledDeliveryAuthorisation(scope=deliveries.scope())
        yield "refusal", member, pb.ControlledDeliveryRefusal(refusal="resources")
        yield "withdrawal", member, pb.ControlledDeliveryWithdrawal(withdrawn="authorisation")
        yield "conditions", member, pb.ControlledDeliveryConditions(reference=member)
        yield "stop", member, None
        for stop in (step for step in known if step.kind == "cd-stop" and step.author == member):
            yield "stop-lifting", member, pb.ControlledDeliveryStopLifting(stop_digest=stop.digest)
    yield "withdrawal", requester, pb.ControlledDeliveryWithdrawal(withdrawn="request")
    for step in proposed:
        answer = pb.ControlledDeliveryConditionsAnswer(member=step.author, conditions_digest=step.digest)
        yield "conditions-answer", requester, answer
    yield (
        "plan",
        requester,
        pb.ControlledDeliveryPlan(
            route=deliveries.legs(states), quantities=[deliveries.kilograms(12)], substitution_mode="intact"
        ),
    )
    yield "activation", states[0], None


def movements(known: list[Step], states: tuple[str, ...]) -> Iterator[Move]:
    """Yield the moves of a delivery under way."""
    offers = [step for step in known if step.kind == "cd-handover-offer"]
    for place, member in enumerate(states):
        yield "stop", member, None
        yield "suspension", member, None
        yield "resumption", member, None
        yield "control-lost", member, None
        yield "intervention", member, None
        yield "withdrawal", member, pb.ControlledDeliveryWithdrawal(withdrawn="authorisation")
        if any(step.kind == "cd-withdrawal" and step.author == member for step in known):
            yield "authorisation", member, pb.ControlledDeliveryAuthorisation(scope=deliveries.scope())
        for stop in (step for step in known if step.kind == "cd-stop" and step.author == member):
            yield "stop-lifting", member, pb.ControlledDeliveryStopLifting(stop_digest=stop.digest)
        for taker in states[place + 1 : place + 2]:
            point = deliveries.border(member, taker)
            yield "handover-offer", member, pb.ControlledDeliveryHandoverOffer(taker=taker, point=point)
        for offer in offers:
            refusal = pb.ControlledDeliveryHandoverRefusal(offer_digest=offer.digest)
            if offer.content.taker == member:
                yield "handover-acceptance", member, pb.ControlledDeliveryHandoverAcceptance(offer_digest=offer.digest)
            if member in {offer.author, offer.content.taker}:
                yield "handover-refusal", member, refusal
    yield "delivered", states[-1], None


def handovers(known: list[Step], states: tuple[str, ...]) -> Iterator[Move]:
    """Yield the moves about which the second and third invariants are: handovers, and one stop a state."""
    stopped = {step.author for step in known if step.kind == "cd-stop"}
    for kind, author, content in movements(known, states):
        if kind.startswith("handover") or kind == "stop-lifting" or (kind == "stop" and author not in stopped):
            yield kind, author, content


@dataclass
class Exploration:
    """All threads that follow from `thread` by up to `depth` of the `moves`; `checked` counts what was looked at.

    `forgetful`: a state may release a step without knowing its own earlier ones, as two officers at two desks might.
    """

    thread: deliveries.Thread
    moves: Moves
    depth: int
    forgetful: bool = False
    most: int = 0  # threads; 0 for all
    seed: int = 1
    met: int = field(default=0, init=False)
    steps: int = field(default=0, init=False)
    concurrent: int = field(default=0, init=False)

    def run(self) -> list[str]:
        """Look at every thread; give the complaints of the first one at fault, and its steps."""
        random = Random(self.seed)
        self._base = frozenset(step.digest for step in self.thread.steps)
        self._known = {step.digest: step for step in self.thread.steps}
        self._before: dict[bytes, frozenset[bytes]] = {}
        self._legal: dict[frozenset[bytes], tuple[Step, ...]] = {}
        frontier = {self._base}
        for _level in range(self.depth):
            reached = {
                members | {step.digest}
                for members in sorted(frontier, key=sorted)
                for step in self._next(members, random)
            }
            few = self.most and len(reached) > self.most
            frontier = set(random.sample(sorted(reached, key=sorted), self.most)) if few else reached
            for members in frontier:
                if complaints := self._judge([self._known[digest] for digest in members], random):
                    return complaints
        return []

    def _next(self, members: frozenset[bytes], random: Random) -> Iterator[Step]:
        views = sorted(self._views(members), key=sorted)
        for view in random.sample(views, min(VIEWS, len(views))) if self.most else views:
            for step in self._following(view):
                own = self._own(members, step.author)
                if step.digest not in members and (self.forgetful or own <= view):
                    yield step

    def _own(self, members: frozenset[bytes], author: str) -> frozenset[bytes]:
        return frozenset(digest for digest in members if self._known[digest].author == author)

    def _following(self, view: frozenset[bytes]) -> tuple[Step, ...]:
        """Return every step that somebody who knows exactly this may release; the same for all threads that hold it."""
        if view not in self._legal:
            seen = sorted((self._known[digest] for digest in view), key=lambda step: step.digest)
            parents = deliveries.heads(seen)
            time = max(step.release_time for step in seen) + timedelta(minutes=1)
            made = (
                deliveries.make(kind, author, parents, content, time=time, to=self.thread.states, salt=self.thread.salt)
                for kind, author, content in self.moves(seen, self.thread.states)
            )
            delivery = Reduction(seen).delivery
            new = {
                step.digest: step for step in made if not breaches(delivery, step) and not addressing(delivery, step)
            }
            legal = tuple(self._known.setdefault(digest, step) for digest, step in new.items())
            for step in legal:
                self._before[step.digest] = view
            self._legal[view] = legal
        return self._legal[view]

    def _views(self, members: frozenset[bytes]) -> set[frozenset[bytes]]:
        """Return every set of steps somebody may know: the first steps of all, and any more with their ancestors."""
        views = {self._base}
        for digest in sorted(members - self._base, key=lambda each: len(self._before[each])):
            views |= {view | {digest} for view in views if self._before[digest] <= view}
        return views

    def _judge(self, steps: list[Step], random: Random) -> list[str]:
        self.met += 1
        self.steps = max(self.steps, len(steps))
        view = controlled_delivery.reduce(steps)
        self.concurrent += len(view.heads) > 1
        shuffled = list(steps)
        random.shuffle(shuffled)
        complaints = list(Oracle(steps, view).complaints())
        if controlled_delivery.reduce(shuffled) != view:
            complaints.append("two orders of arrival differ")
        return [*complaints, *map(tell, steps)] if complaints else []


def tell(step: Step) -> str:
    """Write a step for a person who looks for a defect."""
    parents = ",".join(parent.hex()[:4] for parent in step.parents)
    return f"{step.digest.hex()[:4]} {step.author} {step.kind} <- {parents}"


def linear_extensions(steps: Iterable[Step], most: int) -> Iterator[list[Step]]:
    """Yield orders of arrival in which ancestors come first, up to a limit, depth first."""
    known = list(steps)
    before = deliveries.ancestors(known)

    def extend(done: list[Step]) -> Iterator[list[Step]]:
        if len(done) == len(known):
            yield list(done)
            return
        there = {step.digest for step in done}
        for step in known:
            if step.digest not in there and before[step.digest] <= there:
                yield from extend([*done, step])

    return islice(extend([]), most)
