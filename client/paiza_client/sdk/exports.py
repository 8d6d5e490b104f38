"""Leave to take content out of the system: asked of the own node before a file is made, and proven by its log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import grpc

from paiza.officer.v1 import forwarding_pb2, forwarding_pb2_grpc
from paiza_client.verify.logs import LogReader, Registers
from paiza_client.verify.model import Proof
from paiza_officer import channel
from paiza_officer.errors import NotProven
from paiza_wire.identity import SpiffeId

MAX_ASKED: Final = 256  # messages of one call, as the node takes them
AUDIENCES: Final = {
    "own-unit": forwarding_pb2.EXPORT_AUDIENCE_OWN_UNIT,
    "own-member": forwarding_pb2.EXPORT_AUDIENCE_OWN_MEMBER,
    "outside": forwarding_pb2.EXPORT_AUDIENCE_OUTSIDE,
    "public": forwarding_pb2.EXPORT_AUDIENCE_PUBLIC,
}


@dataclass(frozen=True, slots=True)
class Intent:
    """For whom content is taken out, what for, and why; all of it stands in the own node's log.

    ``audience`` is a key of `AUDIENCES`, ``recipient`` names in words who gets it, ``purpose`` is a code of the list
    "purpose", ``reason`` is in words and not empty. ``with_annex`` asks for the nominal annexes too.
    """

    audience: str
    recipient: str
    purpose: str
    reason: str
    with_annex: bool = False


@dataclass(frozen=True, slots=True)
class Permission:
    """The node's decision on one message: the proven EXPORTED entry about it and others, or why it is left out."""

    digest: bytes
    proof: Proof | None
    reason: str = ""
    detail: str = ""


class Exports:
    """The session's calls for exports."""

    def __init__(
        self, connection: grpc.aio.Channel, call: channel.Call, registers: Registers, officer: SpiffeId
    ) -> None:
        self._stub = forwarding_pb2_grpc.ForwardingServiceStub(connection)
        self._call = call
        self._registers = registers
        self._officer = officer

    async def note(self, digests: Sequence[bytes], intent: Intent) -> list[Permission]:
        """Ask leave for each message, in order; what is allowed stands in the node's log when this returns."""
        permissions: list[Permission] = []
        for start in range(0, len(digests), MAX_ASKED):
            permissions += await self._note(digests[start : start + MAX_ASKED], intent)
        return permissions

    async def _note(self, digests: Sequence[bytes], intent: Intent) -> list[Permission]:
        request = forwarding_pb2.AuthorizeExportRequest(
            message_digests=digests,
            audience=AUDIENCES[intent.audience],
            recipient_text=intent.recipient,
            purpose=intent.purpose,
            reason_text=intent.reason,
            with_annex=intent.with_annex,
        )
        answer: forwarding_pb2.AuthorizeExportResponse = await self._call(
            lambda: self._stub.AuthorizeExport(request, timeout=channel.CALL_SECONDS)
        )
        if [each.message_digest for each in answer.results] != list(digests):
            raise NotProven("unexpected_answer", self._officer.member, "other messages than those asked about")
        logs = LogReader(self._registers)
        proofs = [logs.entry(each, answer.checkpoint)[0] for each in answer.exported]
        for proof in proofs:
            if (proof.event, proof.member, proof.actor) != ("EXPORTED", self._officer.member, str(self._officer)):
                raise NotProven("bad_proof", f"{proof.origin} #{proof.index}", "the entry is not of this export")
        permissions = [_permission(each, proofs) for each in answer.results]
        allowed = sorted(each.digest for each in permissions if each.proof is not None)
        if sorted(digest for proof in proofs for digest in proof.listed) != allowed:
            raise NotProven("bad_proof", "EXPORTED", "the entries are about other messages than those permitted")
        return permissions


def _permission(result: forwarding_pb2.NoteExportResult, proofs: Sequence[Proof]) -> Permission:
    where = result.message_digest.hex()[:16]
    match result.WhichOneof("result"):
        case "exported_at":
            if result.exported_at >= len(proofs) or result.message_digest not in proofs[result.exported_at].listed:
                raise NotProven("bad_proof", where, "no entry is about this export")
            return Permission(result.message_digest, proofs[result.exported_at])
        case "rejection":
            return Permission(result.message_digest, None, result.rejection.reason, result.rejection.detail)
        case _:
            raise NotProven("unexpected_answer", where, "neither leave nor refusal")
