"""Signed statements that lead to an officer's certificates: an administrator's, and the officer's own for new keys.

What is signed is DSSE's pre-authentication encoding of a payload type and the statement's bytes, so that no signature
counts as one over anything else. Keys are on P-256.
"""

from hashlib import sha256
from typing import Final

from paiza_wire.identity import keys

INVITATION_TYPE: Final = b"application/vnd.paiza.invitation.v1+protobuf"
RENEWAL_TYPE: Final = b"application/vnd.paiza.renewal.v1+protobuf"

STATEMENT_BYTES: Final = 16 * 1024
"""Largest statement: two signing requests of 4 KiB, and names."""


def statement_sha256(statement: bytes) -> bytes:
    """Return the digest under which the log holds a statement."""
    return sha256(statement).digest()


def signed_invitation(statement: bytes) -> bytes:
    """Return the bytes that an administrator signs for an InvitationStatement."""
    return _encoded(INVITATION_TYPE, statement)


def signed_renewal(statement: bytes) -> bytes:
    """Return the bytes that an officer signs, with the present signing key, for a RenewalStatement."""
    return _encoded(RENEWAL_TYPE, statement)


def sign_invitation(private_key: keys.PrivateKey, statement: bytes) -> bytes:
    """Sign an InvitationStatement as an administrator."""
    return keys.sign(private_key, signed_invitation(statement))


def verify_invitation(public_key: keys.PublicKey, signature: bytes, statement: bytes) -> None:
    """Check an administrator's signature; ``Rejected("bad_signature")`` otherwise."""
    keys.verify(public_key, signature, signed_invitation(statement))


def sign_renewal(private_key: keys.PrivateKey, statement: bytes) -> bytes:
    """Sign a RenewalStatement with the officer's present signing key."""
    return keys.sign(private_key, signed_renewal(statement))


def verify_renewal(public_key: keys.PublicKey, signature: bytes, statement: bytes) -> None:
    """Check an officer's signature over a RenewalStatement; ``Rejected("bad_signature")`` otherwise."""
    keys.verify(public_key, signature, signed_renewal(statement))


def _encoded(payload_type: bytes, statement: bytes) -> bytes:
    return b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type, len(statement), statement)
