"""Everything that expires: metadata of the register, certificates and keys; when, and how soon that is a problem."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from ssl import PEM_cert_to_DER_cert
from typing import Final

from paiza_node.core.access.ends import certificate_ends
from paiza_node.core.access.model import Officer, OfficerCertificate
from paiza_register import Member, Register
from paiza_register.roles import REFERENCE, node_role_of
from paiza_wire.identity import load_certificate

WARNING: Final = timedelta(days=30)  # an act of custodians or a visit to an issuer takes days
FAILURE: Final = timedelta(days=7)
TIMESTAMP_SHARE: Final = 2  # the timestamp is renewed every hour: a warning from half of its life on


class Kind(Enum):
    """What expires. The values are label values of the metrics."""

    TIMESTAMP = "timestamp"
    SNAPSHOT = "snapshot"
    ROOT = "root"
    TARGETS = "targets"
    REFERENCE = "reference"
    ROLE = "role"
    REVOCATIONS = "revocations"
    NODE_CERTIFICATE = "node_certificate"
    NODE_CA = "node_ca"
    OFFICER_CA = "officer_ca"
    ENCRYPTION_KEY = "encryption_key"
    LOG_KEY = "log_key"
    WITNESS_KEY = "witness_key"
    OFFICER_CERTIFICATE = "officer_certificate"


class Urgency(IntEnum):
    """How soon something expires."""

    LATER = 0
    SOON = 1
    NOW = 2


@dataclass(frozen=True, slots=True)
class Expiry:
    """When something expires. ``owner`` is the member or officer that it is of; empty if it is everybody's.

    ``life`` is set for the timestamp alone: the time from its signature to its expiry.
    """

    kind: Kind
    owner: str
    time: datetime
    life: timedelta | None = None

    def urgency(self, now: datetime) -> Urgency:
        """Return how soon that is: the timestamp is renewed by machines, all else by people."""
        left = self.time - now
        if self.life is not None:
            return Urgency((left < self.life / TIMESTAMP_SHARE) + (left <= timedelta(0)))
        return Urgency((left < WARNING) + (left < FAILURE))


_SHARED: Final[Mapping[str, Kind]] = {
    "timestamp": Kind.TIMESTAMP,
    "snapshot": Kind.SNAPSHOT,
    "root": Kind.ROOT,
    "targets": Kind.TARGETS,
    REFERENCE: Kind.REFERENCE,
}


def shared_expiries(register: Register) -> Iterator[Expiry]:
    """Yield the expiries of the metadata that everybody needs."""
    for role, kind in _SHARED.items():
        if role in register.role_expiries:
            life = register.life if kind is Kind.TIMESTAMP else None
            yield Expiry(kind, "", register.role_expiries[role], life)


def member_expiries(register: Register, member: str) -> Iterator[Expiry]:
    """Yield the expiries of what a member publishes: its roles, and the CAs and keys that last longest."""
    for role, kind in ((member, Kind.ROLE), (node_role_of(member), Kind.REVOCATIONS)):
        if role in register.role_expiries:
            yield Expiry(kind, member, register.role_expiries[role])
    found = register.described.get(member)
    if found is not None:
        yield from _keys(found)


def _keys(member: Member) -> Iterator[Expiry]:
    for kind, cas in ((Kind.NODE_CA, member.authority.node_cas), (Kind.OFFICER_CA, member.authority.officer_cas)):
        yield Expiry(kind, member.id, max(ca.expiry_time for ca in cas))
    if member.encryption_keys:
        last = max(key.not_after for key in member.encryption_keys)
        yield Expiry(Kind.ENCRYPTION_KEY, member.id, last)
    log_keys = [each.until for each in member.log_keys if each.origin == member.origin]
    for kind, ends in ((Kind.LOG_KEY, log_keys), (Kind.WITNESS_KEY, [each.until for each in member.witness_keys])):
        abandoned = [each for each in ends if each is not None]
        if abandoned and len(abandoned) == len(ends):  # a key without an end outlasts them
            yield Expiry(kind, member.id, max(abandoned))


def node_certificate(member: str, certificate_pem: bytes) -> Expiry:
    """Return the expiry of the node's own certificate."""
    der = PEM_cert_to_DER_cert(certificate_pem.decode())
    return Expiry(Kind.NODE_CERTIFICATE, member, load_certificate(der).not_valid_after_utc)


def officer_certificates(
    officers: Mapping[str, Officer], certificates: Iterable[OfficerCertificate]
) -> Iterator[Expiry]:
    """Yield when each active officer can act no longer."""
    for officer, end in certificate_ends(officers, certificates).items():
        yield Expiry(Kind.OFFICER_CERTIFICATE, officer, end)


def of_others(register: Register, own: str) -> Iterator[Expiry]:
    """Yield the expiries of what the other active members publish."""
    for member in sorted(register.active_ids - {own}):
        yield from member_expiries(register, member)


def earliest(expiries: Iterable[Expiry]) -> dict[tuple[Kind, str], datetime]:
    """Return the earliest expiry of each kind and owner; officers are taken together."""
    found: dict[tuple[Kind, str], datetime] = {}
    for each in expiries:
        key = each.kind, "" if each.kind is Kind.OFFICER_CERTIFICATE else each.owner
        found[key] = min(each.time, found.get(key, each.time))
    return found
