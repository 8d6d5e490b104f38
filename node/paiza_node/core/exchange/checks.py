"""Verification of the exchange: every delivery has its entry, every body its digest, every proof its log."""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC
from hashlib import sha256
from typing import Any, Final

from google.protobuf.message import DecodeError
from typing_extensions import override

from paiza.core.v1 import delivery_pb2, log_pb2, message_pb2
from paiza_node.core.errors import N_
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryKind, ProofKind
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.signature_checks import Signatures
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageState
from paiza_node.core.peers import store as peers_store
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.core.storage.times import to_micros
from paiza_register import Member, RegisterReader
from paiza_wire import log_entries, receipts
from paiza_wire import message as wire
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.merkle import split_hashes
from paiza_wire.tlog.notes import parse_note

CHECKPOINTS: Final = 65_536  # verified notes in the cache; a batch of proofs shares one

_TAKEN: Final = {
    int(MessageState.RECEIVED): log_pb2.LOG_EVENT_RECEIVED,
    int(MessageState.REFUSED): log_pb2.LOG_EVENT_REFUSED,
}


_ANSWERED: Final = (log_pb2.LOG_EVENT_RECEIVED, log_pb2.LOG_EVENT_REFUSED)


class Messages(Check):
    """Verifies that every message matches its digest, with every part, and that the log records it."""

    events = (log_pb2.LOG_EVENT_RELEASED, *_ANSWERED)

    def __init__(self, scan: ReadConnection, own: str) -> None:
        """``own`` is our member id. A message forwarded to us may have come without its nominal annex."""
        self._scan = scan
        self._own = own
        self._taken, self._released = Tally(), Tally()
        self._signatures = Signatures(scan)
        self._numbers: dict[str, int] = {}  # the last number given to a thread, by the beginning of the name

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        if entry.event == log_pb2.LOG_EVENT_RELEASED:
            name = entry.released.thread_name
            self._released.add(entry.message_digest, _time(entry), name.encode())
            self._signatures.read_release(entry)
            prefix, _, number = name.rpartition("-")
            if number.isdecimal():
                self._numbers[prefix] = max(int(number), self._numbers.get(prefix, 0))
        elif log_entries.part_number(entry) is None and log_entries.reason(entry) != "conflict":
            self._taken.add(entry.message_digest, b"%d" % entry.event, _time(entry))

    @override
    def verify(self, part: Part, step: Step) -> None:
        taken, replies, counted, parents = Tally(), Tally(), Tally(), Tally()
        self._sent = Tally()
        bodies = 0
        without_annex: set[bytes] = set()
        for rows in scanning.rows(self._scan, exchange_store.forwarding_table):
            for row in rows:
                if row.holder == self._own:
                    without_annex.add(row.digest)
                for entry in self._recorded(row):
                    taken.add(row.digest, b"%d" % log_pb2.LOG_EVENT_RECEIVED, _time(entry))
        for rows in messages_store.messages(self._scan):
            for row, signed in rows:
                if row.state in _TAKEN:
                    taken.add(row.digest, b"%d" % _TAKEN[row.state], b"%d" % row.stored_time)
                if row.thread_id != row.message_id:
                    replies.add(row.thread_id, row.author.encode())
                self._check_row(part, row, parents)
                bodies += signed is not None
                if wire.message_digest(row.header) != row.digest:
                    _message(part, N_("The header does not have the digest of the message."), row.digest)
                elif signed is not None:
                    _check_body(part, row, signed, annex_may_lack=row.digest in without_annex)
                    self._signatures.check(part, row, signed)
                elif left := messages_store.tombstone(self._scan, row.digest):
                    self._signatures.check(part, row, left)
                elif row.state != MessageState.REFUSED:
                    _message(part, N_("The body of the message is missing."), row.digest)
            step(len(rows))
        stored = scanning.count(self._scan, messages_store.message_body_table)
        part.counts = {"messages": scanning.count(self._scan, messages_store.message_table), "bodies": stored}
        if stored != bodies:
            part.find(
                "log_damaged",
                N_("There are {count} rows where messages have {expected}."),
                "message_body",
                count=stored,
                expected=bodies,
            )
        for rows in scanning.rows(self._scan, messages_store.thread_size_table):
            for row in rows:
                counted.add(row.thread_id, row.author.encode(), times=row.replies)
            step(len(rows))
        part.compare("RECEIVED, REFUSED / message", self._taken, taken)
        part.compare("RELEASED / message", self._released, self._sent)
        self._signatures.finish(part)
        self._check_threads(part)
        part.compare("message / thread_size", replies, counted)
        part.compare("message / message_parent", parents, self._stored_parents(step))

    def _recorded(self, row: Any) -> list[log_pb2.LogEntry]:
        """Return the entries that record a message that was forwarded, and that the message row does not give."""
        if row.denied:
            return []
        if row.held:  # the message row gives the forwarding; its author may have delivered it later
            found = list(exchange_store.answers(self._scan, [row.digest]).values())
        else:
            found = log_store.entries_at(self._scan, [row.log_index])
        return [receipts.parse_entry(each.entry) for each in found]

    def _check_row(self, part: Part, row: Any, parents: Tally) -> None:
        """Check that what is stored beside a header is what it says; count its parents."""
        try:
            header = message_pb2.Header.FromString(row.header)
        except DecodeError:  # its digest tells
            return
        said = (header.author, header.message_id, header.thread_id, header.kind, header.urgency)
        known = (row.author, row.message_id, row.thread_id, row.kind, row.urgency)
        if said != known or row.received == (header.author == self._own):
            _message(part, N_("The row says something else of the message than its header."), row.digest)
        if not row.received:
            name = row.thread_name if row.thread_id == row.message_id else ""
            time = b"%d" % row.stored_time
            self._sent.add(row.digest, time, name.encode(), times=len(header.recipients))
        if row.state != MessageState.REFUSED:
            for place, parent in enumerate(dict.fromkeys(header.parent_digests)):
                parents.add(parent, row.kind.encode(), b"%d %d" % (row.seq, place))

    def _check_threads(self, part: Part) -> None:
        """Check that all messages of a thread have its name, that it is the author's, and the numbers of own threads.

        What came before the first message that has a name has none.
        """
        for digest in messages_store.misnamed(self._scan):
            _message(part, N_("The message has another thread name than its thread."), digest)
        for digest, name in messages_store.foreign_openings(self._scan):
            entries = exchange_store.releases(self._scan, digest)
            if entries and name not in {receipts.parse_entry(each).released.thread_name for each in entries}:
                _message(part, N_("The thread has another name than its author's log says."), digest)
        numbers = settings_store.counters(self._scan, "thread ")
        if log_store.former_logs(self._scan) or scanning.count(self._scan, messages_store.retired_message_table):
            # Numbers are left out after a restore, and the log may not hold the last entry that gave one any more.
            numbers = {each: number for each, number in numbers.items() if number < self._numbers.get(each, 0)}
            same = not numbers
        else:
            same = numbers == self._numbers
        if not same:
            part.find("log_damaged", N_("The counters of threads are not those that the log gives."), "counter")

    def _stored_parents(self, step: Step) -> Tally:
        stored = Tally()
        for rows in scanning.rows(self._scan, messages_store.message_parent_table):
            for row in rows:
                stored.add(row.parent, row.kind.encode(), b"%d %d" % (row.seq, row.place))
            step(len(rows))
        return stored


