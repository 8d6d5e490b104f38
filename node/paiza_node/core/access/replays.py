"""Officers, their certificates and deputies as the entries of the log leave them, for verification."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from paiza.core.v1 import log_pb2
from paiza_node.core.access.model import CertificateState, Deputy, OfficerCertificate, OfficerState


class DeputyReplay:
    """The appointments of deputies as the entries about them leave them; ``owners`` says whose each certificate is."""

    def __init__(self, owners: Mapping[bytes, str]) -> None:
        self._owners = owners
        self._standing: dict[str, int] = {}  # of each officer, the index of the appointment that was not ended
        self._stopped: dict[str, int] = {}  # of each officer, the index of the last suspension or removal
        self.deputies: dict[int, Deputy] = {}
        """Every appointment, by the index of its entry."""

    def follow(self, index: int, entry: log_pb2.LogEntry) -> bool:
        """Follow the next entry; return False if it does not fit those before."""
        if entry.event == log_pb2.LOG_EVENT_DEPUTY_APPOINTED:
            return self._appointed(index, entry.deputy_appointed)
        if entry.event == log_pb2.LOG_EVENT_DEPUTY_ENDED:
            return self._ended(index, entry.deputy_ended)
        detail = getattr(entry, entry.WhichOneof("detail") or "")
        if officer := self._owners.get(detail.signing_certificate_sha256):
            self._stopped[officer] = index
        return True

    def are_void(self) -> bool:
        """Return whether an appointment stands although one of the two was suspended or removed since."""
        standing = [self.deputies[index] for index in self._standing.values()]
        return any(
            self._stopped.get(officer, -1) > each.log_index
            for each in standing
            for officer in (each.officer, each.deputy)
        )

    def _appointed(self, index: int, detail: log_pb2.DeputyAppointedDetail) -> bool:
        officer = self._owners.get(detail.officer_certificate_sha256)
        deputy = self._owners.get(detail.deputy_certificate_sha256)
        if officer is None or deputy is None or officer == deputy or officer in self._standing:
            return False
        self.deputies[index] = Deputy(index, officer, deputy, detail.end_time.ToDatetime(tzinfo=UTC))
        self._standing[officer] = index
        return True

    def _ended(self, index: int, detail: log_pb2.DeputyEndedDetail) -> bool:
        at = self._standing.pop(self._owners.get(detail.officer_certificate_sha256, ""), None)
        if at is None or self.deputies[at].deputy != self._owners.get(detail.deputy_certificate_sha256):
            return False
        self.deputies[at] = replace(self.deputies[at], ended_index=index)
        return True


class OfficerReplay:
    """The officers and certificates as the entries about them leave them.

    Entries name no officer, for names are erased: ``stored`` says whose each certificate is, for which use, and how
    long it is valid.
    """

    def __init__(self, stored: Mapping[bytes, OfficerCertificate]) -> None:
        self._stored = stored
        self._invited: dict[bytes, tuple[bytes, bytes]] = {}  # by SHA-256: of the invitation, and of the renewal
        self.officers: dict[str, tuple[OfficerState, int]] = {}
        """State, and the index of the entry behind it, by id."""
        self.certificates: dict[bytes, tuple[CertificateState, int]] = {}
        """State, and the index of the OFFICER_CERTIFIED entry, by SHA-256."""

        self.confirmed: dict[bytes, int] = {}
        """Index of the OFFICER_CONFIRMED entry, by SHA-256."""
        self.to_revoke: set[bytes] = set()
        """SHA-256 of the certificates that the register is to list as revoked."""

    def follow(self, index: int, entry: log_pb2.LogEntry) -> bool:
        """Follow the next entry; return False if it names a certificate that has no owner."""
        detail = getattr(entry, entry.WhichOneof("detail") or "")
        if entry.event == log_pb2.LOG_EVENT_OFFICER_REMOVED and not detail.signing_certificate_sha256:
            return True  # an invitation was withdrawn
        owner = self._stored.get(detail.signing_certificate_sha256)
        if owner is None or owner.use != "signing":
            return False
        officer, time = owner.officer, entry.entry_time.ToDatetime(tzinfo=UTC)
        if entry.event == log_pb2.LOG_EVENT_OFFICER_CERTIFIED:
            return self._certified(index, officer, detail)
        state, _ = self.officers.get(officer, (OfficerState.UNCONFIRMED, -1))
        if entry.event == log_pb2.LOG_EVENT_OFFICER_CONFIRMED:
            if any(self._stored[sha].not_after > time for sha in self.to_revoke & self._of(officer)):
                pair = detail.signing_certificate_sha256, detail.authentication_certificate_sha256
                self._revoke(self._of(officer).difference(pair), time)
            self._end(officer)
            self._wake(index, detail)
            state = OfficerState.ACTIVE
        elif entry.event == log_pb2.LOG_EVENT_OFFICER_SUSPENDED:
            state = OfficerState.SUSPENDED
            if detail.certificates_revoked:
                self._revoke(self._of(officer), time)
                self._end(officer)
        elif entry.event == log_pb2.LOG_EVENT_OFFICER_REINSTATED:
            counts = any(map(self._is_active, self._of(officer)))
            state = OfficerState.ACTIVE if counts else OfficerState.UNCONFIRMED
        elif entry.event == log_pb2.LOG_EVENT_OFFICER_REMOVED:
            state = OfficerState.REMOVED
            self._revoke(self._of(officer), time)
            self._end(officer)
        self.officers[officer] = state, index
        return True

    def _certified(self, index: int, officer: str, detail: log_pb2.OfficerCertifiedDetail) -> bool:
        pair = detail.signing_certificate_sha256, detail.authentication_certificate_sha256
        other = self._stored.get(pair[1])
        if other is None or (other.officer, other.use) != (officer, "authentication"):
            return False
        state = CertificateState.ACTIVE
        before = self.officers.get(officer)
        if detail.invitation_sha256:
            state = CertificateState.ASLEEP
            self._end(officer, only=CertificateState.ASLEEP)
            if before is None or before[0] is OfficerState.REMOVED:
                self.officers[officer] = OfficerState.UNCONFIRMED, index
        elif not detail.renewal_sha256:
            self._end(officer)
            self.officers[officer] = OfficerState.ACTIVE, index
        self.certificates.update(dict.fromkeys(pair, (state, index)))
        self._invited.update(dict.fromkeys(pair, (detail.invitation_sha256, detail.renewal_sha256)))
        return True

    def is_invited(self, certificate: OfficerCertificate, invitations: Collection[bytes]) -> bool:
        """Return whether a certificate names the invitation of its entry.

        One that was renewed and lost, and came back from the issuer, names the one before its renewals.
        """
        invitation, renewal = self._invited.get(certificate.certificate_sha256, (b"", b""))
        named = certificate.invitation_sha256
        return named == invitation or (bool(renewal) and named in invitations)

    def _of(self, officer: str) -> set[bytes]:
        return {sha for sha in self.certificates if self._stored[sha].officer == officer}

    def _revoke(self, certificates: Collection[bytes], time: datetime) -> None:
        self.to_revoke.update(sha for sha in certificates if self._stored[sha].not_after > time)

    def _wake(self, index: int, detail: log_pb2.OfficerConfirmedDetail) -> None:
        for sha in (detail.signing_certificate_sha256, detail.authentication_certificate_sha256):
            if sha in self.certificates:
                self.certificates[sha] = CertificateState.ACTIVE, self.certificates[sha][1]
                self.confirmed[sha] = index

    def _end(self, officer: str, *, only: CertificateState | None = None) -> None:
        for sha in self._of(officer):
            state, index = self.certificates[sha]
            if only is None or state is only:
                self.certificates[sha] = CertificateState.ENDED, index

    def _is_active(self, sha: bytes) -> bool:
        return sha in self.certificates and self.certificates[sha][0] is CertificateState.ACTIVE
