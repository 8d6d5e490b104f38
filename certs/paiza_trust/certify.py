"""Certifies a node or an officer of the own member with the CA in the member's key folder, a file or on a token.

In order:

1. Each request is signed with its own key and asks for an id; nothing else in it is looked at. A node has one request,
   an officer one for each use, with different keys.
2. The folder's CA for that role is of the member and federation that the id names, and has not expired.
3. People compare the fingerprint of each key with its holder: nothing in a request proves who sent it.
4. The certificates are issued by the CA's key and pass the checks of every node, `identity.verification`.
5. They are recorded in `ceremonies.jsonl` before they leave: a crash leaves a record without certificates, never the
   reverse.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import get_args

from paiza_register.node_folder import BACKDATED
from paiza_trust import authorities, carried_files, records
from paiza_trust.apply import CERTIFICATE_LIFE
from paiza_trust.authorities import Authority
from paiza_trust.errors import TrustError
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_
from paiza_wire.errors import Rejected
from paiza_wire.identity import (
    CertificateAuthority,
    CertificateUse,
    CertificateVerifier,
    MemberAuthority,
    Role,
    SpiffeId,
    certificates,
    check_authority,
    keys,
)
from paiza_wire.identity.certificates import AuthorityKey


@dataclass(frozen=True)
class Request:
    """A signing request: the use of the certificate that it asks for, its key's SHA-256, and the request (DER)."""

    use: CertificateUse
    key_sha256: bytes
    csr: bytes


@dataclass(frozen=True)
class Plan:
    """What is to be certified: an id and the keys of its requests, from when until when, by which CA.

    ``ca`` is the name of its key in the folder.
    """

    id: SpiffeId
    requests: tuple[Request, ...]
    authority: MemberAuthority
    not_before: datetime
    not_after: datetime
    ca: str


def admission(
    officer: SpiffeId, roles: Sequence[str], unit: str, made: Mapping[CertificateUse, bytes]
) -> dict[str, object]:
    """Return an officer with their certificates (DER) as `paiza-node officer admit` reads them from JSON."""
    certificates_pem = {f"{use}_certificate": ssl.DER_cert_to_PEM_cert(der) for use, der in made.items()}
    return {"id": str(officer), "roles": sorted(roles), "unit": unit, **certificates_pem}


def plan(folder: KeyFolder, requests: Sequence[Path], now: datetime) -> Plan:
    """Read signing requests (PEM) and the CA that may certify them: steps 1 and 2.

    A node has one request. An officer has two: for authentication, then for signing.
    """
    found = [_read(path, use) for path, use in zip(requests, get_args(CertificateUse), strict=False)]
    identities = {identity for identity, _request in found}
    (identity, _request), read = found[0], tuple(request for _identity, request in found)
    wanted = 1 if identity.role == "node" else len(get_args(CertificateUse))
    if len(identities) > 1 or len({request.key_sha256 for request in read}) < wanted or len(requests) != wanted:
        what = N_("These are not the requests of one node, nor the two requests of one officer with two keys")
        remedy = N_("Name one request for a node; for an officer, that for authentication, then that for signing.")
        raise TrustError("bad_certificate", what, str(requests[-1]), remedy)
    cas = {role: authorities.newest(folder.folder, role, now) for role in get_args(Role)}
    authority = _authority(folder.folder, identity, cas)
    ends = authority.cas(identity.role)[0].expiry_time
    begin = now.astimezone(UTC).replace(microsecond=0) - BACKDATED
    if ends <= now:
        what, remedy = N_("The CA has expired"), N_("Make the next one, and have it published.")
        raise TrustError("certificate_expired", what, str(folder.folder / f"{cas[identity.role].name}.crt"), remedy)
    return Plan(identity, read, authority, begin, min(begin + CERTIFICATE_LIFE, ends), cas[identity.role].name)


def certify(folder: KeyFolder, certified: Plan, now: datetime) -> Mapping[CertificateUse, bytes]:
    """Return the certificates (DER) by use, which are recorded: steps 4 and 5."""
    key = folder.authority(certified.ca)
    with carried_files.located(folder.folder / f"{certified.ca}.crt"):
        made = {request.use: _issue(certified, request, key) for request in certified.requests}
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
                "certificates": [
                    {
                        "use": request.use,
                        "key_sha256": request.key_sha256.hex(),
                        "certificate_sha256": sha256(made[request.use]).hexdigest(),
                    }
                    for request in certified.requests
                ],
            },
        },
    )
    return made


def _read(path: Path, use: CertificateUse) -> tuple[SpiffeId, Request]:
    with carried_files.located(path):
        csr = certificates.csr_from_pem(carried_files.read_bytes(path))
        identity, key = certificates.read_csr(csr)
    return identity, Request(use, keys.fingerprint(key), csr)


def _issue(certified: Plan, request: Request, key: AuthorityKey) -> bytes:
    ca = certified.authority.cas(certified.id.role)[0].certificate
    begins, ends = certified.not_before, certified.not_after
    if certified.id.role == "node":
        return certificates.issue_node(request.csr, ca, key, spiffe_id=certified.id, not_before=begins, not_after=ends)
    return certificates.issue_officer(
        request.csr, ca, key, spiffe_id=certified.id, use=request.use, not_before=begins, not_after=ends
    )


def _authority(folder: Path, identity: SpiffeId, cas: Mapping[Role, Authority]) -> MemberAuthority:
    """Return the CAs of the folder, which must be those of the id's member."""
    try:
        node, officer = ((CertificateAuthority.of(cas[role].certificate),) for role in get_args(Role))
        authority = MemberAuthority(identity.member, identity.federation, node, officer)
        check_authority(authority)
    except Rejected as error:
        what = N_("The request is for {id}; the CAs in this folder are not those of that member ({detail})")
        remedy = N_("Have it certified by that member, or ask for a request that names this one.")
        values = {"id": str(identity), "detail": error.detail}
        raise TrustError("wrong_member", what, str(folder), remedy, values=values) from error
    return authority


def _check(made: Mapping[CertificateUse, bytes], certified: Plan, now: datetime) -> None:
    """Check certificates as every node will."""
    verifier = CertificateVerifier({certified.id.member: certified.authority})
    if certified.id.role == "node":
        verifier.node(made["authentication"], expected_member=certified.id.member, at=now)
        return
    verifier.authentication(made["authentication"], expected_id=str(certified.id), at=now)
    verifier.signing(made["signing"], expected_id=str(certified.id), at=now)
