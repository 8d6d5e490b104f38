"""The six invariants, judged naively: only from the steps, which of them took effect, and what the standing shows.

Shares no code with the reducer. Everything is looked up anew in lists; ancestors are found by walking parents.
"""

from collections.abc import Iterable
from datetime import UTC, timedelta

from paiza.content.v1.common_pb2 import Quantity
from paiza_domain.workflows.controlled_delivery import DeliveryView
from paiza_domain.workflows.step import Step
from tests.unit.paiza_domain.workflows.deliveries import ancestors

MOVES = ("cd-activation", "cd-handover-offer", "cd-handover-acceptance", "cd-delivered")
MOVING = ("active", "handover-offered", "handover-accepted")
KILOGRAMS = {"kg": 1_000_000, "g": 1_000, "mg": 1}  # milligrams of a unit


class Oracle:
    """Judges one set of steps, all of whose ancestors are there, against the view that the reducer computes."""

    def __init__(self, steps: Iterable[Step], view: DeliveryView) -> None:
        self.steps = {step.digest: step for step in steps}
        self.view = view
        self.before = ancestors(self.steps.values())
        self.effective = [self.steps[digest] for digest in view.order if digest not in view.ineffective]

    def complaints(self) -> list[str]:
        """Return everything that does not hold; empty means that all invariants hold."""
        return [
            *self.order_is_causal(),
            *self.first(),
            *self.second(),
            *self.third(),
            *self.fourth(),
            *self.fifth(),
            *self.sixth(),
        ]

    def order_is_causal(self) -> Iterable[str]:
        """Every step is read once, after its ancestors."""
        order = self.view.order
        if sorted(order) != sorted(self.steps):
            yield "order: not every step once"
        seen: set[bytes] = set()
        for digest in order:
            if not self.before[digest] <= seen:
                yield "order: a step before its ancestor"
            seen.add(digest)

    def _upto(self, step: Step | None) -> list[Step]:
        return self.effective if step is None else self.effective[: self.effective.index(step)]

    def _remaining(self, step: Step | None) -> list[object]:
        """Return the legs from where the consignment is before `step`."""
        route: list[object] = []
        place = 0
        for each in self._upto(step):
            if each.kind in {"cd-request", "cd-plan", "cd-route-change"}:
                route, place = list(each.content.route), 0
            if each.kind == "cd-handover-acceptance":
                place += 1
        return route[place:]

    def _consents(self, leg: object, step: Step | None) -> bool:
        """Return whether the state of a leg has consented to it, in a way that holds right before `step`."""
        consent = None
        for each in self._upto(step):
            if each.author != leg.member:  # type: ignore[attr-defined]
                continue
            if each.kind == "cd-authorisation":
                consent = each
            if each.kind == "cd-refusal" or (
                each.kind == "cd-withdrawal" and each.content.withdrawn == "authorisation"
            ):
                consent = None
        if consent is None:
            return False
        scope = consent.content.scope
        if step is not None and scope.valid_until_time.ToDatetime() < step.release_time.replace(tzinfo=None):
            return False
        planned = [each for each in self._upto(step) if each.kind in {"cd-request", "cd-plan"}][-1].content
        points = {leg.entry_point, leg.exit_point} - {""}  # type: ignore[attr-defined]
        return (
            scope.valid_from_time.ToDatetime() <= leg.entry_time.ToDatetime()  # type: ignore[attr-defined]
            and leg.exit_time.ToDatetime() <= scope.valid_until_time.ToDatetime()  # type: ignore[attr-defined]
            and points <= set(scope.border_points)
            and all(any(_within(need, limit) for limit in scope.quantities) for need in planned.quantities)
            and planned.substitution_mode in scope.substitution_modes
        )

    def _has_begun(self, step: Step) -> bool:
        """Return whether the last authorisation of the author of `step` had begun when it was released."""
        own = [each for each in self._upto(step) if each.author == step.author and each.kind == "cd-authorisation"]
        begins = [each.content.scope.valid_from_time.ToDatetime(UTC) for each in own]
        return bool(begins) and begins[-1] <= step.release_time

    def first(self) -> Iterable[str]:
        """Never active without a covering, unexpired consent of every state still on the route."""
        for step in self.effective:
            if step.kind not in MOVES or step.kind == "cd-delivered":
                continue
            legs = self._remaining(step)[1 if step.kind == "cd-handover-acceptance" else 0 :]
            begins = step.kind in {"cd-activation", "cd-handover-acceptance"}
            if begins and not self._has_begun(step):
                yield f"1: {step.kind} before the authorisation begins"
            for leg in legs:
                if not self._consents(leg, step):
                    yield f"1: {step.kind} without consent of {leg.member}"  # type: ignore[attr-defined]
        if self.view.overall in MOVING:
            for leg in self._remaining(None):
                if not self._consents(leg, None):
                    yield f"1: {self.view.overall} without consent of {leg.member}"  # type: ignore[attr-defined]

    def second(self) -> Iterable[str]:
        """From the activation on exactly one state is responsible; it changes only by offer and acceptance."""
        responsible = ""
        used: set[bytes] = set()
        for step in self.effective:
            if step.kind == "cd-activation":
                if responsible:
                    yield "2: activated twice"
                responsible = step.author
            if step.kind == "cd-handover-offer" and step.author != responsible:
                yield "2: offered by who is not responsible"
            if step.kind == "cd-handover-acceptance":
                offer = self.steps[step.content.offer_digest]
                given = offer in self.effective and offer.kind == "cd-handover-offer"
                if not given or offer.author != responsible or offer.content.taker != step.author:
                    yield "2: taken without having been given"
                if offer.digest in used:
                    yield "2: an offer accepted twice"
                used.add(offer.digest)
                responsible = step.author
            if step.kind == "cd-delivered" and step.author != responsible:
                yield "2: delivered by who is not responsible"
        if responsible != self.view.responsible:
            yield f"2: {self.view.responsible} is shown as responsible, {responsible} is"

    def third(self) -> Iterable[str]:
        """A movement released against a stop, or without knowing of it, takes no effect."""
        requests = [step for step in self.effective if step.kind == "cd-request"]
        states = {each.member for step in requests for each in step.content.states}
        for stop in self.steps.values():
            if stop.kind != "cd-stop" or stop.author not in states:
                continue
            if stop not in self.effective:
                yield "3: a stop of a state took no effect"
            lifts = [
                each
                for each in self.effective
                if each.kind == "cd-stop-lifting"
                and each.author == stop.author
                and stop.digest in self.before[each.digest]
            ]
            for step in self.effective:
                if step.kind not in MOVES or step.digest in self.before[stop.digest]:
                    continue
                if not any(lift.digest in self.before[step.digest] for lift in lifts):
                    yield f"3: {step.kind} in spite of a stop"
            going = {*MOVING, "suspended", "route-changed", "requested", "authorised", "plan-signed"}
            if not lifts and self.view.overall in going:
                yield f"3: {self.view.overall} although stopped"
            if stop.digest not in {alarm.digest for alarm in self.view.alarms}:
                yield "3: a stop raises no alarm"

    def fourth(self) -> Iterable[str]:
        """A member that becomes responsible has authorised by two officers, one of them an authoriser."""
        authorised: set[str] = set()
        for step in self.effective:
            if step.kind == "cd-authorisation":
                officers = {name for name, _role in step.signers}
                if len(officers) < 2 or "authoriser" not in {role for _name, role in step.signers}:
                    yield "4: an authorisation without two officers"
                authorised.add(step.author)
            if step.kind in {"cd-activation", "cd-handover-acceptance"} and step.author not in authorised:
                yield "4: responsible without an authorisation of its own"

    def fifth(self) -> Iterable[str]:
        """A substitution is recorded before and after."""
        for step in self.effective:
            if step.kind == "cd-substitution":
                for state in (step.content.before, step.content.after):
                    if not (state.gross_weight.millionths and state.seals and state.photograph_digests):
                        yield "5: a substitution that is not recorded"

    def sixth(self) -> Iterable[str]:
        """A loss of control alerts everyone; an end without outcome has a deadline thirty days after it."""
        for step in self.effective:
            if step.kind == "cd-control-lost":
                alarm = [each for each in self.view.alarms if each.digest == step.digest]
                told = {*alarm[0].acknowledged_by, *alarm[0].still_to_acknowledge, step.author} if alarm else set()
                if told != set(self.view.participants):
                    yield "6: a loss of control that does not alert everyone"
        ends = [each for each in self.effective if each.kind in {"cd-delivered", "cd-intervention"}]
        reported = any(each.kind == "cd-outcome" for each in self.effective)
        closed = any(each.kind == "cd-closing" for each in self.effective)
        due = [each.due_time for each in self.view.deadlines if each.code == "outcome"]
        if ends and not reported and not closed:
            latest = min(each.release_time for each in ends) + timedelta(days=30)
            if not due or due[0] > latest:
                yield "6: no deadline for the outcome"


def _within(need: Quantity, limit: Quantity) -> bool:
    if need.unit in KILOGRAMS and limit.unit in KILOGRAMS:
        return need.millionths * KILOGRAMS[need.unit] <= limit.millionths * KILOGRAMS[limit.unit]
    return need.unit == limit.unit and need.millionths <= limit.millionths
