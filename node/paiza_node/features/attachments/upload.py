"""Upload: officers upload the ciphertexts of attachments before the message that names them.

A ciphertext is addressed by its SHA-256 and size, both of which the header commits to. An interrupted upload continues
from the bytes that are on disk; `StartUpload` returns their number. Each officer's uploads are their own: that another
officer uploads the same bytes, or that a message names them which the officer may not open, shows nowhere, and the
bytes are taken again. `Submit` accepts a message only when all its attachments are here whole. Ciphertexts that no
message names, released or pending approval, are given up after `ORPHAN_LIFE`; unfinished ones at once when their
officer may no longer act.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from paiza.officer.v1 import attachment_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import open_scope
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import ReadConnection, Store
from paiza_node.features.attachments import model
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.disk_room import DiskRoom, Holder
from paiza_node.features.attachments.files import AttachmentFiles, Writer
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import DIGEST_SIZE, MAX_CIPHERTEXT_BYTES, MIN_CIPHERTEXT_BYTES

MAX_OFFICER_BYTES: Final = 16 * 1024**3  # bytes of one officer's uploads that no message names yet
MAX_OFFICER_UPLOADS: Final = 256  # the same, in files: four messages with as many as a message may have
ORPHAN_LIFE: Final = timedelta(days=14)  # of uploads that no message names; an outbox may wait for a second officer
LEFTOVER_SECONDS: Final = 24 * 3600.0  # a file without references that was not written to for so long is no upload
CLEAN_SECONDS: Final = 600.0  # how often both are checked
CLEAN_BATCH: Final = 256

log = structlog.get_logger("paiza.attachments")


class Upload:
    """Handles uploads of attachments."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: Store,
        files: AttachmentFiles,
        clock: Callable[[], datetime],
        unreleased: Callable[[ReadConnection], Collection[bytes]],
        may_act: Callable[[str], bool],
    ) -> None:
        """Store the collaborators.

        ``unreleased`` returns the ciphertexts named by unreleased messages, ``may_act`` whether an officer is admitted.
        """
        self._may_act = may_act
        self._unreleased = unreleased
        self._ledger = ledger
        self._store = store
        self._files = files
        self._by_officer: dict[str, AttachmentFiles] = {}
        self._clock = clock
        self.bytes_taken = 0
        with store.reads() as reads:
            for row in attachments_store.half_uploads(reads):
                files.room.restore(_holder(row), row.size - self._of(row.officer).offset(row.ciphertext_sha256))
        self.task = PeriodicTask(self.clean, period=CLEAN_SECONDS, failed="uploads_not_cleaned")
        """Deletes ciphertexts that no message names; woken when officers change or another register is in force."""

    @property
    def room(self) -> DiskRoom:
        """The room on the disk, of uploads and downloads together."""
        return self._files.room

    async def start(
        self, officer: Officer, request: attachment_pb2.StartUploadRequest
    ) -> attachment_pb2.StartUploadResponse:
        """Return how much of a ciphertext is here, and record that this officer uploads it."""
        ciphertext, size = request.ciphertext_sha256, request.ciphertext_size
        if len(ciphertext) != DIGEST_SIZE:
            raise Rejected("malformed", "ciphertext_sha256 is not 32 bytes long")
        if not MIN_CIPHERTEXT_BYTES <= size <= MAX_CIPHERTEXT_BYTES:
            raise Rejected("too_large", f"an attachment has {MIN_CIPHERTEXT_BYTES} to {MAX_CIPHERTEXT_BYTES} bytes")
        files, holder = self._of(officer.id), (officer.id, ciphertext)
        known = await asyncio.to_thread(self._is_known, officer, ciphertext)
        here = known and await asyncio.to_thread(files.holds, ciphertext, size)
        if not here:
            offset = await asyncio.to_thread(files.offset, ciphertext)
            # Not in a thread, which would go on when the caller hangs up, and grant it to nobody.
            files.room.grant(holder, size - offset)
        # If we crash here, nothing is granted, and the officer's program asks again.
        try:
            committed = await self._ledger.commit(
                lambda tx: _note(tx, model.Upload(ciphertext, officer.id, size, tx.now, here), known=known)
            )
        except BaseException:  # the caller may hang up: else whole disks could be granted for uploads without a row
            files.room.give_back(holder)
            raise
        row = committed.result
        if row.whole:
            files.room.give_back(holder)
            return attachment_pb2.StartUploadResponse(offset=size, whole=True)
        offset = await asyncio.to_thread(files.offset, ciphertext)
        if offset == size:  # all bytes came, and the process ended before they were checked
            try:
                return await self._finish(row)
            except Rejected:  # a power cut left wrong bytes: they are deleted, and uploaded again
                offset = 0
        return attachment_pb2.StartUploadResponse(offset=offset)

    async def receive(
        self, officer: Officer, requests: AsyncIterator[attachment_pb2.UploadRequest]
    ) -> attachment_pb2.UploadResponse:
        """Append bytes at the present size; received bytes are kept, however the call ends."""
        try:
            first = await anext(requests)
        except StopAsyncIteration:
            raise Rejected("malformed", "the call holds no request") from None
        row = await asyncio.to_thread(self._mine, officer, first.ciphertext_sha256)
        if row.whole:
            return attachment_pb2.UploadResponse(offset=row.size, whole=True)
        files = self._of(officer.id)
        writer = await asyncio.to_thread(files.writer, row.ciphertext_sha256, first.offset, row.size, officer.id)
        try:
            await self._write(writer, first.data)
            async for request in requests:
                if request.ciphertext_sha256 or request.offset:
                    raise Rejected("malformed", "only the first request of a call says what it brings")
                await self._write(writer, request.data)
            await asyncio.to_thread(writer.sync)
        finally:
            # A cancelled call has no time to wait, and its bytes must count when it is begun again.
            files.release(row.ciphertext_sha256, writer)
        if writer.offset < row.size:
            return attachment_pb2.UploadResponse(offset=writer.offset)
        done = await self._finish(row)
        return attachment_pb2.UploadResponse(offset=done.offset, whole=done.whole)

    async def clean(self) -> None:
        """Delete uploads that are too old or of officers who may not act, and files without references.

        If we crash between the commit and the removal, the next round finds a file without references.
        """
        before = self._clock() - ORPHAN_LIFE
        committed = await self._ledger.commit(lambda tx: _give_up(tx, before, self._unreleased, self._may_act))
        old, unreferenced = committed.result
        for each in old:
            await asyncio.to_thread(self._of(each.officer).discard, each.ciphertext_sha256)
            self.room.give_back(_holder(each))
        leftovers = await asyncio.to_thread(self._files.older_than, LEFTOVER_SECONDS)
        unnamed = leftovers - await asyncio.to_thread(self._named, leftovers)
        for ciphertext in {*unreferenced, *unnamed}:
            await asyncio.to_thread(self._files.remove, ciphertext)
        if old or unnamed:
            log.info("uploads_given_up", uploads=len(old), leftovers=len(unnamed))

    async def _write(self, writer: Writer, data: bytes) -> None:
        await asyncio.to_thread(writer.write, data)
        self.bytes_taken += len(data)

    async def _finish(self, row: model.Upload) -> attachment_pb2.StartUploadResponse:
        """Check the digest of the bytes on disk, and only then mark the file as whole."""
        files = self._of(row.officer)
        await asyncio.to_thread(files.check, row.ciphertext_sha256)
        await asyncio.to_thread(files.complete, row.ciphertext_sha256)
        self.room.give_back(_holder(row))
        # If we crash here, the file is whole and the bytes are taken once more: it could be another's as well.
        await self._ledger.commit(lambda tx: attachments_store.put_upload(tx.conn, replace(row, whole=True)))
        log.info("uploaded", officer=row.officer, bytes=row.size)
        return attachment_pb2.StartUploadResponse(offset=row.size, whole=True)

    def _mine(self, officer: Officer, ciphertext: bytes) -> model.Upload:
        with self._store.reads() as reads:
            row = attachments_store.uploads(reads, [officer.id], [ciphertext]).get(ciphertext)
        if row is None:
            raise Rejected("unknown_id", "this officer has begun no such upload")
        return row

    def _of(self, officer: str) -> AttachmentFiles:
        if officer not in self._by_officer:
            self._by_officer[officer] = self._files.uploaded_by(officer)
        return self._by_officer[officer]

    def _is_known(self, officer: Officer, ciphertext: bytes) -> bool:
        """Return whether an officer uploaded a ciphertext whole, or may open a message that names it."""
        with self._store.reads() as reads:
            row = attachments_store.uploads(reads, [officer.id], [ciphertext]).get(ciphertext)
            naming = attachments_store.messages_naming(reads, ciphertext)
            may_open = bool(access_store.seen_messages(reads, naming, open_scope(officer)))
        return may_open or (row is not None and row.whole)

    def _named(self, ciphertexts: set[bytes]) -> set[bytes]:
        with self._store.reads() as reads:
            return attachments_store.named_ciphertexts(reads, ciphertexts)


