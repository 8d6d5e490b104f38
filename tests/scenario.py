"""One scenario between nodes in this process, by which every RPC is called with what its handler accepts.

What it leaves is a filled database of each node, and in `InProcess.calls` a valid request of every RPC.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from unittest.mock import patch

from google.protobuf import message_factory
from google.protobuf.message import Message

from paiza.admin.v1 import admin_pb2, rotation_pb2
from paiza.admin.v1 import officer_pb2 as officer_admin_pb2
from paiza.content.v1 import common_pb2, information_pb2
from paiza.content.v1.erasure_pb2 import ErasureRequest
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2, log_query_pb2, message_pb2, register_pb2
from paiza.officer.v1 import (
    approval_pb2,
    attachment_pb2,
    audit_pb2,
    audit_query_pb2,
    ceremony_pb2,
    deputy_pb2,
    forwarding_pb2,
    officer_pb2,
    retention_pb2,
    search_pb2,
    task_pb2,
    workflow_pb2,
)
from paiza.peer.v1 import exchange_pb2, proposal_pb2, recovery_pb2, witness_pb2
from paiza_node.core.api import services
from paiza_register.ceremony import Circumstances, Proposal
from paiza_register.ceremony.change import RESIGN, change
from paiza_trust import dev
from paiza_trust.key_folder import KeyFolder
from paiza_wire import message
from paiza_wire.tlog.log_queries import NONCE_SIZE
from tests import attaching, delivery
from tests.federation import NodeProcess
from tests.in_process import OPERATOR, InProcess, RefusedCall
from tests.officer import Officer, subject_of, unsigned
from tests.registers import base_of, read_register

MEMBERS: Final = ("kaz", "tjk", "uzb")
SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.02  # what a background task did is seen only by looking
REASON: Final = "EXERCISE-1"
SOURCE_ROW: Final = sha256(b"row 1 of an invented table").digest()
ATTACHED_BYTES: Final = 3000


class Scenario:
    """The nodes of a federation, and how their officers and each other's nodes call them."""

    def __init__(self, folder: Path, nodes: Mapping[str, InProcess]) -> None:
        self.folder = folder
        self.nodes = nodes
        self.register = read_register(folder)
        self._officers: dict[str, Officer] = {}
        self.first = self.asked = self.answer = self.attached = self.forwarded = self.proposal = b""
        self.pending: dict[str, bytes] = {}

    def officer(self, profile: str) -> Officer:
        """Return an officer, such as "kaz-liaison"."""
        if profile not in self._officers:
            self._officers[profile] = Officer(self.folder, profile, self.register)
        return self._officers[profile]

    async def ask(self, profile: str, path: str, request: Message) -> Any:
        """Call the own node as an officer: "OfficerService/Submit"."""
        officer = self.officer(profile)
        return await self._call(officer.member, officer.certificate_pem, path, "officer", request)

    async def operate(self, member: str, path: str, request: Message) -> Any:
        """Call a node as its operator."""
        return await self._call(member, OPERATOR, path, "admin", request)

    async def peer(self, caller: str, member: str, path: str, request: Message) -> Any:
        """Call a node as another member's node."""
        return await self._call(member, self.nodes[caller].certificate, path, "peer", request)

    async def _call(self, member: str, caller: bytes, path: str, role: str, request: Message) -> Any:
        service, _, name = path.partition("/")
        package = "core" if service == "RegisterService" else role
        method = f"/paiza.{package}.v1.{service}/{name}"
        kind = message_factory.GetMessageClass(METHODS[method].output_type)
        found = await self.nodes[member].answer(caller, method, request.SerializeToString())
        return kind.FromString(found[0]) if found else None

    async def send(self, profile: str, signed: bytes, *, row: bytes = b"") -> bytes:
        """Submit a message; return its digest."""
        item = officer_pb2.SubmitItem(message=signed, source_row_sha256=row)
        answer = await self.ask(profile, "OfficerService/Submit", officer_pb2.SubmitRequest(items=[item]))
        result = answer.results[0]
        assert result.WhichOneof("result") in {"released", "waiting"}, result
        return bytes(getattr(result, result.WhichOneof("result")).message_digest)

    async def until(self, looks: Callable[[], Awaitable[object]], what: str) -> None:
        """Wait until something holds that a background task brings about, of which nothing tells."""
        try:
            async with asyncio.timeout(SECONDS):
                while not await looks():  # noqa: ASYNC110 - see above
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"not in time: {what}") from None

    async def arrived(self, member: str, digest: bytes) -> None:
        """Wait until a node has a message."""
        request = officer_pb2.ListMessagesRequest(id_prefix=digest.hex())

        async def looks() -> bool:
            return bool((await self.ask(f"{member}-coordinator", "OfficerService/ListMessages", request)).messages)

        await self.until(looks, f"a message at {member}")

    async def events(self, member: str, digest: bytes) -> list[str]:
        """Name the events in a node's log about a message."""
        request = audit_pb2.GetTrailRequest(message_digest=digest)
        try:
            answer = await self.ask(f"{member}-coordinator", "AuditService/GetTrail", request)
        except RefusedCall:  # it is not there yet
            return []
        entries = [log_pb2.LogEntry.FromString(each.entry) for each in answer.entries]
        return [log_pb2.LogEvent.Name(each.event).removeprefix("LOG_EVENT_") for each in entries]

    async def logged(self, member: str, digest: bytes, *events: str) -> None:
        """Wait until a node's log has these events about a message."""

        async def looks() -> bool:
            return set(events) <= {*await self.events(member, digest)}

        await self.until(looks, f"{events} at {member}")

    def write(
        self,
        profile: str,
        to: Sequence[str],
        kind: str,
        content: Message,
        *,
        about: Sequence[bytes] = (),
        seconds: Sequence[str] = (),
        signing: Sequence[str] = (),
        attached: Sequence[message.SealedFile] = (),
        **changes: Any,
    ) -> bytes:
        """Seal and sign a message of any kind; ``seconds`` must sign too, ``signing`` are those who do now."""
        officer = self.officer(profile)
        header = officer.header(to, **changes)
        header.kind = kind
        return self.seal(officer, header, content, about=about, seconds=seconds, signing=signing, attached=attached)

    def seal(
        self,
        officer: Officer,
        header: message_pb2.Header,
        content: Message,
        *,
        about: Sequence[bytes] = (),
        seconds: Sequence[str] = (),
        signing: Sequence[str] = (),
        attached: Sequence[message.SealedFile] = (),
    ) -> bytes:
        """Seal a content under a header; ``about`` are signed messages that it follows from."""
        for signed in about:
            parent = message_pb2.SignedMessage.FromString(signed).header
            header.thread_id = message_pb2.Header.FromString(parent).thread_id
            header.parent_digests.append(message.message_digest(parent))
        for profile in seconds:
            second = self.officer(profile)
            header.required_signers.add(id=second.id, role=profile.partition("-")[2])
        moment = header.author_time.ToDatetime(tzinfo=UTC)
        members = [*(each.member for each in header.recipients), officer.member]
        data = content.SerializeToString(deterministic=True)
        sealed = message.seal(
            header,
            [message.PlainPart(message_pb2.PART_KIND_MAIN, data)],
            [officer.recipient_key(each, moment) for each in members],
            attached,
            subject=subject_of(header, data),
        )
        return message.sign(sealed, [officer.signer, *(self.officer(each).signer for each in signing)])


