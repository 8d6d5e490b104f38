"""Serving attachments: ciphertexts, to the members their messages went to and to our own officers; no keys.

A peer gets attachments of messages that were released or forwarded to it, regardless of its receipt; an officer gets
those the policy lets them open, and those of messages pending for their signature. Both begin at an offset, so that an
interrupted transfer continues.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final

import structlog

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import attachment_pb2, officer_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.access.open import OpenAuthorizer
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import Store
from paiza_node.features.attachments.attached import went_to
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_register import Member
from paiza_wire import message as wire
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import attachment

FETCHES_PER_PEER: Final = 4  # concurrent; its messages need the rest of its share of calls
BUSY_SECONDS: Final = 2.0

Pending = Callable[[Officer, bytes], Awaitable[message_pb2.Header | None]]
"""Returns the header of a pending message to an officer it names; None if no such message is pending."""

log = structlog.get_logger("paiza.attachments")


class AttachmentServer:
    """Serves ciphertexts of attachments."""

    def __init__(self, *, store: Store, files: AttachmentFiles, authorizer: OpenAuthorizer, pending: Pending) -> None:
        """Store the collaborators; ``authorizer`` decides who may open what, ``pending`` who must sign what."""
        self._store = store
        self._files = files
        self._authorizer = authorizer
        self._pending = pending
        self._under_way: Counter[str] = Counter()
        self.bytes_given = 0

    async def to_peer(
        self, member: Member, request: exchange_pb2.FetchAttachmentRequest
    ) -> AsyncIterator[exchange_pb2.FetchAttachmentResponse]:
        """Yield an attachment to a member its message went to; raise "unknown_id" to others."""
        part = await asyncio.to_thread(self._sent, member.id, request.message_digest, request.part_number)
        if self._under_way[member.id] >= FETCHES_PER_PEER:
            raise Unavailable("busy", f"{FETCHES_PER_PEER} attachments are being fetched already", BUSY_SECONDS)
        self._under_way[member.id] += 1
        try:
            async for data in self._from(part, request.offset):
                yield exchange_pb2.FetchAttachmentResponse(data=data)
        finally:
            self._under_way[member.id] -= 1
        log.info("attachment_served", peer=member.id, part=request.part_number, offset=request.offset)

    async def to_officer(
        self, officer: Officer, request: attachment_pb2.DownloadRequest
    ) -> AsyncIterator[attachment_pb2.DownloadResponse]:
        """Yield an attachment to an officer who may open it; the opening is logged when they request its key."""
        digest, number = request.message_digest, request.part_number
        header = await self._pending(officer, digest)
        if header is None:
            opening = officer_pb2.OpenMessageRequest(message_digest=digest, part_number=number)
            header = await self._authorizer.check(officer, opening)
        part = attachment.part_description(header, number)
        async for data in self._from(part, request.offset):
            yield attachment_pb2.DownloadResponse(data=data)

    async def _from(self, part: message_pb2.PartDescription, offset: int) -> AsyncIterator[bytes]:
        if offset > part.ciphertext_size:
            raise Rejected("malformed", "the offset lies behind the end of the attachment")
        if not await asyncio.to_thread(self._files.holds, part.ciphertext_sha256, part.ciphertext_size):
            raise Unavailable("attachment_incomplete", "this node does not hold the attachment whole")
        pieces = self._files.pieces(part.ciphertext_sha256, offset)
        while data := await asyncio.to_thread(_next, pieces):
            yield data
            self.bytes_given += len(data)

    def _sent(self, member: str, digest: bytes, number: int) -> message_pb2.PartDescription:
        with self._store.reads() as reads:
            row = messages_store.message(reads, digest)
            went = row is not None and member in went_to(reads, digest)
            erased = bool(messages_store.erased(reads, [digest]))
        if row is None or not went:
            raise Rejected("unknown_id", "no such message went to this member")
        if erased:
            raise Rejected("erased", "the message and its attachments were erased")
        return attachment.part_description(wire.parse_header(row.header), number)


def _next(pieces: Iterator[bytes]) -> bytes:
    return next(pieces, b"")
