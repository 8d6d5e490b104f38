"""Attachments: files of any size, sealed and opened piece by piece in constant memory.

An attachment is a part of its message whose ciphertext travels separately. The header commits to the digest and size of
the ciphertext, so a file is sealed before its message is signed. The plaintext begins with the description of the file,
so that nobody without the key can read its name:

    plaintext = length of info (4) ‖ AttachmentInfo ‖ file

A reader receives bytes of the file before its end was verified: it must not use them until `finish` has returned. This
module does no I/O.
"""

import re
from hashlib import sha256
from typing import Final

from paiza.content.v1 import attachment_info_pb2
from paiza.core.v1 import message_pb2
from paiza_wire.errors import Rejected
from paiza_wire.message import SealedFile, parse_strictly, part_cipher

MAX_ATTACHMENTS: Final = 64  # of one message
MAX_FILE_BYTES: Final = 4 * 1024**3  # bytes of one file: an X-ray scan of a lorry is about one GiB
MAX_INFO_BYTES: Final = 8 * 1024  # bytes of the description of a file; a letter of a note may take four
MAX_NAME: Final = 200  # characters of a file's name; file systems hold 255 bytes
MAX_MEDIA_TYPE: Final = 100  # characters
MAX_NOTE: Final = 1000  # characters
CHUNK_BYTES: Final = 256 * 1024  # bytes read, sealed, sent or written at once

_LENGTH_BYTES: Final = 4
_NOT_IN_NAMES: Final = frozenset('/\\:*?"<>|')  # characters with a meaning in paths, streams or patterns on some system
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)


class Sealer:
    """The encryption of one file under its own key, bound to author, message and part number."""

    def __init__(
        self, author: str, message_id: bytes, part_number: int, info: attachment_info_pb2.AttachmentInfo
    ) -> None:
        """Begin; Rejected if a recipient would refuse the description."""
        check_info(info)
        self._key = part_cipher.generate_part_key()
        context = part_cipher.part_context(author, message_id, part_number)
        self._cipher = part_cipher.PartEncryptor(self._key, context)
        described = info.SerializeToString(deterministic=True)
        self._before = len(described).to_bytes(_LENGTH_BYTES, "big") + described
        self._left = info.size
        self._digest = sha256()
        self._size = 0

    def update(self, piece: bytes) -> bytes:
        """Encrypt the next bytes of the file; return the ciphertext that is ready, possibly empty."""
        self._left -= len(piece)
        if self._left < 0:
            raise Rejected("attachment_changed", "the file is larger than it was when it was looked at")
        plaintext, self._before = self._before + piece, b""
        return self._count(self._cipher.update(plaintext))

    def finish(self) -> tuple[bytes, SealedFile]:
        """Return the last bytes of the ciphertext, and the fields that the message holds about the whole."""
        if self._left:
            raise Rejected("attachment_changed", "the file is smaller than it was when it was looked at")
        last = self._count(self._cipher.update(self._before)) + self._count(self._cipher.finalize())
        return last, SealedFile(self._key, self._digest.digest(), self._size)

    def _count(self, ciphertext: bytes) -> bytes:
        self._digest.update(ciphertext)
        self._size += len(ciphertext)
        return ciphertext


