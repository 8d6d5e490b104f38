"""Verification of retention: erased content is gone, texts and review dates are there, and log and rows agree."""

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any, Final

from google.protobuf.message import DecodeError
from typing_extensions import override

from paiza.core.v1 import log_pb2, message_pb2
from paiza_node.core.errors import N_
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.checks import Proofs
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageState
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.erase import KEPT_TEXTS
from paiza_node.features.retention.model import ErasureStep
from paiza_wire import log_entries, receipts
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

_SAYS: Final[Mapping[int, "log_pb2.LogEvent.ValueType"]] = {
    ErasureStep.ERASED: log_pb2.LOG_EVENT_ERASED,
    ErasureStep.NOT_HELD: log_pb2.LOG_EVENT_NEVER_HELD,
    ErasureStep.HELD: log_pb2.LOG_EVENT_ERASURE_DENIED,
}
_GONE: Final = frozenset({int(ErasureStep.GONE), int(ErasureStep.ERASED)})


class RetiredRows(Check):
    """Verifies that messages and deliveries are as many as the head counts, less those that retention removed."""

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan

    @override
    def verify(self, part: Part, step: Step) -> None:
        head, taken = log_store.head(self._scan), retention_store.retired_counts(self._scan)
        for table, counted, gone in (
            (messages_store.message_table, head.messages, taken[0]),
            (deliveries_store.delivery_table, head.deliveries, taken[1]),
        ):
            expected = counted - gone
            if (count := scanning.count(self._scan, table)) != expected:
                part.find(
                    "log_damaged",
                    N_("There are {count} rows where the head counts {expected}."),
                    "{table}",
                    count=count,
                    expected=expected,
                    table=table.name,
                )


class Texts(Check):
    """Verifies that the text of every entry that commits to one is stored, unless its message was erased."""

    events = tuple(log_pb2.LogEvent.values())

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._erased = {row.digest for rows in scanning.rows(scan, messages_store.erased_table) for row in rows}
        self._committed = Tally()
        self._may_lack: set[int] = set()

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        if not entry.text_sha256:
            return
        if entry.message_digest in self._erased and entry.event not in KEPT_TEXTS:
            self._may_lack.add(index)
        else:
            self._committed.add(b"%d" % index)

    @override
    def verify(self, part: Part, step: Step) -> None:
        stored = Tally()
        for rows in scanning.rows(self._scan, log_store.log_text_table):
            for row in rows:
                if row.index not in self._may_lack:
                    stored.add(b"%d" % row.index)
            step(len(rows))
        part.compare("log_entry / log_text", self._committed, stored)


