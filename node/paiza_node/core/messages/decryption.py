"""Decryption of messages with the node's own keys. Decrypted content is not stored here.

A stored message was verified when it was received, and is not verified again. The content of one of this node's own
messages is not known to be valid: the node releases most kinds unopened, and an officer's client made the content.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message

from paiza.core.v1 import message_pb2
from paiza_domain.schema.kind import Kind
from paiza_wire import message as wire
from paiza_wire.errors import Rejected
from paiza_wire.message import PendingMessage, TriedMessage, VerifiedMessage, key_wrapping
from paiza_wire.message.part_cipher import subject_key

SealedMessage = VerifiedMessage | PendingMessage | TriedMessage


def stored(signed: bytes) -> VerifiedMessage:
    """Return a message as stored. Its signers were verified when it was received: ``signers`` is empty."""
    message = message_pb2.SignedMessage.FromString(signed)
    return VerifiedMessage(wire.message_digest(message.header), wire.parse_header(message.header), message, ())


@dataclass(frozen=True, slots=True)
class Unsealed:
    """The decrypted parts of a message: the main part and the nominal annex, and the subject."""

    parts: tuple[bytes, ...]
    subject: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The content of a message that was found valid, parsed; ``annex`` is None if it has none or came without."""

    content: Message
    annex: Message | None


@dataclass(slots=True)
class DecryptionKeys:
    """The decryption keys of this node's member, by key id. Thread-safe: the mapping is replaced, never changed.

    Every method raises Rejected if decryption fails: "cannot_open" without a wrap for us, "part_missing" if the part
    was not sent with the message, "part_altered" if it does not match its key.
    """

    member: str
    by_id: Mapping[bytes, key_wrapping.DecryptionKey]

    def add(self, by_id: Mapping[bytes, key_wrapping.DecryptionKey]) -> None:
        """Open with these keys too from now on: what is wrapped for an older one must still open."""
        self.by_id = {**self.by_id, **by_id}

    def part_key(self, message: SealedMessage, number: int) -> bytes:
        """Open the key of one part."""
        return wire.unwrap_key(message, number, self.member, self.by_id)

    def part_keys(self, message: SealedMessage, numbers: Iterable[int]) -> list[bytes]:
        """Open the keys of several parts, in this order; the wraps of all members are looked through once."""
        own = [wrap for wrap in message.signed.wraps if wrap.recipient == self.member]
        return [wire.unwrap(own, message.digest, number, self.member, self.by_id) for number in numbers]

    def parts(self, message: SealedMessage) -> Unsealed:
        """Open every part that was sent along, in order: the main part, and the nominal annex if present."""
        keys = self.part_keys(message, [each.part_number for each in message.signed.parts])
        parts = tuple(
            wire.open_part(message.header, each.part_number, each.ciphertext, key)
            for each, key in zip(message.signed.parts, keys, strict=True)
        )
        return Unsealed(parts, wire.open_subject(message.header, message.signed.subject, subject_key(keys[0])))

    def content(self, message: SealedMessage, kind: Kind) -> Any:
        """Open and parse the main part; Rejected("malformed") if it is not the content of its kind."""
        return _parsed(kind.content, wire.unseal(message, 0, self.member, self.by_id))

    def annex(self, message: SealedMessage, kind: Kind) -> Any | None:
        """Open and parse the nominal annex; None if the kind has none, or the message came without."""
        for part in message.signed.parts:
            if kind.annex and message.header.parts[part.part_number].kind == message_pb2.PART_KIND_NOMINAL_ANNEX:
                return _parsed(kind.annex, wire.unseal(message, part.part_number, self.member, self.by_id))
        return None


def _parsed(message_type: type[Message], data: bytes) -> Any:
    try:
        return message_type.FromString(data)
    except DecodeError as error:
        raise Rejected("malformed", f"the part is no {message_type.DESCRIPTOR.full_name}") from error
