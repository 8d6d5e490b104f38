"""Makes the officers of a development federation: keys, certificates, profiles, and the file that admits them."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, get_args

from paiza_register.node_folder import BACKDATED
from paiza_trust.apply import CERTIFICATE_LIFE
from paiza_trust.certify import admission
from paiza_trust.files import write_key, write_private
from paiza_trust.key_folder import KeyFolder
from paiza_wire.identity import CertificateUse, MemberAuthority, SpiffeId, certificates, keys
from paiza_wire.identity.private_keys import P256
from paiza_wire.identity.sealing import Sealer

OFFICERS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "liaison": (("liaison",), "liaison-bureau"),
    "duty": (("duty",), "duty-desk"),
    "authoriser": (("authoriser",), "operations"),
    "coordinator": (("coordinator",), "coordination"),
    "auditor": (("auditor",), "inspection"),
    "custodian": (("custodian",), "legal-department"),
    "data": (("data",), "data-office"),
}
"""The officers of every member of a development federation: name -> roles and unit."""

_UNSEALED: Final = """\
# The keys of this exercise officer are under no passphrase. A copy of the folder is enough to act in their name.
sealed = false
"""


@dataclass(frozen=True)
class Issuer:
    """A member that certifies its officers: its CAs and their keys, its node's address, the root of trust.

    ``passphrase`` seals their keys; None leaves them unsealed.
    """

    authority: MemberAuthority
    address: str
    keys: KeyFolder
    root: bytes
    passphrase: bytes | None


def create_officers(issuer: Issuer, node: Path, home: Path, now: datetime) -> None:
    """Write the profiles of a member's officers into the folder ``home``.

    `paiza-node officer admit` admits them from the node's ``officers.json`` once it runs.
    """
    admissions = [_create(issuer, name, home / f"{issuer.authority.member}-{name}", now) for name in OFFICERS]
    write_private(node / "officers.json", json.dumps(admissions, indent=1, ensure_ascii=False).encode() + b"\n")


def _create(issuer: Issuer, name: str, profile: Path, now: datetime) -> dict[str, object]:
    """Write an officer's profile and return what admits them at the node."""
    member, federation = issuer.authority.member, issuer.authority.federation
    officer_id = SpiffeId(member, federation, "officer", name)
    made = {use: _certify(issuer, officer_id, use, profile, now) for use in get_args(CertificateUse)}
    write_private(profile / "root.json", issuer.root)
    passphrase = issuer.passphrase
    values = {
        "id": str(officer_id),
        "member": member,
        "federation": federation,
        "node": issuer.address,
        **{f"{use}_{kind}": f"{use}.{end}" for use in made for kind, end in (("key", "key"), ("certificate", "crt"))},
        "root": "root.json",
    }
    write_private(profile / "profile.toml", (("" if passphrase else _UNSEALED) + _toml(values)).encode())
    roles, unit = OFFICERS[name]
    return admission(officer_id, roles, unit, made)


def _certify(issuer: Issuer, officer_id: SpiffeId, use: CertificateUse, profile: Path, now: datetime) -> bytes:
    """Write an officer's key and certificate (DER) for a use into their profile; return the certificate."""
    key = keys.generate_p256()
    begin = (now.astimezone(UTC) - BACKDATED).replace(microsecond=0)
    certificate = certificates.issue_officer(
        certificates.create_csr(officer_id, key),
        issuer.authority.officer_cas[0].certificate,
        issuer.keys.authority("officer-ca"),
        spiffe_id=officer_id,
        use=use,
        not_before=begin,
        not_after=begin + CERTIFICATE_LIFE,
    )
    passphrase = issuer.passphrase
    write_key(profile / f"{use}.key", P256, key, None if passphrase is None else Sealer(lambda: passphrase))
    write_private(profile / f"{use}.crt", ssl.DER_cert_to_PEM_cert(certificate).encode())
    return certificate


def _toml(values: Mapping[str, object]) -> str:
    """Write strings and lists of strings; JSON's strings are TOML's basic strings."""
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
