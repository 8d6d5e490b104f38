"""The rules of a controlled delivery, one small example each."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain import codes, workflows
from paiza_domain.workflows.controlled_delivery import (
    INVARIANTS,
    TEXTS,
    Breach,
    DeadlineKind,
    DeliveryView,
    OverallStatus,
    Rule,
    Status,
    Step,
    check_next,
    overdue,
    reduce,
)
from paiza_domain.workflows.controlled_delivery.reducer import MAX_STEPS
from paiza_domain.workflows.controlled_delivery.view import MAX_HEADS
from paiza_wire.message import MAX_PARENTS
from tests.unit.paiza_domain.workflows import deliveries
from tests.unit.paiza_domain.workflows.deliveries import BEGIN, Thread, make, request_content

THREE = deliveries.NAMES[:3]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def broken(thread: Thread, step: Step) -> set[Rule]:
    """Return the rules a step of a thread breaks."""
    return {breach.rule for breach in reduce(thread.steps).ineffective.get(step.digest, ())}


def view(thread: Thread) -> DeliveryView:
    """Fold a thread that has no ineffective steps."""
    found = reduce(thread.steps)
    assert not found.ineffective
    return found


def test_a_delivery_from_request_to_closing() -> None:
    """Each step brings the delivery to its next state, responsibility goes from hand to hand, and nothing is left."""
    thread = Thread(THREE)
    seen = []

    def now(step: Step) -> Step:
        seen.append(str(view(thread).overall))
        return step

    now(thread.request())
    for member in THREE:
        now(thread.authorise(member))
    now(thread.plan())
    now(thread.add("activation", "tjk"))
    now(thread.accept("uzb", now(thread.offer("tjk", "uzb"))))
    now(thread.accept("kaz", now(thread.offer("uzb", "kaz"))))
    for kind, author in (("delivered", "kaz"), ("intervention", "kaz"), ("outcome", "kaz"), ("evidence-return", "uzb")):
        now(thread.add(kind, author))
    now(thread.add("closing", "tjk"))
    assert seen == [
        *("requested", "requested", "requested", "authorised", "plan-signed", "active"),
        *("handover-offered", "handover-accepted", "handover-offered", "handover-accepted"),
        *("delivered", "intervened", "outcome-reported", "evidence-returned", "closed"),
    ]
    found = view(thread)
    assert [event.member for event in found.custody] == ["tjk", "uzb", "kaz"]
    assert (found.responsible, found.deadlines, found.participants) == ("kaz", (), ("kaz", "tjk", "uzb"))
    assert set(seen) <= set(codes.load("cd_overall"))


def test_every_code_has_its_words() -> None:
    """Every state, status, deadline and rule has a name or a sentence in both languages."""
    assert set(codes.load("cd_overall")) == set(OverallStatus)
    assert set(codes.load("cd_status")) == set(Status)
    assert set(codes.load("cd_deadline")) == set(DeadlineKind)
    assert set(TEXTS) == set(Rule)
    assert set(INVARIANTS.values()) == {1, 2, 3, 4, 5, 6}


def test_the_specification_lists_every_rule(root: Path) -> None:
    """The table of rules says code, invariant and meaning as the code does."""
    text = (root / "proto/README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)` \| (\d?) \| (.+) \|$", text, re.MULTILINE)
    rows = [(code, number, meaning) for code, number, meaning in table if code in set(Rule)]
    plain = {rule: meaning.replace("{", "").replace("}", "") for rule, meaning in TEXTS.items()}
    assert rows == [(rule, str(INVARIANTS.get(rule, "")), plain[rule]) for rule in Rule]


def test_silence_is_not_consent() -> None:
    """A missing authorisation prevents plan and activation, and is named."""
    thread = Thread(THREE)
    thread.request()
    thread.authorise("tjk")
    thread.authorise("uzb")
    plan = thread.plan()
    assert reduce(thread.steps).ineffective[plan.digest] == (Breach(Rule.AUTHORISATION_MISSING, {"member": "kaz"}),)
    breach = reduce(thread.steps).ineffective[plan.digest][0]
    assert (breach.text("en"), breach.text("ru")) == (
        "There is no authorisation of kaz.",
        "Нет разрешения государства kaz.",
    )
    activation = thread.add("activation", "tjk")
    assert broken(thread, activation) == {Rule.PLAN_MISSING}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"until": BEGIN + HOUR}, Rule.SCOPE_DATES),
        ({"begin": BEGIN + 2 * DAY}, Rule.SCOPE_DATES),
        ({"border_points": ["tjk-uzb"]}, Rule.SCOPE_BORDER_POINT),
        ({"kilograms": 11}, Rule.SCOPE_QUANTITY),
        ({"modes": ["partial"]}, Rule.SCOPE_SUBSTITUTION),
    ],
)
def test_an_authorisation_covers_dates_points_quantity_and_mode(changes: dict[str, Any], rule: Rule) -> None:
    """A plan beyond the scope of one state's authorisation takes no effect, and the rule says in what."""
    thread = Thread(THREE)
    thread.request()
    thread.authorise("tjk")
    thread.authorise("kaz")
    thread.authorise("uzb", **changes)
    assert broken(thread, thread.plan()) == {rule}