def _holder(upload: model.Upload) -> Holder:
    """Return who writes an upload."""
    return upload.officer, upload.ciphertext_sha256


def _note(tx: LogTransaction, upload: model.Upload, *, known: bool) -> model.Upload:
    """Find or begin an upload; runs in the ledger's transaction, so that an officer's share is counted correctly.

    ``known``: the officer may know whether the file is here whole.
    """
    row = attachments_store.uploads(tx.conn, [upload.officer], [upload.ciphertext_sha256]).get(upload.ciphertext_sha256)
    if row is None:
        own = attachments_store.uploads_of(tx.conn, upload.officer)
        if len(own) >= MAX_OFFICER_UPLOADS or sum(each.size for each in own) + upload.size > MAX_OFFICER_BYTES:
            raise Unavailable("quota_exceeded", "this officer has as many uploads that no message names as allowed")
        row = upload
    if row.size != upload.size:
        raise Rejected("conflict", "another upload of this digest is under way")
    # The file of a known one may be gone: then its bytes are taken again. One that is whole since stays so.
    row = replace(row, whole=upload.whole or (row.whole and not known))
    attachments_store.put_upload(tx.conn, row)
    return row


def _give_up(
    tx: LogTransaction,
    before: datetime,
    unreleased: Callable[[ReadConnection], Collection[bytes]],
    may_act: Callable[[str], bool],
) -> tuple[list[model.Upload], list[bytes]]:
    """Delete old uploads, and unfinished ones of officers who may not act.

    Return them, and the ciphertexts of them without another reference.

    An upload that a pending message names begins its time anew: its second officer may take longer than an upload
    lives.
    """
    found = attachments_store.old_uploads(tx.conn, before, CLEAN_BATCH)
    waiting = unreleased(tx.conn) if found else frozenset()
    for upload in found:
        if upload.ciphertext_sha256 in waiting:
            attachments_store.put_upload(tx.conn, replace(upload, started_time=tx.now))
    half = attachments_store.half_uploads(tx.conn)
    acting = {officer: may_act(officer) for officer in {each.officer for each in half}}
    old = {upload for upload in found if upload.ciphertext_sha256 not in waiting}
    old |= {each for each in half if not acting[each.officer]}
    attachments_store.drop_uploads(tx.conn, old)
    ciphertexts = {each.ciphertext_sha256 for each in old}
    return list(old), sorted(ciphertexts - attachments_store.named_ciphertexts(tx.conn, ciphertexts))