def digest_of(signed: bytes) -> bytes:
    """Return the digest of a message."""
    return message.message_digest(message_pb2.SignedMessage.FromString(signed).header)


def free(subject: str = "Exercise") -> FreeMessage:
    """Return an invented content."""
    return FreeMessage(subject=subject, text="Nothing of this is real. +77270000000")


METHODS: Final = {services.method_name(method): method for service in services.declared() for method in service.methods}


def make(folder: Path, members: Sequence[str] = MEMBERS, databases: Mapping[str, str] = MappingProxyType({})) -> None:
    """Make a federation in a folder that is not there yet; ``databases`` gives members another database URL."""
    with patch.object(os, "fsync", lambda _handle: None):
        dev.create(folder, members)
    for member, url in databases.items():
        NodeProcess(member, folder / "nodes" / member).configure(database=url)


@asynccontextmanager
async def played(folder: Path, databases: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[Scenario]:
    """Run three nodes, play the scenario, and leave them running."""
    make(folder, databases=databases)
    async with InProcess.started(folder, MEMBERS) as nodes:
        scenario = Scenario(folder, nodes)
        for act in (prepare, exchange, attach, approve, read, administer, forward, oversee, erase, ask_peers):
            await act(scenario)
        yield scenario


async def prepare(s: Scenario) -> None:
    """Appoint a deputy, note a shift, save a search that finds what comes."""
    appointed = deputy_pb2.AppointDeputyRequest(deputy=s.officer("kaz-duty").id)
    appointed.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=7))
    await s.ask("kaz-authoriser", "DeputyService/AppointDeputy", appointed)
    await s.ask("kaz-duty", "TaskService/AddShiftNote", task_pb2.AddShiftNoteRequest(text="Exercise"))
    saved = search_pb2.SaveSearchRequest(search_id=bytes(range(16)), author="tjk")
    await s.ask("kaz-liaison", "SearchService/SaveSearch", saved)