def test_quantities_are_compared_across_units_of_mass_and_points_across_spelling() -> None:
    """12,000 grams lie within 12 kilograms, and a border point is the same in other capitals and blanks."""
    thread = Thread()
    thread.request()
    thread.authorise("tjk", kilograms=12, border_points=[" TJK-uzb "])
    thread.authorise("uzb", kilograms=12)
    content = pb.ControlledDeliveryPlan(route=deliveries.legs(thread.states), substitution_mode="intact")
    content.quantities.add(unit="g", millionths=12_000 * 10**6)
    assert not broken(thread, thread.add("plan", "tjk", content))
    content.quantities[0].millionths += 1
    assert broken(thread, thread.add("plan", "tjk", content)) == {Rule.SCOPE_QUANTITY}


def test_an_expired_authorisation_starts_nothing_and_moves_nothing() -> None:
    """The time of the step's own release counts."""
    thread = Thread()
    thread.activate()
    offer = thread.offer("tjk", "uzb", time=BEGIN + 10 * DAY + HOUR)
    assert broken(thread, offer) == {Rule.AUTHORISATION_EXPIRED}
    found = reduce(thread.steps)
    assert (found.overall, found.states["uzb"].status) == (OverallStatus.SUSPENDED, Status.EXPIRED)
    assert {breach.rule for breach in found.lacking} == {Rule.AUTHORISATION_EXPIRED}


def test_nobody_is_responsible_before_their_authorisation_begins() -> None:
    """The first state does not start the delivery before it, the next one does not take it over before it."""
    early = Thread()
    early.request()
    early.authorise("tjk", begin=BEGIN)
    early.authorise("uzb")
    early.plan()
    assert broken(early, early.add("activation", "tjk")) == {Rule.AUTHORISATION_NOT_YET}
    assert broken(early, early.add("activation", "tjk", time=BEGIN)) == set()
    later = Thread()
    later.request()
    later.authorise("tjk")
    later.authorise("uzb", begin=BEGIN + HOUR)
    later.plan()
    later.add("activation", "tjk")
    offer = later.offer("tjk", "uzb")
    assert broken(later, later.accept("uzb", offer)) == {Rule.AUTHORISATION_NOT_YET}
    assert broken(later, later.accept("uzb", offer, after=[offer], time=BEGIN + HOUR)) == set()


