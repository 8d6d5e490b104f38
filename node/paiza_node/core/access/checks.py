"""Verification of openings and officers: they are exactly those the log records."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from hashlib import sha256

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.deputies import described_deputy
from paiza_node.core.access.model import CertificateState, Deputy, OfficerCertificate, OfficerState, described
from paiza_node.core.errors import N_
from paiza_node.core.log import store as log_store
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.core.storage.times import EPOCH
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateUse
from paiza_wire.identity.certificate_profiles import load_certificate


class Openings(Check):
    """Verifies who opened which part of which message."""

    events = (log_pb2.LOG_EVENT_OPENED,)

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._logged = Tally()

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        number = b"%d" % entry.opened.part_number
        self._logged.add(b"%d" % index, entry.message_digest, number, entry.actor.encode())

    @override
    def verify(self, part: Part, step: Step) -> None:
        opened = Tally()
        for rows in scanning.rows(self._scan, access_store.opened_table):
            for row in rows:
                opened.add(b"%d" % row.log_index, row.digest, b"%d" % row.part_number, row.officer.encode())
            step(len(rows))
        part.counts |= {"openings": opened.count}
        part.compare("OPENED / opened", self._logged, opened)


class OpenedTogether(Check):
    """Verifies how many messages each officer opened together on the last day they did so."""

    events = (log_pb2.LOG_EVENT_OPENED_TOGETHER,)

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._logged: dict[str, tuple[int, int]] = {}  # by officer: day, number of messages

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        day = (entry.entry_time.ToDatetime(tzinfo=UTC) - EPOCH).days
        last, count = self._logged.get(entry.actor, (day, 0))
        opened = entry.opened_together.message_count
        self._logged[entry.actor] = day, opened + (count if last == day else 0)

    @override
    def verify(self, part: Part, step: Step) -> None:
        stored = {
            row.officer: (row.day, row.count)
            for rows in scanning.rows(self._scan, access_store.opened_together_table)
            for row in rows
        }
        step(len(stored))
        if scanning.count(self._scan, log_store.retired_table):  # the log may not hold these entries any more
            stored = {officer: each for officer, each in stored.items() if officer in self._logged}
        if stored != self._logged:
            part.find(
                "log_damaged",
                N_("The numbers of messages that officers opened together are not those that the log records."),
                "opened_together",
            )


class Officers(Check):
    """Verifies the officers, their certificates and the invitations: each row stands behind its entries."""

    events = (
        log_pb2.LOG_EVENT_OFFICER_INVITED,
        log_pb2.LOG_EVENT_OFFICER_CERTIFIED,
        log_pb2.LOG_EVENT_OFFICER_CONFIRMED,
        log_pb2.LOG_EVENT_OFFICER_CHANGED,
        log_pb2.LOG_EVENT_OFFICER_SUSPENDED,
        log_pb2.LOG_EVENT_OFFICER_REINSTATED,
        log_pb2.LOG_EVENT_OFFICER_REMOVED,
    )

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._invited: dict[bytes, int] = {}
        self._entries: list[tuple[int, log_pb2.LogEntry]] = []  # hundreds in ten years

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        if entry.event == log_pb2.LOG_EVENT_OFFICER_INVITED:
            self._invited[entry.officer_invited.invitation_sha256] = index
        else:
            self._entries.append((index, entry))

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check officers, certificates and invitations.

        1. Each invitation has its OFFICER_INVITED entry, over exactly its statement; and each such entry its row.
        2. Each certificate is named by its OFFICER_CERTIFIED entry, and counts or not as the entries since then say.
        3. Each officer is in the state that the entries about their certificates leave, the last of them behind it.
        4. The text beside that entry, if it is not erased, names the officer with these roles and this unit.
        """
        officers = access_store.officers(self._scan)
        certificates = {each.certificate_sha256: each for each in access_store.officer_certificates(self._scan)}
        invitations = access_store.all_invitations(self._scan)
        step(len(officers) + len(certificates) + len(invitations))
        for sha, certificate in certificates.items():
            if sha256(certificate.der).digest() != sha or not _is_valid_within(certificate):
                part.find(
                    "log_damaged",
                    N_("The certificate is not the one that the log records."),
                    N_("certificate {digest}"),
                    digest=sha.hex(),
                )
        # 1.
        stored = {each.invitation_sha256: each.log_index for each in invitations}
        if stored != self._invited or any(
            sha256(each.statement).digest() != each.invitation_sha256 for each in invitations
        ):
            part.find("log_damaged", N_("The invitations are not those that the log records."), "invitation")
        # 2. and 3.
        replay = OfficerReplay({sha: (each.officer, each.use) for sha, each in certificates.items()})
        for index, entry in self._entries:
            if not replay.follow(index, entry):
                part.find(
                    "log_damaged",
                    N_("Entry {index} is about a certificate that is not stored."),
                    "officer_certificate",
                    index=index,
                )
        if replay.certificates != {sha: (each.state, each.log_index) for sha, each in certificates.items()}:
            part.find(
                "log_damaged", N_("The officers' certificates are not as the log records."), "officer_certificate"
            )
        confirmed = {
            sha: each.confirmed_index for sha, each in certificates.items() if each.confirmed_index is not None
        }
        if replay.confirmed != confirmed:
            part.find(
                "log_damaged",
                N_("The officers' certificates are not confirmed by the entries that the log records."),
                "officer_certificate",
            )
        if replay.officers != {each.id: (each.state, each.log_index) for each in officers.values()}:
            part.find("log_damaged", N_("The officers are not as the log records."), "officer")
        # 4.
        texts = log_store.texts(self._scan, [each.log_index for each in officers.values()])
        for each in officers.values():
            text = texts.get(each.log_index)
            if text is not None and text.text.partition("\n")[0] != described(each):
                part.find(
                    "log_damaged",
                    N_("The text beside entry {index} names another officer, other roles or another unit."),
                    "{officer}",
                    index=each.log_index,
                    officer=each.id,
                )
        part.counts = {
            "officers": len(officers),
            "certificates": len(certificates),
            "invitations": len(invitations),
        }


