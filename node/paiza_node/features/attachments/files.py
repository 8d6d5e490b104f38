"""Ciphertexts of attachments as files beside the database, each named by its SHA-256.

The name of an unfinished file ends in ``.part``; a file without it is whole and its digest was checked. Unfinished
files of each member and of each officer are kept apart (`AttachmentFiles.received_from`, `uploaded_by`): anybody can
name any digest, and send other bytes. What a crash leaves:

- while bytes are written: a ``.part`` with some of the bytes; the transfer continues from its size;
- after a loss of power, on a file system that writes sizes before data: a ``.part`` with wrong bytes in it; the digest
  of the whole shows that, and it is transferred again from the beginning;
- after `Writer.close`: the bytes so far would survive loss of power;
- in `complete`, before the rename is on disk: a whole ``.part``; its digest is checked again, and it is renamed again;
- after `complete`: a whole file, whether or not the database records it yet.

If an fsync fails, the kernel marks pages as clean that it did not write, and the next fsync succeeds without them. The
bytes of a failed fsync are therefore discarded, and transferred again. No caller learns that a file is whole before
`complete` has returned, nor that a file is whole whose name may not be on disk.
"""

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

from paiza_node.features.attachments.disk_room import DiskRoom
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message.attachment import CHUNK_BYTES

SYNC_BYTES: Final = 16 * 1024 * 1024  # bytes written between two syncs: the most that a crash loses
OFFICER_DIGITS: Final = 32  # of the digest of an officer's id, in the names of their unfinished files
_T = TypeVar("_T")
_NAME: Final = re.compile(r"(?P<digest>[0-9a-f]{64})(?:(?:\.[a-z0-9-]+)?\.part)?\Z")


