"""Signers in the light of trusted time: whether their certificates were valid when witnesses say the message went."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from paiza_client.evidence.entries import Claim
from paiza_client.verify.logs import Registers
from paiza_client.verify.model import Proof
from paiza_client.verify.proven_time import Interval
from paiza_officer.errors import NotProven
from paiza_wire.identity import VerifiedCertificate
from paiza_wire.identity.keys import fingerprint
from paiza_wire.message import VerifiedMessage


@dataclass(frozen=True, slots=True)
class Signed:
    """The signer, with role and certificate.

    ``witnessed``: the certificate was valid over the whole interval in which the message was released, as the witnesses
    prove it; else that it was valid then is the author's log's own word. ``revoked_by`` are the sets of the register in
    the file that revoke the certificate; of none of them it is shown that it came before the release. ``certified``:
    the author's log held the certificate before; else no proof in the file says that its member issued it openly.
    """

    officer: str
    role: str
    certificate_sha256: bytes
    not_before: datetime
    not_after: datetime
    witnessed: bool
    revoked_by: tuple[bytes, ...]
    certified: bool


def judge_signers(
    message: VerifiedMessage,
    first: Proof,
    claims: Iterable[Claim],
    registers: Registers,
    certified: Collection[bytes],
) -> tuple[Signed, ...]:
    """Judge each signer's certificate by when the message was first released; ``certified`` were logged before.

    That it was valid at the log's own time, under the register of the release, is `message.verify`'s word. NotProven
    ("certificate_expired", "certificate_revoked") where the witnesses show that it cannot have been.
    """
    by_place = {(claim.proof.origin, claim.proof.index): claim for claim in claims}
    released = by_place[first.origin, first.index].interval
    signed = []
    for required, certificate in zip(message.header.required_signers, message.signers, strict=True):
        if released is not None:
            _check_validity(required.id, certificate, released)
        revoked_by = [
            register.version
            for register in registers.all()
            if first.member in register.members
            and _is_revoked(certificate, register.members[first.member].authority.revoked)
        ]
        for version in revoked_by:
            if released is not None and _seen_before(version, released, by_place.values()):
                raise NotProven(
                    "certificate_revoked", required.id, "its revocation was in the register before the message went"
                )
        signed.append(
            Signed(
                officer=required.id,
                role=required.role,
                certificate_sha256=certificate.fingerprint,
                not_before=certificate.not_before,
                not_after=certificate.not_after,
                witnessed=released is not None and _covers(certificate, released),
                revoked_by=tuple(sorted(revoked_by)),
                certified=certificate.fingerprint in certified,
            )
        )
    return tuple(signed)


def _check_validity(officer: str, certificate: VerifiedCertificate, released: Interval) -> None:
    if released.not_before is not None and certificate.not_after < released.not_before:
        raise NotProven("certificate_expired", officer, "it had ended when witnesses had not seen the release yet")
    if certificate.not_before > released.not_after:
        raise NotProven("certificate_expired", officer, "it begins after witnesses had seen the release")


def _covers(certificate: VerifiedCertificate, released: Interval) -> bool:
    if released.not_before is None:
        return False
    return certificate.not_before <= released.not_before and released.not_after <= certificate.not_after


def _is_revoked(certificate: VerifiedCertificate, revoked: frozenset[bytes]) -> bool:
    return certificate.fingerprint in revoked or fingerprint(certificate.public_key) in revoked


def _seen_before(version: bytes, released: Interval, claims: Iterable[Claim]) -> bool:
    """Return whether an entry made under this register was witnessed before the release can have been made."""
    return released.not_before is not None and any(
        claim.interval is not None
        and claim.proof.register_version == version
        and claim.interval.not_after <= released.not_before
        for claim in claims
    )
