"""Verification of attachments: the log records each, and every stored file is there, and has its digest."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.errors import N_
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.checks import Proofs
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checks import CLOCK_AHEAD
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.core.storage.times import to_micros
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.upload import ORPHAN_LIFE
from paiza_wire import log_entries, receipts
from paiza_wire import message as wire
from paiza_wire.errors import Rejected
from paiza_wire.message import DIGEST_SIZE, MAX_CIPHERTEXT_BYTES, MIN_CIPHERTEXT_BYTES
from paiza_wire.message.attachment import CHUNK_BYTES, part_numbers

# Entries that name a part and are none of these (an opening) are not about an attachment.
ATTACHMENT_ENDS: Final = (
    log_pb2.LOG_EVENT_RECEIVED,
    log_pb2.LOG_EVENT_REFUSED,
    log_pb2.LOG_EVENT_DELIVERED,
    log_pb2.LOG_EVENT_DELIVERY_REFUSED,
    log_pb2.LOG_EVENT_EXPIRED,
)

_STATES: Final[Mapping[int, int]] = {
    log_pb2.LOG_EVENT_RECEIVED: delivery_pb2.ATTACHMENT_STATE_RECEIVED,
    log_pb2.LOG_EVENT_DELIVERED: delivery_pb2.ATTACHMENT_STATE_RECEIVED,
    log_pb2.LOG_EVENT_REFUSED: delivery_pb2.ATTACHMENT_STATE_REFUSED,
    log_pb2.LOG_EVENT_DELIVERY_REFUSED: delivery_pb2.ATTACHMENT_STATE_REFUSED,
    log_pb2.LOG_EVENT_EXPIRED: delivery_pb2.ATTACHMENT_STATE_EXPIRED,
}


class AttachmentRows(Check):
    """Verifies that the log records exactly the settled attachments, and that the rows say of each what it says."""

    events = ATTACHMENT_ENDS

    def __init__(self, scan: ReadConnection, own: str) -> None:
        """``own`` is our member id."""
        self._scan = scan
        self._own = own
        self._logged = Tally()

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        number = log_entries.part_number(entry)
        if number is not None:
            self._logged.add(b"%d" % index, entry.message_digest, b"%d" % number, entry.counterpart.encode())

    @override
    def verify(self, part: Part, step: Step) -> None:
        attached = Tally()
        for rows in scanning.rows(self._scan, attachments_store.attachment_table):
            for row in rows:
                if row.log_index is not None:
                    other = row.source or row.member
                    attached.add(b"%d" % row.log_index, row.digest, b"%d" % row.part_number, other.encode())
                if not self._agrees(row):
                    part.find(
                        "log_damaged",
                        N_("The row says something else of the attachment than header and log."),
                        N_("part {part} of message {digest} at {member}"),
                        part=row.part_number,
                        digest=row.digest.hex(),
                        member=row.member,
                    )
            step(len(rows))
        part.compare("RECEIVED, REFUSED, DELIVERED, DELIVERY_REFUSED, EXPIRED / attachment", self._logged, attached)

    def _agrees(self, row: Any) -> bool:
        """Return whether header and log give what the row says.

        When the next attempt is due, how many failed, and why the last one did are plans of this node alone.
        """
        message = messages_store.message(self._scan, row.digest)
        return message is not None and self._is_described(row, message) and self._is_logged(row, message)

    def _is_described(self, row: Any, message: MessageRow) -> bool:
        header = wire.parse_header(message.header)
        if row.part_number not in part_numbers(header):
            return False
        described = header.parts[row.part_number]
        same = (row.ciphertext_sha256, row.size) == (described.ciphertext_sha256, described.ciphertext_size)
        return same and (row.member == self._own) == bool(row.source) and (message.received or not row.source)

    def _is_logged(self, row: Any, message: MessageRow) -> bool:
        entries = {
            each.index: receipts.parse_entry(each.entry) for each in log_store.entries_of(self._scan, row.digest)
        }
        times = {to_micros(each.entry_time.ToDatetime(tzinfo=UTC)) for each in entries.values()}
        if row.pending_since_time not in times or (not row.source and (row.due_time, row.detail) != (None, "")):
            return False
        if message.received and not any(_passed(each, row) for each in entries.values()):
            return False
        if row.state == attachments_store.PENDING:
            settled = row.settled_time is not None or row.log_index is not None
            return not settled and (row.due_time is not None) == bool(row.source)
        if row.log_index is None:  # erased before it was settled, in the commit before that of the ERASED entry
            erased = row.state == attachments_store.ERASED and self._is_erased(row.digest)
            return erased and row.settled_time is not None
        if row.settled_time not in times:
            return False
        entry = entries.get(row.log_index)
        return entry is not None and self._is_settled_by(row, entry)

    def _is_settled_by(self, row: Any, entry: log_pb2.LogEntry) -> bool:
        """Return whether the entry gives state, time, reason, and detail where the log holds it still."""
        time = to_micros(entry.entry_time.ToDatetime(tzinfo=UTC))
        if (row.settled_time, row.reason) != (time, log_entries.reason(entry)):
            return False
        if row.state == attachments_store.ERASED:
            return not row.detail and self._is_erased(row.digest)
        text = log_store.texts(self._scan, [row.log_index]).get(row.log_index)
        given_up = entry.event == log_pb2.LOG_EVENT_EXPIRED
        detail = row.detail if given_up or text is None else text.text[: attachments_store.MAX_DETAIL]
        if entry.event == log_pb2.LOG_EVENT_RECEIVED:
            detail = ""
        return (row.state, row.detail) == (_STATES.get(entry.event), detail)

    def _is_erased(self, digest: bytes) -> bool:
        return bool(messages_store.erased(self._scan, [digest]))


class AttachmentProofs(Check):
    """Verifies the stored proofs that recipients have attachments, or refused them."""

    events = (log_pb2.LOG_EVENT_DELIVERED, log_pb2.LOG_EVENT_DELIVERY_REFUSED)

    def __init__(self, scan: ReadConnection, proofs: Proofs, own: str) -> None:
        """Store the database, the verifier of proven entries, and our own member id."""
        self._scan = scan
        self._proofs = proofs
        self._own = own
        self._logged = Tally()

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        answer = entry.delivered.answer_sha256 or entry.delivery_refused.answer_sha256
        if answer and (number := log_entries.part_number(entry)) is not None:
            self._logged.add(entry.message_digest, b"%d" % number, entry.counterpart.encode(), answer)

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check every proof, and that the log relied on exactly these."""
        stored = Tally()
        for rows in scanning.rows(self._scan, attachments_store.attachment_proof_table):
            for row in rows:
                with part.refusals(
                    "bad_proof",
                    N_("answer of {member} for part {part} of message {digest}"),
                    member=row.member,
                    part=row.part_number,
                    digest=row.digest.hex(),
                ):
                    self._check(row)
                note = exchange_store.note(self._scan, row.note_digest) or b""
                evidence = receipts.evidence_digest(row.entry, note)
                stored.add(row.digest, b"%d" % row.part_number, row.member.encode(), evidence)
            step(len(rows))
        part.compare("DELIVERED, DELIVERY_REFUSED / attachment_proof", self._logged, stored)

    def _check(self, row: Any) -> None:
        entry = self._proofs.check_entry(row, row.member, row.log_index)
        receipts.check_attachment_answer(entry, self._own)
        if (entry.message_digest, log_entries.part_number(entry)) != (row.digest, row.part_number):
            raise Rejected("bad_proof", "the entry is of another attachment")