def test_an_authorisation_is_two_officers_one_of_them_an_authoriser() -> None:
    """One officer, or two without an authoriser, authorise nothing."""
    thread = Thread()
    thread.request()
    content = pb.ControlledDeliveryAuthorisation(scope=deliveries.scope())
    one = thread.add("authorisation", "uzb", content, signers=[("a", "authoriser")])
    twice = thread.add("authorisation", "uzb", content, signers=[("a", "authoriser"), ("a", "liaison")])
    two = thread.add("authorisation", "uzb", content, signers=[("a", "liaison"), ("b", "duty")])
    assert broken(thread, one) == broken(thread, twice) == {Rule.TWO_OFFICERS_NEEDED}
    assert broken(thread, two) == {Rule.AUTHORISER_NEEDED}
    assert reduce(thread.steps).states["uzb"].status is Status.REQUESTED


def test_a_handover_takes_who_holds_and_who_is_named_next() -> None:
    """Only the responsible state offers, only to the next on the route, once at a time; only that one takes."""
    thread = Thread(THREE)
    thread.activate()
    assert broken(thread, thread.offer("uzb", "kaz")) == {Rule.NOT_RESPONSIBLE, Rule.NOT_NEXT_ON_ROUTE}
    assert broken(thread, thread.offer("tjk", "kaz")) == {Rule.NOT_NEXT_ON_ROUTE}
    offer = thread.offer("tjk", "uzb")
    assert broken(thread, thread.offer("tjk", "uzb")) == {Rule.OFFER_OPEN}
    assert broken(thread, thread.accept("kaz", offer)) == {Rule.NOT_THE_TAKER}
    assert reduce(thread.steps).responsible == "tjk"
    assert not broken(thread, thread.accept("uzb", offer))
    assert broken(thread, thread.accept("uzb", offer)) == {Rule.OFFER_MISSING}
    assert broken(thread, thread.add("delivered", "uzb")) == {Rule.NOT_NEXT_ON_ROUTE}
    assert reduce(thread.steps).responsible == "uzb"


def test_two_offers_in_parallel_branches_make_one_state_responsible() -> None:
    """Each branch was right by itself; together one of them takes effect, the same one on every node."""
    for salt in "abcdefgh":
        thread = Thread(THREE, salt=salt)
        active = thread.activate()
        branches = []
        for _branch in range(2):
            offer = thread.offer("tjk", "uzb", after=[active])
            branches.append((offer, thread.accept("uzb", offer, after=[offer])))
        found = reduce(thread.steps)
        effective = [pair for pair in branches if not {step.digest for step in pair} & found.ineffective.keys()]
        assert (len(effective), found.responsible, found.position) == (1, "uzb", 1)
        assert reduce(reversed(thread.steps)) == found


def test_a_stop_wins_the_race_against_a_handover() -> None:
    """A handover concurrent with a stop of any state takes no effect; who gave stays responsible; all are to know."""
    for salt in "abcdefgh":
        thread = Thread(THREE, salt=salt)
        thread.activate()
        offer = thread.offer("tjk", "uzb")
        accepted = thread.accept("uzb", offer, after=[offer])
        stop = thread.add("stop", "kaz", after=[offer])
        found = reduce(thread.steps)
        assert broken(thread, accepted) == {Rule.OVERTAKEN}
        assert (found.overall, found.responsible) == (OverallStatus.STOP_ORDERED, "tjk")
        assert found.alarms[0].still_to_acknowledge == ("tjk", "uzb")
        thread.add(
            "acknowledgement", "uzb", pb.ControlledDeliveryAcknowledgement(message_digest=stop.digest), after=[stop]
        )
        alarm = reduce(thread.steps).alarms[0]
        assert (alarm.acknowledged_by, alarm.still_to_acknowledge) == (("uzb",), ("tjk",))
        due = [each for each in reduce(thread.steps).deadlines if each.code is DeadlineKind.STOP_ACKNOWLEDGEMENT]
        assert [(each.member, each.due_time) for each in due] == [("tjk", stop.release_time + HOUR)]