def _check_body(part: Part, row: Any, body: bytes, *, annex_may_lack: bool) -> None:
    if not body:
        _message(part, N_("The stored body of the message is damaged."), row.digest)
        return
    try:
        signed = message_pb2.SignedMessage.FromString(body)
        header = wire.parse_header(row.header)
    except (DecodeError, Rejected):
        _message(part, N_("The body or header of the message cannot be parsed."), row.digest)
        return
    if signed.header != row.header:
        _message(part, N_("The body carries another header."), row.digest)
        return
    ciphertexts = {each.part_number: each.ciphertext for each in signed.parts}
    for number, described in enumerate(header.parts):
        if described.kind == message_pb2.PART_KIND_ATTACHMENT:
            continue
        ciphertext = ciphertexts.get(number)
        if ciphertext is None and annex_may_lack and described.kind == message_pb2.PART_KIND_NOMINAL_ANNEX:
            continue
        if ciphertext is None or sha256(ciphertext).digest() != described.ciphertext_sha256:
            _message(part, N_("A part is missing or not the one that was signed."), row.digest)


def _time(entry: log_pb2.LogEntry) -> bytes:
    return b"%d" % to_micros(entry.entry_time.ToDatetime(tzinfo=UTC))


def _message(part: Part, what: str, digest: bytes) -> None:
    part.find("part_altered", what, N_("message {digest}"), digest=digest.hex())


