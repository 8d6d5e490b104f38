"""Where a custodian stands: their keys, what they signed, until when everything holds, and who still signs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from securesystemslib.exceptions import UnverifiedSignatureError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from paiza_register import roles
from paiza_register.ceremony import Base
from paiza_register.ceremony.times import ROOT_LIFE, read_time
from paiza_register.pair_key import PairKey
from paiza_register.tuf_workflow import root_path
from paiza_trust import records
from paiza_trust.key_folder import KeyFolder
from paiza_trust.signing import key_name
from paiza_wire.identity import load_certificate

LONGEST_OF_ISSUER: Final = timedelta(days=100)
"""A certificate with a shorter life is of the issuer: any command of `paiza` renews it in its last month."""
SHOWN: Final = 10
"""Signatures that are shown, the last ones."""


@dataclass(frozen=True)
class OwnKey:
    """A pair in a key folder: where its P-256 half is, and whether the register names it.

    ``token`` is the URI of the token, None if a file holds it. ``in_use`` is False where the register names another key
    for this pair, None where it names none. ``signed_time`` is when this key last signed or refused a proposal to this
    federation here, None if it never did.
    """

    name: str
    token: str | None
    in_use: bool | None
    signed_time: datetime | None


@dataclass(frozen=True)
class Expiry:
    """Until when a role, a key or a certificate holds; ``command`` renews it, empty if nodes do.

    ``what`` is the role's name, or one of "node_ca", "officer_ca", "encryption_key", "officer_certificate".
    """

    what: str
    time: datetime
    command: str


@dataclass(frozen=True)
class Attendance:
    """When a custodian last signed a root or the newest targets; None if neither shows a signature of this key.

    ``since`` is the time of the root from which on this key is the custodian's.
    """

    member: str
    time: datetime | None
    since: datetime


def own_keys(folder: KeyFolder, base: Base) -> list[OwnKey]:
    """Return the pairs in a folder, by name. Each is opened: the records do not show which key its files hold now."""
    known: dict[str, set[str]] = {}
    for role, keys in _holders(base).items():
        for keyid, member in keys.items():
            known.setdefault(key_name(role, member), set()).add(keyid)
    signed = {
        each["key"]: read_time(record["time"])
        for record in signed_here(folder)
        if record["federation"] == base.register.federation
        for each in record["keys"]
    }
    found = []
    for name in sorted(path.name.removesuffix("-mldsa44.pem") for path in folder.folder.glob("*-mldsa44.pem")):
        keyid = folder.pair(name).public_key.keyid
        in_use = keyid in known[name] if name in known else None
        found.append(OwnKey(name, folder.token(name), in_use, signed.get(keyid)))
    return found


def signed_here(folder: KeyFolder) -> list[dict[str, Any]]:
    """Return the records of the proposals that were signed or refused with a folder's keys, oldest first."""
    return [record for record in records.read(folder.folder) if "proposal" in record]


def expiries(base: Base, member: str, certificate: bytes | None) -> list[Expiry]:
    """Return until when everything holds that this member or all custodians sign, what expires first at the head.

    ``certificate`` is the own one of the officer who asks (DER); None without a profile.
    """
    found = list(_of_keys(base, member))
    if certificate is not None:
        own = load_certificate(certificate)
        command = "paiza-trust ca certify authentication.csr signing.csr"
        if own.not_valid_after_utc - own.not_valid_before_utc <= LONGEST_OF_ISSUER:
            command = "paiza inbox"
        found.append(Expiry("officer_certificate", own.not_valid_after_utc, command))
    for role, time in base.register.role_expiries.items():
        if role in {Root.type, Targets.type}:
            command = "paiza-trust propose resign"
        elif role in {member, roles.REFERENCE}:
            command = f"paiza-trust propose resign {role}"
        elif role in {roles.node_role_of(member), Snapshot.type, Timestamp.type}:
            command = ""
        else:
            continue
        found.append(Expiry(role, time, command))
    return sorted(found, key=lambda each: (each.time, each.what))


def _of_keys(base: Base, member: str) -> Iterator[Expiry]:
    """Yield the expiries of those of a member's CAs and encryption keys that last longest."""
    known = base.register.described.get(member)
    if known is None:
        return
    for what, cas in (("node_ca", known.authority.node_cas), ("officer_ca", known.authority.officer_cas)):
        command = f"paiza-trust propose {what.replace('_', '-')} {member}"
        yield Expiry(what, max(ca.expiry_time for ca in cas), command)
    if known.encryption_keys:
        yield Expiry(
            "encryption_key", max(key.not_after for key in known.encryption_keys), "paiza-node rotate encryption"
        )


def attendance(base: Base) -> list[Attendance]:
    """Return when each custodian of today last signed, by member."""
    seen: dict[str, datetime] = {}
    for metadata in _signed(base):
        time = metadata.signed.expires.astimezone(UTC) - ROOT_LIFE
        for member, key in base.register.custodians.items():
            if member not in seen and _holds(metadata, key):
                seen[member] = time
    return [
        Attendance(member, seen.get(member), _since(base, key))
        for member, key in sorted(base.register.custodians.items())
    ]


def is_away(attended: Attendance, now: datetime, most: timedelta) -> bool:
    """Return whether a custodian signed nothing for so long that the key may be lost; a new one is given as long."""
    return now - max(attended.time or attended.since, attended.since) > most


def _since(base: Base, key: PairKey) -> datetime:
    """Return the time of the first of the newest roots that all name a custodian's key."""
    since = base.register.issued_time
    for version in range(base.file.newest, 0, -1):
        root = Metadata[Root].from_bytes(base.file.files[root_path(version)]).signed
        if key.keyid not in root.roles[Root.type].keyids:
            break
        since = root.expires.astimezone(UTC) - ROOT_LIFE
    return since


def _signed(base: Base) -> Iterator[Metadata[Any]]:
    """Yield what custodians signed, the newest first: the targets in force, and every root."""
    files = base.file.files
    yield Metadata.from_bytes(files[f"metadata/{base.targets.version}.{Targets.type}.json"])
    for version in range(base.file.newest, 0, -1):
        yield Metadata.from_bytes(files[root_path(version)])


def _holds(metadata: Metadata[Any], key: PairKey) -> bool:
    """Return whether a key signed: a reader of the register verifies only as many signatures as it needs."""
    signature = metadata.signatures.get(key.keyid)
    if signature is None:
        return False
    try:
        key.verify_signature(signature, metadata.signed_bytes)
    except UnverifiedSignatureError:
        return False
    return True


def _holders(base: Base) -> dict[str, dict[str, str]]:
    """Return who signs each role that people sign: role -> key id -> member."""
    custodians = {key.keyid: member for member, key in base.register.custodians.items()}
    found = {
        Root.type: custodians,
        roles.REFERENCE: {each["key"]: each["member"] for each in base.federation["reference"]},
    }
    for role in base.delegations:
        if (member := roles.member_of(role)) == role:
            found[role] = {key.keyid: member for key in base.keys_of(role)}
    return found