def test_only_who_stopped_lifts_by_two_officers_and_then_it_goes_on() -> None:
    """A lifted stop leaves no open offer; the handover begins anew."""
    thread = Thread(THREE)
    thread.activate()
    offer = thread.offer("tjk", "uzb")
    stop = thread.add("stop", "kaz")
    assert broken(thread, thread.accept("uzb", offer)) == {Rule.STOPPED, Rule.OFFER_MISSING}
    content = pb.ControlledDeliveryStopLifting(stop_digest=stop.digest)
    assert broken(thread, thread.add("stop-lifting", "tjk", content)) == {Rule.NOT_THE_STOPPER}
    alone = thread.add("stop-lifting", "kaz", content, signers=[("a", "authoriser")])
    assert broken(thread, alone) == {Rule.TWO_OFFICERS_NEEDED}
    thread.lift(stop)
    assert broken(thread, thread.lift(stop)) == {Rule.STOP_MISSING}
    assert reduce(thread.steps).overall is OverallStatus.ACTIVE
    assert broken(thread, thread.accept("uzb", offer)) == {Rule.OFFER_MISSING}
    thread.hand_over("tjk", "uzb")
    assert reduce(thread.steps).responsible == "uzb"


@pytest.mark.parametrize(("kind", "overall"), [("stop", "stop-ordered"), ("control-lost", "control-lost")])
def test_a_stop_counts_before_its_ancestors_have_arrived(kind: str, overall: str) -> None:
    """A stop with an unknown parent is an alarm at once, and reverts nothing until the parent is known."""
    thread = Thread(THREE)
    thread.activate()
    offer = thread.offer("tjk", "uzb")
    alarm = thread.add(kind, "kaz")
    held = [step for step in thread.steps if step is not offer]
    found = reduce(held)
    assert (str(found.overall), found.responsible) == (overall, "tjk")
    assert (found.waiting, found.waiting_for) == ((alarm.digest,), (offer.digest,))
    assert found.alarms[0].in_force
    assert found.heads == tuple(sorted([thread.steps[-3].digest, alarm.digest]))
    taken = pb.ControlledDeliveryAcknowledgement(message_digest=alarm.digest)
    assert check_next(held, make("acknowledgement", "tjk", [alarm], taken, to=THREE)) == ()
    assert check_next(held, make("stop", "tjk", [alarm], to=THREE)) == ()
    resumed = check_next(held, make("resumption", "tjk", [alarm], to=THREE))
    assert resumed == (Breach(Rule.ANCESTORS_MISSING, {"count": "1"}),)


def test_a_stop_by_who_has_no_territory_on_the_route_is_none() -> None:
    """A participant that is no state of the delivery cannot stop it."""
    thread = Thread()
    thread.to = (*thread.states, "centre")
    thread.activate()
    assert broken(thread, thread.add("stop", "centre")) == {Rule.NOT_ON_ROUTE}
    assert broken(thread, thread.add("stop", "xyz")) == {Rule.NOT_PARTICIPANT}
    assert reduce(thread.steps).overall is OverallStatus.ACTIVE


def test_control_lost_halts_until_it_is_regained() -> None:
    """A loss of control stops all movement until the responsible state reports control again."""
    thread = Thread(THREE)
    thread.activate()
    thread.add("control-lost", "uzb")
    assert reduce(thread.steps).overall is OverallStatus.CONTROL_LOST
    assert broken(thread, thread.offer("tjk", "uzb")) == {Rule.CONTROL_LOST}
    assert broken(thread, thread.add("resumption", "kaz")) == {Rule.NOTHING_TO_RESUME}
    thread.add("resumption", "tjk")
    assert reduce(thread.steps).overall is OverallStatus.ACTIVE


def test_a_suspension_is_ended_by_who_suspended() -> None:
    """Two suspensions need two resumptions, and one the author did not know of stays."""
    thread = Thread(THREE)
    active = thread.activate()
    thread.add("suspension", "uzb", after=[active])
    thread.add("suspension", "kaz", after=[active])
    thread.add("resumption", "uzb")
    assert view(thread).overall is OverallStatus.SUSPENDED
    thread.add("resumption", "kaz")
    assert view(thread).overall is OverallStatus.ACTIVE


