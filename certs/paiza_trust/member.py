"""Makes all that one member of a development federation has: authorities, keys, officers, and what it publishes."""

import json
import tempfile
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from typing import Final

from paiza_register.ceremony.federation_file import to_json
from paiza_register.documents import FORMAT
from paiza_trust.files import write_key, write_private
from paiza_trust.names import names_of
from paiza_wire.identity import MemberAuthority, Role, SpiffeId, certificates, check_authority, keys
from paiza_wire.identity.private_keys import ED25519, MLDSA44, P256, X_WING
from paiza_wire.identity.sealing import Sealer
from paiza_wire.message import key_wrapping
from paiza_wire.tlog import cosignatures, notes

CERTIFICATE_LIFE: Final = timedelta(days=365)
"""Node and officer certificates and encryption keys."""

AUTHORITY_LIFE: Final = timedelta(days=3 * 365)
"""A member's CAs: longer than what they issue, so that renewing a certificate does not wait for a new CA."""

BACKDATED: Final = timedelta(hours=1)
"""Validity begins this long before the ceremony, for machines whose clocks are behind."""

OFFICERS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "liaison": (("liaison",), "liaison-bureau"),
    "duty": (("duty",), "duty-desk"),
    "authoriser": (("authoriser",), "operations"),
    "coordinator": (("coordinator",), "coordination"),
    "auditor": (("auditor",), "inspection"),
    "custodian": (("custodian",), "legal-department"),
}
"""The officers of every member of a development federation: name -> roles and unit."""

CLASSIFICATION_CEILING: Final = 1
"""Restricted; what is classified needs an agreement of its own."""

MAX_SOCKET_PATH_BYTES: Final = 107
"""Longest path of a Unix socket: `sockaddr_un` has 108 bytes, one of them the closing zero."""


@dataclass(frozen=True)
class Plan:
    """The place and time of a new member. ``home`` is the final path of its folder, ``folder`` the one written now."""

    member: str
    federation: str
    port: int
    now: datetime
    folder: Path
    home: Path
    passphrase: bytes | None

    @property
    def not_before(self) -> datetime:
        """Return when everything begins to be valid."""
        return (self.now.astimezone(UTC) - BACKDATED).replace(microsecond=0)


def create_member(plan: Plan) -> Mapping[str, bytes]:
    """Write a member's node folder and its officers' profiles; gives what it publishes: target path -> bytes."""
    node_folder = plan.folder / "nodes" / plan.member
    authority_keys = {role: keys.generate_p256() for role in ("node", "officer")}
    authorities = {
        role: certificates.issue_ca(
            plan.member,
            plan.federation,
            role,
            authority_keys[role],
            not_before=plan.not_before,
            not_after=plan.not_before + AUTHORITY_LIFE,
        )
        for role in _ROLES
    }
    check_authority(MemberAuthority(plan.member, plan.federation, authorities["node"], authorities["officer"]))
    for role in _ROLES:
        write_key(node_folder / "keys" / f"{role}-ca.key", P256, authority_keys[role], None)

    tls_key = keys.generate_p256()
    node_id = SpiffeId(plan.member, plan.federation, "node")
    node_certificate = certificates.issue_node(
        certificates.create_csr(node_id, tls_key),
        authorities["node"],
        authority_keys["node"],
        spiffe_id=node_id,
        not_before=plan.not_before,
        not_after=plan.not_before + CERTIFICATE_LIFE,
    )
    write_key(node_folder / "keys/tls.key", P256, tls_key, None)
    write_private(node_folder / "keys/tls.crt", _pem(node_certificate))

    log_key = keys.generate_ed25519()
    write_key(node_folder / "keys/log.key", ED25519, log_key, None)
    witness_key = keys.generate_mldsa44()
    write_key(node_folder / "keys/witness.key", MLDSA44, witness_key, None)
    witness = cosignatures.WitnessSigner.from_private_key(f"{plan.member}.{plan.federation}/witness/1", witness_key)
    seed = key_wrapping.generate_seed()
    write_key(node_folder / "keys/encryption.seed", X_WING, seed, None)

    officers = [_create_officer(plan, name, authorities["officer"], authority_keys["officer"]) for name in OFFICERS]
    write_private(node_folder / "officers.toml", "\n".join(officers).encode())
    write_private(node_folder / "node.toml", _node_toml(plan).encode())

    origin = f"{plan.member}.{plan.federation}/log/1"
    encryption_key = key_wrapping.private_key_from_seed(seed).public_key
    member_document = {
        "format": FORMAT,
        "id": plan.member,
        "names": names_of(plan.member),
        "node_ca": b64encode(authorities["node"]).decode(),
        "officer_ca": b64encode(authorities["officer"]).decode(),
        "endpoints": [{"address": f"127.0.0.1:{plan.port}"}],
        "log_keys": [{"origin": origin, "vkey": notes.SignerKey.from_ed25519(origin, log_key).verifier_key.to_vkey()}],
        "witness_keys": [{"name": witness.witness_key.name, "vkey": witness.witness_key.to_vkey()}],
        "encryption_keys": [
            {
                "key_id": encryption_key.key_id.hex(),
                "public_key": b64encode(encryption_key.public_key_bytes).decode(),
                "not_before": _time(plan.not_before),
                "not_after": _time(plan.not_before + CERTIFICATE_LIFE),
            }
        ],
        "classification_ceiling": CLASSIFICATION_CEILING,
    }
    return {
        f"members/{plan.member}/member.json": to_json(member_document),
        f"members/{plan.member}/revoked.json": to_json({"format": FORMAT, "certificates": []}),
    }


