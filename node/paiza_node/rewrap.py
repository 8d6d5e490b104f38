"""Rewrap: the part keys of a message are wrapped for another key, or for another member.

The wraps stand outside the signature, so nothing has to be signed anew.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from paiza.v1 import message_pb2
from paiza_register import Register
from paiza_wire import hpke
from paiza_wire import message as wire


def rewrap(
    signed: bytes,
    recipient: str,
    *,
    member: str,
    private_keys: Mapping[bytes, hpke.DecryptionKey],
    register: Register,
    now: datetime,
) -> bytes:
    """Replace a recipient's wraps in a message of our own by new ones.

    The part keys come from our own wraps. Rejected("cannot_open") where ours do not open either.
    """
    message = message_pb2.SignedMessage.FromString(signed)
    header = wire.parse_header(message.header)
    fresh = _wraps(message, header, range(len(header.parts)), recipient, member, private_keys, register, now)
    kept = [wrap for wrap in message.wraps if wrap.recipient != recipient]
    del message.wraps[:]
    message.wraps.extend([*kept, *fresh])
    return message.SerializeToString(deterministic=True)


def wrap_for(
    signed: bytes,
    recipient: str,
    *,
    member: str,
    private_keys: Mapping[bytes, hpke.DecryptionKey],
    register: Register,
    now: datetime,
    without_annex: bool = False,
) -> bytes:
    """Give a message as it is passed on: wrapped for this one member and nobody else; the annex may stay behind.

    Rejected("cannot_open") where a part that is to go along was not passed on to us.
    """
    message = message_pb2.SignedMessage.FromString(signed)
    header = wire.parse_header(message.header)
    annex = message_pb2.PART_KIND_NOMINAL_ANNEX
    going = [n for n, part in enumerate(header.parts) if not (without_annex and part.kind == annex)]
    fresh = _wraps(message, header, going, recipient, member, private_keys, register, now)
    parts = [part for part in message.parts if part.part_number in going]
    passed = message_pb2.SignedMessage(header=message.header, signatures=message.signatures, wraps=fresh, parts=parts)
    return passed.SerializeToString(deterministic=True)


def _wraps(
    message: message_pb2.SignedMessage,
    header: message_pb2.Header,
    parts: Sequence[int],
    recipient: str,
    member: str,
    private_keys: Mapping[bytes, hpke.DecryptionKey],
    register: Register,
    now: datetime,
) -> list[message_pb2.Wrap]:
    verified = wire.VerifiedMessage(wire.message_digest(message.header), header, message, ())
    key = register.active_member(recipient).current_encryption_key(now)
    return [
        wire.wrap_key(
            wire.unwrap_key(verified, number, member, private_keys),
            verified.digest,
            number,
            wire.RecipientKey(recipient, key.key),
        )
        for number in parts
    ]
