"""Long threads at random: honest and dishonest steps, known and unknown ancestors, narrow scopes, jumps in time."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from random import Random

from google.protobuf.message import Message

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain.workflows.controlled_delivery.legality import breaches
from paiza_domain.workflows.controlled_delivery.reducer import Reduction
from paiza_domain.workflows.step import Step
from tests.unit.paiza_domain.workflows import deliveries

OUTSIDER = "xyz"
Move = tuple[str, str, Message | None]  # kind, author, content
MODES = ("intact", "partial", "full")


class RandomRun:
    """One thread of `length` steps of `states`, drawn from `seed`. Nothing keeps a step from being illegal."""

    def __init__(self, seed: int, states: int, length: int) -> None:
        self._random = Random(seed)
        self.thread = deliveries.Thread(states=deliveries.NAMES[:states], salt=str(seed))
        if self._random.random() < 0.7:
            self.thread.activate()
        else:
            self.thread.request(oral=deliveries.BEGIN - timedelta(days=1))
        self.time = self.thread.time
        while len(self.thread.steps) < length:
            self._grow()

    @property
    def steps(self) -> list[Step]:
        """Return the steps."""
        return self.thread.steps

    def known_somewhere(self) -> list[Step]:
        """Return the steps that somebody holds who lacks others, closed under ancestors."""
        before = deliveries.ancestors(self.steps)
        held: set[bytes] = set()
        for step in self._random.sample(self.steps, self._random.randint(1, len(self.steps))):
            if self._random.random() < 0.5:
                held |= before[step.digest] | {step.digest}
        return [step for step in self.steps if step.digest in held]

    def in_some_order(self) -> list[Step]:
        """Return the steps in an order of arrival that respects nothing."""
        return self._random.sample(self.steps, len(self.steps))

    def _grow(self) -> None:
        random = self._random
        view = self.steps[: 1 + int(len(self.steps) * random.random() ** 0.2)] or self.steps
        if random.random() < 0.75:
            view = self.steps
        elif random.random() < 0.5:
            before = deliveries.ancestors(self.steps)
            tip = random.choice(self.steps)
            view = [step for step in self.steps if step.digest in before[tip.digest] | {tip.digest}]
        self.time += random.choice(
            [timedelta(minutes=1), timedelta(minutes=9), timedelta(hours=2), -timedelta(hours=1)]
        )
        if random.random() < 0.02:
            self.time += timedelta(days=4)
        step = self._drawn(view)
        if random.random() < 0.85:  # an honest node asks first, and its officer tries something else
            delivery = Reduction(view).delivery
            for _ in range(6):
                if not breaches(delivery, step):
                    break
                step = self._drawn(view)
        self.steps.append(step)

    def _drawn(self, view: list[Step]) -> Step:
        random = self._random
        kind, author, content = random.choice(list(self._moves(view)))
        signers = None
        if random.random() < 0.05:
            signers = [(f"{author}-officer", random.choice(["liaison", "authoriser"]))]
        to = self.thread.states if random.random() < 0.97 else self.thread.states[:1]
        heads = deliveries.heads(view)
        salt = f"{random.random()}"
        return deliveries.make(kind, author, heads, content, time=self.time, to=to, signers=signers, salt=salt)

    def _moves(self, view: list[Step]) -> Iterator[Move]:
        random, states = self._random, self.thread.states
        author = random.choice(states) if random.random() < 0.98 else OUTSIDER
        route = random.sample(states, random.randint(2, len(states)))
        scope = deliveries.scope(
            until=self.time + (timedelta(hours=1) if random.random() < 0.1 else timedelta(days=12)),
            kilograms=1 if random.random() < 0.1 else 20,
            modes=random.sample(MODES, 2) if random.random() < 0.2 else MODES,
        )
        offers = [step for step in view if step.kind == "cd-handover-offer"]
        for open_offer in offers[-1:]:  # what keeps a delivery moving is drawn more often
            for _ in range(15):
                yield (
                    "handover-acceptance",
                    open_offer.content.taker,
                    pb.ControlledDeliveryHandoverAcceptance(offer_digest=open_offer.digest),
                )
        for giver, taker in pairwise(states):
            point = deliveries.border(giver, taker)
            for _ in range(6):
                yield "handover-offer", giver, pb.ControlledDeliveryHandoverOffer(taker=taker, point=point)
        for _ in range(4):
            yield "delivered", states[-1], None
            yield "activation", states[0], None
        if random.random() < 0.4:
            for kind in ("stop", "suspension", "control-lost", "intervention"):
                yield kind, author, None
            withdrawn = random.choice(["request", "authorisation"])
            yield "withdrawal", author, pb.ControlledDeliveryWithdrawal(withdrawn=withdrawn)
        for _ in range(4):
            yield "resumption", author, None
        yield "outcome", author, None
        for kind in ("evidence-return", "closing", "activation", "confirmation", "conditions"):
            yield kind, author, None
        yield "refusal", author, pb.ControlledDeliveryRefusal(refusal="resources")
        for _ in range(3):
            yield "authorisation", author, pb.ControlledDeliveryAuthorisation(scope=scope)
        plan = pb.ControlledDeliveryPlan(
            route=deliveries.legs(random.choice([states, states, states, route])),
            quantities=[deliveries.kilograms(12)],
            substitution_mode="intact",
        )
        yield "plan", states[0], plan
        change = pb.ControlledDeliveryRouteChange(route=deliveries.legs(route))
        yield "route-change", route[0], change
        taker = random.choice(states)
        offer = pb.ControlledDeliveryHandoverOffer(taker=taker, point=deliveries.border(author, taker))
        for _ in range(3):
            yield "handover-offer", author, offer
        yield (
            "substitution",
            author,
            pb.ControlledDeliverySubstitution(
                mode="partial", before=deliveries.recorded(random.randint(0, 2)), after=deliveries.recorded(1)
            ),
        )
        yield from self._answers(view[-8:], author)

    def _answers(self, latest: list[Step], author: str) -> Iterator[Move]:
        for step in latest:
            yield "acknowledgement", author, pb.ControlledDeliveryAcknowledgement(message_digest=step.digest)
            if step.kind == "cd-stop":
                lifting = pb.ControlledDeliveryStopLifting(stop_digest=step.digest)
                yield "stop-lifting", step.author, lifting
                yield "stop-lifting", author, lifting
            if step.kind == "cd-conditions":
                answer = pb.ControlledDeliveryConditionsAnswer(member=step.author, conditions_digest=step.digest)
                yield "conditions-answer", self.thread.states[0], answer
            if step.kind == "cd-handover-offer":
                refusal = pb.ControlledDeliveryHandoverRefusal(offer_digest=step.digest)
                yield "handover-refusal", self._random.choice([author, step.content.taker]), refusal
