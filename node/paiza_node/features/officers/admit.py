"""Admission: officers whose certificates were made apart from the node, for a member whose officer CA is offline.

The file holds an object for each officer: as one JSON array, or one object a line.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from ssl import PEM_cert_to_DER_cert
from typing import Any, Final

from paiza.admin.v1 import officer_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.held import held, release
from paiza_node.core.access.model import CertificateState, Officer, OfficerCertificate, OfficerState
from paiza_node.core.access.officers import OfficersChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.features.officers.certificates import add_certificates, check_keys, end_certificates, log_certified
from paiza_node.features.officers.model import Admission, CertificatePair, checked_roles, checked_unit
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateVerifier, SpiffeId

MAX_OFFICERS: Final = 256  # of one file; one commit
MAX_FILE: Final = 4 * 1024 * 1024  # bytes; two certificates of 4 KiB each, in PEM
_FIELDS: Final = frozenset({"id", "roles", "unit", "authentication_certificate", "signing_certificate"})


def read_file(data: bytes) -> list[officer_pb2.AdmittedOfficer]:
    """Read the officers in a file; Rejected("malformed") names what is wrong with it."""
    if len(data) > MAX_FILE:
        raise Rejected("too_large", f"a file of officers has at most {MAX_FILE} bytes")
    try:
        text = data.decode().strip()
        found = json.loads(text) if text.startswith("[") else [json.loads(each) for each in text.splitlines() if each]
        return [_admitted(each) for each in found]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Rejected("malformed", f"not a list of officers: {error}") from error


def check(
    officers: Sequence[officer_pb2.AdmittedOfficer],
    *,
    verifier: CertificateVerifier,
    member: str,
    duty_unit: str,
    now: datetime,
) -> list[Admission]:
    """Check officers that are to be admitted.

    1. They are at most `MAX_OFFICERS`, each once, and officers of ``member``.
    2. Their roles are known, and they have a unit if there is a duty unit.
    3. Both certificates are of the officer CA in the register, of that officer, each for its use, and valid ``now``.
    """
    if len(officers) > MAX_OFFICERS or len({each.id for each in officers}) != len(officers):
        raise Rejected("malformed", f"a list has at most {MAX_OFFICERS} officers, each of them once")
    found: list[Admission] = []
    for each in officers:
        try:
            found.append(_check(each, verifier, member, duty_unit, now))
        except Rejected as error:
            raise Rejected(error.reason, f"{each.id}: {error.detail}") from error
    return found


def admit(tx: LogTransaction, admissions: Sequence[Admission], *, actor: str) -> int:
    """Store admitted officers with their certificates, which count at once; return how many were known exactly so.

    Other certificates of these officers end. An officer who was suspended or removed acts again. Rejected if one of the
    certificates is to be revoked or has ended, or a key is for two uses or two officers; then none is admitted.
    """
    check_keys(tx.conn, [each.certificates for each in admissions])
    unchanged = 0
    for each in admissions:
        stored = access_store.officer_certificates(tx.conn, each.id)
        if _is_known(tx, each, stored):
            unchanged += 1
            continue
        known = [row for row in stored if row.certificate_sha256 in _fingerprints(each)]
        if any(row.to_revoke for row in known):
            raise Rejected("certificate_revoked", f"{each.id}: the certificate is being revoked")
        if any(row.state is CertificateState.ENDED for row in known):
            raise Rejected("wrong_certificate", f"{each.id}: the certificate was replaced")
        officer = Officer(each.id, each.roles, each.unit, OfficerState.ACTIVE)
        index = log_certified(tx, officer, each.certificates, actor=actor)
        end_certificates(tx.conn, each.id)
        add_certificates(tx.conn, each.certificates, CertificateState.ACTIVE, index)
        access_store.put_officer(tx.conn, replace(officer, log_index=index))
        release(tx.conn, [each.id])
    tx.announce(OfficersChanged())
    return unchanged


def _check(
    each: officer_pb2.AdmittedOfficer, verifier: CertificateVerifier, member: str, duty_unit: str, now: datetime
) -> Admission:
    # 1.
    named = SpiffeId.parse(each.id)
    if (named.role, named.member) != ("officer", member):
        raise Rejected("wrong_member", "a member admits its own officers")
    # 2.
    roles, unit = checked_roles(frozenset(each.roles)), checked_unit(each.unit, duty_unit)
    # 3.
    certificates = CertificatePair(
        verifier.authentication(each.authentication_certificate, expected_id=each.id, at=now),
        verifier.signing(each.signing_certificate, expected_id=each.id, at=now),
    )
    return Admission(each.id, roles, unit, certificates)


def _is_known(tx: LogTransaction, admission: Admission, stored: Sequence[OfficerCertificate]) -> bool:
    officer = access_store.officer(tx.conn, admission.id)
    if admission.id in held(tx.conn):
        return False
    if officer is None or not officer.is_active or (officer.roles, officer.unit) != (admission.roles, admission.unit):
        return False
    counting = {each.certificate_sha256 for each in stored if each.state is CertificateState.ACTIVE}
    return _fingerprints(admission) == counting


def _fingerprints(admission: Admission) -> set[bytes]:
    return {admission.certificates.authentication.fingerprint, admission.certificates.signing.fingerprint}


def _admitted(value: Any) -> officer_pb2.AdmittedOfficer:
    if set(value) != _FIELDS:
        raise ValueError(f"an officer has {', '.join(sorted(_FIELDS))}")
    if not isinstance(value["roles"], list) or not all(isinstance(value[name], str) for name in _FIELDS - {"roles"}):
        raise TypeError("roles are a list, everything else is a text")
    return officer_pb2.AdmittedOfficer(
        id=value["id"],
        roles=value["roles"],
        unit=value["unit"],
        authentication_certificate=PEM_cert_to_DER_cert(value["authentication_certificate"]),
        signing_certificate=PEM_cert_to_DER_cert(value["signing_certificate"]),
    )
