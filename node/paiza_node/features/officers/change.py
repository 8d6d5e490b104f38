"""Changes of officers by an operator: other roles or another unit, suspension, its end, and removal.

Each is one commit of the row and the entry behind it. Certificates that are to be revoked are marked in the same
commit; `revoke` adds them to the register afterwards, also after a crash.
"""

from collections.abc import Collection
from dataclasses import replace

from paiza.core.v1 import log_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.deputies import end_deputies_of
from paiza_node.core.access.model import CertificateState, Officer, OfficerState, described
from paiza_node.core.access.officers import OfficersChanged
from paiza_node.core.access.store import newest_signing
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.features.officers.certificates import revoke_certificates
from paiza_node.features.officers.enrol import void_invitations
from paiza_wire import log_entries
from paiza_wire.errors import Rejected

_PRESENT = frozenset(OfficerState) - {OfficerState.REMOVED}


def change(tx: LogTransaction, officer_id: str, *, roles: frozenset[str], unit: str | None, actor: str) -> Officer:
    """Change the roles of an officer, unless empty, and the unit, unless None."""
    officer = _known(tx, officer_id, _PRESENT)
    changed = replace(officer, roles=roles or officer.roles, unit=officer.unit if unit is None else unit)
    if changed == officer:
        return officer
    entry = log_entries.officer_changed(actor=actor, signing_certificate_sha256=newest_signing(tx.conn, officer_id))
    return _put(tx, changed, entry)


def suspend(tx: LogTransaction, officer_id: str, reason_text: str, *, stolen: bool, actor: str) -> Officer:
    """Suspend an officer; if their keys are ``stolen``, their certificates end and all valid ones are to be revoked."""
    officer = _known(tx, officer_id, _PRESENT)
    entry = log_entries.officer_suspended(
        actor=actor, signing_certificate_sha256=newest_signing(tx.conn, officer_id), certificates_revoked=stolen
    )
    if stolen:
        revoke_certificates(tx, officer_id)
    return _put(tx, replace(officer, state=OfficerState.SUSPENDED), entry, reason_text)


def reinstate(tx: LogTransaction, officer_id: str, reason_text: str, *, actor: str) -> Officer:
    """End a suspension; an officer without a confirmed certificate waits for the confirmation again."""
    officer = _known(tx, officer_id, {OfficerState.SUSPENDED})
    entry = log_entries.officer_reinstated(actor=actor, signing_certificate_sha256=newest_signing(tx.conn, officer_id))
    certificates = access_store.officer_certificates(tx.conn, officer_id)
    counts = any(each.state is CertificateState.ACTIVE for each in certificates)
    state = OfficerState.ACTIVE if counts else OfficerState.UNCONFIRMED
    return _put(tx, replace(officer, state=state), entry, reason_text)


def remove(tx: LogTransaction, officer_id: str, reason_text: str, *, actor: str) -> Officer | None:
    """Remove an officer and revoke their certificates; return None if only an invitation was withdrawn."""
    officer = access_store.officer(tx.conn, officer_id)
    withdrawn = void_invitations(tx.conn, officer_id)
    if officer is None or officer.state is OfficerState.REMOVED:
        if not withdrawn:
            raise _unknown(officer_id)
        withdrawal = log_entries.officer_removed(actor=actor, signing_certificate_sha256=b"")
        tx.append(withdrawal, text=f"{officer_id}\n{reason_text}")
        tx.announce(OfficersChanged())
        return None
    entry = log_entries.officer_removed(actor=actor, signing_certificate_sha256=newest_signing(tx.conn, officer_id))
    revoke_certificates(tx, officer_id)
    return _put(tx, replace(officer, state=OfficerState.REMOVED), entry, reason_text)


def _known(tx: LogTransaction, officer_id: str, states: Collection[OfficerState]) -> Officer:
    officer = access_store.officer(tx.conn, officer_id)
    if officer is None:
        raise _unknown(officer_id)
    if officer.state not in states:
        raise Rejected("wrong_state", f"{officer_id} is {officer.state}")
    return officer


def _put(tx: LogTransaction, officer: Officer, entry: log_pb2.LogEntry, reason_text: str = "") -> Officer:
    index = tx.append(entry, text=described(officer, reason_text)).index
    stored = replace(officer, log_index=index)
    access_store.put_officer(tx.conn, stored)
    if not officer.is_active:
        end_deputies_of(tx, officer.id, actor=entry.actor)
    tx.announce(OfficersChanged())
    return stored


def _unknown(officer_id: str) -> Rejected:
    return Rejected("unknown_officer", f"the member has no officer {officer_id}")
