"""The rows of officers' certificates, and the OFFICER_CERTIFIED entries behind them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import CertificateState, Officer, OfficerCertificate, described
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.features.officers.model import CertificatePair, keys_sha256
from paiza_wire import log_entries
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateUse, VerifiedCertificate, load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.keys import fingerprint


def log_certified(
    tx: LogTransaction,
    officer: Officer,
    certificates: CertificatePair,
    *,
    actor: str,
    invitation_sha256: bytes = b"",
    renewal_sha256: bytes = b"",
) -> int:
    """Log an officer's two new certificates; return the index of the entry."""
    entry = log_entries.officer_certified(
        actor=actor,
        signing_certificate_sha256=certificates.signing.fingerprint,
        authentication_certificate_sha256=certificates.authentication.fingerprint,
        invitation_sha256=invitation_sha256,
        renewal_sha256=renewal_sha256,
    )
    return tx.append(entry, text=described(officer)).index


def check_keys(conn: ReadConnection, pairs: Iterable[CertificatePair]) -> None:
    """Rejected("bad_certificate") if among these and all certificates ever stored a key has two uses or two officers.

    One person with the key of two would approve what they wrote themselves.
    """
    holders: dict[bytes, tuple[str, CertificateUse]] = {
        fingerprint(p256_key(load_certificate(each.der))): (each.officer, each.use)
        for each in access_store.officer_certificates(conn)
    }
    for pair in pairs:
        for use, each in _uses(pair).items():
            holder = (str(each.id), use)
            if holders.setdefault(fingerprint(each.public_key), holder) != holder:
                raise Rejected("bad_certificate", f"{each.id}: the {use} key has another use, or another officer")


def add_certificates(
    conn: WriteConnection,
    certificates: CertificatePair,
    state: CertificateState,
    log_index: int,
    invitation_sha256: bytes = b"",
) -> None:
    """Store both certificates, behind the entry of this index."""
    rows = [
        OfficerCertificate(
            certificate_sha256=each.fingerprint,
            officer=str(each.id),
            use=use,
            der=each.der,
            not_before=each.not_before,
            not_after=each.not_after,
            state=state,
            log_index=log_index,
            invitation_sha256=invitation_sha256,
        )
        for use, each in _uses(certificates).items()
    ]
    access_store.put_officer_certificates(conn, rows)


def end_certificates(conn: WriteConnection, officer_id: str, *, only: CertificateState | None = None) -> None:
    """End an officer's certificates, or ``only`` those of a state."""
    rows = [
        replace(each, state=CertificateState.ENDED)
        for each in access_store.officer_certificates(conn, officer_id)
        if (each.state is not CertificateState.ENDED if only is None else each.state is only)
    ]
    access_store.put_officer_certificates(conn, rows)


def revoke_certificates(tx: LogTransaction, officer_id: str, *, but: Collection[bytes] = ()) -> None:
    """End an officer's certificates, and store that all valid ones are to be revoked, ``but`` those of these SHA-256.

    Replaced ones too: the keys still exist, and a restored copy of the database may have them as active.
    """
    rows = [
        replace(each, state=CertificateState.ENDED, to_revoke=each.to_revoke or each.not_after > tx.now)
        for each in access_store.officer_certificates(tx.conn, officer_id)
        if each.certificate_sha256 not in but
    ]
    access_store.put_officer_certificates(tx.conn, rows)


def sleeping(certificates: Sequence[OfficerCertificate]) -> dict[CertificateUse, OfficerCertificate]:
    """Return the newest pair of an officer's certificates that waits to be confirmed, by use; empty if none does."""
    asleep = [each for each in certificates if each.state is CertificateState.ASLEEP]
    newest = max((each.log_index for each in asleep), default=-1)
    return {each.use: each for each in asleep if each.log_index == newest}


def waiting_keys_sha256(asleep: Mapping[CertificateUse, OfficerCertificate]) -> bytes:
    """Return the digest of both keys of a pair that waits, whose words are compared by telephone."""
    authentication, signing = (p256_key(load_certificate(asleep[use].der)) for use in ("authentication", "signing"))
    return keys_sha256(authentication, signing, asleep["signing"].invitation_sha256)


def _uses(pair: CertificatePair) -> Mapping[CertificateUse, VerifiedCertificate]:
    return {"authentication": pair.authentication, "signing": pair.signing}
