"""Every RPC of officers for a deputy: during the appointment as for the officer, after it as for a stranger."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import deputy_pb2, officer_pb2, task_pb2
from paiza_node.core.log import store as log_store
from paiza_node.core.storage.findings import Part
from paiza_node.features.tasks.checks import Tasks
from paiza_wire.errors import PaizaError
from tests.unit.paiza_node.need_to_know.scene import HIDING, OFFICER_SERVICE, STRANGER, Scene, Target, digest_of
from tests.unit.paiza_node.need_to_know.test_table import METHODS, TABLE, Nodes, asked, named
from tests.whole_node import WholeNode, refusal_of

DEPUTIES: Final = "/paiza.officer.v1.DeputyService/"
TASKS: Final = "/paiza.officer.v1.TaskService/"
READING: Final = (
    "AttachmentService/Download",
    "AuditService/GetTrail",
    "AuditService/GetEvidence",
    "ForwardingService/ListHolders",
    "OfficerService/ListMessages",
    "OfficerService/OpenMessage",
    "OfficerService/OpenMessages",
    "SearchService/ListLinks",
    "WorkflowService/GetWorkflow",
)
"""What names a message and changes none."""


async def appoint(node: WholeNode) -> None:
    """Appoint the stranger as the deputy of the officer whose messages are hidden."""
    request = deputy_pb2.AppointDeputyRequest(deputy=STRANGER)
    request.end_time.FromDatetime(node.clock() + timedelta(days=30))
    await node.call(DEPUTIES + "AppointDeputy", node.officer(HIDING), request)


async def end(node: WholeNode) -> None:
    """End the appointment."""
    await node.call(DEPUTIES + "EndDeputy", node.officer(HIDING), deputy_pb2.EndDeputyRequest())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(federation: Path) -> AsyncIterator[Nodes]:
    """Fill two nodes that differ in the messages of one unit; at both the stranger was that unit's deputy."""
    folder = federation.parent
    scene = Scene(federation, folder)
    with (
        WholeNode(federation, "kaz", folder / "deputy-having", duty_unit="duty-desk") as having,
        WholeNode(federation, "kaz", folder / "deputy-lacking", duty_unit="duty-desk") as lacking,
    ):
        await scene.fill(having, hidden=True)
        await scene.fill(lacking, hidden=False)
        for node in (having, lacking):
            await appoint(node)
            await end(node)
        yield Nodes(scene, having, lacking, scene.hidden)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("rpc", [name for name, row in TABLE.items() if row.listings])
async def test_after_it_hidden_messages_are_neither_listed_nor_counted(nodes: Nodes, rpc: str) -> None:
    """The answers are those of a node that does not hold them."""
    for listing in TABLE[rpc].listings:
        having, lacking = [
            await asked(node, rpc, STRANGER, listing(nodes.scene)) for node in (nodes.having, nodes.lacking)
        ]
        assert having == lacking


@pytest.mark.parametrize("rpc", [name for name, row in TABLE.items() if row.namings])
async def test_after_it_a_hidden_message_is_answered_and_logged_like_none(nodes: Nodes, rpc: str) -> None:
    """Whatever is asked of it."""
    for naming in TABLE[rpc].namings:
        absent = await named(nodes, rpc, STRANGER, naming, Target.absent())
        for hidden in nodes.hidden.values():
            assert await named(nodes, rpc, STRANGER, naming, hidden) == absent


@pytest.mark.parametrize("rpc", READING)
async def test_during_it_a_deputy_is_answered_like_the_officer(nodes: Nodes, rpc: str) -> None:
    """What the officer may see the deputy may, and what the officer may not they may not either."""
    node, scene = nodes.having, nodes.scene
    await appoint(node)
    try:
        for name, hidden in nodes.hidden.items():
            if name in {"homeless", "pending"}:  # of an officer whose deputy nobody is; for its signers alone
                continue
            for naming in TABLE[rpc].namings:
                expected, found = [
                    await refusal_of(node.call(METHODS[rpc], node.officer(each), naming(scene, each, hidden)))
                    for each in (HIDING, STRANGER)
                ]
                assert _kind(found) == _kind(expected), (name, found)
    finally:
        await end(node)


