"""A workflow is shown whatever of its thread is here, in whatever order it came, and whatever its steps say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message

from paiza.officer.v1 import workflow_pb2
from tests.unit.paiza_domain.workflows import deliveries
from tests.unit.paiza_domain.workflows.random_runs import RandomRun
from tests.unit.paiza_node.features.workflows.test_service import DUTY, asks, service
from tests.unit.paiza_node.room import Room, open_room

SEEDS = 24
STATES = 3
STEPS = 14


def put_in_some_order(room: Room, run: RandomRun) -> Iterator[bytes]:
    """Store the steps of a thread as messages, in an order that respects nothing; yield the thread after each.

    The digests of the messages stand in the contents and among the parents in place of those of the steps.
    """
    members = run.thread.states
    digests: dict[bytes, bytes] = {}
    messages = {}
    thread = b""
    for step in run.steps:
        made = step.content if isinstance(step.content, Message) else deliveries.SHORT[step.kind.removeprefix("cd-")]()
        raw = made.SerializeToString()
        for old, new in digests.items():
            raw = raw.replace(old, new)
        room.clock.now = step.release_time
        message = room.message(
            step.author,
            step.kind,
            type(made).FromString(raw),
            thread=thread,
            parents=[digests[each] for each in step.parents],
            members=members,
            two=len(step.signers) > 1,
        )
        thread = thread or message.header.thread_id
        digests[step.digest] = message.digest
        messages[step.digest] = message
    for step in run.in_some_order():
        room.clock.now = step.release_time
        room.put(messages[step.digest])
        yield thread


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_every_part_of_a_thread_is_shown(tmp_path: Path, seed: int) -> None:
    """After each message that comes, one workflow and the list answer, and every step that is here stands in it."""
    with open_room(tmp_path) as room:
        shown = service(room)
        run = RandomRun(seed, STATES, STEPS)
        for count, thread in enumerate(put_in_some_order(room, run), 1):
            one = await shown.get_workflow(asks(DUTY), workflow_pb2.GetWorkflowRequest(thread_id=thread))
            assert len(one.steps) == count
            assert {each.kind for each in one.next_steps}
            every = workflow_pb2.ListWorkflowsRequest(scope=workflow_pb2.WORKFLOW_SCOPE_ALL)
            assert [each.thread_id for each in (await shown.list_workflows(asks(DUTY), every)).workflows] == [thread]