class Deputies(Check):
    """Verifies the appointments of deputies: each row is what its entries say."""

    events = (
        log_pb2.LOG_EVENT_DEPUTY_APPOINTED,
        log_pb2.LOG_EVENT_DEPUTY_ENDED,
        log_pb2.LOG_EVENT_OFFICER_SUSPENDED,
        log_pb2.LOG_EVENT_OFFICER_REMOVED,
    )

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._entries: list[tuple[int, log_pb2.LogEntry]] = []  # some in a year for each officer

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        self._entries.append((index, entry))

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check all appointments.

        1. Each row is behind a DEPUTY_APPOINTED entry about these two officers, with the same end, and each such entry
           has its row; no entry appoints a second deputy, or ends what does not stand.
        2. Each ended row is behind the DEPUTY_ENDED entry about the two, and nobody was suspended or removed whose
           appointment stands.
        3. The texts beside the entries, if they are not erased, name these two officers.
        """
        replay = DeputyReplay({
            each.certificate_sha256: each.officer for each in access_store.officer_certificates(self._scan)
        })  # fmt: skip
        for index, entry in self._entries:
            if not replay.follow(index, entry):
                part.find(
                    "log_damaged", N_("Entry {index} does not fit the appointments before it."), "deputy", index=index
                )
        # 1. and 2.
        replayed = replay.deputies
        stored = {each.log_index: each for each in access_store.all_deputies(self._scan)}
        step(len(stored))
        if stored != replayed or replay.are_void():
            part.find("log_damaged", N_("The deputies are not as the log records."), "deputy")
        # 3.
        named = {each.log_index: each for each in replayed.values()}
        named |= {each.ended_index: each for each in replayed.values() if each.ended_index is not None}
        for index, text in log_store.texts(self._scan, list(named)).items():
            if text.text != described_deputy(named[index].officer, named[index].deputy):
                part.find(
                    "log_damaged", N_("The text beside entry {index} names other officers."), "deputy", index=index
                )
        part.counts |= {"deputies": len(stored)}


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


def _is_valid_within(stored: OfficerCertificate) -> bool:
    """Return whether the stored times are the certificate's own; the CA's, which ends it earlier, lie within these.

    Certificates and announcements of CAs have whole seconds.
    """
    try:
        certificate = load_certificate(stored.der)
    except Rejected:
        return False
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    times = stored.not_before, stored.not_after
    return begin <= stored.not_before <= stored.not_after <= end and not any(each.microsecond for each in times)


class OfficerReplay:
    """The officers and certificates as the entries about them leave them.

    Entries name no officer, for names are erased: ``owners`` says whose each certificate is, and for which use.
    """

    def __init__(self, owners: Mapping[bytes, tuple[str, CertificateUse]]) -> None:
        self._owners = owners
        self.officers: dict[str, tuple[OfficerState, int]] = {}
        """State, and the index of the entry behind it, by id."""
        self.certificates: dict[bytes, tuple[CertificateState, int]] = {}
        """State, and the index of the OFFICER_CERTIFIED entry, by SHA-256."""

        self.confirmed: dict[bytes, int] = {}
        """Index of the OFFICER_CONFIRMED entry, by SHA-256."""

    def follow(self, index: int, entry: log_pb2.LogEntry) -> bool:
        """Follow the next entry; return False if it names a certificate that has no owner."""
        detail = getattr(entry, entry.WhichOneof("detail") or "")
        if entry.event == log_pb2.LOG_EVENT_OFFICER_REMOVED and not detail.signing_certificate_sha256:
            return True  # an invitation was withdrawn
        owner = self._owners.get(detail.signing_certificate_sha256)
        if owner is None or owner[1] != "signing":
            return False
        officer = owner[0]
        if entry.event == log_pb2.LOG_EVENT_OFFICER_CERTIFIED:
            return self._certified(index, officer, detail)
        state, _ = self.officers.get(officer, (OfficerState.UNCONFIRMED, -1))
        if entry.event == log_pb2.LOG_EVENT_OFFICER_CONFIRMED:
            self._end(officer)
            self._wake(index, detail)
            state = OfficerState.ACTIVE
        elif entry.event == log_pb2.LOG_EVENT_OFFICER_SUSPENDED:
            state = OfficerState.SUSPENDED
            if detail.certificates_revoked:
                self._end(officer)
        elif entry.event == log_pb2.LOG_EVENT_OFFICER_REINSTATED:
            counts = any(self._is_active(sha) for sha, owner in self._owners.items() if owner[0] == officer)
            state = OfficerState.ACTIVE if counts else OfficerState.UNCONFIRMED
        elif entry.event == log_pb2.LOG_EVENT_OFFICER_REMOVED:
            state = OfficerState.REMOVED
            self._end(officer)
        self.officers[officer] = state, index
        return True

    def _certified(self, index: int, officer: str, detail: log_pb2.OfficerCertifiedDetail) -> bool:
        pair = detail.signing_certificate_sha256, detail.authentication_certificate_sha256
        if self._owners.get(pair[1]) != (officer, "authentication"):
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
        return True

    def _wake(self, index: int, detail: log_pb2.OfficerConfirmedDetail) -> None:
        for sha in (detail.signing_certificate_sha256, detail.authentication_certificate_sha256):
            if sha in self.certificates:
                self.certificates[sha] = CertificateState.ACTIVE, self.certificates[sha][1]
                self.confirmed[sha] = index

    def _end(self, officer: str, *, only: CertificateState | None = None) -> None:
        for sha, (state, index) in self.certificates.items():
            if self._owners[sha][0] == officer and (only is None or state is only):
                self.certificates[sha] = CertificateState.ENDED, index

    def _is_active(self, sha: bytes) -> bool:
        return sha in self.certificates and self.certificates[sha][0] is CertificateState.ACTIVE