async def test_during_it_a_deputy_works_on_tasks_and_takes_none(nodes: Nodes) -> None:
    """They acknowledge and complete; nothing that they do lets them see the message after the end."""
    node, digest = nodes.having, digest_of(nodes.scene.received)
    await appoint(node)
    deputy = node.officer(STRANGER)
    listed: Any = (await node.call(TASKS + "ListTasks", deputy, task_pb2.ListTasksRequest()))[0]
    assert digest in [each.message.message_digest for each in listed.items]
    for request in (
        task_pb2.AssignTaskRequest(message_digest=digest, officer=STRANGER),
        task_pb2.AssignTaskRequest(message_digest=digest, unit=deputy.unit),
    ):
        refused: Any = await refusal_of(node.call(TASKS + "AssignTask", deputy, request))
        assert refused.reason == "policy_denied"
    taken: Any = await refusal_of(
        node.call(TASKS + "TakeTask", deputy, task_pb2.TakeTaskRequest(message_digest=digest))
    )
    assert taken.reason == "policy_denied"
    seen: Any = (
        await node.call(TASKS + "AcknowledgeTask", deputy, task_pb2.AcknowledgeTaskRequest(message_digest=digest))
    )[0]
    assert seen.task.state == task_pb2.TASK_STATE_ACKNOWLEDGED
    await node.call(TASKS + "CompleteTask", deputy, task_pb2.CompleteTaskRequest(message_digest=digest))
    await end(node)
    refused = await refusal_of(
        node.call(
            OFFICER_SERVICE + "OpenMessage",
            node.officer(STRANGER),
            officer_pb2.OpenMessageRequest(message_digest=digest),
        )
    )
    assert refused.reason == "unknown_id"


async def test_what_a_deputy_answers_the_officer_sees(nodes: Nodes) -> None:
    """In a thread of theirs, also after the end; what the deputy writes elsewhere they do not. Verify knows why."""
    node, scene = nodes.having, nodes.scene
    await appoint(node)
    answer = scene.reply(STRANGER, nodes.hidden["received"], "free-message")
    own = scene.reply(STRANGER, scene.target(scene.to_stranger[0]), "free-message")
    items = [officer_pb2.SubmitItem(message=each) for each in (answer, own)]
    submitted: Any = (
        await node.call(OFFICER_SERVICE + "Submit", node.officer(STRANGER), officer_pb2.SubmitRequest(items=items))
    )[0]
    assert [each.WhichOneof("result") for each in submitted.results] == ["released", "released"]
    await end(node)
    listed: Any = (
        await node.call(
            OFFICER_SERVICE + "ListMessages",
            node.officer(HIDING),
            officer_pb2.ListMessagesRequest(box=officer_pb2.BOX_SENT, page_size=500),
        )
    )[0]
    seen = {each.message_digest for each in listed.messages}
    assert digest_of(answer) in seen
    assert digest_of(own) not in seen
    part = Part("tasks")
    with node.store.reads() as reads:
        check = Tasks(reads, "kaz")
        for each in log_store.entries(reads, 0, 100_000):
            entry = log_pb2.LogEntry.FromString(each.entry)
            if entry.event in check.events:
                check.read_entry(each.index, entry)
        check.verify(part, lambda _count: None)
    assert [each.what for each in part.findings if "lets" in each.what] == []


async def test_a_deputy_is_not_the_second_officer_in_the_others_place(nodes: Nodes) -> None:
    """What waits for the officer's signature is unknown to the deputy: nobody signs for another."""
    node, scene = nodes.having, nodes.scene
    request = deputy_pb2.AppointDeputyRequest(deputy=STRANGER)
    request.end_time.FromDatetime(node.clock() + timedelta(hours=1))
    await node.call(DEPUTIES + "AppointDeputy", node.officer("duty"), request)
    try:
        row = TABLE["ApprovalService/Approve"]
        (naming,) = row.namings
        refused: Any = await refusal_of(
            node.call(
                METHODS["ApprovalService/Approve"],
                node.officer(STRANGER),
                naming(scene, STRANGER, nodes.hidden["pending"]),
            )
        )
        assert refused.reason == "unknown_id"
    finally:
        await node.call(DEPUTIES + "EndDeputy", node.officer("duty"), deputy_pb2.EndDeputyRequest())


def _kind(answer: Any) -> str:
    return answer.reason if isinstance(answer, PaizaError) else "answered"
