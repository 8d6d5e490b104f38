"""Need-to-know: whose messages are whose, who posts where, what those who oversee see, and what is logged."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from paiza.officer.v1 import (
    attachment_pb2,
    audit_pb2,
    officer_pb2,
    search_pb2,
    task_pb2,
)
from paiza_node.core.access.need_to_know import in_common_unit, leave_common_unit
from paiza_node.core.api.authentication import Caller
from paiza_node.core.log.denial_share import MAX_DENIALS
from paiza_node.core.messages import store as messages_store
from paiza_node.features.retention.model import ReviewRow
from paiza_node.features.retention.notices import REVIEW_DUE, review_notice
from paiza_wire.errors import PaizaError
from tests.unit.paiza_node.need_to_know.scene import (
    HIDING,
    HOMELESS,
    OFFICER_SERVICE,
    PHONE,
    STRANGER,
    STRANGERS_UNIT,
    UNITLESS,
    Scene,
    Target,
    digest_of,
    growth,
)
from tests.whole_node import WholeNode, refusal_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

DUTY_UNIT: Final = "duty-desk"
AUDIT: Final = "/paiza.officer.v1.AuditService/"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(federation: Path) -> Scene:
    """Write the messages."""
    return Scene(federation, federation.parent)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(federation: Path, scene: Scene) -> AsyncIterator[WholeNode]:
    """Fill a node whose units do not see each other's messages."""
    with WholeNode(federation, "kaz", federation.parent / "divided", duty_unit=DUTY_UNIT) as made:
        await scene.fill(made, hidden=True)
        yield made


async def submitted(node: WholeNode, name: str, raw: bytes) -> str:
    """Submit a message; return what became of it."""
    request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=raw)])
    answer: Any = (await node.call(OFFICER_SERVICE + "Submit", node.officer(name), request))[0]
    (result,) = answer.results
    which = result.WhichOneof("result")
    return result.rejection.reason if which == "rejection" else str(which)


async def listed(node: WholeNode, name: str) -> set[bytes]:
    """Return the messages that an officer lists."""
    request = officer_pb2.ListMessagesRequest(page_size=500)
    answer: Any = (await node.call(OFFICER_SERVICE + "ListMessages", node.officer(name), request))[0]
    return {each.message_digest for each in answer.messages}


async def test_nobody_posts_into_a_thread_they_may_not_know_of(node: WholeNode, scene: Scene) -> None:
    """It is refused like a thread that is not here, and logged; those who see the thread write in it."""
    hidden = scene.hidden["sent"]
    for target in (hidden, Target.absent()):
        before = node.ledger.checkpoint.size
        assert await submitted(node, STRANGER, scene.reply(STRANGER, target, "free-message")) == "unknown_id"
        assert growth(node, before) == ["DENIED unknown_id"]
    assert await submitted(node, HIDING, scene.reply(HIDING, hidden, "free-message")) == "released"


async def test_a_thread_of_another_unit_does_not_hold_up_a_stop(node: WholeNode, scene: Scene) -> None:
    """Whoever sees the danger may stop a delivery that is not theirs."""
    assert await submitted(node, STRANGER, scene.reply(STRANGER, scene.hidden["begun"], "cd-stop")) != "unknown_id"
    with node.store.reads() as reads:
        kinds = {each.kind for each in messages_store.thread(reads, scene.hidden["begun"].thread_id)}
    assert "cd-stop" in kinds


@pytest.mark.parametrize("name", ["coordinator", "auditor"])
async def test_those_who_oversee_see_that_it_is_there_and_open_nothing(
    node: WholeNode, scene: Scene, name: str
) -> None:
    """Lists, trails and holders; no part, no subject, no attachment, no finding by content."""
    officer, hidden = node.officer(name), scene.hidden
    assert {hidden["sent"].digest, hidden["received"].digest} <= await listed(node, name)
    trail = await refusal_of(
        node.call(AUDIT + "GetTrail", officer, audit_pb2.GetTrailRequest(message_digest=hidden["sent"].digest))
    )
    assert not isinstance(trail, PaizaError)
    subjects: Any = (
        await node.call(OFFICER_SERVICE + "ListMessages", officer, officer_pb2.ListMessagesRequest(with_subjects=True))
    )[0]
    assert not any(each.subject_key for each in subjects.messages)
    for digest in (each.digest for each in hidden.values()):
        calls: Sequence[tuple[str, Any]] = (
            (OFFICER_SERVICE + "OpenMessage", officer_pb2.OpenMessageRequest(message_digest=digest)),
            (
                "/paiza.officer.v1.AttachmentService/Download",
                attachment_pb2.DownloadRequest(message_digest=digest, part_number=1),
            ),
        )
        for method, request in calls:
            assert isinstance(await refusal_of(node.call(method, officer, request)), PaizaError), method
        request = officer_pb2.OpenMessagesRequest(message_digests=[digest], reason_text="Case 1")
        together: Any = (await node.call(OFFICER_SERVICE + "OpenMessages", officer, request))[0]
        assert together.results[0].WhichOneof("result") == "rejection"
    search = search_pb2.SearchRequest(criteria=[search_pb2.Criterion(field="phone", text=PHONE)], reason_text="Case 1")
    found = await refusal_of(node.call("/paiza.officer.v1.SearchService/Search", officer, search))
    assert isinstance(found, PaizaError) or not found[0].messages  # type: ignore[attr-defined]


