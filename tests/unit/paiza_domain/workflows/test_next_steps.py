"""What a member may do next: every step that is legal is offered, and what is offered has a legal form."""

from datetime import timedelta

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain.workflows.controlled_delivery import check_next, next_steps, reduce
from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from tests.unit.paiza_domain.workflows import deliveries
from tests.unit.paiza_domain.workflows.deliveries import Thread
from tests.unit.paiza_domain.workflows.random_runs import RandomRun

RUNS = 30
DRAWS = 15
ALWAYS = {"cd-stop"}


def offered(thread: Thread, member: str) -> set[str]:
    """Return the kinds that a member is offered a minute later."""
    found = next_steps(thread.steps, reduce(thread.steps), member, thread.time + timedelta(minutes=1))
    assert set(found) == kinds.STEPS - {kinds.REQUEST}
    return {kind for kind, breaches in found.items() if not breaches}


def test_a_delivery_step_by_step() -> None:
    """Each state is offered what is its turn, and a stop at any time."""
    thread = Thread(states=("tjk", "uzb", "kaz"))
    thread.request()
    decisions = {"cd-acknowledgement", "cd-conditions", "cd-authorisation", "cd-refusal"}
    assert offered(thread, "uzb") == decisions | ALWAYS
    assert offered(thread, "tjk") == decisions - {"cd-acknowledgement"} | {
        "cd-withdrawal", "cd-route-change"} | ALWAYS  # fmt: skip
    assert offered(thread, "kgz") == set()
    thread.add("acknowledgement", "uzb", pb.ControlledDeliveryAcknowledgement(message_digest=thread.steps[0].digest))
    assert offered(thread, "uzb") == decisions - {"cd-acknowledgement"} | ALWAYS
    for member in ("tjk", "uzb"):
        thread.authorise(member)
    assert "cd-plan" not in offered(thread, "tjk")
    thread.authorise("kaz")
    assert offered(thread, "uzb") == {"cd-authorisation", "cd-withdrawal"} | ALWAYS
    assert "cd-plan" in offered(thread, "tjk")
    thread.plan()
    assert "cd-activation" in offered(thread, "tjk")
    assert "cd-activation" not in offered(thread, "uzb")
    thread.add("activation", "tjk")
    assert {"cd-handover-offer", "cd-suspension", "cd-route-change"} <= offered(thread, "tjk")
    assert "cd-delivered" not in offered(thread, "tjk")
    assert "cd-handover-offer" not in offered(thread, "uzb")
    thread.offer("tjk", "uzb")
    assert {"cd-handover-acceptance", "cd-handover-refusal"} <= offered(thread, "uzb")
    assert "cd-handover-acceptance" not in offered(thread, "kaz")
    assert "cd-handover-offer" not in offered(thread, "tjk")


def test_a_stop_leaves_its_acknowledgement_and_its_lifting() -> None:
    """Nothing moves; each other state acknowledges once, and who stopped may lift."""
    thread = Thread(states=("tjk", "uzb"))
    thread.activate()
    stop = thread.add("stop", "uzb")
    assert {"cd-acknowledgement", "cd-outcome"} <= offered(thread, "tjk")
    assert "cd-stop-lifting" in offered(thread, "uzb")
    assert not {"cd-handover-offer", "cd-stop-lifting", "cd-route-change"} & offered(thread, "tjk")
    thread.add("acknowledgement", "tjk", pb.ControlledDeliveryAcknowledgement(message_digest=stop.digest))
    # The request of another state is older than its plan: it is not acknowledged again.
    assert "cd-acknowledgement" not in offered(thread, "tjk")


def test_a_plan_without_a_state_that_refused() -> None:
    """The others can go on; while one of them has not decided, they cannot."""
    thread = Thread(states=("tjk", "uzb", "kaz"))
    thread.request()
    thread.add("refusal", "uzb", pb.ControlledDeliveryRefusal(refusal="resources"))
    thread.authorise("tjk")
    assert "cd-plan" not in offered(thread, "tjk")
    thread.authorise("kaz")
    assert "cd-plan" in offered(thread, "tjk")


def test_after_a_stop_whose_ancestors_are_missing() -> None:
    """Only what takes effect at once is offered."""
    thread = Thread(states=("tjk", "uzb"))
    thread.activate()
    missing = thread.offer("tjk", "uzb")
    thread.add("stop", "uzb")
    thread.steps.remove(missing)
    assert offered(thread, "tjk") <= kinds.OVERTAKING | kinds.ACKNOWLEDGING


def test_what_is_legal_is_offered() -> None:
    """In random threads, each legal step that somebody draws is of a kind that they were offered."""
    judged = sum(map(judge, range(RUNS)))
    assert judged > RUNS


def judge(seed: int) -> int:
    """Draw further steps of one thread, and return how many were legal."""
    run = RandomRun(seed, 2 + seed % 3, 12)
    heads, view = deliveries.heads(run.steps), reduce(run.steps)
    now = run.time + timedelta(minutes=1)
    legal = 0
    for _ in range(DRAWS):
        drawn = run._drawn(run.steps)
        kind = drawn.kind.removeprefix("cd-")
        step = deliveries.make(kind, drawn.author, heads, drawn.content, time=now, to=run.thread.states)
        if check_next(run.steps, step):
            continue
        legal += 1
        if step.kind == kinds.ACKNOWLEDGEMENT:
            continue  # once more is legal, and not offered
        if step.kind == kinds.PLAN and len(step.content.route) < len(view.route):
            continue  # nor is a plan round a state that may still decide
        against = next_steps(run.steps, view, step.author, now)[step.kind]
        assert not against, (seed, step.kind, step.author)
    return legal
