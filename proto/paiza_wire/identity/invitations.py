"""Invitations: the one line of text that an officer is handed, and from which `paiza enrol` makes a profile."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Final

from google.protobuf.message import DecodeError

from paiza.core.v1 import enrolment_pb2 as statements_pb2
from paiza.enrolment.v1 import enrolment_pb2 as pb
from paiza_wire.errors import Rejected
from paiza_wire.identity.certificate_profiles import check_ca_profile, load_certificate
from paiza_wire.identity.spiffe import SpiffeId

PREFIX: Final = "paiza-invitation:"
SECRET_BYTES: Final = 16
"""Too many to guess, whoever counts the attempts."""

MAX_TEXT_CHARACTERS: Final = 8 * 1024
"""A certificate of 1 KiB, a statement, names, and a third more for base64."""

_DIGEST_BYTES: Final = 32
_KEYS_CONTEXT: Final = b"paiza/v1/enrolment"


def to_text(invitation: pb.Invitation) -> str:
    """Return an invitation as a line of text, without a line end."""
    return PREFIX + urlsafe_b64encode(invitation.SerializeToString(deterministic=True)).decode().rstrip("=")


def from_text(text: str) -> pb.Invitation:
    """Read an invitation; ``Rejected("bad_invitation")`` names what is wrong with it.

    Blanks and line breaks are left out: mail programs put them in.
    """
    line = "".join(text.split())
    if not line.startswith(PREFIX):
        raise Rejected("bad_invitation", f"it does not begin with {PREFIX}")
    if len(line) > MAX_TEXT_CHARACTERS:
        raise Rejected("bad_invitation", "it is too long")
    encoded = line.removeprefix(PREFIX)
    try:
        data = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        invitation = pb.Invitation.FromString(data)
    except (binascii.Error, ValueError, DecodeError):
        raise Rejected("bad_invitation", "a part of it is missing or was changed") from None
    if to_text(invitation) != line:
        raise Rejected("bad_invitation", "a part of it is missing or was changed")
    _check(invitation)
    return invitation


def invitation_sha256(statement: bytes) -> bytes:
    """Return the digest that names an invitation: SHA-256 of its statement."""
    return sha256(statement).digest()


def envelope_sha256(invitation: pb.Invitation) -> bytes:
    """Return the digest of an invitation without its secret and statement, which the statement holds."""
    envelope = pb.Invitation()
    envelope.CopyFrom(invitation)
    envelope.ClearField("secret")
    envelope.ClearField("statement")
    return sha256(envelope.SerializeToString(deterministic=True)).digest()


def keys_digest(authentication_spki: bytes, signing_spki: bytes, invitation: bytes) -> bytes:
    """Return the digest of both public keys under one invitation, whose words are compared by telephone.

    The keys are in DER (SubjectPublicKeyInfo of P-256: 91 bytes each), ``invitation`` is its SHA-256.
    """
    return sha256(_KEYS_CONTEXT + authentication_spki + signing_spki + invitation).digest()


def _check(invitation: pb.Invitation) -> None:
    sizes = (
        (invitation.secret, SECRET_BYTES),
        (invitation.first_root_sha256, _DIGEST_BYTES),
        (invitation.newest_root_sha256, _DIGEST_BYTES),
    )
    if any(len(data) != size for data, size in sizes) or not invitation.statement:
        raise Rejected("bad_invitation", "a secret or digest has another length")
    if not invitation.enrol_address or not invitation.node_address or not invitation.node_cas:
        raise Rejected("bad_invitation", "an address or a CA is missing")
    try:
        statement = statements_pb2.InvitationStatement.FromString(invitation.statement)
    except DecodeError as error:
        raise Rejected("bad_invitation", "its statement cannot be read") from error
    if statement.officer_id != invitation.officer_id:
        raise Rejected("bad_invitation", "its statement is for another officer")
    if statement.envelope_sha256 != envelope_sha256(invitation):
        # Else the words would be the right ones for the node of somebody who altered the invitation on its way.
        raise Rejected("bad_invitation", "its addresses, CAs or roots are not those that its statement was made for")
    try:
        officer = SpiffeId.parse(invitation.officer_id)
        for node_ca in invitation.node_cas:
            check_ca_profile(load_certificate(node_ca), officer.member, officer.federation, "node")
    except Rejected as error:
        raise Rejected("bad_invitation", error.detail) from error
    if (officer.role, officer.member, officer.federation) != ("officer", invitation.member, invitation.federation):
        raise Rejected("bad_invitation", "it is not for an officer of this member and federation")