async def test_a_watch_tells_nothing_of_hidden_messages(node: WholeNode, scene: Scene) -> None:
    """Neither that one came, nor that one of a thread is to be reviewed of which another message was assigned."""
    reply = scene.reply(HIDING, scene.hidden["received"], "free-message")
    assign = task_pb2.AssignTaskRequest(message_digest=scene.hidden["received"].digest, officer=UNITLESS)
    await node.call("/paiza.officer.v1.TaskService/AssignTask", node.officer("duty"), assign)
    stream = node.stream(OFFICER_SERVICE + "Watch", node.officer(UNITLESS), officer_pb2.WatchRequest())
    told = [await anext(stream)]  # the task
    assert await submitted(node, HIDING, reply) == "released"
    with node.store.reads() as reads:
        row = messages_store.message(reads, digest_of(reply))
    assert row is not None
    node.core.notifier.tell(review_notice(ReviewRow(row, node.clock()), REVIEW_DUE))
    own = scene.reply(UNITLESS, scene.hidden["received"], "free-message")
    assert await submitted(node, UNITLESS, own) == "released"
    async for each in stream:
        told.append(each)
        if digest_of(own) in {message.message_digest for message in each.messages}:
            break
    await stream.aclose()  # type: ignore[attr-defined]  # a generator
    assert digest_of(reply) not in {message.message_digest for each in told for message in each.messages}
    assert REVIEW_DUE not in {notice.code for each in told for notice in each.notices}


async def test_looking_again_and_again_does_not_fill_the_log(node: WholeNode, scene: Scene) -> None:
    """A repeated trail is one entry a minute; unknown digests are a share of denials."""
    officer = node.officer(HIDING)
    handler = node._handlers[AUDIT + "GetTrail"]
    caller = Caller(officer.id, officer=officer)
    await node.call(OFFICER_SERVICE + "GetSession", officer, officer_pb2.GetSessionRequest())  # a minute later
    before = node.ledger.checkpoint.size
    known = audit_pb2.GetTrailRequest(message_digest=scene.hidden["sent"].digest)
    for _ in range(20):
        await handler(caller, known)
    assert growth(node, before) == ["CONSULTED "]
    for _ in range(3 * MAX_DENIALS):
        with pytest.raises(PaizaError, match="unknown_id"):
            await handler(caller, audit_pb2.GetTrailRequest(message_digest=Target.absent().digest))
    assert growth(node, before) == ["CONSULTED ", *["DENIED unknown_id"] * MAX_DENIALS]


async def test_a_question_is_never_the_trail_of_what_is_not_here(node: WholeNode) -> None:
    """Also for those who oversee the member: that somebody asked says nothing of a message."""
    digest = Target.absent().digest
    for name in ("auditor", "auditor", HIDING):
        with pytest.raises(PaizaError, match="unknown_id"):
            await node.call(AUDIT + "GetTrail", node.officer(name), audit_pb2.GetTrailRequest(message_digest=digest))


async def test_naming_a_duty_unit_opens_nothing_and_closes_what_was_common(federation: Path, scene: Scene) -> None:
    """What was received goes to the duty unit, what was sent stays with its signers; ending it opens nothing again."""
    sent, homeless, received = scene.open_before[0], scene.homeless, scene.received
    note = scene.open_after[0]
    with WholeNode(federation, "kaz", federation.parent / "changing") as node:
        for name, unit in ((STRANGER, STRANGERS_UNIT), (UNITLESS, ""), (HOMELESS, "")):
            node.appoint(name, "liaison", unit=unit)
        assert await submitted(node, STRANGER, sent) == await submitted(node, HOMELESS, homeless) == "released"
        plain = scene._request(scene.peer, "kaz")
        node.receive(received, plain)
        common = {digest_of(sent), digest_of(homeless), digest_of(plain)}
        assert await listed(node, UNITLESS) == common
        node.unit_directory.duty_unit = DUTY_UNIT
        with node.store.reads() as reads:
            rows = in_common_unit(reads)
        node.ledger.commit_now(lambda tx: leave_common_unit(tx, rows, DUTY_UNIT))
        with node.store.reads() as reads:
            assert in_common_unit(reads) == []
        node.appoint("coordinator", "liaison", unit=DUTY_UNIT)
        assert await submitted(node, STRANGER, note) == "released"
        expected = {
            STRANGER: {digest_of(sent), digest_of(note)},
            HOMELESS: {digest_of(homeless)},
            HIDING: {digest_of(received)},
            "coordinator": {digest_of(plain)},
            UNITLESS: set(),
            "duty": common | {digest_of(received), digest_of(note)},
        }
        assert {name: await listed(node, name) for name in expected} == expected
        assign = task_pb2.AssignTaskRequest(message_digest=digest_of(plain), officer=UNITLESS)
        await node.call("/paiza.officer.v1.TaskService/AssignTask", node.officer("duty"), assign)
        expected[UNITLESS] = {digest_of(plain)}
        assert {name: await listed(node, name) for name in expected} == expected
        node.unit_directory.duty_unit = ""
        assert {name: await listed(node, name) for name in expected} == expected