class AttachmentFiles(Check):
    """Verifies the files beside the database."""

    def __init__(self, scan: ReadConnection, folder: Path) -> None:
        """``folder`` holds the ciphertexts."""
        self._scan = scan
        self._folder = folder

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Re-hash the file of every attachment that was sent from here, or received whole; each file once.

        Erased attachments have none. Pending ones, and uploads that no message names yet, may appear or disappear at
        any time.
        """
        looked_at: set[bytes] = set()
        size = 0
        for rows in scanning.rows(self._scan, attachments_store.attachment_table):
            for row in rows:
                here = not row.source or row.state == delivery_pb2.ATTACHMENT_STATE_RECEIVED
                if not here or row.ciphertext_sha256 in looked_at or messages_store.erased(self._scan, [row.digest]):
                    continue
                looked_at.add(row.ciphertext_sha256)
                found = _check(part, self._folder / row.ciphertext_sha256.hex(), row.ciphertext_sha256, row.size)
                size += found
            step(len(rows))
        part.counts = {"files": len(looked_at), "bytes": size}


class Uploads(Check):
    """Verifies uploads that no message names yet. The log records nothing of them: they are begun anew if lost."""

    def __init__(self, scan: ReadConnection, folder: Path) -> None:
        """``folder`` holds the ciphertexts."""
        self._scan = scan
        self._folder = folder

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check that each is of an officer and of a possible size and time, and re-hash the files of whole ones.

        One that is about to be given up may have lost its file.
        """
        officers = access_store.officers(self._scan)
        now = datetime.now(UTC)
        lasting = to_micros(now - ORPHAN_LIFE + timedelta(days=1))
        count = 0
        for rows in scanning.rows(self._scan, attachments_store.upload_table):
            for row in rows:
                count += 1
                possible = (
                    row.officer in officers
                    and len(row.ciphertext_sha256) == DIGEST_SIZE
                    and MIN_CIPHERTEXT_BYTES <= row.size <= MAX_CIPHERTEXT_BYTES
                    and row.started_time <= to_micros(now + CLOCK_AHEAD)
                )
                if not possible:
                    part.find(
                        "log_damaged",
                        N_("No officer can have begun such an upload."),
                        N_("upload {digest} of {officer}"),
                        digest=row.ciphertext_sha256[:DIGEST_SIZE].hex(),
                        officer=row.officer,
                    )
                elif row.whole and row.started_time > lasting:
                    _check(part, self._folder / row.ciphertext_sha256.hex(), row.ciphertext_sha256, row.size)
            step(len(rows))
        part.counts |= {"uploads": count}