async def exchange(s: Scenario) -> None:
    """Send messages both ways, answer one, act on tasks."""
    first = s.write("kaz-liaison", ["tjk", "uzb"], "free-message", free())
    await s.send("kaz-liaison", first, row=SOURCE_ROW)
    await s.arrived("tjk", digest_of(first))
    request = information_pb2.InformationRequest(
        reference="EX-2",
        subject="Exercise",
        purposes=["investigate"],
        facts="Nothing of this is real. +77270000000",
        questions=[common_pb2.Question(number=1, text="Is anything of this real?")],
        why_addressee="Exercise",
    )
    asked = s.write("tjk-duty", ["kaz"], "information-request", request, role="duty")
    await s.send("tjk-duty", asked)
    await s.arrived("kaz", digest_of(asked))
    for digest in [digest_of(asked)]:
        await s.ask("kaz-duty", "TaskService/TakeTask", task_pb2.TakeTaskRequest(message_digest=digest))
        await s.ask("kaz-duty", "TaskService/AcknowledgeTask", task_pb2.AcknowledgeTaskRequest(message_digest=digest))
    answer = s.write("kaz-liaison", ["tjk"], "free-message", free("Re: exercise"), about=[asked])
    await s.send("kaz-liaison", answer)
    await s.arrived("tjk", digest_of(answer))
    s.first, s.asked, s.answer = first, asked, answer


async def attach(s: Scenario) -> None:
    """Upload an attachment, send it, download it; leave an upload that is not finished."""
    officer = s.officer("kaz-liaison")
    header = officer.header(["tjk"])
    sealed = attaching.seal(s.folder, header, ATTACHED_BYTES)
    other = attaching.seal(s.folder, officer.header(["tjk"]), ATTACHED_BYTES)
    for each in (sealed, other):
        await s.ask("kaz-liaison", "AttachmentService/StartUpload", each.start)
    name = attachment_pb2.UploadRequest(ciphertext_sha256=sealed.said.ciphertext_sha256)
    pieces = [attachment_pb2.UploadRequest(data=piece) for piece in sealed.pieces()]
    requests = [each.SerializeToString() for each in (name, *pieces)]
    method = "/paiza.officer.v1.AttachmentService/Upload"
    await s.nodes["kaz"].call(officer.certificate_pem, method, *requests)
    signed = s.seal(officer, header, free(), attached=[sealed.said])
    digest = await s.send("kaz-liaison", signed)
    await s.logged("tjk", digest, "RECEIVED")
    request = attachment_pb2.DownloadRequest(message_digest=digest, part_number=attaching.FIRST_PART)

    async def downloads() -> bool:
        try:
            return await s.ask("tjk-liaison", "AttachmentService/Download", request) is not None
        except RefusedCall:
            return False

    await s.until(downloads, "the attachment at tjk")
    s.attached = signed


