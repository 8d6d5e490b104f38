"""Attachments as an officer's program and a test need them: invented files, sealed, brought to a node, and named."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Final

import grpc

from paiza.content.v1 import attachment_info_pb2
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import delivery_pb2, message_pb2
from paiza.officer.v1 import attachment_pb2, attachment_pb2_grpc, officer_pb2, officer_pb2_grpc
from paiza_wire import message
from paiza_wire.message import PlainPart, SealedFile
from paiza_wire.message.attachment import CHUNK_BYTES, Sealer
from tests.officer import SUBJECT, Officer

FIRST_PART: Final = 1  # a free message has no annex
CALL_SECONDS: Final = 60.0
UPLOAD_SECONDS: Final = 600.0
POLL_SECONDS: Final = 0.05  # what another process does announces itself only when it is asked


@dataclass(frozen=True)
class Ciphertext:
    """A sealed file on the officer's disk."""

    path: Path
    said: SealedFile
    size: int

    def pieces(self, offset: int = 0) -> Iterator[bytes]:
        """Read it from an offset on."""
        with self.path.open("rb") as file:
            file.seek(offset)
            while piece := file.read(CHUNK_BYTES):
                yield piece

    @property
    def start(self) -> attachment_pb2.StartUploadRequest:
        """The announcement for the node."""
        return attachment_pb2.StartUploadRequest(
            ciphertext_sha256=self.said.ciphertext_sha256, ciphertext_size=self.said.ciphertext_size
        )


def noise(size: int, seed: int = 1) -> Iterator[bytes]:
    """Yield an invented file of so many bytes, a piece at a time, the same for the same seed."""
    random_bytes = random.Random(seed).randbytes
    for first in range(0, size, CHUNK_BYTES):
        yield random_bytes(min(CHUNK_BYTES, size - first))


def seal(folder: Path, header: message_pb2.Header, size: int, number: int = FIRST_PART) -> Ciphertext:
    """Seal an invented film of so many bytes as a part of a message, onto the disk."""
    about = attachment_info_pb2.AttachmentInfo(name=f"film-{number}.mp4", media_type="video/mp4", size=size)
    sealer = Sealer(header.author, header.message_id, number, about)
    path = folder / f"{header.message_id.hex()}-{number}.sealed"
    with path.open("wb") as file:
        for piece in noise(size, number):
            file.write(sealer.update(piece))
        last, said = sealer.finish()
        file.write(last)
    return Ciphertext(path, said, size)


def signed(officer: Officer, header: message_pb2.Header, attached: list[SealedFile]) -> bytes:
    """Seal and sign a free message that names these attachments."""
    moment = header.author_time.ToDatetime(tzinfo=UTC)
    members = [*(recipient.member for recipient in header.recipients), officer.member]
    content = FreeMessage(subject=SUBJECT, text="Nothing of this is real.").SerializeToString()
    keys_of = [officer.recipient_key(member, moment) for member in members]
    sealed = message.seal(header, [PlainPart(message_pb2.PART_KIND_MAIN, content)], keys_of, attached)
    return message.sign(sealed, [officer.signer])


async def bring(channel: grpc.aio.Channel, ciphertext: Ciphertext) -> attachment_pb2.UploadResponse:
    """Bring a ciphertext from where the node stands."""
    stub = attachment_pb2_grpc.AttachmentServiceStub(channel)
    started = await stub.StartUpload(ciphertext.start, timeout=CALL_SECONDS)
    if started.whole:
        return attachment_pb2.UploadResponse(offset=started.offset, whole=True)
    return await stub.Upload(
        requests(ciphertext.said.ciphertext_sha256, started.offset, ciphertext.pieces(started.offset)),
        timeout=UPLOAD_SECONDS,
    )


async def requests(digest: bytes, offset: int, pieces: Iterator[bytes]) -> AsyncIterator[attachment_pb2.UploadRequest]:
    """Yield the requests of one call."""
    yield attachment_pb2.UploadRequest(ciphertext_sha256=digest, offset=offset)
    for piece in pieces:
        yield attachment_pb2.UploadRequest(data=piece)


async def submit(channel: grpc.aio.Channel, data: bytes) -> officer_pb2.SubmitResult:
    """Submit one message; gives what became of it."""
    stub = officer_pb2_grpc.OfficerServiceStub(channel)
    request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=data)])
    response = await stub.Submit(request, timeout=CALL_SECONDS)
    return response.results[0]


async def workflow_states(channel: grpc.aio.Channel, digest: bytes) -> list[delivery_pb2.AttachmentStatus]:
    """Ask where the attachments of a message stand; none where the node does not list the message."""
    stub = officer_pb2_grpc.OfficerServiceStub(channel)
    page = await stub.ListMessages(officer_pb2.ListMessagesRequest(id_prefix=digest.hex()[:32]), timeout=CALL_SECONDS)
    return [standing for info in page.messages for standing in info.attachments]


async def settled(channel: grpc.aio.Channel, digest: bytes) -> list[delivery_pb2.AttachmentStatus]:
    """Wait until no attachment of a message is pending any more; gives where they stand."""
    while True:
        found = await workflow_states(channel, digest)
        if found and all(each.state != delivery_pb2.ATTACHMENT_STATE_PENDING for each in found):
            return found
        await asyncio.sleep(POLL_SECONDS)


async def arrived(channel: grpc.aio.Channel, digest: bytes) -> None:
    """Wait until the node lists a message."""
    stub = officer_pb2_grpc.OfficerServiceStub(channel)
    request = officer_pb2.ListMessagesRequest(id_prefix=digest.hex()[:32])
    while True:
        if (await stub.ListMessages(request, timeout=CALL_SECONDS)).messages:
            return
        await asyncio.sleep(POLL_SECONDS)
