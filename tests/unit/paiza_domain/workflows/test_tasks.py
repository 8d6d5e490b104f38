"""After every step of a delivery the tasks of each member are the steps that ask something of its officers."""

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain.workflows.controlled_delivery import reduce, settled
from tests.unit.paiza_domain.workflows import deliveries
from tests.unit.paiza_domain.workflows.deliveries import Thread

THREE = deliveries.NAMES[:3]


class Followed(Thread):
    """A thread whose tasks are looked at."""

    def tasks(self, member: str) -> list[str]:
        """Return the kinds of the steps that are tasks of a member, without "cd-", in order."""
        over = settled(self.steps, reduce(self.steps), member)
        left = [step for step in self.steps if step.author != member and step.digest not in over]
        return [step.kind.removeprefix("cd-") for step in left]

    def all_tasks(self) -> dict[str, list[str]]:
        """Return the tasks of every member that has any."""
        found = {member: self.tasks(member) for member in THREE}
        return {member: tasks for member, tasks in found.items() if tasks}

    def acknowledge(self, member: str, digest: bytes) -> None:
        """Add the acknowledgement of a step."""
        self.add("acknowledgement", member, pb.ControlledDeliveryAcknowledgement(message_digest=digest))


def test_a_delivery_from_request_to_closing() -> None:
    """A request leaves with the decision, an offer with the acceptance, news with the member's next step."""
    thread = Followed(THREE)
    request = thread.request()
    assert thread.all_tasks() == {"uzb": ["request"], "kaz": ["request"]}
    thread.acknowledge("kaz", request.digest)
    assert thread.all_tasks() == {"uzb": ["request"], "kaz": ["request"]}
    for member in THREE:
        thread.authorise(member)
    assert thread.all_tasks() == {
        "tjk": ["authorisation", "authorisation"],
        "uzb": ["authorisation"],
    }
    thread.plan()
    assert thread.all_tasks() == {"uzb": ["authorisation", "plan"], "kaz": ["plan"]}
    thread.add("activation", "tjk")
    offer = thread.offer("tjk", "uzb")
    assert thread.tasks("uzb") == ["authorisation", "plan", "activation", "handover-offer"]
    assert thread.tasks("kaz") == ["plan", "activation"]
    thread.accept("uzb", offer)
    assert thread.all_tasks() == {
        "tjk": ["handover-acceptance"],
        "kaz": ["plan", "activation", "handover-acceptance"],
    }
    thread.hand_over("uzb", "kaz")
    assert thread.tasks("kaz") == []
    thread.add("delivered", "kaz")
    thread.add("outcome", "kaz")
    thread.add("evidence-return", "uzb")
    assert thread.tasks("uzb") == []
    assert thread.tasks("kaz") == ["evidence-return"]
    thread.add("closing", "tjk")
    assert thread.all_tasks() == {}


def test_conditions_go_to_the_requester_and_their_answer_comes_back() -> None:
    """The request waits for nobody while conditions are open; the answer to them waits for the decision."""
    thread = Followed(THREE)
    thread.request()
    conditions = thread.add("conditions", "uzb", pb.ControlledDeliveryConditions())
    assert thread.all_tasks() == {"tjk": ["conditions"], "kaz": ["request"]}
    content = pb.ControlledDeliveryConditionsAnswer(member="uzb", conditions_digest=conditions.digest)
    thread.add("conditions-answer", "tjk", content)
    assert thread.all_tasks() == {"uzb": ["conditions-answer"], "kaz": ["request"]}
    thread.authorise("uzb")
    assert thread.tasks("uzb") == []


def test_a_refusal_ends_the_request_for_all() -> None:
    """Nobody has to decide any more, and the requester does not either."""
    thread = Followed(THREE)
    thread.request()
    thread.add("refusal", "uzb")
    assert thread.all_tasks() == {}


def test_a_withdrawal_ends_the_request_for_all() -> None:
    """What was taken back asks nothing."""
    thread = Followed(THREE)
    thread.request()
    thread.add("withdrawal", "tjk", pb.ControlledDeliveryWithdrawal(withdrawn="request"))
    assert thread.all_tasks() == {}


def test_a_stop_waits_for_each_member_until_it_is_acknowledged_or_lifted() -> None:
    """The acknowledgement of one member is not that of another; a stop that is lifted asks for none."""
    thread = Followed(THREE)
    thread.activate()
    stop = thread.add("stop", "uzb")
    assert "stop" in thread.tasks("tjk")
    assert "stop" in thread.tasks("kaz")
    thread.acknowledge("tjk", stop.digest)
    assert "stop" not in thread.tasks("tjk")
    assert "stop" in thread.tasks("kaz")
    thread.lift(stop)
    assert "stop" not in thread.tasks("kaz")
    assert not [each for each in reduce(thread.steps).deadlines if each.code == "stop-acknowledgement"]


def test_a_loss_of_control_waits_until_it_is_acknowledged_or_regained() -> None:
    """As with a stop."""
    thread = Followed(THREE)
    thread.activate()
    lost = thread.add("control-lost", "tjk")
    thread.acknowledge("uzb", lost.digest)
    assert "control-lost" not in thread.tasks("uzb")
    assert "control-lost" in thread.tasks("kaz")
    thread.add("resumption", "tjk")
    assert "control-lost" not in thread.tasks("kaz")


def test_an_offer_leaves_when_it_is_declined_or_a_stop_ends_it() -> None:
    """The taker has nothing to accept any more."""
    declined = Followed(THREE)
    declined.activate()
    offer = declined.offer("tjk", "uzb")
    declined.add("handover-refusal", "tjk", pb.ControlledDeliveryHandoverRefusal(offer_digest=offer.digest))
    assert "handover-offer" not in declined.tasks("uzb")
    stopped = Followed(THREE)
    stopped.activate()
    stopped.offer("tjk", "uzb")
    stopped.add("stop", "kaz")
    assert "handover-offer" not in stopped.tasks("uzb")


def test_a_new_state_is_asked_by_the_change_of_route() -> None:
    """The states that authorised before are not asked again."""
    thread = Followed(THREE)
    thread.activate()
    thread.to = deliveries.NAMES
    content = pb.ControlledDeliveryRouteChange(
        route=deliveries.legs(("tjk", "kgz")),
        new_states=[pb.ControlledDeliveryState(member="kgz", role="transit")],
    )
    thread.add("route-change", "tjk", content)
    assert "route-change" in thread.tasks("kgz")
    assert "route-change" not in thread.tasks("uzb")
    thread.authorise("kgz")
    assert "route-change" not in thread.tasks("kgz")


def test_what_has_no_ancestors_yet_is_not_settled() -> None:
    """What a step asks is known once the steps before it have arrived."""
    thread = Followed(THREE)
    thread.request()
    late = thread.authorise("uzb")
    plan = thread.plan()
    known = [step for step in thread.steps if step is not late]
    assert plan.digest not in settled(known, reduce(known), "kaz")