def kept_entries(scan: ReadConnection) -> Iterator[tuple[str, int, bytes, bytes]]:
    """Return the entries of other members' logs that are stored of attachments: (member, index, entry, note digest)."""
    for rows in scanning.rows(scan, attachments_store.attachment_proof_table):
        yield from ((row.member, row.log_index, row.entry, row.note_digest) for row in rows)


def _passed(entry: log_pb2.LogEntry, row: Any) -> bool:
    """Return whether a received message came from the member that serves the attachment, or was forwarded to one."""
    if row.source:
        came = (entry.event, entry.counterpart) == (log_pb2.LOG_EVENT_RECEIVED, row.source)
        return came and log_entries.part_number(entry) is None
    return (entry.event, entry.counterpart) == (log_pb2.LOG_EVENT_FORWARDED, row.member)


def _check(part: Part, path: Path, expected: bytes, size: int) -> int:
    """Read one file; return its size in bytes."""
    digest, read = sha256(), 0
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(CHUNK_BYTES):
                digest.update(piece)
                read += len(piece)
    except FileNotFoundError:
        part.find("part_altered", N_("The file of the attachment is missing."), "{path}", path=path)
        return 0
    except OSError as error:
        detail = error.strerror or type(error).__name__
        part.find("part_altered", N_("The file cannot be read: {detail}."), "{path}", path=path, detail=detail)
        return read
    if (digest.digest(), read) != (expected, size):
        part.find("part_altered", N_("The file is not the attachment that was signed."), "{path}", path=path)
    return read
