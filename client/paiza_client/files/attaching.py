"""From a file on the officer's disk to a sealed one in the outbox, in constant memory.

`look_at` decides whether and how a file is attached; `seal` writes its ciphertext beside the outbox's messages. The key
goes into the message's wraps and nowhere else. A crash while `seal` writes, or before the message is in the outbox,
leaves a file that no message names; the outbox removes it after a day.
"""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from paiza.content.v1 import attachment_info_pb2
from paiza.core.v1 import message_pb2
from paiza_client.files import file_types, location
from paiza_client.files.location import Removal
from paiza_client.language import _
from paiza_client.local.outbox import sealed_file
from paiza_officer.errors import FieldProblem, Refused, disk_problem, located
from paiza_wire.message import DIGEST_SIZE, KEY_SIZE, MIN_CIPHERTEXT_BYTES, SealedFile, attachment
from paiza_wire.message.attachment import CHUNK_BYTES, MAX_ATTACHMENTS, MAX_FILE_BYTES, Sealer

Progress = Callable[[str, int, int], None]
"""Called with a file's name, how many of its bytes are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is to be attached: what it is, and what is taken out of it on the way."""

    path: Path
    info: attachment_info_pb2.AttachmentInfo
    removal: Removal
    stripped: bool = False
    """Whether the place was to be taken out; ``removal.found`` says what was."""


def look_at(path: Path, note: str = "", *, strip_location: bool = False) -> Attachment:
    """Decide how a file is attached; Refused says why it cannot be, and what to do."""
    if not path.is_file():
        raise Refused("file_unreadable", str(path), "not a file")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error
    if size > MAX_FILE_BYTES:
        raise Refused("too_large", str(path), f"over {MAX_FILE_BYTES} bytes")
    found = file_types.recognise(path)
    removal = location.find(path, found) if strip_location else Removal()
    info = attachment_info_pb2.AttachmentInfo(
        name=path.name, media_type=found.media_type, size=size - removal.removed_bytes(), note=note
    )
    with located(str(path)):
        attachment.check_info(info)
    return Attachment(path, info, removal, strip_location)


def look_at_all(wanted: Sequence[tuple[Path, str]], *, strip_location: bool = False) -> tuple[Attachment, ...]:
    """Decide for several files at once; ``wanted`` are paths with their notes."""
    if len(wanted) > MAX_ATTACHMENTS:
        what = _("A message has at most {n} attachments.").format(n=MAX_ATTACHMENTS)
        raise Refused("too_large", problems=[FieldProblem("", what, "too_many")])
    return tuple(look_at(path, note, strip_location=strip_location) for path, note in wanted)


def place_of(path: Path) -> tuple[str, ...] | None:
    """Return what in a picture tells where it was taken (`location.GPS` …); empty where nothing does.

    None where that cannot be told: the file is of a kind that is not understood, or is not built as its kind is.
    """
    try:
        return tuple(location.find(path, file_types.recognise(path)).found)
    except Refused:
        return None


def seal(
    attached: Attachment, header: message_pb2.Header, number: int, outbox: Path, progress: Progress | None = None
) -> SealedFile:
    """Write the ciphertext of a file as a part of a message into the outbox; on return it survives a power cut."""
    with located(str(attached.path)):
        sealer = Sealer(header.author, header.message_id, number, attached.info)
    try:
        outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = outbox / f"{secrets.token_hex(16)}.part"
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0) as file:
                done = 0
                for piece in location.apply(_pieces(attached.path), attached.removal):
                    with located(str(attached.path)):
                        file.write(sealer.update(piece))
                    done += len(piece)
                    if progress is not None:
                        progress(attached.info.name, done, attached.info.size)
                with located(str(attached.path)):
                    last, said = sealer.finish()
                file.write(last)
                os.fsync(file.fileno())
            unfinished.rename(sealed_file(outbox, said.ciphertext_sha256))
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise disk_problem(error, str(outbox)) from error
    return said


def described(attached: Attachment) -> SealedFile:
    """Return what stands in a message that is only tried for a file that is not sealed: its size, and a random digest.

    The size is at least that of the smallest ciphertext.
    """
    size = max(attached.info.size, MIN_CIPHERTEXT_BYTES)
    return SealedFile(secrets.token_bytes(KEY_SIZE), secrets.token_bytes(DIGEST_SIZE), size)


def _pieces(path: Path) -> Iterator[bytes]:
    with contextlib.closing(path.open("rb", buffering=0)) as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece
