"""Evidence: what the own node holds of a message, packed and verified; parts disclosed in it leave as in an export."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import grpc

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import audit_pb2, audit_pb2_grpc, officer_pb2
from paiza_client.errors import NotProven, Refused
from paiza_client.evidence import evidence
from paiza_client.local import register_cache
from paiza_client.local.profiles import Profile
from paiza_client.sdk import channel
from paiza_client.sdk.attachments import Attachments
from paiza_client.sdk.exports import Exports, Intent
from paiza_client.verify.model import OpenedPart
from paiza_wire.message import attachment

MAX_ATTACHED_BYTES: Final = 96 * 1024 * 1024  # of ciphertexts in one file, which holds 128 MiB with all its proofs
AUDIENCE: Final = "outside"
"""For whom a disclosed part leaves: whoever has the file can read it."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Which parts whoever gets the file shall read, who that is, what for, and why. The node logs all of it."""

    parts: tuple[int, ...]
    recipient: str
    purpose: str
    reason: str
    with_annex: bool = False


class EvidenceFiles:
    """What a session can make of what the own node can prove."""

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

    async def evidence(
        self,
        digest: bytes,
        header: message_pb2.Header | None = None,
        *,
        with_openings: bool = False,
        disclosure: Disclosure | None = None,
    ) -> bytes:
        """Return the evidence file of one message, verified as `paiza audit verify` will verify it.

        With a disclosure, leave is asked first and each part is opened, both of which the node logs; Refused with the
        node's reason where it gives no leave. The entries of that stand in the file. The ciphertext of an attachment is
        fetched first; for that ``header`` is needed.
        """
        attached = {} if disclosure is None or header is None else await self._fetch(digest, header, disclosure)
        keys = {} if disclosure is None else await self._disclose(digest, disclosure)
        request = audit_pb2.GetEvidenceRequest(
            message_digest=digest, with_openings=with_openings or disclosure is not None
        )
        answer: audit_pb2.GetEvidenceResponse = await self._call(
            lambda: self._stub.GetEvidence(request, timeout=channel.CALL_SECONDS)
        )
        sets = {version: await self._archived_set(version) for version in evidence.versions_of(answer)}
        root = register_cache.bootstrap_root(self._profile.root)
        packed = await asyncio.to_thread(evidence.pack, answer, sets, root, keys, attached)
        if (await asyncio.to_thread(evidence.verify_file, packed, root)).message.digest != digest:
            raise NotProven("part_digest_mismatch", digest.hex()[:16], "the node gave evidence of another message")
        return packed

    async def _fetch(self, digest: bytes, header: message_pb2.Header, disclosure: Disclosure) -> dict[int, bytes]:
        """Fetch the ciphertexts of the attachments among the parts; Refused where they are too large for a file."""
        numbers = [number for number in disclosure.parts if number in attachment.part_numbers(header)]
        if sum(header.parts[number].ciphertext_size for number in numbers) > MAX_ATTACHED_BYTES:
            raise Refused("too_large", digest.hex()[:16], f"attachments of over {MAX_ATTACHED_BYTES} bytes")
        return {number: await self._attachments.ciphertext(digest, header, number) for number in numbers}

    async def _disclose(self, digest: bytes, disclosure: Disclosure) -> dict[int, bytes]:
        """Ask leave, open each part, and give the keys."""
        intent = Intent(
            AUDIENCE, disclosure.recipient, disclosure.purpose, disclosure.reason, with_annex=disclosure.with_annex
        )
        (permission,) = await self._exports.note([digest], intent)
        if permission.proof is None:
            raise Refused(permission.reason, digest.hex()[:16], permission.detail)
        keys: dict[int, bytes] = {}
        for number in disclosure.parts:
            request = officer_pb2.OpenMessageRequest(
                message_digest=digest, part_number=number, reason_text=disclosure.reason
            )
            _opened, keys[number] = await self._open_part(request)
        return keys
