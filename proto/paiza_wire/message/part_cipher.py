"""The encryption of one part of a message under its own key: Cobblestone-256 (C2SP chunked-encryption, with SHA-512).

The cipher commits to the key: two recipients cannot be shown two plaintexts of one ciphertext. The context
binds the ciphertext to its author, message and part: nobody without the key can send another's ciphertext as
their own. Parts that travel with their message are held in memory whole; their size is limited on parsing.
Attachments go through `PartEncryptor` and `PartDecryptor` piece by piece.
"""

import hmac
import struct
from typing import Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from paiza_wire.errors import Rejected

KEY_BYTES: Final = 32
"""Length of a part key."""

SUBJECT_LABEL: Final = b"paiza/v1/subject"
"""The HKDF info of the key of a subject."""

MESSAGE_ID_BYTES: Final = 16
"""Length of a message id, a UUID."""

MAX_AUTHOR_BYTES: Final = 255
"""Longest author in UTF-8: a SPIFFE ID is one URI of an X.509 name, and ours are far shorter."""

MAX_PART_NUMBER: Final = 2**32 - 1
"""Part numbers are 32 bits wide."""


def generate_part_key() -> bytes:
    """Generate the key of one part: 32 random bytes."""
    return Cobblestone256Encryptor.generate_key()


def part_context(author: str, message_id: bytes, part_number: int) -> bytes:
    """Encode the context of a part's ciphertext; no two triples share an encoding.

    Layout: three fields, each a big-endian 16-bit length and as many bytes: the author in UTF-8, the 16 bytes
    of the message id, the part number as 4 bytes big-endian.
    """
    if not 0 <= part_number <= MAX_PART_NUMBER:
        raise Rejected("malformed", "the part number is not a 32-bit number")
    return subject_context(author, message_id) + struct.pack(">HI", 4, part_number)


def subject_context(author: str, message_id: bytes) -> bytes:
    """Encode the context of a subject's ciphertext: the fields of `part_context` without the part number."""
    author_bytes = author.encode("utf-8", "surrogatepass")
    if not 0 < len(author_bytes) <= MAX_AUTHOR_BYTES:
        raise Rejected("malformed", "the author's name is empty or too long")
    if len(message_id) != MESSAGE_ID_BYTES:
        raise Rejected("malformed", "the message id is not 16 bytes long")
    return b"".join(struct.pack(">H", len(content)) + content for content in (author_bytes, message_id))


def subject_key(part_key: bytes) -> bytes:
    """Derive the key of a message's subject from that of its main part; it reveals nothing about that key.

    HKDF-Expand (RFC 5869 §2.3) with SHA-256: the part key is random, and one block is enough.
    """
    if len(part_key) != KEY_BYTES:
        raise Rejected("cannot_open", "the part key is not 32 bytes long")
    return hmac.digest(part_key, SUBJECT_LABEL + b"\x01", "sha256")


class PartEncryptor:
    """The incremental encryption of a part, under a fresh key from `generate_part_key`."""

    def __init__(self, key: bytes, context: bytes) -> None:
        """Begin a ciphertext."""
        assert len(key) == KEY_BYTES
        self._cipher = Cobblestone256Encryptor(key, context)

    def update(self, plaintext: bytes) -> bytes:
        """Encrypt the next bytes."""
        return self._cipher.update(plaintext)

    def finalize(self) -> bytes:
        """Return the end of the ciphertext."""
        return self._cipher.finalize()


class PartDecryptor:
    """The incremental decryption of a part: its output must not be used before `finalize` has returned."""

    def __init__(self, key: bytes, context: bytes) -> None:
        """Begin; Rejected("cannot_open") if the key has a wrong length."""
        if len(key) != KEY_BYTES:
            raise Rejected("cannot_open", "the part key is not 32 bytes long")
        self._cipher = Cobblestone256Decryptor(key, context)

    def update(self, ciphertext: bytes) -> bytes:
        """Decrypt the next bytes; Rejected("part_altered") once that is detected."""
        try:
            return self._cipher.update(ciphertext)
        except (InvalidTag, ValueError):
            raise Rejected("part_altered", "the part does not decrypt with this key and context") from None

    def finalize(self) -> bytes:
        """Verify the end of the part; Rejected("part_altered") if it is not the end."""
        try:
            return self._cipher.finalize()
        except (InvalidTag, ValueError):
            raise Rejected("part_altered", "the part does not decrypt with this key and context") from None


def encrypt_part(key: bytes, context: bytes, plaintext: bytes) -> bytes:
    """Encrypt a part under a fresh key from `generate_part_key`; 72 bytes longer, and 16 more per full 16 KiB."""
    assert len(key) == KEY_BYTES
    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(plaintext) + encryptor.finalize()


def decrypt_part(key: bytes, context: bytes, ciphertext: bytes) -> bytes:
    """Decrypt a whole part: nothing is returned before the end was verified. ``Rejected("part_altered")`` otherwise.

    A key of a wrong length is ``Rejected("cannot_open")``: it can only come from a wrap made wrongly.
    """
    if len(key) != KEY_BYTES:
        raise Rejected("cannot_open", "the part key is not 32 bytes long")
    try:
        decryptor = Cobblestone256Decryptor(key, context)
        return decryptor.update(ciphertext) + decryptor.finalize()
    except (InvalidTag, ValueError):
        raise Rejected("part_altered", "the part does not decrypt with this key and context") from None
