"""After a restore: what the issuer's journal names and the restored node has forgotten is entered again.

1. Of each officer the newest certificates of the journal count, and the newest invitation there. Revoked and expired
   ones are left out: the register's revocations apply.
2. Every open invitation becomes void: its secret may have been used after the copy was made.
3. Certificates that the node does not know are stored asleep and logged (OFFICER_CERTIFIED). An officer who was not
   known waits to be confirmed, with roles and unit of that invitation; one who was goes on as known. The words to
   compare are those of the invitation, whose own entry is lost.
4. An operator compares the words by telephone and confirms, as at an enrolment.

One commit; repeating it changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from paiza.core.v1 import enrolment_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import CertificateState, Officer, OfficerState
from paiza_node.core.access.officers import OfficersChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.features.enrolment.issuing import IssuedOfficer
from paiza_node.features.officers.certificates import add_certificates, end_certificates, log_certified
from paiza_node.features.officers.enrol import void_invitations
from paiza_node.features.officers.model import CertificatePair
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateVerifier, statements

log = structlog.get_logger("paiza.officers")


@dataclass(frozen=True, slots=True)
class Recoverable:
    """An officer's newest certificates in the journal, and the newest invitation that it holds of them."""

    certificates: CertificatePair
    invitation: enrolment_pb2.InvitationStatement
    invitation_sha256: bytes
    renewal_sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The officers whose certificates were entered again, and how many invitations became void."""

    officers: tuple[str, ...]
    voided: int


def check(issued: Sequence[IssuedOfficer], verifier: CertificateVerifier, now: datetime) -> list[Recoverable]:
    """Return of each officer in the journal the newest certificates, if they are valid now (step 1)."""
    invited: dict[str, tuple[enrolment_pb2.InvitationStatement, bytes]] = {}
    newest: dict[str, IssuedOfficer] = {}
    for each in issued:
        newest[each.officer] = each
        if not each.renewed:
            statement = enrolment_pb2.InvitationStatement.FromString(each.statement)
            invited[each.officer] = statement, statements.statement_sha256(each.statement)
    found: list[Recoverable] = []
    for officer, each in newest.items():
        try:
            pair = CertificatePair(
                verifier.authentication(each.certificates.authentication, expected_id=officer, at=now),
                verifier.signing(each.certificates.signing, expected_id=officer, at=now),
            )
        except Rejected as error:
            log.warning("not_recovered", officer=officer, reason=error.reason, detail=error.detail)
            continue
        statement, digest = invited[officer]
        renewal = statements.statement_sha256(each.statement) if each.renewed else b""
        found.append(Recoverable(pair, statement, digest, renewal))
    return found


def recover(tx: LogTransaction, found: Iterable[Recoverable], *, actor: str) -> Outcome:
    """Enter them again (steps 2 and 3); runs in the ledger's transaction."""
    open_ones = {each.officer for each in access_store.open_invitations(tx.conn)}
    voided = sum(void_invitations(tx.conn, officer) for officer in sorted(open_ones))
    entered = [str(each.certificates.signing.id) for each in found if _enter(tx, each, actor)]
    tx.announce(OfficersChanged())
    return Outcome(tuple(entered), voided)


def _enter(tx: LogTransaction, each: Recoverable, actor: str) -> bool:
    officer_id = str(each.certificates.signing.id)
    stored = access_store.officer_certificates(tx.conn, officer_id)
    if any(row.certificate_sha256 == each.certificates.signing.fingerprint for row in stored):
        return False
    officer = access_store.officer(tx.conn, officer_id)
    named = Officer(officer_id, frozenset(each.invitation.roles), each.invitation.unit)
    end_certificates(tx.conn, officer_id, only=CertificateState.ASLEEP)
    index = log_certified(
        tx,
        named,
        each.certificates,
        actor=actor,
        invitation_sha256=b"" if each.renewal_sha256 else each.invitation_sha256,
        renewal_sha256=each.renewal_sha256,
    )
    add_certificates(tx.conn, each.certificates, CertificateState.ASLEEP, index, each.invitation_sha256)
    if officer is None or officer.state is OfficerState.REMOVED:
        access_store.put_officer(tx.conn, replace(named, state=OfficerState.UNCONFIRMED, log_index=index))
    return True
