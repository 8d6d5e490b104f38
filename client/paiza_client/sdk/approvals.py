"""Second officers: who there is, what waits for a signature, and signing or declining it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
from google.protobuf.message import Message

from paiza.content.v1 import attachment_info_pb2
from paiza.core.v1 import message_pb2
from paiza.officer.v1 import approval_pb2, approval_pb2_grpc, officer_pb2
from paiza_client.files.attaching import Progress
from paiza_client.language import _
from paiza_client.local.outbox import Outbox
from paiza_client.sdk import breaches
from paiza_client.sdk.attachments import Attachments
from paiza_client.sdk.wording import kind_of, kind_title, sender, when
from paiza_client.verify import approval_checks, checks
from paiza_client.verify.approval_checks import OpenedWaiting
from paiza_client.verify.logs import LogReader, Registers
from paiza_client.verify.model import Outcome, Proof
from paiza_domain.schema.kind import Kind
from paiza_officer import channel
from paiza_officer.errors import FieldProblem, Refused, located, misused
from paiza_officer.profiles import Profile
from paiza_wire.identity import SpiffeId
from paiza_wire.message import (
    OfficerSigner,
    add_signature,
    attachment,
    countersign,
    parse_strictly,
    verify,
    verify_pending,
)

MAX_PAGE: Final = 500  # the most the node gives at once
SHOWN_BECAUSE: Final = "second signature"
"""Why the annex is opened to the second officer, where they give no other reason."""


@dataclass(frozen=True, slots=True)
class Colleague:
    """An officer of the own member, as the own node knows them."""

    id: str
    roles: tuple[str, ...]
    unit: str

    @property
    def name(self) -> str:
        """Return the last part of the id, by which colleagues call them."""
        return SpiffeId.parse(self.id).name


@dataclass(frozen=True, slots=True)
class WaitingSummary:
    """A message that waits for signatures; its header fits its digest."""

    digest: bytes
    header: message_pb2.Header
    submitted_by: str
    submitted_time: datetime
    expires_time: datetime
    missing: tuple[str, ...]

    @property
    def id(self) -> str:
        """Message id as 32 hex digits."""
        return self.header.message_id.hex()


@dataclass(frozen=True, slots=True)
class SavedWaiting:
    """An attachment of a waiting message, where it was saved, and the proof that it was opened."""

    number: int
    info: attachment_info_pb2.AttachmentInfo
    path: Path
    opened: Proof


def contents(opened: OpenedWaiting) -> dict[int, Message]:
    """Return the content of every part that was opened, by part number, as the protocol's own record of its kind.

    Refused("unknown_kind") where this program does not know the kind, ("part_missing") where it has no such part.
    """
    header = opened.message.header
    kind = kind_of(header)
    found: dict[int, Message] = {}
    for number, plain in sorted(opened.parts.items()):
        annex = header.parts[number].kind == message_pb2.PART_KIND_NOMINAL_ANNEX
        expected = kind.annex if annex else kind.content
        if expected is None:
            raise Refused("part_missing", f"{header.message_id.hex()}: {number}")
        with located(header.message_id.hex()):
            found[number] = parse_strictly(expected, plain, "the content")
    return found


class Approvals:
    """The session's calls for second signatures."""

    def __init__(
        self,
        connection: grpc.aio.Channel,
        call: channel.Call,
        profile: Profile,
        signer: Callable[[], OfficerSigner],
        registers: Registers,
        attachments: Attachments,
        outbox: Outbox,
    ) -> None:
        self._stub = approval_pb2_grpc.ApprovalServiceStub(connection)
        self._call = call
        self._profile = profile
        self._signer = signer
        self._registers = registers
        self._attachments = attachments
        self._outbox = outbox

    async def officers(self) -> list[Colleague]:
        """Return the officers of the own member, by id."""
        request = approval_pb2.ListOfficersRequest(page_size=MAX_PAGE)
        return [
            Colleague(each.id, tuple(each.roles), each.unit)
            async for page in channel.pages(self._call, self._stub.ListOfficers, request)
            for each in page.officers
        ]

    async def second(self, wanted: str, kind: Kind) -> tuple[str, str]:
        """Find a second officer by id or name, with the role to act in; Refused says what is wrong."""
        name = wanted.removeprefix(f"{self._profile.member}-")
        found = [each for each in await self.officers() if wanted == each.id or each.name in (wanted, name)]
        if not found or str(self._profile.id) == found[0].id:
            if found:
                raise Refused("self_approval", wanted)
            what = _("Your member has no officer of this name; names: the first column of paiza approve --officers.")
            raise misused(wanted, what)
        roles = [role for role in (kind.second_role, *found[0].roles) if role in found[0].roles]
        role = next((role for role in roles if role in kind.sender_roles), None)
        if role is None:
            raise Refused("role_missing", wanted, f"needs {', '.join(sorted(kind.sender_roles))}")
        return found[0].id, role

    async def waiting(self) -> list[WaitingSummary]:
        """Return what waits for this officer's signature, and what this officer submitted that waits, oldest first.

        What other officers of the member submitted is not among it, unless this officer is to sign it.
        """
        request = approval_pb2.ListPendingApprovalsRequest(page_size=MAX_PAGE)
        return [
            WaitingSummary(
                digest=each.message_digest,
                header=checks.check_header(each.message_digest, each.header),
                submitted_by=each.submitted_by,
                submitted_time=each.submitted_time.ToDatetime(tzinfo=UTC),
                expires_time=each.expires_time.ToDatetime(tzinfo=UTC),
                missing=tuple(each.missing_signers),
            )
            async for page in channel.pages(self._call, self._stub.ListPendingApprovals, request)
            for each in page.messages
        ]

    async def find(self, text: str) -> WaitingSummary:
        """Return the waiting message that a text names: (the beginning of) its id or digest.

        Refused("unknown_id") if there is none, Refused("ambiguous_id") with the candidates if there are several.
        """
        prefix = text.strip().replace("-", "").lower()
        found = [
            each
            for each in await self.waiting()
            if prefix and (each.id.startswith(prefix) or each.digest.hex().startswith(prefix))
        ]
        if not found:
            raise Refused("unknown_id", text)
        if len(found) > 1:
            problems = [
                FieldProblem(each.id, f"{kind_title(each.header)}, {sender(each.header)}, {when(each.submitted_time)}")
                for each in found
            ]
            raise Refused("ambiguous_id", text, problems=problems)
        return found[0]

    async def open(self, waiting: WaitingSummary, reason: str = SHOWN_BECAUSE) -> OpenedWaiting:
        """Open a waiting message whole, to be read and signed; everything is checked before it is returned.

        The node logs OPENED for each part, with the reason. Refused("self_approval") for a message of our own.
        """
        if waiting.submitted_by == str(self._profile.id):
            raise Refused("self_approval", waiting.id)
        digest = waiting.digest
        request = approval_pb2.GetPendingApprovalRequest(message_digest=digest, reason_text=reason)
        answer: approval_pb2.GetPendingApprovalResponse = await self._call(
            lambda: self._stub.GetPendingApproval(request, timeout=channel.CALL_SECONDS)
        )
        return approval_checks.check_waiting(
            answer, digest=digest, officer=self._profile.id, registers=self._registers, now=datetime.now(UTC)
        )

    async def save_attachments(
        self, waiting: OpenedWaiting, folder: Path, *, on_progress: Progress | None = None
    ) -> list[SavedWaiting]:
        """Fetch every attachment of a waiting message, check it and save it in a folder that is there.

        The node logs OPENED for each. ``on_progress`` and errors are those of `Session.save_attachment`.
        """
        numbers = attachment.part_numbers(waiting.message.header)
        with self._attachments.telling(on_progress):
            return [await self.save_attachment(waiting, number, folder) for number in numbers]

    async def save_attachment(self, waiting: OpenedWaiting, number: int, folder: Path) -> SavedWaiting:
        """Fetch one attachment of a waiting message, as `save_attachments` fetches all."""
        digest = waiting.message.digest
        request = approval_pb2.GetPendingApprovalRequest(message_digest=digest, attachment_number=number)
        proofs: list[Proof] = []

        async def ask_key() -> bytes:
            answer: approval_pb2.GetPendingApprovalResponse = await self._call(
                lambda: self._stub.GetPendingApproval(request, timeout=channel.CALL_SECONDS)
            )
            proof, key = approval_checks.check_waiting_attachment(
                answer, digest=digest, number=number, officer=self._profile.id, registers=self._registers
            )
            proofs.append(proof)
            return key

        saved = await self._attachments.save(digest, waiting.message.header, number, folder, ask_key)
        return SavedWaiting(number, *saved, proofs[0])

    async def approve(self, waiting: OpenedWaiting) -> Outcome:
        """Sign what was opened: the same header bytes. The node logs APPROVED, and RELEASED once all have signed.

        ``Outcome.state`` is "released", or "waiting" for the officers in ``missing``; both are proven.

        Refused with the node's reason; for a step of a workflow, with the rules that it breaks. NotProven where
        the answer does not hold.
        """
        approval_checks.check_read(waiting)
        signature = countersign(waiting.message.signed.header, await asyncio.to_thread(self._signer))
        request = approval_pb2.ApproveRequest(message_digest=waiting.message.digest, signature=signature)
        answer: approval_pb2.ApproveResponse = await self._call(
            lambda: self._stub.Approve(request, timeout=channel.SUBMIT_SECONDS)
        )
        outcome = self._outcome(answer, waiting, signature)
        if outcome.state == "refused":
            message_id = waiting.message.header.message_id.hex()
            raise Refused(outcome.reason, message_id, outcome.detail, breaches.problems(outcome.breaches))
        return outcome

    async def decline(self, waiting: WaitingSummary, reason: str = "") -> Proof:
        """Decline to sign, or take back what we submitted; return the proof that the node logged DECLINED or WITHDRAWN.

        A message that we take back leaves the outbox of this profile.

        Refused("reason_missing") without a reason for another officer's message.
        """
        if waiting.submitted_by != str(self._profile.id) and not reason.strip():
            raise Refused("reason_missing", waiting.id)
        digest = waiting.digest
        request = approval_pb2.DeclineRequest(message_digest=digest, reason_text=reason.strip())
        answer: approval_pb2.DeclineResponse = await self._call(
            lambda: self._stub.Decline(request, timeout=channel.CALL_SECONDS)
        )
        proof = approval_checks.check_declined(answer, digest, self._profile.id, LogReader(self._registers))
        if proof.event == "WITHDRAWN":
            # If we crash before this, the next submission is refused as withdrawn, and the outbox lists it so.
            await asyncio.to_thread(self._outbox.drop, waiting.header.message_id)
        return proof

    def _outcome(
        self, answer: approval_pb2.ApproveResponse, waiting: OpenedWaiting, signature: message_pb2.Signature
    ) -> Outcome:
        """Check what became of our signature: with all signatures it must be released to exactly the recipients."""
        message, now = waiting.message, datetime.now(UTC)
        ours = LogReader(self._registers)
        if answer.HasField("approved"):
            approval_checks.check_approved(answer.approved, answer.checkpoint, message.digest, self._profile.id, ours)
        data = add_signature(message.signed.SerializeToString(deterministic=True), signature)
        for other in answer.signatures:  # of officers who signed since it was opened
            if other.signer_id not in {each.signer_id for each in message.signed.signatures} | {signature.signer_id}:
                data = add_signature(data, other)
        certificates = self._registers.current.certificate_verifier()
        with located(message.header.message_id.hex()):
            complete = len(message_pb2.SignedMessage.FromString(data).signatures) == len(
                message.header.required_signers
            )
            checked = (verify if complete else verify_pending)(data, certificates, at=now)
        submitted = officer_pb2.SubmitResponse(checkpoint=answer.checkpoint, results=[answer.result])
        return checks.check_submitted(submitted, [checked], self._profile.member, self._registers)[0]
