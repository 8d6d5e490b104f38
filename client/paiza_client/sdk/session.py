"""The connection of one officer to the own node: sending, listing, opening, watching, trails.

    profile = profiles.find("kaz-liaison")
    async with connect(profile) as session:
        page = await session.list_messages(box="inbox", unread_only=True)
        opened = await session.open_part(page.messages[0].digest)

Whatever comes back has been checked (`paiza_client.verify.checks`) against the register, and the register against the
profile's bootstrap root. Every call has a deadline, bounded sizes and bounded retries, and raises only the package's
own errors.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc

from paiza.core.v1 import log_pb2, message_pb2, register_pb2, register_pb2_grpc
from paiza.officer.v1 import audit_pb2, audit_pb2_grpc, notice_pb2, officer_pb2, officer_pb2_grpc
from paiza_client.compose.composer import Composer, Sealed
from paiza_client.files.attaching import Progress
from paiza_client.language import _
from paiza_client.local.outbox import Batch, Outbox
from paiza_client.reconciliation.log_queries import Question
from paiza_client.sdk.approvals import Approvals
from paiza_client.sdk.archived_sets import ArchivedFiles
from paiza_client.sdk.attachments import Attachments, SavedAttachment
from paiza_client.sdk.audit_query import AuditQuery
from paiza_client.sdk.deputies import Deputies
from paiza_client.sdk.directories import DirectoryCalls
from paiza_client.sdk.evidence_files import EvidenceFiles
from paiza_client.sdk.exports import Exports
from paiza_client.sdk.forwarding import Forwarding
from paiza_client.sdk.model import Box, MessageSummary, Page, Whoami
from paiza_client.sdk.retention import Retention
from paiza_client.sdk.search import Search
from paiza_client.sdk.summaries import summary
from paiza_client.sdk.tasks import Tasks
from paiza_client.sdk.workflows import Workflows
from paiza_client.verify import checks, source_row_checks
from paiza_client.verify.logs import Registers
from paiza_client.verify.model import LogState, OpenedPart, Outcome, SentRow, Trail
from paiza_officer import channel, register_cache
from paiza_officer.errors import NotProven, ProfileProblem, Refused, Unreachable, located
from paiza_officer.profiles import Profile, remember_roles
from paiza_officer.renewal import Renewal
from paiza_register import Register, load_set
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.message import (
    OfficerSigner,
    PendingMessage,
    VerifiedMessage,
    attachment,
    parse_header,
    parse_strictly,
    verify,
    verify_pending,
)

MAX_TOGETHER: Final = 256  # messages opened in one call
MAX_SOURCE_ROWS: Final = 512  # of one question
CHECK_SECONDS: Final = 30.0  # between two checks of the node's certificate during a watch
SUBMITS_IN_FLIGHT: Final = 2  # one is committed by the node while the next is on its way

_T = TypeVar("_T")

_BOXES: Final[dict[Box, officer_pb2.Box.ValueType]] = {
    "inbox": officer_pb2.BOX_INBOX,
    "sent": officer_pb2.BOX_SENT,
    "both": officer_pb2.BOX_UNSPECIFIED,
}


class Session:
    """A verified connection; made by `connect`. Not safe for use from several event loops.

    Its parts; `help(type(session.search))` shows the calls of one:

    search          messages by what they speak of, links, and requests that asked the same
    tasks           the queue of a unit or an officer; assign, take and complete a task
    deputies        who is whose deputy; appoint one, end an appointment
    approvals       what waits for a second officer; sign or decline it
    retention       legal holds, review dates, erasure
    forwarding      pass a message on; who holds it
    audit_query     the own log and, by grant, those of others: openings, counts, reconciliation
    evidence_files  evidence files of messages, with openings and disclosed parts
    exports         the node's permission to write contents to a file
    workflows       the state of controlled deliveries and joint operations
    directory       publish the own member's directory of liaison officers
    attachments     transfers of attachments; `save_attachment` and `sending.send` use it
    outbox          the signed messages on this machine that wait to be sent; `listing` shows their headers
    renewal         what became of the renewal of certificates; None unless they are in their last month
    profile         the officer, the member, the node and the folder on this machine
    """

    search: Search
    tasks: Tasks
    deputies: Deputies
    approvals: Approvals
    retention: Retention
    forwarding: Forwarding
    audit_query: AuditQuery
    evidence_files: EvidenceFiles
    exports: Exports
    workflows: Workflows
    directory: DirectoryCalls
    attachments: Attachments
    outbox: Outbox
    profile: Profile

    def __init__(
        self,
        profile: Profile,
        signer: Callable[[], OfficerSigner],
        connection: grpc.aio.Channel,
        current: Register,
        renewal: Renewal | None = None,
        check_node: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Store the parts of a session; ``signer`` is called when something is signed.

        ``check_node`` is called again and again during a watch; it raises if the node is not to be believed any more.
        """
        self._check_node = check_node
        self.renewal = renewal
        """What became of the renewal of certificates; None if it was not due."""
        self.profile = profile
        self.outbox = Outbox(profile.outbox)
        self._signer = signer
        self._registers = Registers(current)
        self._roots: dict[str, bytes] = {}
        self._officer = officer_pb2_grpc.OfficerServiceStub(connection)
        self._audit = audit_pb2_grpc.AuditServiceStub(connection)
        self._register = register_pb2_grpc.RegisterServiceStub(connection)
        self.forwarding = Forwarding(connection, self._call, self._registers, profile.member)
        self.audit_query = AuditQuery(connection, self._call, self._registers, profile.id)
        self.retention = Retention(connection, self._call, self._registers, profile.member)
        self.search = Search(connection, self._call)
        self.exports = Exports(connection, self._call, self._registers, profile.id)
        self.workflows = Workflows(connection, self._call)
        self.tasks = Tasks(connection, self._call, self._check_subjects)
        self.deputies = Deputies(connection, self._call)
        self.directory = DirectoryCalls(connection, self._call)
        self.attachments = Attachments(connection, profile, self.outbox, self._call)
        self.evidence_files = EvidenceFiles(
            connection, self._call, profile, self.exports, self.attachments, self.archived_set, self._open
        )
        self.approvals = Approvals(
            connection, self._call, profile, signer, self._registers, self.attachments, self.outbox
        )
        self.tell_meant: Callable[[str, MessageSummary], None] = _tell_nobody
        """Called with a short name that fits several messages, and the one that is meant (`messages.find`)."""
        self._session: Whoami | None = None
        self._log_size = 0  # of the own log, as the newest receipt proved

    def register(self) -> Register:
        """Return the verified set in force, as of the start of the session."""
        return self._registers.current

    async def whoami(self) -> Whoami:
        """Return whom the node takes us for; asked once in a session, and kept for composing without the node.

        ProfileProblem("wrong_member") where the node takes us for another officer.
        """
        if self._session is None:
            answer = await self._call(
                lambda: self._officer.GetSession(officer_pb2.GetSessionRequest(), timeout=channel.CALL_SECONDS)
            )
            if answer.officer_id != str(self.profile.id):
                raise ProfileProblem("wrong_member", self.profile.node, "the node takes us for another officer")
            self._session = Whoami(
                officer_id=answer.officer_id,
                roles=tuple(answer.roles),
                unit=answer.unit,
                protocol_version=answer.protocol_version,
                node_version=answer.node_version,
                node_time=answer.node_time.ToDatetime(tzinfo=UTC),
                register_version=answer.register_version,
            )
            remember_roles(self.profile, self._session.roles)
        return self._session

    async def composer(self) -> Composer:
        """Return what makes messages for this officer under the register in force; `sending.send` uses it."""
        return Composer(self.profile, self._signer, self.register(), (await self.whoami()).roles)

    async def submit(self, messages: Sequence[Sealed]) -> list[Outcome]:
        """Send sealed messages: into the outbox first, then to the node; one checked outcome each, in order.

        An outcome's ``state`` is "released", "waiting" (for a second officer), "refused" or "retry"; unlike
        `sending.send` nothing is raised for the last two. The node logs RELEASED for each recipient, or SUBMITTED.

        Unreachable with ``saved`` where the node does not answer: the messages wait in the outbox. NotProven where a
        receipt does not hold.
        """
        batches = await asyncio.to_thread(self.outbox.put, [message.item() for message in messages])
        return [outcome for outcomes in await self._submit_all(batches) for outcome in outcomes]

    async def try_message(self, message: Sealed) -> Outcome:
        """Return how `submit` would end for a message that was sealed for a trial, as far as the node can say now.

        The outcome has no proofs: the node stores nothing, and logs a denial alone. A message that would be released
        or held may be refused all the same once something else has happened. Unreachable: the node, or it was asked too
        often.
        """
        request = officer_pb2.TryMessageRequest(item=message.item())
        answer = await self._call(lambda: self._officer.TryMessage(request, timeout=channel.CALL_SECONDS))
        return checks.tried(answer, message.digest)

    async def flush(self) -> list[Outcome]:
        """Send what waits in the outbox; one checked outcome per message, oldest first.

        The node is asked anew about what waits for a second officer. Logs and errors as `submit`.
        """
        batches = [*self.outbox.batches(), *self.outbox.at_second_officers()]
        return [outcome for outcomes in await self._submit_all(batches) for outcome in outcomes]

    async def list_messages(
        self,
        *,
        box: Box = "inbox",
        unread_only: bool = False,
        kind: str = "",
        author: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        thread_id: bytes = b"",
        id_prefix: str = "",
        page_size: int = 100,
        page_token: str = "",
        subjects: bool = False,
    ) -> Page:
        """Return one page of messages without content, newest first; `messages.pages` goes over all pages.

        ``box`` is "inbox", "sent" or "both", ``kind`` a kind's name, ``author`` a member's id. The own node stored them
        at ``since`` or later and before ``until``, both aware. ``thread_id`` is 16 bytes, ``id_prefix`` hex digits or a
        thread's name, ``page_size`` at most 500. ``subjects``: with the subjects of those that the officer may open,
        which the node logs as SUBJECTS_SHOWN; otherwise nothing is logged. Headers match their digests; nothing else is
        proven yet.
        """
        request = officer_pb2.ListMessagesRequest(
            box=_BOXES[box],
            unread_only=unread_only,
            kind=kind,
            author=author,
            thread_id=thread_id,
            id_prefix=id_prefix,
            page_size=page_size,
            page_token=page_token,
            with_subjects=subjects,
        )
        if since is not None:
            request.since_time.FromDatetime(since)
        if until is not None:
            request.until_time.FromDatetime(until)
        answer = await self._call(lambda: self._officer.ListMessages(request, timeout=channel.CALL_SECONDS))
        self._check_subjects(answer.messages, answer.subjects_shown)
        return Page(tuple(summary(info) for info in answer.messages), answer.next_page_token)

    def _check_subjects(self, listed: Iterable[officer_pb2.MessageInfo], entry: log_pb2.LogProof) -> None:
        checks.check_subjects_shown(listed, entry, self.profile.id, self._registers)

    async def open_together(
        self, digests: Sequence[bytes], reason: str, purpose: str = ""
    ) -> dict[bytes, OpenedPart | Refused | Unreachable]:
        """Open the main parts of messages for one reason; none is marked as read.

        ``purpose`` is a code of the list "purpose": the node refuses what was given for other purposes; an empty one
        limits nothing. Return, by digest, what was opened, each checked as by `open_part`, or the error with the node's
        reason. The node logs one OPENED_TOGETHER entry for up to 256.
        """
        opened: dict[bytes, OpenedPart | Refused | Unreachable] = {}
        left = list(dict.fromkeys(digests))
        while left:
            request = officer_pb2.OpenMessagesRequest(
                message_digests=left[:MAX_TOGETHER], reason_text=reason, purpose=purpose
            )
            answer = await self._open_messages(request)
            await self._fetch_sets(
                checks.versions_needed([proof for each in answer.results for proof in each.opened.released])
            )
            found = checks.check_opened_together(
                answer, list(request.message_digests), officer=self.profile.id, registers=self._registers
            )
            opened |= found
            left = left[len(found) :]
        return opened

    async def _open_messages(self, request: officer_pb2.OpenMessagesRequest) -> officer_pb2.OpenMessagesResponse:
        return await self._call(lambda: self._officer.OpenMessages(request, timeout=channel.SUBMIT_SECONDS))

    async def open_part(self, digest: bytes, part: int = 0, reason: str = "") -> OpenedPart:
        """Open one part of a message; signatures, digests, key and log proofs of what is returned are verified.

        ``digest`` is 32 bytes; ``part`` 0 is the main part, `wording.part_number` finds the annex. ``reason`` is in
        words; the nominal annex and what was recalled are not opened without one. The node logs OPENED, with officer
        and reason, before it hands out the key, and marks the message as read. `messages.content` reads the result.

        Refused with the node's reason ("policy_denied", "erased" …), NotProven where anything does not hold.
        """
        request = officer_pb2.OpenMessageRequest(message_digest=digest, part_number=part, reason_text=reason)
        return (await self._open(request))[0]

    async def save_attachment(
        self,
        message: MessageSummary,
        part: int,
        target: Path | None = None,
        reason: str = "",
        *,
        on_progress: Progress | None = None,
    ) -> SavedAttachment:
        """Fetch the attachment that is this part, check everything and save it; never over another file.

        ``target`` is a file that is not there yet, a folder, or None for the present folder. ``on_progress`` is called
        with the beginning of the ciphertext's digest, the bytes that are here and the bytes in all. A broken transfer
        goes on where it was. The node logs OPENED with the ``reason`` once the ciphertext is here.

        Refused("part_missing") names the attachments there are, ("file_unwritable") the file; otherwise as `open_part`.
        """
        numbers = attachment.part_numbers(message.header)
        if part not in numbers:
            known = ", ".join(map(str, numbers)) or "-"
            raise Refused("part_missing", f"{message.id}: {part}", _("attachments: {known}").format(known=known))
        request = officer_pb2.OpenMessageRequest(message_digest=message.digest, part_number=part, reason_text=reason)
        with self.attachments.telling(on_progress):
            return await self.attachments.fetch(
                message.digest, message.header, part, target, lambda: self._open(request)
            )

    async def _open(self, request: officer_pb2.OpenMessageRequest) -> tuple[OpenedPart, bytes]:
        answer = await self._call(lambda: self._officer.OpenMessage(request, timeout=channel.CALL_SECONDS))
        await self._fetch_sets(checks.versions_needed(answer.released))
        opened = checks.check_opened(
            answer,
            digest=request.message_digest,
            part_number=request.part_number,
            officer=self.profile.id,
            registers=self._registers,
        )
        return opened, answer.part_key

    async def watch(self, after: int | None = None) -> AsyncIterator[MessageSummary]:
        """Yield messages as they arrive and those sent as their deliveries change; nothing is logged.

        ``after``: first every message of a greater sequence, so that a broken watch misses nothing. Unreachable when
        the node ends the stream; `watching.follow` connects again.
        """
        async for item in self.news(after):
            if isinstance(item, MessageSummary):
                yield item

    async def news(self, after: int | None = None) -> AsyncIterator[MessageSummary | notice_pb2.Notice]:
        """Yield what `watch` yields, and notices: what falls due, what waits for a signature, work that was given."""
        stream = self._officer.Watch(officer_pb2.WatchRequest(after_sequence=after))
        try:
            async for answer in self._checked(stream):
                for message in answer.messages:
                    yield summary(message)
                for notice in answer.notices:
                    yield notice
        except grpc.aio.AioRpcError as error:
            raise channel.translated(error, self.profile.node) from error
        finally:
            stream.cancel()

    async def _checked(self, stream: Any) -> AsyncIterator[Any]:
        """Yield the answers of a stream; end it with an error if the node's certificate is refused meanwhile."""
        check_time = time.monotonic() + CHECK_SECONDS
        reading: asyncio.Future[Any] | None = None
        try:
            while True:
                reading = reading or asyncio.ensure_future(stream.read())
                await asyncio.wait({reading}, timeout=max(0.0, check_time - time.monotonic()))
                if time.monotonic() >= check_time:
                    if self._check_node is not None:
                        await self._check_node()
                    check_time = time.monotonic() + CHECK_SECONDS
                if reading.done():
                    answer, reading = reading.result(), None
                    if answer is grpc.aio.EOF:
                        return
                    yield answer
        finally:
            if reading is not None:
                reading.cancel()

    async def trail(self, digest: bytes) -> Trail:
        """Return everything that the own log and the proofs held of others say about one message, each verified.

        `trails.find` asks other members too. Refused("unknown_id") where the own node has no part in the message.
        """
        request = audit_pb2.GetTrailRequest(message_digest=digest)
        pages = [
            checks.check_trail(page, digest, self.profile.member, self._registers)
            async for page in channel.pages(self._call, self._audit.GetTrail, request)
        ]
        return Trail(
            tuple(proof for page in pages for proof in page.own),
            tuple(proof for page in pages for proof in page.foreign),
        )

    async def ask_others(
        self, said: Trail, digest: bytes, members: Sequence[str]
    ) -> tuple[Trail, list[tuple[str, str]]]:
        """Return a trail with what other members' logs show of the message, and who gave no answer, with the reason.

        Each log that is asked logs CONSULTED. NotProven where an answer does not hold: it is not left out silently.
        """
        foreign = {(each.origin, each.index): each for each in said.foreign}
        silent: list[tuple[str, str]] = []
        for member in members:
            if member == self.profile.member:
                continue
            try:
                async for page in self.audit_query.pages(member, Question(digests=[digest])):
                    foreign.update(((each.proof.origin, each.proof.index), each.proof) for each in page.entries)
            except NotProven:
                raise
            except PaizaError as error:
                silent.append((member, error.reason))
        return Trail(said.own, tuple(foreign.values())), silent

    async def log_status(self) -> list[LogState]:
        """Return the verified checkpoints of the own log (first) and of the others', as the node knows them."""
        answer = await self._call(
            lambda: self._audit.GetLogStatus(audit_pb2.GetLogStatusRequest(), timeout=channel.CALL_SECONDS)
        )
        return checks.check_log_status(answer, self.profile.member, self._registers)

    async def evidence(self, digest: bytes) -> bytes:
        """Return the evidence file of one message as bytes; `evidence_files` adds openings and disclosed parts."""
        return (await self.evidence_files.make(digest)).data

    async def archived_set(self, version: bytes) -> dict[str, bytes]:
        """Fetch and verify an older set of the register; return its files by published path."""
        name, root = version.hex()[:16], register_cache.bootstrap_root(self.profile.root)
        files = ArchivedFiles(name, partial(self._register_file, version), self._roots)
        with located(name, NotProven):
            found = await asyncio.to_thread(load_set, files, root, None)
        if found.version != version:
            raise NotProven("register_unknown", name, "the node gave another set")
        self._registers.add(found)
        return dict(files)

    async def _register_file(self, version: bytes, path: str) -> bytes | None:
        """Return a file of an archived set; None if the node has none."""
        request = register_pb2.GetFileRequest(path=path, register_version=version)
        try:
            answer = await self._call(lambda: self._register.GetFile(request, timeout=channel.CALL_SECONDS))
        except Rejected as error:
            if error.reason != "unknown_file":
                raise
            return None
        return answer.data

    async def find_source_rows(self, digests: Iterable[bytes]) -> dict[bytes, SentRow]:
        """Return which source rows of imports were sent before, by the officer or their unit, by row digest.

        The own log proves each message's release; that it was made from the row is the node's word. NotProven where a
        release does not hold.
        """
        wanted = list(dict.fromkeys(digests))
        found: dict[bytes, SentRow] = {}
        while wanted:
            asked = wanted[:MAX_SOURCE_ROWS]
            answer = await self._source_rows(officer_pb2.FindSourceRowsRequest(source_row_sha256=asked))
            if not 0 < answer.looked_up <= len(asked):
                raise NotProven("unexpected_answer", self.profile.node, "no row was looked up, or more than asked")
            found |= source_row_checks.check_source_rows(
                answer, asked[: answer.looked_up], self.profile.member, self._registers
            )
            wanted = wanted[answer.looked_up :]
        return found

    async def _source_rows(self, request: officer_pb2.FindSourceRowsRequest) -> officer_pb2.FindSourceRowsResponse:
        return await self._call(lambda: self._officer.FindSourceRows(request, timeout=channel.CALL_SECONDS))

    async def _call(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        return await channel.call(self.profile.node, attempt)

    async def _submit_all(self, batches: Sequence[Batch]) -> list[list[Outcome]]:
        """Submit batches, a few at a time, each settled as soon as its receipt is verified."""
        gate = asyncio.Semaphore(SUBMITS_IN_FLIGHT)

        async def one(batch: Batch) -> list[Outcome]:
            async with gate:
                return await self._submit(batch)

        answers = await asyncio.gather(*(one(batch) for batch in batches), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, Unreachable):
                answer.saved = True
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def _submit(self, batch: Batch) -> list[Outcome]:
        verified: dict[int, VerifiedMessage | PendingMessage] = {}
        outcomes: dict[int, Outcome] = {}
        for place, item in enumerate(batch.items):
            try:
                verified[place] = self._own(item.message)
            except Rejected as error:
                # Damaged on disk, or its certificate was revoked while it waited: it must not hold up the others.
                outcomes[place] = Outcome("refused", b"", reason=error.reason, detail=error.detail)
        for place, message in list(verified.items()):
            try:
                await self.attachments.bring(message.header)
            except Rejected as error:
                outcomes[place] = Outcome("refused", message.digest, reason=error.reason, detail=error.detail)
                del verified[place]
        places = list(verified)
        request = officer_pb2.SubmitRequest(items=[batch.items[place] for place in places])
        if places:
            seen = self._log_size
            answer = await self._call(lambda: self._officer.Submit(request, timeout=channel.SUBMIT_SECONDS))
            checked = checks.check_submitted(
                answer, [verified[place] for place in places], self.profile.member, self._registers, seen=seen
            )
            self._log_size = max([self._log_size, *(each.tree_size for one in checked for each in one.proofs)])
            outcomes |= dict(zip(places, checked, strict=True))
        await asyncio.to_thread(
            self.outbox.settle,
            batch,
            [place for place, outcome in outcomes.items() if outcome.state == "retry"],
            {place: outcome.reason for place, outcome in outcomes.items() if outcome.state == "refused"},
            [place for place, outcome in outcomes.items() if outcome.state == "waiting"],
        )
        return [outcomes[place] for place in range(len(batch.items))]

    def _own(self, data: bytes) -> VerifiedMessage | PendingMessage:
        """Verify a message of our own as of when it was signed: what waited may be older than its certificate."""
        signed = parse_strictly(message_pb2.SignedMessage, data, "a message of the outbox")
        at = parse_header(signed.header).author_time.ToDatetime(tzinfo=UTC)
        try:
            return verify(data, self.register().certificate_verifier(), at=at)
        except Rejected as error:
            if error.reason != "wrong_signers":
                raise
            return verify_pending(data, self.register().certificate_verifier(), at=at)

    async def _fetch_sets(self, versions: Iterable[bytes]) -> None:
        """Make the older sets of the register available that proofs refer to."""
        for version in versions:
            if not self._registers.has(version):
                await self.archived_set(version)


def _tell_nobody(_text: str, _meant: MessageSummary) -> None:
    """Tell nobody which message a short name means: the caller has it in hand."""