def test_an_authorisation_withdrawn_on_the_way_halts_until_there_is_a_new_one() -> None:
    """A state already passed can no longer halt the delivery."""
    thread = Thread(THREE)
    thread.activate()
    back = pb.ControlledDeliveryWithdrawal(withdrawn="authorisation")
    thread.add("withdrawal", "uzb", back)
    assert reduce(thread.steps).overall is OverallStatus.SUSPENDED
    assert broken(thread, thread.offer("tjk", "uzb")) == {Rule.AUTHORISATION_MISSING}
    thread.authorise("uzb")
    thread.hand_over("tjk", "uzb")
    thread.add("withdrawal", "tjk", back)
    thread.hand_over("uzb", "kaz")
    assert reduce(thread.steps).responsible == "kaz"


def test_a_withdrawal_wins_the_race_against_the_activation() -> None:
    """Whether a state withdraws or the request is withdrawn: who did not know of it began nothing."""
    for what, author in (("authorisation", "uzb"), ("request", "tjk")):
        thread = Thread()
        thread.request()
        thread.authorise("tjk")
        thread.authorise("uzb")
        plan = thread.plan()
        thread.add("withdrawal", author, pb.ControlledDeliveryWithdrawal(withdrawn=what), after=[plan])
        activation = thread.add("activation", "tjk", after=[plan])
        assert broken(thread, activation) == {Rule.OVERTAKEN}
        assert reduce(thread.steps).responsible == ""


def test_a_new_state_enters_only_by_its_own_authorisation() -> None:
    """A change of route waits for the new state, which then takes over like any other."""
    thread = Thread(("tjk", "uzb"))
    thread.activate()
    change = pb.ControlledDeliveryRouteChange(
        route=deliveries.legs(("tjk", "kgz")),
        new_states=[pb.ControlledDeliveryState(member="kgz", role="destination")],
        latest_decision_time=deliveries.stamp(BEGIN + DAY),
    )
    assert broken(thread, thread.add("route-change", "tjk", change)) == {Rule.NOT_ADDRESSED_TO_ALL}
    thread.to = ("tjk", "uzb", "kgz")
    assert broken(thread, thread.add("route-change", "uzb", change)) == {Rule.NOT_RESPONSIBLE}
    thread.add("route-change", "tjk", change)
    assert reduce(thread.steps).overall is OverallStatus.ROUTE_CHANGED
    assert broken(thread, thread.offer("tjk", "kgz")) == {Rule.AUTHORISATION_MISSING}
    thread.authorise("kgz")
    assert reduce(thread.steps).overall is OverallStatus.ACTIVE
    thread.hand_over("tjk", "kgz")
    assert reduce(thread.steps).responsible == "kgz"
    elsewhere = pb.ControlledDeliveryRouteChange(route=deliveries.legs(("uzb", "kaz")))
    assert broken(thread, thread.add("route-change", "kgz", elsewhere)) == {
        Rule.ROUTE_BEGINS_ELSEWHERE,
        Rule.NOT_ON_ROUTE,
    }


def test_a_substitution_is_recorded_and_within_the_authorisation() -> None:
    """Weight, seals and photographs before and after; a mode that the state permitted; by who holds the consignment."""
    thread = Thread()
    thread.activate()
    before, after = deliveries.recorded(12), deliveries.recorded(11)
    partial = pb.ControlledDeliverySubstitution(mode="partial", before=before, after=after)
    thread.add("substitution", "tjk", partial)
    assert len(view(thread).substitutions) == 1
    full = thread.add("substitution", "tjk", pb.ControlledDeliverySubstitution(mode="full", before=before, after=after))
    other = thread.add("substitution", "uzb", partial)
    bare = thread.add("substitution", "tjk", pb.ControlledDeliverySubstitution(mode="partial", after=after))
    assert broken(thread, full) == {Rule.SCOPE_SUBSTITUTION}
    assert broken(thread, other) == {Rule.NOT_RESPONSIBLE}
    assert reduce(thread.steps).ineffective[bare.digest] == (
        Breach(Rule.SUBSTITUTION_UNRECORDED, {"what": "before"}),
    )  # fmt: skip


