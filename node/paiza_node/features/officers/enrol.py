"""Enrolment at the node: an invitation, the certificates that answer it, and their confirmation by an operator.

Each is one commit: rows and the entry behind them. Before it nothing is there, and nobody was answered; after it a
repeat finds what was done.

1. `invite` stores the invitation (OFFICER_INVITED); earlier open ones of the same person become void.
2. `certify` stores both certificates asleep (OFFICER_CERTIFIED) and uses the invitation up. Renewed certificates count
   at once, beside those they renew.
3. `confirm` wakes them (OFFICER_CONFIRMED): the officer acts, in the roles of the invitation, with these alone.
"""

from dataclasses import replace

from paiza.core.v1 import enrolment_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.held import release
from paiza_node.core.access.model import (
    CertificateState,
    Invitation,
    InvitationState,
    Officer,
    OfficerState,
    described,
)
from paiza_node.core.access.officers import OfficersChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import WriteConnection
from paiza_node.features.officers.certificates import (
    add_certificates,
    check_keys,
    end_certificates,
    log_certified,
    revoke_certificates,
    sleeping,
    waiting_keys_sha256,
)
from paiza_node.features.officers.model import CertificatePair
from paiza_wire import log_entries
from paiza_wire.errors import Rejected
from paiza_wire.identity import statements


def invite(tx: LogTransaction, statement: enrolment_pb2.InvitationStatement, *, actor: str) -> Invitation:
    """Store an invitation and log it; the statement was checked before."""
    data = statement.SerializeToString(deterministic=True)
    digest = statements.statement_sha256(data)
    invited = Officer(statement.officer_id, frozenset(statement.roles), statement.unit)
    entry = tx.append(log_entries.officer_invited(actor=actor, invitation_sha256=digest), text=described(invited))
    void_invitations(tx.conn, invited.id)
    invitation = Invitation(
        invitation_sha256=digest,
        officer=invited.id,
        statement=data,
        secret_sha256=statement.secret_sha256,
        expiry_time=statement.expiry_time.ToDatetime(tzinfo=tx.now.tzinfo),
        state=InvitationState.OPEN,
        log_index=entry.index,
    )
    access_store.put_invitation(tx.conn, invitation)
    tx.announce(OfficersChanged())
    return invitation


def sign_invitation(tx: LogTransaction, invitation_sha256: bytes, signature: bytes) -> None:
    """Store an administrator's signature beside an open invitation; the issuer judges whose it is."""
    stored = access_store.invitation(tx.conn, invitation_sha256)
    if stored is None or stored.state is not InvitationState.OPEN:
        raise Rejected("invitation_unknown", "there is no such open invitation")
    access_store.put_invitation(tx.conn, replace(stored, administrator_signature=signature))