_ROLES: Final[tuple[Role, ...]] = ("node", "officer")


def _create_officer(plan: Plan, name: str, ca: bytes, ca_key: certificates.AuthorityKey) -> str:
    """Write an officer's profile; gives its entry in officers.toml."""
    officer_id = SpiffeId(plan.member, plan.federation, "officer", name)
    key = keys.generate_p256()
    certificate = certificates.issue_officer(
        certificates.create_csr(officer_id, key),
        ca,
        ca_key,
        spiffe_id=officer_id,
        not_before=plan.not_before,
        not_after=plan.not_before + CERTIFICATE_LIFE,
    )
    profile = plan.folder / "home" / f"{plan.member}-{name}"
    passphrase = plan.passphrase
    write_key(profile / "officer.key", P256, key, None if passphrase is None else Sealer(lambda: passphrase))
    write_private(profile / "officer.crt", _pem(certificate))
    write_private(profile / "root.json", (plan.folder / "root.json").read_bytes())
    write_private(
        profile / "profile.toml",
        ("" if passphrase is not None else _UNSEALED_PROFILE).encode()
        + _toml(
            {
                "id": str(officer_id),
                "member": plan.member,
                "federation": plan.federation,
                "node": f"127.0.0.1:{plan.port}",
                "key": "officer.key",
                "certificate": "officer.crt",
                "root": "root.json",
            }
        ).encode(),
    )
    roles, unit = OFFICERS[name]
    return "[[officer]]\n" + _toml(
        {
            "name": name,
            "id": str(officer_id),
            "roles": list(roles),
            "unit": unit,
            "certificate_sha256": sha256(certificate).hexdigest(),
        }
    )


_UNSEALED_PROFILE: Final = """\
# The key of this exercise officer is under no passphrase. A copy of the folder is enough to act in their name.
sealed = false
"""
_UNSEALED: Final = """\
# Keys of an exercise federation are under no passphrase. A copy of their folder is enough to act in this member's name.
sealed = false
"""


def _node_toml(plan: Plan) -> str:
    return _UNSEALED + _toml(
        {
            "member": plan.member,
            "federation": plan.federation,
            "listen": f"127.0.0.1:{plan.port}",
            "register": "../../register",
            "bootstrap_root": "../../root.json",
            "data": "data",
            "keys": "keys",
            "officers": "officers.toml",
            "admin_socket": _admin_socket(plan),
        }
    )


def _admin_socket(plan: Plan) -> str:
    """Return the admin socket: in the data folder or, where that path would be too long, in the temporary folder."""
    if len(bytes(plan.home.absolute() / "nodes" / plan.member / "data/admin.sock")) <= MAX_SOCKET_PATH_BYTES:
        return "data/admin.sock"
    unique = sha256(bytes(plan.home.absolute())).hexdigest()[:16]
    return str(Path(tempfile.gettempdir()) / f"paiza-{unique}-{plan.member}" / "admin.sock")


def _toml(values: Mapping[str, object]) -> str:
    """Write strings and lists of strings; JSON's strings are TOML's basic strings."""
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())


def _pem(certificate: bytes) -> bytes:
    return DER_cert_to_PEM_cert(certificate).encode()


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
