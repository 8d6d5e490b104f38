"""Passing messages on, as the own node allows; what it says it logged is checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import grpc

from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import forwarding_pb2, forwarding_pb2_grpc
from paiza_client.language import _
from paiza_client.sdk.model import MessageSummary
from paiza_client.verify.logs import LogReader, Registers
from paiza_client.verify.model import Proof
from paiza_domain import codes
from paiza_officer import channel
from paiza_officer.errors import NotProven, misused

_FREE_TLP: Final = frozenset({"GREEN", "CLEAR"})
_FREE_CODES: Final = frozenset({"H0", "H1"})


@dataclass(frozen=True, slots=True)
class Permission:
    """The node's decision: ``proof`` of its log entry, or ``reason`` and ``detail`` of the refusal.

    ``recipient`` is the member to whom a message was to be passed on.
    """

    recipient: str
    proof: Proof | None = None
    reason: str = ""
    detail: str = ""


def needs_consent(message: MessageSummary, *, with_annex: bool) -> bool:
    """Return whether the marks of a message ask for its author's consent before it is passed on.

    No consent is needed for a member that it was addressed to, nor for a message of our own. The node decides.
    """
    header = message.header
    limited = header.handling.tlp not in _FREE_TLP or header.handling.code not in _FREE_CODES
    has_annex = any(each.kind == message_pb2.PART_KIND_NOMINAL_ANNEX for each in header.parts)
    return limited or (has_annex and with_annex)


class Forwarding:
    """The session's calls for messages of others."""

    def __init__(self, connection: grpc.aio.Channel, call: channel.Call, registers: Registers, member: str) -> None:
        self._stub = forwarding_pb2_grpc.ForwardingServiceStub(connection)
        self._call = call
        self._registers = registers
        self._member = member

    async def forward(
        self,
        message: MessageSummary,
        recipients: Sequence[str],
        *,
        purpose: str,
        reason: str,
        without_annex: bool = False,
    ) -> list[Permission]:
        """Pass a message on as it is; one checked result per recipient, in order.

        ``recipients`` are ids of members, ``purpose`` a code of the list purpose ("investigate"), ``reason`` words that
        the node's log keeps with FORWARDED, or with DENIED where the rules do not allow it. Misused for a purpose that
        is not in the list, and for a recipient that is our own member or the author.
        """
        if purpose not in codes.load("purpose"):
            raise misused("--purpose", _("there are: {codes}").format(codes=", ".join(codes.load("purpose"))))
        holding = {self._member, message.header.author}.intersection(recipients)
        if holding:
            what = _("{members}: your own member, or the author of the message; it has the message")
            raise misused("--to", what.format(members=", ".join(sorted(holding))))
        digest = message.digest
        request = forwarding_pb2.ForwardRequest(
            message_digest=digest,
            recipients=recipients,
            purpose=purpose,
            reason_text=reason,
            without_annex=without_annex,
        )
        answer: forwarding_pb2.ForwardResponse = await self._call(
            lambda: self._stub.Forward(request, timeout=channel.CALL_SECONDS)
        )
        if [result.recipient for result in answer.results] != list(recipients):
            raise NotProven("unexpected_answer", digest.hex()[:16], "the results are not those of the recipients")
        permissions = []
        for result in answer.results:
            if result.WhichOneof("result") == "rejection":
                permissions.append(Permission(result.recipient, None, result.rejection.reason, result.rejection.detail))
                continue
            proof = self._entry(result.forwarded, answer.checkpoint, "FORWARDED", digest)
            if proof.counterpart != result.recipient:
                raise NotProven("bad_proof", f"{proof.origin} #{proof.index}", "the entry names another recipient")
            permissions.append(Permission(result.recipient, proof))
        return permissions

    async def holders(self, digest: bytes) -> list[forwarding_pb2.Holder]:
        """Return who holds a message, and who passed it on to them, as far as the own node was told; not proven."""
        request = forwarding_pb2.ListHoldersRequest(message_digest=digest)
        pages = channel.pages(self._call, self._stub.ListHolders, request)
        return [holder async for page in pages for holder in page.holders]

    def _entry(self, proven: log_pb2.ProvenEntry, note: bytes, event: str, digest: bytes) -> Proof:
        proof, _entry = LogReader(self._registers).entry(proven, note)
        if (proof.event, proof.member, proof.digest) != (event, self._member, digest):
            raise NotProven("bad_proof", f"{proof.origin} #{proof.index}", "the entry is not of this act")
        return proof