def certify(
    tx: LogTransaction,
    certificates: CertificatePair,
    *,
    actor: str,
    invitation: Invitation | None = None,
    renewal_sha256: bytes = b"",
    renewed_by: bytes = b"",
) -> Officer:
    """Store an officer's two new certificates and log them; return the officer.

    With an ``invitation`` they sleep until `confirm`, and it is used up: Rejected("invitation_used") if it was before.
    Without, they renew those of an active officer, whose signing certificate of SHA-256 ``renewed_by`` signed the
    request: Rejected("wrong_certificate") if it was replaced since. Rejected("bad_certificate") if a key is known in
    another use or as another officer's.
    """
    officer_id = str(certificates.authentication.id)
    check_keys(tx.conn, [certificates])
    officer = access_store.officer(tx.conn, officer_id)
    if invitation is None:
        if officer is None or not officer.is_active:
            raise Rejected("officer_not_enrolled", f"{officer_id} is no active officer")
        stored = access_store.officer_certificates(tx.conn, officer_id)
        counting = [each for each in stored if each.use == "signing" and each.state is CertificateState.ACTIVE]
        if renewed_by not in [each.certificate_sha256 for each in counting]:
            raise Rejected("wrong_certificate", f"{officer_id} renewed with a certificate that was replaced")
        index = log_certified(tx, officer, certificates, actor=actor, renewal_sha256=renewal_sha256)
        add_certificates(tx.conn, certificates, CertificateState.ACTIVE, index)
        tx.announce(OfficersChanged())
        return officer
    found = access_store.invitation(tx.conn, invitation.invitation_sha256)
    if found is None or found.state is not InvitationState.OPEN or found.officer != officer_id:
        raise Rejected("invitation_used", "the invitation is used or void")
    used = replace(
        found, state=InvitationState.USED, keys_sha256=certificates.keys_sha256(invitation.invitation_sha256)
    )
    access_store.put_invitation(tx.conn, used)
    invited = _invited(used)
    end_certificates(tx.conn, officer_id, only=CertificateState.ASLEEP)
    index = log_certified(tx, invited, certificates, actor=actor, invitation_sha256=invitation.invitation_sha256)
    add_certificates(tx.conn, certificates, CertificateState.ASLEEP, index, invitation.invitation_sha256)
    if officer is None or officer.state is OfficerState.REMOVED:
        officer = replace(invited, state=OfficerState.UNCONFIRMED, log_index=index)
        access_store.put_officer(tx.conn, officer)
    tx.announce(OfficersChanged())
    return officer


def confirm(tx: LogTransaction, officer_id: str, keys_sha256: bytes, *, actor: str) -> Officer:
    """Wake the certificates of these keys, end all others of the officer, and log it; return the officer.

    After a theft or a removal, while a certificate that is to be revoked is valid, the others are to be revoked too.
    Rejected("words_differ") if the keys that wait are others, Rejected("unknown_id") if none wait.
    """
    officer = access_store.officer(tx.conn, officer_id)
    stored = access_store.officer_certificates(tx.conn, officer_id)
    asleep = sleeping(stored)
    if officer is None or not asleep:
        raise Rejected("unknown_id", f"no keys of {officer_id} wait to be confirmed")
    invitation = access_store.invitation(tx.conn, asleep["signing"].invitation_sha256)
    if keys_sha256 != waiting_keys_sha256(asleep):
        raise Rejected("words_differ", f"the keys of {officer_id} that wait are others")
    confirmed = replace(officer, state=OfficerState.ACTIVE)
    if invitation is not None:
        invited = _invited(invitation)
        confirmed = replace(confirmed, roles=invited.roles, unit=invited.unit)
    entry = log_entries.officer_confirmed(
        actor=actor,
        authentication_certificate_sha256=asleep["authentication"].certificate_sha256,
        signing_certificate_sha256=asleep["signing"].certificate_sha256,
    )
    index = tx.append(entry, text=described(confirmed)).index
    if any(each.to_revoke and each.not_after > tx.now for each in stored):
        revoke_certificates(tx, officer_id, but=[each.certificate_sha256 for each in asleep.values()])
    else:
        end_certificates(tx.conn, officer_id)
    access_store.put_officer_certificates(
        tx.conn,
        [replace(each, state=CertificateState.ACTIVE, confirmed_index=index) for each in asleep.values()],
    )
    confirmed = replace(confirmed, log_index=index)
    access_store.put_officer(tx.conn, confirmed)
    release(tx.conn, [officer_id])
    tx.announce(OfficersChanged())
    return confirmed


def void_invitations(conn: WriteConnection, officer_id: str) -> int:
    """Make the open invitations of a person void; return how many there were."""
    stored = [each for each in access_store.invitations(conn, officer_id) if each.state is InvitationState.OPEN]
    for each in stored:
        access_store.put_invitation(conn, replace(each, state=InvitationState.VOID))
    return len(stored)


def _invited(invitation: Invitation) -> Officer:
    """Return the officer that an invitation makes."""
    statement = enrolment_pb2.InvitationStatement.FromString(invitation.statement)
    return Officer(statement.officer_id, frozenset(statement.roles), statement.unit)