async def approve(s: Scenario) -> None:
    """Hold messages for a second signature: one is signed, one declined, one waits."""
    digests = {}
    for name in ("signed", "declined", "waiting"):
        signed = s.write("kaz-liaison", ["tjk"], "free-message", free(name), seconds=["kaz-authoriser"])
        digests[name] = await s.send("kaz-liaison", signed)
        s.pending[name] = signed
    listed = approval_pb2.ListPendingApprovalsRequest()
    await s.ask("kaz-authoriser", "ApprovalService/ListPendingApprovals", listed)
    await s.ask("kaz-liaison", "ApprovalService/ListOfficers", approval_pb2.ListOfficersRequest())
    shown = approval_pb2.GetPendingApprovalRequest(message_digest=digests["signed"], reason_text=REASON)
    await s.ask("kaz-authoriser", "ApprovalService/GetPendingApproval", shown)
    header = message_pb2.SignedMessage.FromString(s.pending["signed"]).header
    signature = message.countersign(header, s.officer("kaz-authoriser").signer)
    approved = approval_pb2.ApproveRequest(message_digest=digests["signed"], signature=signature)
    await s.ask("kaz-authoriser", "ApprovalService/Approve", approved)
    declined = approval_pb2.DeclineRequest(message_digest=digests["declined"], reason_text=REASON)
    await s.ask("kaz-authoriser", "ApprovalService/Decline", declined)


async def read(s: Scenario) -> None:
    """List, watch, open, search, act on tasks, read the log, ask for evidence."""
    first, asked = digest_of(s.first), digest_of(s.asked)
    await s.ask("kaz-liaison", "OfficerService/GetSession", officer_pb2.GetSessionRequest())
    await s.ask("kaz-duty", "OfficerService/ListMessages", officer_pb2.ListMessagesRequest(with_subjects=True))
    await s.ask("kaz-duty", "OfficerService/Watch", officer_pb2.WatchRequest(after_sequence=0))
    await s.ask("kaz-duty", "OfficerService/OpenMessage", officer_pb2.OpenMessageRequest(message_digest=asked))
    request = officer_pb2.OpenMessagesRequest(message_digests=[first, asked], reason_text=REASON)
    await s.ask("kaz-coordinator", "OfficerService/OpenMessages", request)
    item = officer_pb2.SubmitItem(message=unsigned(s.officer("kaz-liaison").compose(["tjk"])))
    await s.ask("kaz-liaison", "OfficerService/TryMessage", officer_pb2.TryMessageRequest(item=item))
    rows = officer_pb2.FindSourceRowsRequest(source_row_sha256=[SOURCE_ROW])
    await s.ask("kaz-liaison", "OfficerService/FindSourceRows", rows)
    criterion = search_pb2.Criterion(field="phone", text="+77270000000")

    async def indexed() -> bool:
        request = search_pb2.SearchRequest(criteria=[criterion], reason_text=REASON)
        return not (await s.ask("kaz-duty", "SearchService/Search", request)).behind

    await s.until(indexed, "the index")
    await s.ask("kaz-duty", "SearchService/ListLinks", search_pb2.ListLinksRequest(message_digest=asked))
    similar = search_pb2.FindSimilarRequest(kind="information-request", criteria=[criterion])
    await s.ask("kaz-liaison", "SearchService/FindSimilar", similar)
    await s.ask("kaz-duty", "TaskService/ListTasks", task_pb2.ListTasksRequest())
    assigned = task_pb2.AssignTaskRequest(message_digest=asked, officer=s.officer("kaz-liaison").id, note="Exercise")
    await s.ask("kaz-coordinator", "TaskService/AssignTask", assigned)
    await s.ask("kaz-liaison", "TaskService/AcknowledgeTask", task_pb2.AcknowledgeTaskRequest(message_digest=asked))
    await s.ask("kaz-liaison", "TaskService/CompleteTask", task_pb2.CompleteTaskRequest(message_digest=asked))
    await s.ask("kaz-coordinator", "AuditService/GetTrail", audit_pb2.GetTrailRequest(message_digest=first))
    await s.ask("kaz-coordinator", "AuditService/GetEvidence", audit_pb2.GetEvidenceRequest(message_digest=first))
    await s.ask("kaz-coordinator", "AuditService/GetLogStatus", audit_pb2.GetLogStatusRequest())
    plan = delivery.request(["kaz", "tjk"], datetime.now(UTC))
    step = s.write("kaz-liaison", ["tjk"], "cd-request", plan, urgency=message_pb2.URGENCY_PRIORITY)
    await s.send("kaz-liaison", step)
    await s.arrived("tjk", digest_of(step))
    await s.ask("tjk-liaison", "WorkflowService/ListWorkflows", workflow_pb2.ListWorkflowsRequest())
    thread = message_pb2.Header.FromString(message_pb2.SignedMessage.FromString(step).header).thread_id
    await s.ask("tjk-liaison", "WorkflowService/GetWorkflow", workflow_pb2.GetWorkflowRequest(thread_id=thread))


