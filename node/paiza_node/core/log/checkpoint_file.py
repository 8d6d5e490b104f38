"""The last signed checkpoint, on disk outside the database, so that a restored old database is detected."""

import os
import struct
from hashlib import sha256
from pathlib import Path
from typing import Final

from paiza_wire.errors import Unavailable

SLOT_BYTES: Final = 4096  # one disk block; a note is about 300 bytes
_HEAD: Final = struct.Struct(">QI")  # number of the save, length of the note
_DIGEST_BYTES: Final = 32
MAX_NOTE_BYTES: Final = SLOT_BYTES - _DIGEST_BYTES - _HEAD.size


class CheckpointSlots:
    """A file of two slots, written in turn with one fsync.

    A crash while one slot is written leaves the other intact: `load` reads the newest slot whose digest matches.
    """

    def __init__(self, path: Path) -> None:
        """Open the file; create it if missing."""
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._file).st_size < 2 * SLOT_BYTES:
            os.ftruncate(self._file, 2 * SLOT_BYTES)
            os.fsync(self._file)
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)  # the file's name must survive, too
            os.close(folder)
        self._number, self._note = _newest(self._file)

    def load(self) -> bytes | None:
        """Return the note saved last; None if there is none."""
        return self._note or None

    def save(self, note: bytes) -> None:
        """Put a note on disk; Unavailable("checkpoint_unsaved") if the disk fails."""
        assert len(note) <= MAX_NOTE_BYTES, "a longer note would reach into the other slot"
        number = self._number + 1
        body = _HEAD.pack(number, len(note)) + note
        try:
            os.pwrite(self._file, sha256(body).digest() + body, (number % 2) * SLOT_BYTES)
            os.fdatasync(self._file)
        except OSError as error:
            raise Unavailable("checkpoint_unsaved", f"{self._path} could not be written: {error.strerror}") from error
        self._number, self._note = number, note

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_checkpoint(path: Path) -> bytes | None:
    """Return the note saved last without writing anything, while the node may run; None if there is none."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return _newest(file)[1] or None
    finally:
        os.close(file)


def _newest(file: int) -> tuple[int, bytes]:
    return max(_slot(file, 0), _slot(file, 1), key=lambda slot: slot[0])


def _slot(file: int, slot: int) -> tuple[int, bytes]:
    data = os.pread(file, SLOT_BYTES, slot * SLOT_BYTES)
    if len(data) < _DIGEST_BYTES + _HEAD.size:
        return 0, b""
    number, length = _HEAD.unpack_from(data, _DIGEST_BYTES)
    body = data[_DIGEST_BYTES : _DIGEST_BYTES + _HEAD.size + length]
    if length > MAX_NOTE_BYTES or sha256(body).digest() != data[:_DIGEST_BYTES]:
        return 0, b""
    return number, body[_HEAD.size :]
