"""Rewrap: a recipient could not open a message, so its part keys are wrapped again for that member's current key.

The wraps stand outside the signature, so nothing has to be signed anew.
"""

from collections.abc import Mapping
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
    verified = wire.VerifiedMessage(wire.message_digest(message.header), header, message, ())
    key = register.active_member(recipient).current_encryption_key(now)
    fresh = [
        wire.wrap_key(
            wire.unwrap_key(verified, number, member, private_keys),
            verified.digest,
            number,
            wire.RecipientKey(recipient, key.key),
        )
        for number in range(len(header.parts))
    ]
    kept = [wrap for wrap in message.wraps if wrap.recipient != recipient]
    del message.wraps[:]
    message.wraps.extend([*kept, *fresh])
    return message.SerializeToString(deterministic=True)
