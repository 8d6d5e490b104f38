"""After a restore: an operator confirms the officers on hold, as listed.

Each gets an OFFICER_CONFIRMED entry with their newest certificates, and all others end. An officer is left on hold if
the register revoked a certificate, if it has expired, or if newer keys wait for their words. One commit: a crash
before it leaves all on hold.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from paiza_node.core.access import store as access_store
from paiza_node.core.access.held import held, release
from paiza_node.core.access.model import CertificateState, OfficerCertificate, described
from paiza_node.core.access.officers import OfficersChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.features.officers.certificates import end_certificates, sleeping
from paiza_wire import log_entries
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateUse, CertificateVerifier


@dataclass(frozen=True, slots=True)
class Outcome:
    """The officers who were confirmed, and the reason of each who was not."""

    confirmed: tuple[str, ...]
    refused: dict[str, str]


def confirm_held(
    tx: LogTransaction, listed: Collection[str], verifier: CertificateVerifier, now: datetime, *, actor: str
) -> Outcome:
    """Confirm those of these officers who are on hold and not suspended."""
    confirmed: list[str] = []
    refused: dict[str, str] = {}
    for officer_id in sorted(held(tx.conn).intersection(listed)):
        try:
            if _confirm(tx, officer_id, verifier, now, actor):
                confirmed.append(officer_id)
        except Rejected as error:
            refused[officer_id] = error.reason
    release(tx.conn, confirmed)
    tx.announce(OfficersChanged())
    return Outcome(tuple(confirmed), refused)


def _confirm(tx: LogTransaction, officer_id: str, verifier: CertificateVerifier, now: datetime, actor: str) -> bool:
    officer = access_store.officer(tx.conn, officer_id)
    if officer is None or not officer.is_active:
        return False
    stored = access_store.officer_certificates(tx.conn, officer_id)
    if sleeping(stored):
        raise Rejected("officer_unconfirmed", f"newer keys of {officer_id} wait for their words")
    newest: dict[CertificateUse, OfficerCertificate] = {
        each.use: each for each in stored if each.state is CertificateState.ACTIVE
    }
    verifier.authentication(newest["authentication"].der, expected_id=officer_id, at=now)
    verifier.signing(newest["signing"].der, expected_id=officer_id, at=now)
    entry = log_entries.officer_confirmed(
        actor=actor,
        authentication_certificate_sha256=newest["authentication"].certificate_sha256,
        signing_certificate_sha256=newest["signing"].certificate_sha256,
    )
    index = tx.append(entry, text=described(officer)).index
    end_certificates(tx.conn, officer_id)
    access_store.put_officer_certificates(tx.conn, [replace(each, confirmed_index=index) for each in newest.values()])
    access_store.put_officer(tx.conn, replace(officer, log_index=index))
    return True