class Proofs(Check):
    """Verifies stored proofs of other members' logs, each by the register of its own time."""

    events = (
        *_ANSWERED,
        log_pb2.LOG_EVENT_DELIVERED,
        log_pb2.LOG_EVENT_DELIVERY_REFUSED,
    )

    def __init__(self, scan: ReadConnection, reader: RegisterReader, own: str) -> None:
        """Store the database, the archive of registers, and our own member id."""
        self._scan = scan
        self._reader = reader
        self._own = own
        self._members: dict[tuple[str, bytes], Member] = {}
        self._checkpoints: OrderedDict[tuple[bytes, str, bytes], VerifiedCheckpoint] = OrderedDict()
        self._relied, self._receipted = Tally(), Tally()

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        digest, who = entry.message_digest, entry.counterpart.encode()
        if log_entries.part_number(entry) is not None:  # about an attachment
            return
        if entry.event in _ANSWERED:
            self._relied.add(digest, who, entry.received.dispatch_sha256 or entry.refused.dispatch_sha256)
        elif answer := entry.delivered.answer_sha256 or entry.delivery_refused.answer_sha256:
            self._receipted.add(digest, who, answer)

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check every proof, and that everything the log relied on is there.

        1. The checkpoint is signed by that member's log key, in the register that was in force.
        2. The entry is proven to be in it, and is what it is stored as: our release, or the answer to us.
        3. The log relied on exactly these proofs; a receipt that came after a delivery was given up is no more.
        4. Every delivery settled as delivered has its receipt.
        """
        relied, receipted, answers = Tally(), Tally(), Tally()
        late = self._late()
        for proof in exchange_store.proof_rows(self._scan):
            step(1)
            try:
                note = self._check(proof)
            except PaizaError as error:
                _proof(part, proof, "{code}: {detail}", code=error.reason, detail=error.detail)
                continue
            evidence = receipts.evidence_digest(proof.entry, note)
            if proof.kind == ProofKind.ORIGIN:
                continue
            if proof.kind == ProofKind.RELEASED:
                relied.add(proof.digest, proof.member.encode(), evidence)
            elif (proof.digest, proof.member) not in late:
                receipted.add(proof.digest, proof.member.encode(), evidence)
                answers.add(proof.digest, proof.member.encode())
        for rows in scanning.rows(self._scan, exchange_store.forwarding_table):
            for row in rows:
                with part.refusals(
                    "bad_proof",
                    N_("forwarding of message {digest} by {member}"),
                    member=row.forwarder,
                    digest=row.digest.hex(),
                ):
                    note = self._check_passed_on(row)
                    if not row.denied:
                        relied.add(row.digest, row.forwarder.encode(), receipts.evidence_digest(row.entry, note))
            step(len(rows))
        self._verify_certificates(part, step)
        self._verify_notes(part, step)
        settled = Tally()
        answered = (delivery_pb2.DELIVERY_STATE_DELIVERED, delivery_pb2.DELIVERY_STATE_REFUSED)
        for rows in scanning.rows(self._scan, deliveries_store.delivery_table):
            for row in rows:
                if row.state in answered and row.delivery_kind != DeliveryKind.NOTICE:
                    settled.add(row.digest, row.recipient.encode())
        part.counts = {"proofs": relied.count + receipted.count + len(late), "checkpoints": len(self._checkpoints)}
        part.compare("RECEIVED, REFUSED / proof", self._relied, relied)
        part.compare("DELIVERED, DELIVERY_REFUSED / proof", self._receipted, receipted)
        part.compare("delivery / proof", settled, answers)

    def _verify_certificates(self, part: Part, step: Step) -> None:
        """Check the proof of every certificate of another member's officer."""
        for rows in scanning.rows(self._scan, exchange_store.certificate_table):
            for row in rows:
                with part.refusals(
                    "bad_proof",
                    N_("certificate {digest} of {member}"),
                    member=row.member,
                    digest=row.certificate_sha256.hex(),
                ):
                    self._check_certificate(row)
            step(len(rows))

    def _verify_notes(self, part: Part, step: Step) -> None:
        """Check that every stored checkpoint has the digest by which proofs name it, and is of a log that is known.

        A log of which a fork was found is forgotten when trust is restored.
        """
        origins: set[bytes] = set()
        for rows in scanning.rows(self._scan, exchange_store.note_table):
            for row in rows:
                origins.add(row.note.partition(b"\n")[0])
                if sha256(row.note).digest() != row.digest:
                    part.find(
                        "proof_missing",
                        N_("The checkpoint is not the one that proofs name."),
                        N_("note {digest}"),
                        digest=row.digest.hex(),
                    )
            step(len(rows))
        known = {each.origin.encode() for each in peers_store.findings(self._scan)}
        for table in (peers_store.known_log_table, peers_store.former_known_log_table):
            for rows in scanning.rows(self._scan, table):
                known |= {row.note.partition(b"\n")[0] for row in rows}
        for origin in sorted(origins - known):
            if not origin.startswith(f"{self._own}.".encode()):
                part.find(
                    "proof_missing",
                    N_("Stored proofs lead to checkpoints of this log, but none is known."),
                    "{origin}",
                    origin=origin.decode("utf-8", "replace"),
                )

    def _check_certificate(self, row: Any) -> None:
        entry = self.check_entry(row, row.member, row.log_index)
        if entry.officer_certified.signing_certificate_sha256 != row.certificate_sha256:
            raise Rejected("bad_proof", "the entry is of another certificate")

    def check_entry(self, row: Any, of: str, index: int) -> log_pb2.LogEntry:
        """Check that a stored entry of a member's log is proven to a checkpoint signed by its key; return the entry."""
        return self._proven(row, of, index)[0]

    def _proven(self, row: Any, of: str, index: int) -> tuple[log_pb2.LogEntry, bytes]:
        # 1.
        checkpoint = self._checkpoint(row.note_digest, of, row.register_version)
        # 2.
        hashes = split_hashes(row.hashes)
        proven = log_pb2.ProvenEntry(entry=row.entry, index=index, inclusion_hashes=hashes)
        return receipts.verify_entry(proven, checkpoint).entry, checkpoint.note

    def _check(self, row: Any) -> bytes:
        entry, note = self._proven(row, row.member, row.log_index)
        if row.kind == ProofKind.ANSWER:
            receipts.check_answer(entry, row.digest, self._own)
        elif row.kind == ProofKind.ORIGIN:
            if (entry.event, entry.message_digest) != (log_pb2.LOG_EVENT_RELEASED, row.digest):
                raise Rejected("bad_proof", "the entry is not a release of this message")
        elif (entry.event, entry.message_digest, entry.counterpart) != (
            log_pb2.LOG_EVENT_RELEASED,
            row.digest,
            self._own,
        ):
            raise Rejected("bad_proof", "the entry is not the release of this message to us")
        return note

    def _check_passed_on(self, row: Any) -> bytes:
        """Check an entry of another member's log that it forwarded a message."""
        entry, note = self._proven(row, row.forwarder, row.entry_index)
        receipts.check_forwarded(entry, row.digest, row.forwarder)
        if entry.counterpart != row.holder:
            raise Rejected("bad_proof", "the entry names another holder")
        return note

    def _checkpoint(self, note_digest: bytes, of: str, register_version: bytes) -> VerifiedCheckpoint:
        key = (note_digest, of, register_version)
        known = self._checkpoints.get(key)
        if known is not None:
            return known
        note = exchange_store.note(self._scan, note_digest)
        if note is None or sha256(note).digest() != note_digest:
            raise Rejected("proof_missing", "the checkpoint the proof leads to is missing or another")
        member = self._members.get((of, register_version))
        if member is None:
            member = self._reader.archived(register_version).member(of)
            self._members[of, register_version] = member
        origin = parse_note(note).text.split(b"\n", 1)[0].decode("utf-8", "replace")
        checkpoint = member.checkpoint(note, origin)
        self._checkpoints[key] = checkpoint
        if len(self._checkpoints) > CHECKPOINTS:
            self._checkpoints.popitem(last=False)
        return checkpoint

    def _late(self) -> set[tuple[bytes, str]]:
        """Return the receipts of deliveries that had been given up before they came."""
        return {(row.digest, row.recipient) for row in deliveries_store.late_receipts(self._scan)}


def _proof(part: Part, row: Any, what: str, **values: Any) -> None:
    kind = ProofKind(row.kind).name if row.kind in set(ProofKind) else str(row.kind)
    part.find(
        "bad_proof",
        what,
        N_("{kind} of {member} for message {digest}"),
        kind=kind,
        member=row.member,
        digest=row.digest.hex(),
        **values,
    )


def kept_entries(scan: ReadConnection) -> Iterator[tuple[str, int, bytes, bytes]]:
    """Return the entries of other members' logs stored with messages: (member, index, entry, note digest)."""
    for proof in exchange_store.proof_rows(scan):
        yield proof.member, proof.log_index, proof.entry, proof.note_digest
    for rows in scanning.rows(scan, exchange_store.forwarding_table):
        yield from ((row.forwarder, row.entry_index, row.entry, row.note_digest) for row in rows)
    for rows in scanning.rows(scan, exchange_store.certificate_table):
        yield from ((row.member, row.log_index, row.entry, row.note_digest) for row in rows)