def test_the_outcome_is_due_thirty_days_after_the_end() -> None:
    """A report is overdue after its deadline, and leaves the deadlines once it is made."""
    thread = Thread()
    thread.activate()
    assert broken(thread, thread.add("outcome", "uzb")) == {Rule.NOT_ENDED}
    thread.hand_over("tjk", "uzb")
    end = thread.add("delivered", "uzb")
    found = reduce(thread.steps)
    due = [(each.code, each.member, each.due_time) for each in found.deadlines]
    assert due == [(DeadlineKind.OUTCOME, "uzb", end.release_time + 30 * DAY)]
    assert overdue(found, end.release_time + 30 * DAY) == ()
    assert overdue(found, end.release_time + 30 * DAY + HOUR) == found.deadlines
    thread.add("outcome", "uzb")
    assert reduce(thread.steps).deadlines == ()


def test_an_oral_request_is_confirmed_within_three_days() -> None:
    """Until it is confirmed in writing there is a deadline for it; only one confirmation is needed."""
    thread = Thread()
    oral = BEGIN - timedelta(hours=13)
    thread.request(oral=oral)
    due = [each for each in reduce(thread.steps).deadlines if each.code is DeadlineKind.CONFIRMATION]
    assert [(each.member, each.due_time) for each in due] == [("tjk", oral + 3 * DAY)]
    assert broken(thread, thread.add("confirmation", "uzb")) == {Rule.NOT_REQUESTER}
    thread.add("confirmation", "tjk")
    assert not [each for each in reduce(thread.steps).deadlines if each.code is DeadlineKind.CONFIRMATION]
    assert broken(thread, thread.add("confirmation", "tjk")) == {Rule.NOTHING_TO_CONFIRM}


def test_who_is_silent_beyond_the_latest_time_has_let_it_expire() -> None:
    """A decision released too late takes no effect; the release counts, not when it arrived."""
    thread = Thread()
    thread.request(latest=BEGIN)
    assert {(each.code, each.member) for each in view(thread).deadlines} == {
        (DeadlineKind.DECISION, "tjk"),
        (DeadlineKind.DECISION, "uzb"),
    }
    thread.authorise("tjk")
    content = pb.ControlledDeliveryAuthorisation(scope=deliveries.scope())
    late = thread.add("authorisation", "uzb", content, time=BEGIN + HOUR)
    assert broken(thread, late) == {Rule.DECISION_TOO_LATE}
    found = reduce(thread.steps)
    assert (found.overall, found.states["uzb"].status) == (OverallStatus.EXPIRED, Status.EXPIRED)
    thread.add("closing", "tjk")
    assert reduce(thread.steps).overall is OverallStatus.CLOSED


def test_conditions_go_back_and_forth() -> None:
    """A state that proposed conditions decides after they were answered; only the last ones can be answered."""
    thread = Thread()
    thread.request()
    thread.add("acknowledgement", "uzb", pb.ControlledDeliveryAcknowledgement(message_digest=thread.steps[0].digest))
    assert view(thread).states["uzb"].status is Status.ACKNOWLEDGED
    first = thread.add("conditions", "uzb", pb.ControlledDeliveryConditions(reference="1"))
    content = pb.ControlledDeliveryAuthorisation(scope=deliveries.scope())
    assert broken(thread, thread.add("authorisation", "uzb", content)) == {Rule.CONDITIONS_UNANSWERED}
    thread.add("conditions", "uzb", pb.ControlledDeliveryConditions(reference="2"))
    answer = pb.ControlledDeliveryConditionsAnswer(member="uzb", conditions_digest=first.digest)
    assert broken(thread, thread.add("conditions-answer", "tjk", answer)) == {Rule.CONDITIONS_NOT_OPEN}
    answer.conditions_digest = reduce(thread.steps).states["uzb"].conditions_step
    thread.add("conditions-answer", "tjk", answer)
    assert reduce(thread.steps).states["uzb"].status is Status.CONDITIONS_ANSWERED
    thread.add("authorisation", "uzb", content)
    assert reduce(thread.steps).states["uzb"].status is Status.AUTHORISED