async def administer(s: Scenario) -> None:
    """Act as the operator: queues, officers, grants, blocks, keys."""
    until = datetime.now(UTC) + timedelta(days=30)
    granted = admin_pb2.GrantAuditRequest(member="tjk", events=[log_pb2.LOG_EVENT_RELEASED], headers=True)
    granted.until_time.FromDatetime(until)
    for member, other in (("kaz", "tjk"), ("tjk", "kaz")):
        granted.member = other
        grant = await s.operate(member, "AdminService/GrantAudit", granted)
    granted.member = "uzb"
    grant = await s.operate("kaz", "AdminService/GrantAudit", granted)
    withdrawn = admin_pb2.WithdrawAuditRequest(grant_id=grant.grant.grant_id)
    await s.operate("kaz", "AdminService/WithdrawAudit", withdrawn)
    for name in (
        "GetStatus", "ListQueue", "ListQueuedAttachments", "ListMisbehaviour", "ListAuditGrants", "BeginBackup",
    ):  # fmt: skip
        request: Any = getattr(admin_pb2, f"{name}Request")()
        if name == "BeginBackup":
            request.backup_id = secrets.token_bytes(32)
        await s.operate("kaz", f"AdminService/{name}", request)
    s.nodes["uzb"].serving = False  # it does not answer
    waiting = await s.send("kaz-liaison", s.write("kaz-liaison", ["uzb"], "free-message", free("waits")))
    queue = await s.operate("kaz", "AdminService/ListQueue", admin_pb2.ListQueueRequest(recipient="uzb"))
    delivery_id = next(each.delivery_id for each in queue.deliveries if each.message_digest == waiting)
    await s.operate("kaz", "AdminService/RetryDelivery", admin_pb2.RetryDeliveryRequest(delivery_id=delivery_id))
    dropped = admin_pb2.DropDeliveryRequest(delivery_id=delivery_id, reason_text=REASON)
    await s.operate("kaz", "AdminService/DropDelivery", dropped)
    s.nodes["uzb"].serving = True
    blocked = admin_pb2.BlockPeerRequest(member="uzb", reason_text=REASON)
    await s.operate("kaz", "AdminService/BlockPeer", blocked)
    await s.operate("kaz", "AdminService/UnblockPeer", admin_pb2.UnblockPeerRequest(member="uzb", reason_text=REASON))
    officer = s.officer("kaz-data").id
    service = "OfficerAdminService"
    await s.operate("kaz", f"{service}/ListOfficers", officer_admin_pb2.ListOfficersRequest())
    suspended = officer_admin_pb2.SuspendOfficerRequest(officer=officer, reason_text=REASON)
    await s.operate("kaz", f"{service}/SuspendOfficer", suspended)
    reinstated = officer_admin_pb2.ReinstateOfficerRequest(officer=officer, reason_text=REASON)
    await s.operate("kaz", f"{service}/ReinstateOfficer", reinstated)
    changed = officer_admin_pb2.ChangeOfficerRequest(officer=officer, roles=["data"], unit="data-office-2")
    await s.operate("kaz", f"{service}/ChangeOfficer", changed)
    await s.operate("kaz", "RotationService/Reload", rotation_pb2.ReloadRequest())
    announced = rotation_pb2.AnnounceKeyRequest(kind="tls", key_sha256=bytes(32))
    await s.operate("kaz", "RotationService/AnnounceKey", announced)


