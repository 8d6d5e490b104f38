"""A delivery stands somewhere whatever its steps say: contents of each kind at random, true to their form alone."""

from datetime import timedelta

from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza.officer.v1 import workflow_pb2
from paiza_domain import kinds
from paiza_domain.i18n import LANGUAGES
from paiza_domain.workflows.controlled_delivery import next_steps, reduce, settled
from paiza_domain.workflows.controlled_delivery.rules import breach_text
from tests.unit.paiza_domain.strategies import messages
from tests.unit.paiza_domain.workflows import deliveries

KINDS = sorted(name for name, kind in kinds.all_kinds().items() if kind.workflow)
MEMBERS = ("tjk", "uzb", "kaz")
LATER = timedelta(days=40)


def with_digests(content: Message, digests: list[bytes], draw: st.DataObject) -> Message:
    """Return a content whose digests, at the first level, are those of steps of the thread."""
    for field in content.DESCRIPTOR.fields:
        if field.type == field.TYPE_BYTES and not field.is_repeated and digests:
            setattr(content, field.name, draw.draw(st.sampled_from(digests)))
    return content


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_contents_make_a_standing(data: st.DataObject) -> None:
    """It is computed, offers its next steps, and every broken rule has its sentence; the node can say it as it is."""
    thread = deliveries.Thread(states=MEMBERS)
    if data.draw(st.booleans()):
        thread.activate()
    else:
        content = data.draw(messages(kinds.all_kinds()["cd-request"].shape))
        thread.add("request", data.draw(st.sampled_from(MEMBERS)), content)
    for _ in range(data.draw(st.integers(1, 6))):
        name = data.draw(st.sampled_from(KINDS))
        digests = [each.digest for each in thread.steps]
        content = with_digests(data.draw(messages(kinds.all_kinds()[name].shape)), digests, data)
        after = None if data.draw(st.booleans()) else [data.draw(st.sampled_from(thread.steps))]
        thread.add(name.removeprefix("cd-"), data.draw(st.sampled_from(MEMBERS)), content, after=after)
    steps = data.draw(st.permutations(thread.steps))[: data.draw(st.integers(1, len(thread.steps)))]
    view = reduce(steps)
    assert {*view.order, *view.waiting} == {each.digest for each in steps}
    for member in (*MEMBERS, "xyz"):
        assert settled(steps, view, member) <= {each.digest for each in steps}
        found = next_steps(steps, view, member, thread.time + LATER)
        broken = [each for breaches in (*found.values(), *view.ineffective.values()) for each in breaches]
        for each in broken:
            said = workflow_pb2.WorkflowBreach(rule=each.rule, values=each.values)
            assert all(breach_text(said.rule, said.values, lang) not in {"", said.rule} for lang in LANGUAGES)
    for deadline in view.deadlines:
        assert deadline.due_time - timedelta(days=1) < deadline.due_time