class ReviewDates(Check):
    """Verifies that every message is to be reviewed when its header says, or when an officer put it off to."""

    events = (log_pb2.LOG_EVENT_REVIEW_KEPT, log_pb2.LOG_EVENT_REVIEW_ERASED)

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._decided: dict[bytes, tuple[int, int]] = {}  # few: officers made them all

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        self._decided[entry.message_digest] = index, entry.event

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check the dates of all messages but erased and refused ones."""
        planned, stored = Tally(), Tally()
        apart: dict[int, bytes] = {}
        for rows in retention_store.with_erased(self._scan):
            for row in rows:
                if row.digest in self._decided:
                    apart[row.seq] = row.digest
                elif row.state != MessageState.REFUSED and row.gone is None:
                    planned.add(b"%d %d" % (row.seq, _review_micros(row.header)))
            step(len(rows))
        decided: dict[bytes, int] = {}
        for rows in scanning.rows(self._scan, retention_store.review_table):
            for row in rows:
                if row.seq in apart:
                    decided[apart[row.seq]] = row.review_time
                else:
                    stored.add(b"%d %d" % (row.seq, row.review_time))
            step(len(rows))
        part.compare("message / review", planned, stored)
        texts = log_store.texts(self._scan, [index for index, _event in self._decided.values()])
        for digest in apart.values():
            index, event = self._decided[digest]
            text, micros = texts.get(index), decided.get(digest)
            if event == log_pb2.LOG_EVENT_REVIEW_ERASED or messages_store.erased(self._scan, [digest]):
                expected = micros is None
            else:
                expected = micros is not None and (
                    text is None or text.text.startswith(f"{from_micros(micros):%Y-%m-%d}: ")
                )
            if not expected:
                part.find(
                    "log_damaged",
                    N_("Its review date is not the one that the log records."),
                    N_("message {digest}"),
                    digest=digest.hex(),
                )


class Erasures(Check):
    """Verifies erasures, holds, and answers to requests to erase."""

    events = (log_pb2.LOG_EVENT_HELD, log_pb2.LOG_EVENT_HOLD_RELEASED, log_pb2.LOG_EVENT_ERASURE_ANSWERED)

    def __init__(self, scan: ReadConnection, proofs: Proofs, own: str) -> None:
        """``own`` is our member id."""
        self._scan = scan
        self._proofs = proofs
        self._own = own
        self._held: set[bytes] = set()
        self._answered: dict[tuple[str, bytes], list[bytes]] = {}  # by holder and message: the answers, few

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        if entry.event == log_pb2.LOG_EVENT_ERASURE_ANSWERED:
            answers = self._answered.setdefault((entry.counterpart, entry.message_digest), [])
            answers.append(entry.erasure_answered.answer_sha256)
        elif entry.event == log_pb2.LOG_EVENT_HELD:
            self._held.add(entry.message_digest)
        else:
            self._held.discard(entry.message_digest)

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check all erasures.

        1. An erased message has header and signatures, and no ciphertext, wrap, file name or token; and it was
           requested.
        2. Each answer of our log is in it, about that message and that request, and agrees with the row. An erasure
           has an answer exactly if it is decided; only another member is informed of it. It was asked for by the author
           of the request, at the time of an entry about the request.
        3. The log records for each hold who placed it, or that it was restored; none is missing.
        4. Each holder's answer is proven to its log, and answers a request of ours. The log records it, and the last
           one that it records of a holder and a message is stored.
        """
        erased = _erased(self._scan, part, step)
        asked: set[bytes] = set()
        for rows in scanning.rows(self._scan, retention_store.erasure_table):
            for row in rows:
                if row.state in _GONE:
                    asked.add(row.digest)
                    if row.digest not in erased:
                        _find(
                            part,
                            N_("It was erased, but its header and signatures are missing."),
                            row.digest,
                        )
                if row.log_index is not None and row.state in _SAYS:
                    _check_said(self._scan, part, row, self._own)
                if not self._is_consistent(row):
                    _find(part, N_("The row says something else of the erasure than the log."), row.digest)
            step(len(rows))
        for digest in sorted(erased - asked):
            _find(part, N_("It was erased without a request."), digest)
        for rows in scanning.rows(self._scan, retention_store.hold_table):
            for row in rows:
                self._held.discard(row.digest)
                found = log_store.entries_at(self._scan, [row.log_index])
                entry = log_pb2.LogEntry.FromString(found[0].entry) if found else log_pb2.LogEntry()
                if (entry.event, entry.message_digest) != (log_pb2.LOG_EVENT_HELD, row.digest):
                    _find(part, N_("It is under legal hold, but the log does not record who placed it."), row.digest)
        for digest in sorted(self._held):
            _find(part, N_("The log records a legal hold that is not stored."), digest)
        part.counts = {"messages": len(erased), "answers": self._verify_answers(part, step)}

    def _verify_answers(self, part: Part, step: Step) -> int:
        """Check other holders' answers; return their number."""
        # 4.
        answers = 0
        stored: set[bytes] = set()
        for rows in scanning.rows(self._scan, retention_store.erasure_answer_table):
            for row in rows:
                answers += 1
                with part.refusals(
                    "bad_proof",
                    N_("answer of {member} to a request to erase message {digest}"),
                    member=row.member,
                    digest=row.digest.hex(),
                ):
                    _check_answer(self._proofs, row, self._own)
                    note = exchange_store.note(self._scan, row.note_digest) or b""
                    evidence = receipts.evidence_digest(row.entry, note)
                    if evidence not in self._answered.get((row.member, row.digest), ()):
                        raise Rejected("bad_proof", "the log records no such answer")
                    stored.add(evidence)
            step(len(rows))
        for (_holder, digest), known in self._answered.items():
            if known[-1] not in stored and messages_store.message(self._scan, digest) is not None:
                _find(part, N_("The log records an answer about its erasure that is not stored."), digest)
        return answers

    def _is_consistent(self, row: Any) -> bool:
        if (row.log_index is not None) != (row.state in _SAYS):
            return False
        if row.tell_time is not None and (row.log_index is None or row.requester == self._own):
            return False
        request = messages_store.message(self._scan, row.request)
        # An officer's own erasure on a review day has no request; that of another member may be retired.
        asked_by = self._own if not row.request else row.requester if request is None else request.author
        if row.requester != asked_by:
            return False
        entries = log_store.entries_of(self._scan, row.request or row.digest)
        times = {to_micros(receipts.parse_entry(each.entry).entry_time.ToDatetime(tzinfo=UTC)) for each in entries}
        return not times or row.asked_time in times


