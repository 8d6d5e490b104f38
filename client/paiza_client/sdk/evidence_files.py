"""Evidence: what the own node holds of a message, packed and verified; parts disclosed in it leave as in an export."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import grpc

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import audit_pb2, audit_pb2_grpc, officer_pb2
from paiza_client.evidence import evidence
from paiza_client.evidence.evidence import Evidence
from paiza_client.sdk.attachments import Attachments
from paiza_client.sdk.exports import Exports, Intent
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.wording import part_number
from paiza_client.verify.model import OpenedPart
from paiza_officer import channel, register_cache
from paiza_officer.errors import NotProven, Refused
from paiza_officer.profiles import Profile
from paiza_wire.message import attachment

MAX_ATTACHED_BYTES: Final = 96 * 1024 * 1024  # of ciphertexts in one file, which holds 128 MiB with all its proofs
AUDIENCE: Final = "outside"
"""The audience of a disclosed part: anybody with the file can read it."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The disclosed parts of a file, with recipient, purpose and reason. The node logs all of it.

    ``parts`` are numbers, "main" or "annex"; ``purpose`` is a code of the purposes ("prosecute").
    """

    parts: tuple[int | str, ...]
    recipient: str
    purpose: str
    reason: str


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """An evidence file: its bytes, at most 128 MiB, and the facts they prove under the bootstrap root."""

    data: bytes
    proven: Evidence


class EvidenceFiles:
    """The session's calls for evidence."""

    def __init__(
        self,
        connection: grpc.aio.Channel,
        call: channel.Call,
        profile: Profile,
        exports: Exports,
        attachments: Attachments,
        archived_set: Callable[[bytes], Awaitable[dict[str, bytes]]],
        open_part: Callable[[officer_pb2.OpenMessageRequest], Awaitable[tuple[OpenedPart, bytes]]],
    ) -> None:
        self._stub = audit_pb2_grpc.AuditServiceStub(connection)
        self._call = call
        self._profile = profile
        self._exports = exports
        self._attachments = attachments
        self._archived_set = archived_set
        self._open_part = open_part

    async def make(self, digest: bytes, *, openings: bool = False) -> EvidenceFile:
        """Return the evidence file of one message, verified as `paiza audit verify` verifies it; no part is disclosed.

        With ``openings`` it states, too, which officers of the own member were shown or took out what. The node logs
        CONSULTED. Refused("unknown_id") where it holds no such message; NotProven where something does not hold.
        """
        return await self._make(digest, {}, {}, openings=openings)

    async def disclose(self, message: MessageSummary, disclosure: Disclosure) -> EvidenceFile:
        """Return the evidence file of a message with the keys of some parts, readable to anybody with the file.

        Attachments among them are fetched, 96 MiB at most. Then leave is asked, and each part is opened: the node logs
        EXPORTED and OPENED, and the file holds both with all other openings.

        Refused("part_missing") for a part that the message lacks, ("too_large") for the attachments, or with the
        node's reason where it gives no leave ("policy_denied").
        """
        header = message.header
        numbers = sorted({part_number(header, str(part)) for part in disclosure.parts})
        attached = await self._fetch(message, numbers)
        with_annex = any(header.parts[each].kind == message_pb2.PART_KIND_NOMINAL_ANNEX for each in numbers)
        keys = await self._open(message.digest, numbers, disclosure, with_annex=with_annex)
        return await self._make(message.digest, keys, attached, openings=True)

    async def _make(
        self, digest: bytes, keys: Mapping[int, bytes], attached: Mapping[int, bytes], *, openings: bool
    ) -> EvidenceFile:
        request = audit_pb2.GetEvidenceRequest(message_digest=digest, with_openings=openings)
        answer: audit_pb2.GetEvidenceResponse = await self._call(
            lambda: self._stub.GetEvidence(request, timeout=channel.CALL_SECONDS)
        )
        sets = {version: await self._archived_set(version) for version in evidence.versions_of(answer)}
        root = register_cache.bootstrap_root(self._profile.root)
        packed = await asyncio.to_thread(evidence.pack, answer, sets, root, keys, attached)
        proven = await asyncio.to_thread(evidence.verify_file, packed, root)
        if proven.message.digest != digest:
            raise NotProven("part_digest_mismatch", digest.hex()[:16], "the node gave evidence of another message")
        return EvidenceFile(packed, proven)

    async def _fetch(self, message: MessageSummary, parts: Sequence[int]) -> dict[int, bytes]:
        """Fetch the ciphertexts of the attachments among the parts; Refused where they are too large for a file."""
        digest, header = message.digest, message.header
        numbers = [number for number in parts if number in attachment.part_numbers(header)]
        if sum(header.parts[number].ciphertext_size for number in numbers) > MAX_ATTACHED_BYTES:
            raise Refused("too_large", digest.hex()[:16], f"attachments of over {MAX_ATTACHED_BYTES} bytes")
        return {number: await self._attachments.ciphertext(digest, header, number) for number in numbers}

    async def _open(
        self, digest: bytes, parts: Sequence[int], disclosure: Disclosure, *, with_annex: bool
    ) -> dict[int, bytes]:
        """Ask leave, open each part, and return the keys by part number."""
        intent = Intent(AUDIENCE, disclosure.recipient, disclosure.purpose, disclosure.reason, with_annex=with_annex)
        (permission,) = await self._exports.note([digest], intent)
        if permission.proof is None:
            raise Refused(permission.reason, digest.hex()[:16], permission.detail)
        keys: dict[int, bytes] = {}
        for number in parts:
            request = officer_pb2.OpenMessageRequest(
                message_digest=digest, part_number=number, reason_text=disclosure.reason
            )
            _opened, keys[number] = await self._open_part(request)
        return keys