def test_only_conditions_that_were_set_are_answered() -> None:
    """Each number that was not set is named."""
    thread = Thread()
    thread.request()
    content = pb.ControlledDeliveryConditions(conditions=[pb.ControlledDeliveryCondition(number=1)])
    conditions = thread.add("conditions", "uzb", content)
    answer = pb.ControlledDeliveryConditionsAnswer(
        member="uzb",
        conditions_digest=conditions.digest,
        answers=[pb.ControlledDeliveryConditionAnswer(number=each) for each in (1, 2, 7)],
    )
    step = thread.add("conditions-answer", "tjk", answer)
    breaches = reduce(thread.steps).ineffective[step.digest]
    assert [(each.rule, each.values["number"]) for each in breaches] == [
        (Rule.CONDITION_UNKNOWN, "2"),
        (Rule.CONDITION_UNKNOWN, "7"),
    ]


def test_a_refusal_is_final_and_ends_the_request() -> None:
    """A state that refused cannot authorise after all, and the requester may close."""
    thread = Thread()
    thread.request()
    thread.add("refusal", "uzb", pb.ControlledDeliveryRefusal(refusal="resources"))
    found = view(thread)
    assert (found.overall, found.states["uzb"].refusal) == (OverallStatus.REFUSED, "resources")
    content = pb.ControlledDeliveryAuthorisation(scope=deliveries.scope())
    assert broken(thread, thread.add("authorisation", "uzb", content)) == {Rule.DECIDED_ALREADY}
    assert broken(thread, thread.add("closing", "uzb")) == {Rule.NOT_REQUESTER}


def test_intervention_is_for_who_holds_the_consignment_or_has_stopped_it() -> None:
    """An end ends the delivery; a handover that did not know of it takes no effect."""
    thread = Thread(THREE)
    thread.activate()
    offer = thread.offer("tjk", "uzb")
    assert broken(thread, thread.add("intervention", "kaz")) == {Rule.NOT_RESPONSIBLE}
    accepted = thread.accept("uzb", offer, after=[offer])
    thread.add("intervention", "tjk", after=[offer])
    assert broken(thread, accepted) == {Rule.OVERTAKEN}
    assert reduce(thread.steps).overall is OverallStatus.INTERVENED
    assert broken(thread, thread.offer("tjk", "uzb")) == {Rule.ENDED}


def test_who_takes_no_part_and_who_is_left_out() -> None:
    """A stranger's step, a step not sent to all, and a second request take no effect."""
    thread = Thread()
    thread.request()
    assert broken(thread, thread.add("acknowledgement", "xyz")) == {Rule.NOT_PARTICIPANT}
    second = thread.request()
    assert broken(thread, second) == {Rule.REQUEST_REPEATED}
    unheard = make("refusal", "uzb", [thread.steps[0]], to=[])
    thread.steps.append(unheard)
    assert reduce(thread.steps).ineffective[unheard.digest] == (
        Breach(Rule.NOT_ADDRESSED_TO_ALL, {"members": "tjk"}),
    )  # fmt: skip


def test_request_that_is_dated_back_takes_nothing_away_from_those_who_acted() -> None:
    """A participant whose log lies about the time can neither take a delivery over nor make another's stop vanish."""
    thread = Thread(THREE)
    thread.activate()
    thread.add("stop", "kaz", pb.ControlledDeliveryStop())
    before = reduce(thread.steps)
    usurping = make("request", "uzb", [], request_content(["uzb", "tjk"]), time=BEGIN - timedelta(days=30), to=THREE)
    own = [make("suspension", "uzb", [usurping], time=BEGIN, to=THREE, salt=str(number)) for number in range(3)]
    after = reduce([*thread.steps, usurping, *own])
    assert (after.requester, after.overall, after.stops) == (before.requester, before.overall, before.stops)
    assert after.ineffective[usurping.digest] == (Breach(Rule.REQUEST_REPEATED),)
    assert after.heads == before.heads