class Opener:
    """The decryption of one file, checked against the header; its output must not be used before `finish` returns."""

    def __init__(self, header: message_pb2.Header, part_number: int, part_key: bytes) -> None:
        """Begin; Rejected("part_missing") if the header names no such attachment."""
        self._described = part_description(header, part_number)
        context = part_cipher.part_context(header.author, header.message_id, part_number)
        self._cipher = part_cipher.PartDecryptor(part_key, context)
        self._digest = sha256()
        self._size = 0
        self._before = bytearray()  # the beginning of the plaintext, until the info is complete
        self._info: attachment_info_pb2.AttachmentInfo | None = None
        self._file_bytes = 0

    def update(self, piece: bytes) -> bytes:
        """Decrypt the next bytes of the ciphertext; return bytes of the file, which must not be used yet."""
        self._size += len(piece)
        if self._size > self._described.ciphertext_size:
            raise Rejected("part_digest_mismatch", "the attachment is larger than the header says")
        self._digest.update(piece)
        return self._decrypt(self._cipher.update(piece))

    def finish(self) -> tuple[bytes, attachment_info_pb2.AttachmentInfo]:
        """Return the last bytes of the file and its description; Rejected names the failed check.

        1. The ciphertext is of the size and digest that the signed header names.
        2. It decrypts to its end under the part's key, for this author, message and part.
        3. It begins with a well-formed description, and the file is of the size stated there.
        """
        # 1.
        if self._size != self._described.ciphertext_size:
            raise Rejected("part_digest_mismatch", "the attachment is smaller than the header says")
        if self._digest.digest() != self._described.ciphertext_sha256:
            raise Rejected("part_digest_mismatch", "the attachment is not the one the header names")
        # 2.
        last = self._decrypt(self._cipher.finalize())
        # 3.
        if self._info is None:
            raise Rejected("malformed", "the attachment does not begin with its description")
        if self._file_bytes != self._info.size:
            raise Rejected("malformed", "the attached file is not of the size its description states")
        return last, self._info

    def _decrypt(self, plaintext: bytes) -> bytes:
        if self._info is None:
            self._before += plaintext
            plaintext = self._begin()
        self._file_bytes += len(plaintext)
        return plaintext

    def _begin(self) -> bytes:
        """Parse the description once it is complete; return the bytes after it."""
        if len(self._before) < _LENGTH_BYTES:
            return b""
        end = _LENGTH_BYTES + int.from_bytes(self._before[:_LENGTH_BYTES], "big")
        if end > _LENGTH_BYTES + MAX_INFO_BYTES:
            raise Rejected("too_large", f"the description of an attachment is over {MAX_INFO_BYTES} bytes")
        if len(self._before) < end:
            return b""
        self._info = parse_info(bytes(self._before[_LENGTH_BYTES:end]))
        rest = bytes(self._before[end:])
        self._before.clear()
        return rest


def part_description(header: message_pb2.Header, part_number: int) -> message_pb2.PartDescription:
    """Return the header's description of an attachment; Rejected("part_missing") if that part is none."""
    if not 0 <= part_number < len(header.parts):
        raise Rejected("part_missing", f"the header names no part {part_number}")
    part = header.parts[part_number]
    if part.kind != message_pb2.PART_KIND_ATTACHMENT:
        raise Rejected("part_missing", f"part {part_number} is not an attachment")
    return part


def part_numbers(header: message_pb2.Header) -> list[int]:
    """Return the part numbers of a message's attachments."""
    return [number for number, part in enumerate(header.parts) if part.kind == message_pb2.PART_KIND_ATTACHMENT]


def parse_info(data: bytes) -> attachment_info_pb2.AttachmentInfo:
    """Parse the description of a file; Rejected names the error."""
    info = parse_strictly(attachment_info_pb2.AttachmentInfo, data, "the description of an attachment")
    check_info(info)
    return info


def split_plaintext(plaintext: bytes) -> tuple[attachment_info_pb2.AttachmentInfo, bytes]:
    """Split a whole plaintext into the description and the file; Rejected as in `Opener`."""
    end = _LENGTH_BYTES + int.from_bytes(plaintext[:_LENGTH_BYTES], "big")
    if not _LENGTH_BYTES <= end <= min(len(plaintext), _LENGTH_BYTES + MAX_INFO_BYTES):
        raise Rejected("malformed", "the attachment does not begin with its description")
    info, content = parse_info(plaintext[_LENGTH_BYTES:end]), plaintext[end:]
    if len(content) != info.size:
        raise Rejected("malformed", "the attached file is not of the size its description states")
    return info, content


def check_info(info: attachment_info_pb2.AttachmentInfo) -> None:
    """Check the description of a file: it is shown to people in other states and names a file on their disks."""
    if not info.name or not info.name.isprintable() or not _NOT_IN_NAMES.isdisjoint(info.name):
        raise Rejected("malformed", "the name of an attached file is empty or holds what a name must not")
    if info.name[0] in ".- " or info.name[-1] in ". " or _DEVICES.fullmatch(info.name):
        raise Rejected("malformed", "the name of an attached file is hidden, an option or that of a device somewhere")
    if len(info.name) > MAX_NAME or len(info.media_type) > MAX_MEDIA_TYPE or len(info.note) > MAX_NOTE:
        raise Rejected("too_large", "the name, type or note of an attached file is too long")
    if not info.media_type.isascii() or not info.media_type.isprintable() or "/" not in info.media_type:
        raise Rejected("malformed", "the media type of an attached file is not one")
    if not info.note.replace("\n", "").isprintable():
        raise Rejected("malformed", "the note to an attached file holds a character that cannot be printed")
    if info.size > MAX_FILE_BYTES:
        raise Rejected("too_large", f"an attached file is over {MAX_FILE_BYTES} bytes")
