"""Attachments between the officer's disk and the own node: brought before their message, fetched after it.

Both ways go on where they broke off: the node says how much it holds, and what was fetched lies as ciphertext in the
profile's folder. What is opened is written to a file that nobody uses, and gets its name only when the digest, the tag
at its end, and all proofs of the message hold.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc

from paiza.content.v1 import attachment_info_pb2
from paiza.core.v1 import message_pb2
from paiza.officer.v1 import attachment_pb2, attachment_pb2_grpc
from paiza_client.files import file_types, names
from paiza_client.local.outbox import Outbox
from paiza_client.verify.model import OpenedPart
from paiza_officer import channel
from paiza_officer.errors import NotProven, Refused, Unreachable, disk_problem, located
from paiza_officer.profiles import Profile
from paiza_wire.message import attachment
from paiza_wire.message.attachment import CHUNK_BYTES, Opener

if TYPE_CHECKING:
    from paiza_client.files.attaching import Progress

PIECE_SECONDS: Final = 60.0  # for the next piece, either way
ATTEMPTS: Final = 5  # without a byte of progress in between; a transfer that moves goes on
PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class SavedAttachment:
    """An attachment that was opened, with all that was verified, and where it was saved."""

    opened: OpenedPart
    info: attachment_info_pb2.AttachmentInfo
    path: Path


OpenWithKey = Callable[[], Awaitable[tuple[OpenedPart, bytes]]]


class Attachments:
    """Brings and fetches ciphertexts; belongs to a session."""

    def __init__(self, connection: grpc.aio.Channel, profile: Profile, outbox: Outbox, call: channel.Call) -> None:
        self._stub = attachment_pb2_grpc.AttachmentServiceStub(connection)
        self._profile = profile
        self._outbox = outbox
        self._call = call
        self.progress: Progress | None = None
        """Told how far a transfer is."""

    @contextlib.contextmanager
    def telling(self, progress: "Progress | None") -> Iterator[None]:
        """Report the progress of the transfers inside to ``progress``."""
        self.progress = progress
        try:
            yield
        finally:
            self.progress = None

    async def bring(self, header: message_pb2.Header) -> None:
        """Bring every attachment of a message that waits in the outbox; what the node holds whole is not sent again."""
        for number in attachment.part_numbers(header):
            part = header.parts[number]
            await self._bring(part, f"{header.message_id.hex()}: {number}")

    async def fetch(
        self, digest: bytes, header: message_pb2.Header, number: int, target: Path | None, open_with_key: OpenWithKey
    ) -> SavedAttachment:
        """Fetch an attachment, have its opening logged, check everything, and save it; never over another file.

        ``target`` is a file that is not there yet, a folder, or None for the present folder; ``open_with_key`` asks the
        node for the key, which logs it, and verifies the message.
        """
        opened: list[OpenedPart] = []

        async def ask_key() -> bytes:
            part, key = await open_with_key()
            opened.append(part)
            return key

        saved = await self.save(digest, header, number, target, ask_key)
        return SavedAttachment(opened[0], *saved)

    async def save(
        self,
        digest: bytes,
        header: message_pb2.Header,
        number: int,
        target: Path | None,
        ask_key: Callable[[], Awaitable[bytes]],
    ) -> tuple[attachment_info_pb2.AttachmentInfo, Path]:
        """Fetch an attachment, ask for its key once all of it is here, open it and save it; never over another file."""
        with located(header.message_id.hex()):
            part = attachment.part_description(header, number)
        _check_target(target)
        sealed = await self._fetch(digest, number, part)
        key = await ask_key()
        saved = await asyncio.to_thread(self._save, sealed, header, number, key, target)
        sealed.unlink(missing_ok=True)
        return saved

    async def ciphertext(self, digest: bytes, header: message_pb2.Header, number: int) -> bytes:
        """Fetch an attachment as it is sealed, for a file of evidence; the caller compares its digest."""
        with located(header.message_id.hex()):
            part = attachment.part_description(header, number)
        sealed = await self._fetch(digest, number, part)
        data = await asyncio.to_thread(sealed.read_bytes)
        sealed.unlink(missing_ok=True)
        return data

    async def _bring(self, part: message_pb2.PartDescription, where: str) -> None:
        request = attachment_pb2.StartUploadRequest(
            ciphertext_sha256=part.ciphertext_sha256, ciphertext_size=part.ciphertext_size
        )
        path = self._outbox.sealed(part.ciphertext_sha256)
        left, before = ATTEMPTS, -1
        while True:
            started = await self._call(lambda: self._stub.StartUpload(request, timeout=channel.CALL_SECONDS))
            if started.whole:
                return
            if path is None:
                raise Refused("attachment_incomplete", where, "its file is not in the outbox any more")
            left = ATTEMPTS if started.offset > before else left - 1
            before = started.offset
            try:
                requests = self._requests(path, part, started.offset)
                answer = await self._stub.Upload(requests)
            except grpc.aio.AioRpcError as error:
                problem = channel.translated(error, self._profile.node)
                # What the node held before may have been damaged by a power cut; it is gone now, and brought again.
                damaged = problem.reason == "part_digest_mismatch" and started.offset > 0
                if not (isinstance(problem, Unreachable) or damaged) or left <= 0:
                    raise problem from error
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                if answer.whole:
                    return

    async def _requests(
        self, path: Path, part: message_pb2.PartDescription, offset: int
    ) -> AsyncIterator[attachment_pb2.UploadRequest]:
        yield attachment_pb2.UploadRequest(ciphertext_sha256=part.ciphertext_sha256, offset=offset)
        for piece in _pieces(path, offset):
            yield attachment_pb2.UploadRequest(data=piece)
            offset += len(piece)
            self._tell(part, offset)

    async def _fetch(self, digest: bytes, number: int, part: message_pb2.PartDescription) -> Path:
        """Bring a ciphertext onto this disk, from the bytes that are here."""
        folder = self._profile.folder / "downloads"
        sealed = folder / f"{part.ciphertext_sha256.hex()}.part"
        left = ATTEMPTS
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                offset = sealed.stat().st_size if sealed.exists() else 0
                if offset > part.ciphertext_size:
                    sealed.unlink()
                    offset = 0
                if offset == part.ciphertext_size:
                    return sealed
                request = attachment_pb2.DownloadRequest(message_digest=digest, part_number=number, offset=offset)
                try:
                    await self._receive(request, sealed, part)
                except grpc.aio.AioRpcError as error:
                    problem = channel.translated(error, self._profile.node)
                    left = ATTEMPTS if sealed.exists() and sealed.stat().st_size > offset else left - 1
                    if not isinstance(problem, Unreachable) or problem.reason == "attachment_incomplete" or left <= 0:
                        raise problem from error
                    await asyncio.sleep(PAUSE_SECONDS)
        except OSError as error:
            raise disk_problem(error, str(sealed)) from error

    async def _receive(
        self, request: attachment_pb2.DownloadRequest, sealed: Path, part: message_pb2.PartDescription
    ) -> None:
        call: Any = self._stub.Download(request)
        offset = request.offset
        try:
            with os.fdopen(os.open(sealed, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab", buffering=0) as file:
                while True:
                    async with asyncio.timeout(PIECE_SECONDS):
                        response = await call.read()
                    if response is grpc.aio.EOF:
                        break
                    offset += len(response.data)
                    if offset > part.ciphertext_size:
                        raise NotProven("part_digest_mismatch", str(request.part_number), "more than the header says")
                    file.write(response.data)
                    self._tell(part, offset)
        except TimeoutError as error:
            raise Unreachable("node_unreachable", self._profile.node, "the transfer stands still") from error
        finally:
            call.cancel()
        if offset < part.ciphertext_size:
            raise Unreachable("node_unreachable", self._profile.node, "the transfer ended early")

    def _save(
        self, sealed: Path, header: message_pb2.Header, number: int, key: bytes, target: Path | None
    ) -> tuple[attachment_info_pb2.AttachmentInfo, Path]:
        """Open a ciphertext into a file beside its target; it gets the name when everything held, and not before."""
        folder = Path() if target is None else target if target.is_dir() else target.parent
        where = f"{header.message_id.hex()}: {number}"
        unfinished = folder / f".{header.parts[number].ciphertext_sha256.hex()[:32]}.part"
        try:
            unfinished.unlink(missing_ok=True)
            try:
                with located(where, NotProven):
                    opener = Opener(header, number, key)
                    file = os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
                    with file:
                        for piece in _pieces(sealed):
                            file.write(opener.update(piece))
                        last, info = opener.finish()
                        file.write(last)
                        file.flush()
                        os.fsync(file.fileno())
                # The sender looked at the content before it was sealed. Another program may not have.
                if (found := file_types.recognise(unfinished, info.name)).media_type != info.media_type:
                    raise Refused("attachment_type_refused", where, f"{info.media_type}: {found.media_type}")
                path = folder / names.shortened(info.name) if target is None or target.is_dir() else target
                os.link(unfinished, path)  # fails where there is such a file: nothing is ever written over
            finally:
                unfinished.unlink(missing_ok=True)
        except NotProven:
            sealed.unlink(missing_ok=True)  # what came is not it: it is fetched anew next time
            raise
        except OSError as error:
            raise disk_problem(error, str(target or folder)) from error
        return info, path

    def _tell(self, part: message_pb2.PartDescription, done: int) -> None:
        if self.progress is not None:
            self.progress(part.ciphertext_sha256.hex()[:8], done, part.ciphertext_size)


def _check_target(target: Path | None) -> None:
    """Refuse a file that is there already, before anything is fetched or logged."""
    if target is not None and target.exists() and not target.is_dir():
        raise Refused("file_unwritable", str(target), "exists")


def _pieces(path: Path, offset: int = 0) -> Iterator[bytes]:
    with contextlib.closing(path.open("rb", buffering=0)) as file:
        file.seek(offset)
        while piece := file.read(CHUNK_BYTES):
            yield piece