def test_flood_of_one_member_is_bounded_and_crowds_nobody_out() -> None:
    """Only a bounded number of a member's concurrent steps count, in any order; another member's stop does."""
    thread = Thread(THREE)
    thread.activate()
    end = thread.steps[-1:]
    flood = [make("stop", "uzb", end, to=THREE, salt=str(number)) for number in range(2 * MAX_STEPS)]
    deep = [make("suspension", "uzb", flood[at : at + 32], to=THREE, salt=str(at)) for at in range(2 * MAX_STEPS - 32)]
    stop = make("stop", "kaz", end, time=thread.time + timedelta(days=1), to=THREE)
    steps = [*thread.steps, *flood, *deep, stop]
    found = reduce(steps)
    too_many = {digest for digest, rules in found.ineffective.items() if rules[0].rule is Rule.TOO_MANY_STEPS}
    own = 1  # the authorisation that began it
    assert len(too_many) == len(flood) + len(deep) + own - 2 * MAX_STEPS
    assert stop.digest in {each.digest for each in found.stops}
    assert len(found.heads) == MAX_HEADS == MAX_PARENTS
    assert stop.digest in found.heads
    assert reduce(reversed(steps)) == found


def test_illegal_steps_are_nobodys_heads() -> None:
    """Steps of a stranger are no parents, so that they cannot fill up the parents of a step."""
    thread = Thread()
    request = thread.request()
    strange = [make("acknowledgement", "xyz", [request], salt=str(number)) for number in range(MAX_HEADS + 1)]
    assert reduce([*thread.steps, *strange]).heads == (request.digest,)


def test_messages_of_other_kinds_are_links_and_nothing_else() -> None:
    """A free message in the thread may be named as a parent, counts for nothing, and is no head."""
    thread = Thread()
    request = thread.request()
    talk = Step(b"t" * 32, "free-message", "uzb", (request.digest,), BEGIN, ("tjk",), (), None)
    assert reduce([request, talk]).heads == (request.digest,)
    thread.steps.append(talk)
    thread.authorise("uzb")
    assert view(thread).states["uzb"].status is Status.AUTHORISED
    assert reduce([step for step in thread.steps if step is not talk]).waiting_for == (talk.digest,)


def test_a_sender_is_told_before_release() -> None:
    """A step without effect, or one that would undo a known step, is not released; a halt always is."""
    workflow = workflows.get("controlled-delivery")
    thread = Thread(THREE)
    active = thread.activate()
    offer = thread.offer("tjk", "uzb")
    thread.accept("uzb", offer)
    late = [make("handover-offer", "tjk", [active], offer.content, to=THREE, salt=salt) for salt in "abcdefgh"]
    found = [workflow.check_next(thread.steps, step) for step in late]
    assert all(found)
    assert {breach.rule for breaches in found for breach in breaches} <= {
        Rule.NOT_RESPONSIBLE,
        Rule.NOT_NEXT_ON_ROUTE,
        Rule.OFFER_OPEN,
        Rule.UNDOES_OTHERS,
    }
    assert workflow.check_next(thread.steps, make("stop", "kaz", [active], to=THREE)) == ()
    going = pb.ControlledDeliveryHandoverOffer(taker="kaz", point="uzb-kaz")
    heads = [step for step in thread.steps if step.digest in workflow.reduce(thread.steps).heads]
    assert workflow.check_next(thread.steps, make("handover-offer", "uzb", heads, going, to=THREE)) == ()


def test_nothing_known_is_waiting() -> None:
    """A thread without its request shows nothing."""
    found = reduce([])
    assert (found.overall, found.responsible, found.heads, found.order) == (OverallStatus.WAITING, "", (), ())
