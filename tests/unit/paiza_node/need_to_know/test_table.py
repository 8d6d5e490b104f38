"""Every RPC of officers against the messages of another unit: none lists, opens, counts or betrays them."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import (
    approval_pb2,
    attachment_pb2,
    audit_pb2,
    deputy_pb2,
    forwarding_pb2,
    officer_pb2,
    retention_pb2,
    search_pb2,
    task_pb2,
    workflow_pb2,
)
from paiza_node.core.api import services
from paiza_node.core.log.denial_share import MAX_DENIALS
from paiza_wire.errors import PaizaError
from tests.officer import unsigned
from tests.unit.paiza_node.need_to_know.scene import (
    OBSERVERS,
    OFFICER_SERVICE,
    PHONE,
    STRANGER,
    SUBJECT,
    Scene,
    Target,
    digest_of,
    growth,
    shown,
)
from tests.whole_node import WholeNode, refusal_of

PAGES: Final = 100  # at most so many pages are read

Listing = Callable[[Scene], Message]
Naming = Callable[[Scene, str, Target], Any]


@dataclass(frozen=True)
class Row:
    """What is asked of one RPC: requests that name nothing, and requests that name one message.

    ``paged``: the requests that name nothing are asked page by page. ``exempt`` says why an RPC shows no messages.
    """

    listings: Sequence[Listing] = ()
    namings: Sequence[Naming] = ()
    paged: bool = False
    exempt: str = ""
    streams: bool = False


def later(scene: Scene) -> Timestamp:
    """Return a time in a year."""
    del scene
    stamp = Timestamp()
    stamp.GetCurrentTime()
    stamp.FromDatetime(stamp.ToDatetime() + timedelta(days=365))
    return stamp


def searches(**more: Any) -> Listing:
    """Search for the telephone that all messages speak of."""
    return lambda _: search_pb2.SearchRequest(
        criteria=[search_pb2.Criterion(field="phone", text=PHONE)], reason_text="Case 1", **more
    )


def submits(kind: str, *, parents: bool = True) -> Naming:
    """Submit a message in the thread of the target."""
    return lambda scene, name, target: officer_pb2.SubmitRequest(
        items=[officer_pb2.SubmitItem(message=scene.reply(name, target, kind, parents=parents))]
    )


def tries(kind: str, *, parents: bool = True) -> Naming:
    """Try a message in the thread of the target."""
    return lambda scene, name, target: officer_pb2.TryMessageRequest(
        item=officer_pb2.SubmitItem(message=unsigned(scene.reply(name, target, kind, parents=parents)))
    )


def opens(part: int, reason: str = "") -> Naming:
    """Open a part of the target."""
    return lambda _, __, target: officer_pb2.OpenMessageRequest(
        message_digest=target.digest, part_number=part, reason_text=reason
    )


async def uploads(target: Target) -> AsyncIterator[attachment_pb2.UploadRequest]:
    """Go on with an upload that nobody began."""
    yield attachment_pb2.UploadRequest(ciphertext_sha256=target.ciphertext, data=b"x")


def lists(**fields: Any) -> Listing:
    """List messages."""
    return lambda _: officer_pb2.ListMessagesRequest(**fields)


def lists_named(field: str, value: Callable[[Target], Any]) -> Naming:
    """List what the target names."""
    return lambda _, __, target: officer_pb2.ListMessagesRequest(**{field: value(target)})


def signature(scene: Scene, name: str) -> message_pb2.Signature:
    """Return a signature of an officer that is none."""
    return message_pb2.Signature(signer_id=scene.signers[name].id, certificate=b"x", signature=b"y")


def criteria() -> list[search_pb2.Criterion]:
    """Return what a request about the same speaks of."""
    return [search_pb2.Criterion(field="subject", text=SUBJECT), search_pb2.Criterion(field="phone", text=PHONE)]


NO_MESSAGES: Final = "it shows no messages"
BY_ROLE: Final = "only who oversees the member's log or signs for the register is let in"

TABLE: Final[dict[str, Row]] = {
    "ApprovalService/ListPendingApprovals": Row([lambda _: approval_pb2.ListPendingApprovalsRequest()]),
    "ApprovalService/GetPendingApproval": Row(
        namings=[
            lambda _, __, it: approval_pb2.GetPendingApprovalRequest(message_digest=it.digest),
            lambda _, __, it: approval_pb2.GetPendingApprovalRequest(message_digest=it.digest, attachment_number=1),
        ]
    ),
    "ApprovalService/Approve": Row(
        namings=[
            lambda scene, name, it: approval_pb2.ApproveRequest(
                message_digest=it.digest, signature=signature(scene, name)
            )
        ]
    ),
    "ApprovalService/Decline": Row(
        namings=[
            lambda _, __, it: approval_pb2.DeclineRequest(message_digest=it.digest, reason_text="no"),
            lambda _, __, it: approval_pb2.DeclineRequest(message_digest=it.digest),
        ]
    ),
    "ApprovalService/ListOfficers": Row([lambda _: approval_pb2.ListOfficersRequest()]),
    "AttachmentService/StartUpload": Row(
        namings=[
            lambda scene, _, it: attachment_pb2.StartUploadRequest(
                ciphertext_sha256=it.second_ciphertext, ciphertext_size=scene.files[1].size
            )
        ]
    ),
    "AttachmentService/Upload": Row(namings=[lambda _, __, it: uploads(it)]),
    "AttachmentService/Download": Row(
        namings=[
            lambda _, __, it: attachment_pb2.DownloadRequest(message_digest=it.digest, part_number=0),
            lambda _, __, it: attachment_pb2.DownloadRequest(message_digest=it.digest, part_number=1),
        ]
    ),
    "AuditService/GetTrail": Row(
        [lambda scene: audit_pb2.GetTrailRequest(message_digest=digest_of(scene.open_before[0]))],
        [lambda _, __, it: audit_pb2.GetTrailRequest(message_digest=it.digest)],
    ),
    "AuditService/GetEvidence": Row(
        [
            lambda scene: audit_pb2.GetEvidenceRequest(
                message_digest=digest_of(scene.open_before[0]), with_openings=True
            )
        ],
        [
            lambda _, __, it: audit_pb2.GetEvidenceRequest(message_digest=it.digest),
            lambda _, __, it: audit_pb2.GetEvidenceRequest(message_digest=it.digest, with_openings=True),
        ],
    ),
    "AuditService/GetLogStatus": Row([lambda _: audit_pb2.GetLogStatusRequest()]),
    "AuditQueryService/ListLogEntries": Row(exempt=BY_ROLE),
    "AuditQueryService/GetMatrix": Row(exempt=BY_ROLE),
    "AuditQueryService/ClosePeriod": Row(exempt=BY_ROLE),
    "CeremonyService/ListProposals": Row(exempt=BY_ROLE),
    "CeremonyService/GetProposal": Row(exempt=BY_ROLE),
    "CeremonyService/SubmitProposal": Row(exempt=BY_ROLE),
    "DeputyService/AppointDeputy": Row(exempt=NO_MESSAGES),
    "DeputyService/EndDeputy": Row(exempt=NO_MESSAGES),
    "DeputyService/ListDeputies": Row([lambda _: deputy_pb2.ListDeputiesRequest()]),
    "DirectoryService/PublishDirectory": Row(exempt=BY_ROLE),
    "ForwardingService/Forward": Row(
        namings=[
            lambda _, __, it: forwarding_pb2.ForwardRequest(
                message_digest=it.digest, recipients=["tjk"], purpose="investigate", reason_text="Case 1"
            )
        ]
    ),
    "ForwardingService/AuthorizeExport": Row(
        namings=[
            lambda _, __, it: forwarding_pb2.AuthorizeExportRequest(
                message_digests=[it.digest],
                audience=forwarding_pb2.EXPORT_AUDIENCE_OWN_UNIT,
                recipient_text="Invented bureau",
                purpose="investigate",
                reason_text="Case 1",
            )
        ]
    ),
    "ForwardingService/ListHolders": Row(
        namings=[lambda _, __, it: forwarding_pb2.ListHoldersRequest(message_digest=it.digest)]
    ),
    "OfficerService/GetSession": Row([lambda _: officer_pb2.GetSessionRequest()]),
    "OfficerService/Submit": Row(
        namings=[
            submits("free-message"),
            submits("free-message", parents=False),
            submits("acknowledgement"),
            submits("recall"),
            submits("correction"),
            submits("erasure-request"),
        ]
    ),
    "OfficerService/TryMessage": Row(namings=[tries("free-message"), tries("recall")]),
    "OfficerService/ListMessages": Row(
        [
            lists(),
            lists(page_size=1),
            lists(with_subjects=True),
            lists(unread_only=True, page_size=2),
            lists(kind="information-request"),
            lists(author="kaz", box=officer_pb2.BOX_SENT),
            lists(author="tjk", box=officer_pb2.BOX_INBOX),
        ],
        [
            lists_named("thread_id", lambda it: it.thread_id),
            lists_named("id_prefix", lambda it: it.digest.hex()[:8]),
            lists_named("id_prefix", lambda it: it.message_id.hex()),
            lists_named("id_prefix", lambda it: it.thread_name),
        ],
        paged=True,
    ),
    "OfficerService/OpenMessage": Row(namings=[opens(0), opens(0, "Case 1"), opens(1, "Case 1"), opens(9)]),
    "OfficerService/OpenMessages": Row(
        namings=[
            lambda _, __, it: officer_pb2.OpenMessagesRequest(message_digests=[it.digest], reason_text="Case 1"),
            lambda scene, __, it: officer_pb2.OpenMessagesRequest(
                message_digests=[it.digest, digest_of(scene.to_stranger[0])], reason_text="Case 1"
            ),
        ]
    ),
    "OfficerService/Watch": Row([lambda _: officer_pb2.WatchRequest(after_sequence=0)], streams=True),
    "OfficerService/FindSourceRows": Row(
        namings=[lambda _, __, it: officer_pb2.FindSourceRowsRequest(source_row_sha256=[it.source_row])]
    ),
    "RegisterService/GetFile": Row(exempt=NO_MESSAGES),
    "RenewalService/Renew": Row(exempt=NO_MESSAGES),
    "RetentionService/ListErasures": Row(
        [lambda _: retention_pb2.ListErasuresRequest(), lambda _: retention_pb2.ListErasuresRequest(page_size=1)],
        paged=True,
    ),
    "RetentionService/PlaceHold": Row(
        namings=[lambda _, __, it: retention_pb2.PlaceHoldRequest(message_digest=it.digest, reason_text="Case 1")]
    ),
    "RetentionService/ReleaseHold": Row(
        namings=[lambda _, __, it: retention_pb2.ReleaseHoldRequest(message_digest=it.digest, reason_text="Case 1")]
    ),
    "RetentionService/ListHolds": Row(
        [lambda _: retention_pb2.ListHoldsRequest(), lambda _: retention_pb2.ListHoldsRequest(page_size=1)], paged=True
    ),
    "RetentionService/ListReviews": Row(
        [
            lambda _: retention_pb2.ListReviewsRequest(days_ahead=3650),
            lambda _: retention_pb2.ListReviewsRequest(days_ahead=3650, page_size=1),
        ],
        paged=True,
    ),
    "RetentionService/KeepMessage": Row(
        namings=[
            lambda scene, __, it: retention_pb2.KeepMessageRequest(
                message_digest=it.digest, keep_until_time=later(scene), reason_text="Case 1"
            )
        ]
    ),
    "RetentionService/EraseOwnCopy": Row(
        namings=[lambda _, __, it: retention_pb2.EraseOwnCopyRequest(message_digest=it.digest, reason_text="Case 1")]
    ),
    "SearchService/Search": Row([searches(), searches(page_size=1), searches(kind="free-message")], paged=True),
    "SearchService/ListLinks": Row(
        [
            lambda scene: search_pb2.ListLinksRequest(message_digest=digest_of(scene.open_before[0])),
            lambda scene: search_pb2.ListLinksRequest(message_digest=digest_of(scene.to_stranger[2]), page_size=1),
        ],
        [lambda _, __, it: search_pb2.ListLinksRequest(message_digest=it.digest)],
        paged=True,
    ),
    "SearchService/FindSimilar": Row(
        [
            lambda _: search_pb2.FindSimilarRequest(kind="information-request", criteria=criteria()),
            lambda _: search_pb2.FindSimilarRequest(kind="information-request", criteria=criteria()[:1]),
            lambda _: search_pb2.FindSimilarRequest(kind="free-message", criteria=criteria()),
        ]
    ),
    "SearchService/SaveSearch": Row(exempt=NO_MESSAGES),
    "SearchService/RemoveSavedSearch": Row(exempt=NO_MESSAGES),
    "SearchService/AcknowledgeMatches": Row(exempt=NO_MESSAGES),
    "SearchService/ListSavedSearches": Row(
        [lambda _: search_pb2.ListSavedSearchesRequest(), lambda _: search_pb2.ListSavedSearchesRequest(page_size=1)],
        paged=True,
    ),
    "TaskService/ListTasks": Row(
        [
            lambda _: task_pb2.ListTasksRequest(),
            lambda _: task_pb2.ListTasksRequest(page_size=1),
            lambda _: task_pb2.ListTasksRequest(with_subjects=True),
            lambda _: task_pb2.ListTasksRequest(scope=task_pb2.TASK_SCOPE_MINE),
            lambda _: task_pb2.ListTasksRequest(scope=task_pb2.TASK_SCOPE_ALL),
        ],
        paged=True,
    ),
    "TaskService/AssignTask": Row(
        namings=[
            lambda _, __, it: task_pb2.AssignTaskRequest(message_digest=it.digest, officer=STRANGER),
            lambda _, __, it: task_pb2.AssignTaskRequest(message_digest=it.digest, unit="duty-desk"),
            lambda _, __, it: task_pb2.AssignTaskRequest(message_digest=it.digest),
        ]
    ),
    "TaskService/AddShiftNote": Row(exempt=NO_MESSAGES),
    "TaskService/HandOverShift": Row(exempt=NO_MESSAGES),
    "TaskService/ListShiftNotes": Row(
        [lambda _: task_pb2.ListShiftNotesRequest(), lambda _: task_pb2.ListShiftNotesRequest(page_size=1)], paged=True
    ),
    "TaskService/TakeTask": Row(namings=[lambda _, __, it: task_pb2.TakeTaskRequest(message_digest=it.digest)]),
    "TaskService/AcknowledgeTask": Row(
        namings=[lambda _, __, it: task_pb2.AcknowledgeTaskRequest(message_digest=it.digest)]
    ),
    "TaskService/CompleteTask": Row(
        namings=[lambda _, __, it: task_pb2.CompleteTaskRequest(message_digest=it.digest, note="x")]
    ),
    "WorkflowService/ListWorkflows": Row(
        [
            lambda _: workflow_pb2.ListWorkflowsRequest(),
            lambda _: workflow_pb2.ListWorkflowsRequest(scope=workflow_pb2.WORKFLOW_SCOPE_ALL, page_size=1),
        ],
        paged=True,
    ),
    "WorkflowService/GetWorkflow": Row(
        [lambda scene: workflow_pb2.GetWorkflowRequest(thread_id=thread_of(scene.open_before[1]))],
        [
            lambda _, __, it: workflow_pb2.GetWorkflowRequest(thread_id=it.thread_id),
            lambda _, __, it: workflow_pb2.GetWorkflowRequest(thread_name=it.thread_name),
        ],
    ),
}


def thread_of(raw: bytes) -> bytes:
    """Return the thread of a message."""
    return message_pb2.Header.FromString(message_pb2.SignedMessage.FromString(raw).header).thread_id


METHODS: Final = {
    "/".join(name.rsplit(".", 1)[-1].split("/")): name
    for name, access in services.accesses().items()
    if access.who in {"officer", "either"} and not name.startswith("/grpc.health")
}


@dataclass(frozen=True)
class Nodes:
    """The same node with and without the hidden messages."""

    scene: Scene
    having: WholeNode
    lacking: WholeNode
    hidden: dict[str, Target] = field(default_factory=dict)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(federation: Path) -> AsyncIterator[Nodes]:
    """Fill two nodes that differ in the messages of one unit."""
    folder = federation.parent
    scene = Scene(federation, folder)
    with (
        WholeNode(federation, "kaz", folder / "having", duty_unit="duty-desk") as having,
        WholeNode(federation, "kaz", folder / "lacking", duty_unit="duty-desk") as lacking,
    ):
        await scene.fill(having, hidden=True)
        await scene.fill(lacking, hidden=False)
        yield Nodes(scene, having, lacking, scene.hidden)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_rpc_is_in_the_table() -> None:
    """A new one is put into it, or says why it shows no messages."""
    assert TABLE.keys() == METHODS.keys()


@pytest.mark.parametrize("observer", OBSERVERS)
@pytest.mark.parametrize("rpc", [name for name, row in TABLE.items() if row.listings])
async def test_hidden_messages_are_neither_listed_nor_counted(nodes: Nodes, rpc: str, observer: str) -> None:
    """The answers are those of a node that does not hold them, page by page."""
    for listing in TABLE[rpc].listings:
        having, lacking = [
            await asked(node, rpc, observer, listing(nodes.scene)) for node in (nodes.having, nodes.lacking)
        ]
        assert having == lacking


@pytest.mark.parametrize("observer", OBSERVERS)
@pytest.mark.parametrize("rpc", [name for name, row in TABLE.items() if row.namings])
async def test_a_hidden_message_is_answered_and_logged_like_none(nodes: Nodes, rpc: str, observer: str) -> None:
    """Whatever is asked of it, the answer and what the log says are those for a message that is not here."""
    for naming in TABLE[rpc].namings:
        absent = await named(nodes, rpc, observer, naming, Target.absent())
        for hidden in nodes.hidden.values():
            assert await named(nodes, rpc, observer, naming, hidden) == absent


@pytest.mark.parametrize(
    "rpc", [name for name, row in TABLE.items() if (row.listings or row.namings) and not row.streams]
)
async def test_no_rpc_fills_the_log_by_being_repeated(nodes: Nodes, rpc: str) -> None:
    """A consultation makes one entry a minute, and denials of all calls together a share."""
    node, scene, row = nodes.having, nodes.scene, TABLE[rpc]
    targets = (scene.target(scene.open_before[0]), nodes.hidden["sent"])
    requests = [partial(each, scene) for each in row.listings]
    requests += [partial(each, scene, STRANGER, it) for each in row.namings for it in targets]
    await node.call(METHODS["OfficerService/GetSession"], node.officer(STRANGER), officer_pb2.GetSessionRequest())
    before = node.ledger.checkpoint.size
    for request in requests:
        for _ in range(2):
            await refusal_of(node.call(METHODS[rpc], node.officer(STRANGER), request(), step=timedelta()))
    events = [each.partition(" ")[0] for each in growth(node, before)]
    consulted = [each for each in events if each in {"CONSULTED", "SEARCHED", "SUBJECTS_SHOWN"}]
    assert len(consulted) <= len(requests)
    assert events.count("DENIED") <= MAX_DENIALS


async def asked(node: WholeNode, rpc: str, observer: str, request: Any) -> list[str]:
    """Ask for all pages; return what the observer sees."""
    row, officer = TABLE[rpc], node.officer(observer)
    if row.streams:
        return await watched(node, rpc, observer, request)
    found = []
    for _ in range(PAGES):
        answer = await refusal_of(node.call(METHODS[rpc], officer, request))
        found.append(shown(answer))
        if isinstance(answer, PaizaError) or not row.paged or not (token := getattr(answer[0], "next_page_token", "")):
            return found
        request.page_token = token
    raise AssertionError("the pages have no end")


async def watched(node: WholeNode, rpc: str, observer: str, request: Any) -> list[str]:
    """Watch up to the newest message that the observer sees."""
    officer = node.officer(observer)
    listed: Any = (await node.call(OFFICER_SERVICE + "ListMessages", officer, officer_pb2.ListMessagesRequest()))[0]
    newest = listed.messages[0].message_digest
    stream = node.stream(METHODS[rpc], officer, request)
    found = []
    async for each in stream:
        found.append(shown([each]))
        if newest in {message.message_digest for message in each.messages}:
            break
    await stream.aclose()  # type: ignore[attr-defined]  # a generator
    return found


async def named(nodes: Nodes, rpc: str, observer: str, naming: Naming, target: Target) -> tuple[str, list[str]]:
    """Ask about one message; return what the observer sees, and what the log says of it."""
    node = nodes.having
    before = node.ledger.checkpoint.size
    request = naming(nodes.scene, observer, target)
    answer = await refusal_of(node.call(METHODS[rpc], node.officer(observer), request))
    return shown(answer, target), growth(node, before)