async def forward(s: Scenario) -> None:
    """Pass a message on, authorise an export, list holders."""
    handling = message_pb2.Handling(code="H0", tlp="GREEN")
    officer = s.officer("tjk-liaison")
    header = officer.header(["kaz"])
    header.handling.CopyFrom(handling)
    signed = s.seal(officer, header, free("Pass it on"))
    digest = await s.send("tjk-liaison", signed)
    await s.arrived("kaz", digest)
    request = forwarding_pb2.ForwardRequest(
        message_digest=digest, recipients=["uzb"], purpose="investigate", reason_text=REASON
    )
    await s.ask("kaz-liaison", "ForwardingService/Forward", request)
    await s.arrived("uzb", digest)
    export = forwarding_pb2.AuthorizeExportRequest(
        message_digests=[digest],
        audience=forwarding_pb2.EXPORT_AUDIENCE_OWN_MEMBER,
        recipient_text="Invented bureau",
        purpose="investigate",
        reason_text=REASON,
    )
    await s.ask("kaz-liaison", "ForwardingService/AuthorizeExport", export)
    holders = forwarding_pb2.ListHoldersRequest(message_digest=digest)
    await s.ask("tjk-coordinator", "ForwardingService/ListHolders", holders)
    # One of ours is passed on too: its author keeps the proof of that.
    header = s.officer("kaz-liaison").header(["tjk"])
    header.handling.CopyFrom(handling)
    ours = s.seal(s.officer("kaz-liaison"), header, free("Pass it on"))
    await s.send("kaz-liaison", ours)
    await s.arrived("tjk", digest_of(ours))
    request.message_digest = digest_of(ours)
    await s.ask("tjk-liaison", "ForwardingService/Forward", request)
    await s.arrived("uzb", digest_of(ours))
    s.forwarded = ours


async def oversee(s: Scenario) -> None:
    """Read logs, the own and another member's; close a period; hand in a proposal."""
    query = log_query_pb2.EntryQuery(nonce=secrets.token_bytes(NONCE_SIZE), with_texts=True)
    own = audit_query_pb2.ListLogEntriesRequest(query=query.SerializeToString(deterministic=True))
    await s.ask("kaz-auditor", "AuditQueryService/ListLogEntries", own)
    query = log_query_pb2.EntryQuery(nonce=secrets.token_bytes(NONCE_SIZE), with_headers=True)
    query.events.append(log_pb2.LOG_EVENT_RELEASED)
    theirs = audit_query_pb2.ListLogEntriesRequest(member="tjk", query=query.SerializeToString(deterministic=True))
    await s.ask("kaz-coordinator", "AuditQueryService/ListLogEntries", theirs)
    counted = log_query_pb2.CountQuery(nonce=secrets.token_bytes(NONCE_SIZE))
    counted.period.since_time.FromDatetime(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1))
    counted.period.until_time.FromDatetime(datetime.now(UTC).replace(microsecond=0))
    matrix = audit_query_pb2.GetMatrixRequest(query=counted.SerializeToString(deterministic=True))
    await s.ask("kaz-coordinator", "AuditQueryService/GetMatrix", matrix)
    closed = audit_query_pb2.ClosePeriodRequest(counterpart="tjk", period=counted.period)
    await s.ask("kaz-coordinator", "AuditQueryService/ClosePeriod", closed)
    act = change(RESIGN, base_of(s.folder), datetime.now(UTC))
    pair = KeyFolder(s.folder / "trust/kaz").pair("custodian-kaz")
    proposal = Proposal(act).signed_with(pair, Circumstances(datetime.now(UTC), "clock of the test"))
    handed = ceremony_pb2.SubmitProposalRequest(data=proposal.to_bytes(with_register=False))
    held = (await s.ask("kaz-custodian", "CeremonyService/SubmitProposal", handed)).held
    listed = ceremony_pb2.ListProposalsRequest(all=True)
    await s.ask("kaz-custodian", "CeremonyService/ListProposals", listed)
    shown = ceremony_pb2.GetProposalRequest(fingerprint=held.fingerprint)
    await s.ask("kaz-custodian", "CeremonyService/GetProposal", shown)
    s.proposal = held.fingerprint


