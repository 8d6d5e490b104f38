"""Rewrap: wrapping the part keys of a message for another key or another member, and leaving wraps out.

The wraps are outside the signature, so that no new signature is needed.
"""

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.message import DecodeError

from paiza.core.v1 import message_pb2
from paiza_node.core.messages.decryption import DecryptionKeys, stored
from paiza_register import Register
from paiza_wire import message as wire
from paiza_wire.message import VerifiedMessage


def rewrap(
    signed: bytes,
    recipient: str,
    *,
    decryption_keys: DecryptionKeys,
    register: Register,
    now: datetime,
) -> bytes:
    """Replace a recipient's wraps in a message of our own by new ones.

    The part keys come from our own wraps. Rejected("cannot_open") if ours do not open either.
    """
    message = stored(signed)
    fresh = _wraps(message, range(len(message.header.parts)), recipient, decryption_keys, register, now)
    kept = [wrap for wrap in message.signed.wraps if wrap.recipient != recipient]
    del message.signed.wraps[:]
    message.signed.wraps.extend([*kept, *fresh])
    return message.signed.SerializeToString(deterministic=True)


def wrap_for(
    signed: bytes,
    recipient: str,
    *,
    decryption_keys: DecryptionKeys,
    register: Register,
    now: datetime,
    without_annex: bool = False,
) -> bytes:
    """Return a message as it is forwarded: wrapped for this one member only; the annex may be left out.

    Rejected("cannot_open") if a part to be forwarded was not forwarded to us.
    """
    message = stored(signed)
    annex = message_pb2.PART_KIND_NOMINAL_ANNEX
    going = [n for n, part in enumerate(message.header.parts) if not (without_annex and part.kind == annex)]
    fresh = _wraps(message, going, recipient, decryption_keys, register, now)
    parts = [part for part in message.signed.parts if part.part_number in going]
    passed = message_pb2.SignedMessage(
        header=message.signed.header,
        signatures=message.signed.signatures,
        subject=message.signed.subject,
        wraps=fresh,
        parts=parts,
    )
    return passed.SerializeToString(deterministic=True)


def for_recipient(signed: bytes, author: str, recipient: str) -> bytes:
    """Return a message as its author's node delivers it to one recipient: with their wraps alone.

    Nobody there opens the others, which are two thirds of a short message to nine members. The author's go along: a
    node that lost its database gets its messages back from the recipients. A damaged message is returned as it is.
    """
    try:
        message = message_pb2.SignedMessage.FromString(signed)
    except DecodeError:
        return signed
    others = [at for at, wrap in enumerate(message.wraps) if wrap.recipient not in (author, recipient)]
    if not others:
        return signed
    for at in reversed(others):
        del message.wraps[at]
    return message.SerializeToString(deterministic=True)


def _wraps(
    message: VerifiedMessage,
    parts: Sequence[int],
    recipient: str,
    decryption_keys: DecryptionKeys,
    register: Register,
    now: datetime,
) -> list[message_pb2.Wrap]:
    key = register.active_member(recipient).current_encryption_key(now)
    part_keys = decryption_keys.part_keys(message, parts)
    return [
        wire.wrap_key(part_key, message.digest, number, wire.RecipientKey(recipient, key.key))
        for number, part_key in zip(parts, part_keys, strict=True)
    ]