class Writer:
    """Appends to one file. A newer writer for the same file replaces this one."""

    def __init__(
        self,
        path: Path,
        offset: int,
        size: int,
        superseded: Callable[["Writer"], bool],
        use_room: Callable[[int], None],
    ) -> None:
        """Open the file; create it if missing. `offset` is the number of its bytes.

        ``use_room`` is called with the number of bytes before they are written; Unavailable if there is no room.
        """
        self._superseded = superseded
        self._use_room = use_room
        self._file = _guarded(os.open, path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()  # a call that is cancelled closes the file while a thread still writes to it
        self._closed = False
        self._unsynced = 0
        self._size = size
        self._synced = offset  # a writer is opened at the known offset, up to which the bytes are on disk
        self.offset = offset

    def write(self, data: bytes) -> None:
        """Append bytes; Rejected if they exceed the expected size, Unavailable if the disk fails."""
        with self._lock:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self.offset + len(data) > self._size:
            raise Rejected("part_digest_mismatch", f"there are more than the {self._size} bytes that were announced")
        if self._closed or self._superseded(self):
            raise Unavailable("busy", "a later call brings the same attachment", 1.0)
        self._use_room(len(data))
        left = memoryview(data)
        while left:
            written = _guarded(os.pwrite, self._file, left, self.offset)
            self.offset += written
            self._unsynced += written
            left = left[written:]
        if self._unsynced >= SYNC_BYTES:
            self._sync()

    def sync(self) -> None:
        """Return when the bytes so far would survive loss of power."""
        with self._lock:
            self._sync()

    def _sync(self) -> None:
        if not self._unsynced:
            return
        self._unsynced = 0
        try:
            _guarded(os.fsync, self._file)
        except Unavailable:
            # No later fsync would write these bytes. If even this fails, the digest shows it after a loss of power.
            with suppress(OSError):
                os.ftruncate(self._file, self._synced)
            self._closed = True
            self.offset = self._synced
            raise
        self._synced = self.offset

    def close(self) -> None:
        """Put the bytes on disk and close the file."""
        with self._lock:
            self._closed = True
            try:
                self._sync()
            finally:
                os.close(self._file)


class AttachmentFiles:
    """The folder of ciphertexts. Safe between threads."""

    def __init__(self, folder: Path, source: str = "", room: DiskRoom | None = None) -> None:
        """Open the folder; create it if missing. ``source`` is the sender of the unfinished files.

        ``room`` is that of the folder, shared by the files of all sources.
        """
        self._folder = folder
        self.room = DiskRoom(folder) if room is None else room
        self._suffix = f".{source}.part" if source else ".part"
        self._lock = threading.Lock()
        self._names_synced = True
        self._writers: dict[bytes, Writer] = {}
        _guarded(lambda: folder.mkdir(mode=0o700, exist_ok=True))
        _guarded(_sync_folder, folder.parent)

    def received_from(self, member: str) -> "AttachmentFiles":
        """Return the same folder for files from a member: no other source touches its unfinished files."""
        return AttachmentFiles(self._folder, member, self.room)

    def uploaded_by(self, officer: str) -> "AttachmentFiles":
        """Return the same folder for files of an officer, by SPIFFE ID; no member's name is that long."""
        return AttachmentFiles(self._folder, sha256(officer.encode()).hexdigest()[:OFFICER_DIGITS], self.room)

    def unfinished_bytes(self) -> int:
        """Count the bytes of unfinished files of this source."""
        return sum(path.stat().st_size for path in self._folder.glob(f"{'[0-9a-f]' * 64}{self._suffix}"))

    def holds(self, ciphertext: bytes, size: int) -> bool:
        """Return whether this ciphertext is here whole; Unavailable if its name may not be on disk."""
        if not self._names_synced:
            self._sync_names()
        try:
            return self._whole(ciphertext).stat().st_size == size
        except FileNotFoundError:
            return False

    def offset(self, ciphertext: bytes) -> int:
        """Return how many bytes of an unfinished ciphertext are on disk; bytes that cannot be synced are discarded."""
        try:
            file = os.open(self._part(ciphertext), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise _refused(error) from error
        try:
            _guarded(os.fsync, file)
            return os.fstat(file).st_size
        except Unavailable:
            self.discard(ciphertext)
            raise
        finally:
            os.close(file)

    def writer(self, ciphertext: bytes, offset: int, size: int, writes: str = "") -> Writer:
        """Open a ciphertext for writing from ``offset`` on, which must be its present size.

        ``writes`` is the officer or member whose bytes they are, to whom `room` was granted.
        """
        if offset != self.offset(ciphertext):
            raise Unavailable("attachment_incomplete", "the attachment stands at another offset", 0.0)
        writer = Writer(
            self._part(ciphertext),
            offset,
            size,
            lambda one: self._writers.get(ciphertext) is not one,
            partial(self.room.use, (writes, ciphertext)),
        )
        with self._lock:
            self._writers[ciphertext] = writer
        return writer

    def release(self, ciphertext: bytes, writer: Writer) -> None:
        """Close a writer."""
        with self._lock:
            if self._writers.get(ciphertext) is writer:
                del self._writers[ciphertext]
        writer.close()

    def check(self, ciphertext: bytes) -> None:
        """Check the digest of a ciphertext that has all its bytes; if it differs, delete it and raise Rejected."""
        digest = sha256()
        for piece in _pieces(self._part(ciphertext), 0):
            digest.update(piece)
        if digest.digest() != ciphertext:
            self.discard(ciphertext)
            raise Rejected("part_digest_mismatch", "the bytes that came are not those that were announced")

    def complete(self, ciphertext: bytes) -> None:
        """Mark a checked ciphertext as whole; returns when that would survive loss of power."""
        self._names_synced = False
        _guarded(os.replace, self._part(ciphertext), self._whole(ciphertext))
        self._sync_names()

    def _sync_names(self) -> None:
        _guarded(_sync_folder, self._folder)
        self._names_synced = True

    def pieces(self, ciphertext: bytes, offset: int = 0) -> Iterator[bytes]:
        """Yield a ciphertext, whole or with all its bytes, from an offset on; Unavailable if it is not here."""
        path = self._whole(ciphertext)
        return _pieces(path if path.exists() else self._part(ciphertext), offset)

    def discard(self, ciphertext: bytes) -> None:
        """Remove an unfinished ciphertext; Unavailable if the disk fails."""
        _guarded(lambda: self._part(ciphertext).unlink(missing_ok=True))

    def remove(self, ciphertext: bytes) -> None:
        """Remove a ciphertext, finished or not; Unavailable if the disk fails."""
        self.room.forget(ciphertext)
        for path in (*self._folder.glob(f"{ciphertext.hex()}*.part"), self._whole(ciphertext)):
            _guarded(lambda path=path: path.unlink(missing_ok=True))

    def sync(self) -> None:
        """Return when removals would survive loss of power."""
        _guarded(_sync_folder, self._folder)

    def older_than(self, seconds: float) -> set[bytes]:
        """Return the ciphertexts, finished or not, that were not written to for so long."""
        before = time.time() - seconds
        found: set[bytes] = set()
        for path in self._folder.iterdir():
            name = _NAME.match(path.name)
            if name and path.stat().st_mtime < before:
                found.add(bytes.fromhex(name["digest"]))
        return found

    def _whole(self, ciphertext: bytes) -> Path:
        return self._folder / ciphertext.hex()

    def _part(self, ciphertext: bytes) -> Path:
        return self._folder / f"{ciphertext.hex()}{self._suffix}"


def _pieces(path: Path, offset: int) -> Iterator[bytes]:
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        raise Unavailable("attachment_incomplete", "the attachment is not here") from None
    with file:
        file.seek(offset)
        while piece := _guarded(file.read, CHUNK_BYTES):
            yield piece


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _guarded(call: Callable[..., _T], *arguments: object) -> _T:
    """Run a disk operation; its failure is raised as Unavailable, and nothing is lost by it."""
    try:
        return call(*arguments)
    except OSError as error:
        raise _refused(error) from error


def _refused(error: OSError) -> Unavailable:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    said = f"the disk refused an attachment: {error.strerror}"
    return Unavailable("disk_full" if full else "file_unwritable", said, 60.0)
