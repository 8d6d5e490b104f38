"""Verification of openings and officers: they are exactly those the log records."""

from datetime import UTC
from hashlib import sha256

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.deputies import described_deputy
from paiza_node.core.access.model import OfficerCertificate, described
from paiza_node.core.access.replays import DeputyReplay, OfficerReplay
from paiza_node.core.errors import N_
from paiza_node.core.log import store as log_store
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.core.storage.times import EPOCH
from paiza_wire.errors import Rejected
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
           It names its invitation, and is marked to be revoked exactly if one of these entries revokes it.
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
        replay = OfficerReplay(certificates)
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
        if replay.to_revoke != {sha for sha, each in certificates.items() if each.to_revoke}:
            part.find(
                "log_damaged",
                N_("The certificates that are to be revoked are not those that the log gives."),
                "officer_certificate",
            )
        if not all(replay.is_invited(each, stored) for each in certificates.values()):
            part.find(
                "log_damaged",
                N_("The officers' certificates name other invitations than the log."),
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
