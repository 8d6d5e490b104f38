"""Certifies a node or an officer of the own member with the CA in the member's key folder, a file or on a token.

In order:

1. The request is signed with its own key and asks for an id; nothing else in it is looked at.
2. The folder's CA for that role is of the member and federation that the id names, and has not expired.
3. People compare the fingerprint of the key with its holder: nothing in a request proves who sent it.
4. The certificate is issued by the CA's key and passes the checks of every node, `identity.verification`.
5. It is recorded in `ceremonies.jsonl` before it leaves: a crash leaves a record without a certificate, never the
   reverse.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from paiza_cli.exit_codes import ExitCode
from paiza_register.node_folder import BACKDATED
from paiza_trust import carried_files, records
from paiza_trust.apply import CERTIFICATE_LIFE
from paiza_trust.errors import TrustError
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_
from paiza_wire.errors import Rejected
from paiza_wire.identity import (
    CertificateVerifier,
    MemberAuthority,
    SpiffeId,
    certificates,
    check_authority,
    keys,
    load_certificate,
)


@dataclass(frozen=True)
class Plan:
    """What is to be certified: the id and the key of a request, from when until when, by which CAs."""

    id: SpiffeId
    key_sha256: bytes
    csr: bytes
    authority: MemberAuthority
    not_before: datetime
    not_after: datetime

    @property
    def ca(self) -> str:
        """Return the name of the CA's key in the folder."""
        return f"{self.id.role}-ca"


def plan(folder: KeyFolder, request: Path, now: datetime) -> Plan:
    """Read a signing request (PEM) and the CA that may certify it: steps 1 and 2."""
    with carried_files.located(request):
        csr = certificates.csr_from_pem(carried_files.read_bytes(request))
        identity, key = certificates.read_csr(csr)
    authority = _authority(folder.folder, identity)
    ends = load_certificate(authority.ca(identity.role)).not_valid_after_utc
    begin = now.astimezone(UTC).replace(microsecond=0) - BACKDATED
    if ends <= now:
        what, remedy = N_("The CA has expired"), N_("Make the next one, and have it published.")
        raise TrustError("certificate_expired", what, str(folder.folder / f"{identity.role}-ca.crt"), remedy)
    return Plan(identity, keys.fingerprint(key), csr, authority, begin, min(begin + CERTIFICATE_LIFE, ends))


def certify(folder: KeyFolder, certified: Plan, now: datetime) -> bytes:
    """Return the certificate (DER), which is recorded: steps 4 and 5."""
    issue = certificates.issue_node if certified.id.role == "node" else certificates.issue_officer
    ca = certified.authority.ca(certified.id.role)
    key = folder.authority(certified.ca)
    with carried_files.located(folder.folder / f"{certified.ca}.crt"):
        made = issue(
            certified.csr,
            ca,
            key,
            spiffe_id=certified.id,
            not_before=certified.not_before,
            not_after=certified.not_after,
        )
        _check(made, certified, now)
    records.append(
        folder.folder,
        {
            **records.timed(now),
            "federation": certified.id.federation,
            "member": certified.id.member,
            "keys": [
                {
                    "name": certified.ca,
                    "key": keys.fingerprint(key.public_key()).hex(),
                    "token": folder.authority_token(certified.ca),
                }
            ],
            "certified": {
                "id": str(certified.id),
                "key_sha256": certified.key_sha256.hex(),
                "certificate_sha256": sha256(made).hexdigest(),
            },
        },
    )
    return made


def _authority(folder: Path, identity: SpiffeId) -> MemberAuthority:
    """Return the CAs of the folder, which must be those of the id's member."""
    node_ca, officer_ca = (_certificate(folder / f"{role}-ca.crt") for role in ("node", "officer"))
    authority = MemberAuthority(identity.member, identity.federation, node_ca, officer_ca)
    try:
        check_authority(authority)
    except Rejected as error:
        what = N_("The request is for {id}; the CAs in this folder are not those of that member ({detail})")
        remedy = N_("Have it certified by that member, or ask for a request that names this one.")
        values = {"id": str(identity), "detail": error.detail}
        raise TrustError("wrong_member", what, str(folder), remedy, values=values) from error
    return authority


def _certificate(path: Path) -> bytes:
    try:
        return ssl.PEM_cert_to_DER_cert(path.read_text("ascii"))
    except OSError as error:
        what, remedy = N_("There is no CA here: {error}"), N_("Name the folder that `apply` made, with --keys.")
        values = {"error": error.strerror or ""}
        raise TrustError("file_unreadable", what, str(path), remedy, ExitCode.UNAVAILABLE, values) from error
    except ValueError as error:
        what, remedy = N_("This is no certificate in PEM"), N_("Restore the file.")
        raise TrustError("bad_certificate", what, str(path), remedy) from error


def _check(made: bytes, certified: Plan, now: datetime) -> None:
    """Check a certificate as every node will."""
    verifier = CertificateVerifier({certified.id.member: certified.authority})
    if certified.id.role == "node":
        verifier.node(made, expected_member=certified.id.member, at=now)
    else:
        verifier.officer(made, expected_id=str(certified.id), at=now)