async def erase(s: Scenario) -> None:
    """Place and release holds, keep and erase messages, have one erased everywhere."""
    first, answer = digest_of(s.first), digest_of(s.answer)
    for path, request in (
        ("PlaceHold", retention_pb2.PlaceHoldRequest(message_digest=first, reason_text=REASON)),
        ("PlaceHold", retention_pb2.PlaceHoldRequest(message_digest=answer, reason_text=REASON)),
        ("ReleaseHold", retention_pb2.ReleaseHoldRequest(message_digest=answer, reason_text=REASON)),
        ("ListHolds", retention_pb2.ListHoldsRequest()),
        ("ListReviews", retention_pb2.ListReviewsRequest(days_ahead=400)),
    ):
        await s.ask("kaz-coordinator", f"RetentionService/{path}", request)
    kept = retention_pb2.KeepMessageRequest(message_digest=answer, reason_text=REASON)
    kept.keep_until_time.FromDatetime(datetime.now(UTC) + timedelta(days=700))
    await s.ask("kaz-liaison", "RetentionService/KeepMessage", kept)
    gone = s.write("kaz-liaison", ["tjk", "uzb"], "free-message", free("To be erased"))
    await s.send("kaz-liaison", gone)
    for member in ("tjk", "uzb"):
        await s.arrived(member, digest_of(gone))
    content = ErasureRequest(reason="review", explanation="Exercise")
    asked = s.write(
        "kaz-liaison", ["tjk", "uzb"], "erasure-request", content,
        about=[gone], seconds=["kaz-duty"], signing=["kaz-duty"],
    )  # fmt: skip
    await s.send("kaz-liaison", asked)
    await s.logged("kaz", digest_of(gone), "ERASED", "ERASURE_ANSWERED")
    await s.ask("kaz-coordinator", "RetentionService/ListErasures", retention_pb2.ListErasuresRequest())
    old = s.write("kaz-liaison", ["tjk"], "free-message", free("Own copy"))
    await s.send("kaz-liaison", old)
    own = retention_pb2.EraseOwnCopyRequest(message_digest=digest_of(old), reason_text=REASON)
    await s.ask("kaz-liaison", "RetentionService/EraseOwnCopy", own)


async def ask_peers(s: Scenario) -> None:
    """Call a node as another member's node; what nodes call by themselves is recorded anyway."""
    state = register_pb2.RegisterState(register_version=s.register.version)
    shake = exchange_pb2.HandshakeRequest(protocol_version=1, register_state=state)
    await s.peer("tjk", "kaz", "ExchangeService/Handshake", shake)
    await s.peer("tjk", "kaz", "ExchangeService/ProveConsistency", exchange_pb2.ProveConsistencyRequest(sizes=[1, 2]))
    fetched = exchange_pb2.FetchMessagesRequest(register_state=state, message_digests=[digest_of(s.first)])
    await s.peer("tjk", "kaz", "ExchangeService/FetchMessages", fetched)
    attached = exchange_pb2.FetchAttachmentRequest(message_digest=digest_of(s.attached), part_number=1)
    await s.peer("tjk", "kaz", "ExchangeService/FetchAttachment", attached)
    await s.peer("tjk", "kaz", "WitnessService/ProveEntries", witness_pb2.ProveEntriesRequest(indices=[0, 1]))
    await s.peer("tjk", "kaz", "ProposalService/ListProposals", proposal_pb2.ListProposalsRequest())
    shown = proposal_pb2.GetProposalRequest(fingerprint=s.proposal)
    await s.peer("tjk", "kaz", "ProposalService/GetProposal", shown)
    again = recovery_pb2.ListHeldCheckpointsRequest(register_state=state, tell_again=True)
    await s.peer("tjk", "kaz", "RecoveryService/ListHeldCheckpoints", again)
    for side in (recovery_pb2.LOST_ENTRY_SIDE_RECEIVED, recovery_pb2.LOST_ENTRY_SIDE_RELEASED):
        lost = recovery_pb2.ListLostEntriesRequest(register_state=state, side=side)
        lost.origin = s.register.member("tjk").origin
        with suppress(RefusedCall):  # tjk lost nothing
            await s.peer("tjk", "kaz", "RecoveryService/ListLostEntries", lost)
    await s.peer("tjk", "kaz", "RegisterService/GetFile", register_pb2.GetFileRequest(path="metadata/timestamp.json"))
    await s.peer("tjk", "kaz", "RegisterService/ListProofs", register_pb2.ListProofsRequest())