def kept_entries(scan: ReadConnection) -> Iterator[tuple[str, int, bytes, bytes]]:
    """Return the entries of other members' logs stored about erasures: (member, index, entry, note digest)."""
    for rows in scanning.rows(scan, retention_store.erasure_answer_table):
        yield from ((row.member, row.log_index, row.entry, row.note_digest) for row in rows)


def _erased(scan: ReadConnection, part: Part, step: Step) -> set[bytes]:
    erased: set[bytes] = set()
    for rows in scanning.rows(scan, messages_store.erased_table):
        for row in rows:
            erased.add(row.digest)
            try:
                stays = message_pb2.SignedMessage.FromString(row.signed)
            except DecodeError:
                _find(part, N_("The remains of the erased message cannot be parsed."), row.digest)
                continue
            if wire.message_digest(stays.header) != row.digest or not stays.signatures:
                _find(part, N_("The remains of the erased message are not its header and signatures."), row.digest)
            message = messages_store.message(scan, row.digest)
            if stays.parts or stays.wraps or message is None or messages_store.body(scan, message.seq) is not None:
                _find(part, N_("Content of the erased message is still here."), row.digest)
        step(len(rows))
    return erased


def _check_said(scan: ReadConnection, part: Part, row: Any, own: str) -> None:
    found = log_store.entries_at(scan, [row.log_index])
    entry = log_pb2.LogEntry.FromString(found[0].entry) if found else log_pb2.LogEntry()
    requester = entry.counterpart or own
    says = (entry.event, entry.message_digest, log_entries.request_digest(entry), requester)
    if says != (_SAYS[row.state], row.digest, row.request, row.requester):
        part.find(
            "log_damaged",
            N_("Log entry and database disagree on the erasure."),
            N_("entry {entry}"),
            entry=row.log_index,
        )


def _check_answer(proofs: Proofs, row: Any, own: str) -> None:
    entry = proofs.check_entry(row, row.member, row.log_index)
    receipts.check_erasure_answer(entry, own)
    if (entry.message_digest, log_entries.request_digest(entry)) != (row.digest, row.request):
        raise Rejected("bad_proof", "the entry answers another request, or is of another message")


def _find(part: Part, what: str, digest: bytes) -> None:
    part.find("part_altered", what, N_("message {digest}"), digest=digest.hex())


def _review_micros(header: bytes) -> int:
    try:
        time = message_pb2.Header.FromString(header).review_time
    except DecodeError:  # its digest tells
        return 0
    return time.seconds * 1_000_000 + time.nanos // 1000
