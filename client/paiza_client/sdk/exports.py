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
    """The node's decision on one message: the proven EXPORTED entry, or the reason for leaving it out."""

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
        return [self._permission(each, answer.checkpoint, logs) for each in answer.results]

    def _permission(self, result: forwarding_pb2.NoteExportResult, checkpoint: bytes, logs: LogReader) -> Permission:
        match result.WhichOneof("result"):
            case "exported":
                proof, _entry = logs.entry(result.exported, checkpoint)
                expected = ("EXPORTED", self._officer.member, str(self._officer), result.message_digest)
                if (proof.event, proof.member, proof.actor, proof.digest) != expected:
                    where = f"{proof.origin} #{proof.index}"
                    raise NotProven("bad_proof", where, "the entry is not of this export")
                return Permission(result.message_digest, proof)
            case "rejection":
                return Permission(result.message_digest, None, result.rejection.reason, result.rejection.detail)
            case _:
                raise NotProven("unexpected_answer", result.message_digest.hex()[:16], "neither leave nor refusal")
