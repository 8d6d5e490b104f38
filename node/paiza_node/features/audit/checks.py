"""Verification of what is derived a moment later: event, actor and counterpart of every entry, dates of reviews."""

from google.protobuf.message import DecodeError
from typing_extensions import override

from paiza.core.v1 import log_pb2, message_pb2
from paiza_node.core.errors import N_
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageState
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.core.storage.times import from_micros
from paiza_node.features.audit import store as audit_store
from paiza_node.features.audit.log_index import CURSOR
from paiza_node.features.retention import store as retention_store


class LogIndexRows(Check):
    """Verifies that the index of the log says of every entry what the entry says; it may be a little behind."""

    events = tuple(log_pb2.LogEvent.values())

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._end = settings_store.counter(scan, CURSOR)
        self._logged = Tally()

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        if index < self._end:
            self._logged.add(b"%d %d" % (index, entry.event), entry.actor.encode(), entry.counterpart.encode())

    @override
    def verify(self, part: Part, step: Step) -> None:
        names: dict[int, str] = {}
        for rows in scanning.rows(self._scan, audit_store.log_name_table):
            names.update((row.id, row.name) for row in rows)
        stored = Tally()
        for rows in scanning.rows(self._scan, audit_store.log_index_table):
            for row in rows:
                named = (names.get(each, "?").encode() for each in (row.actor, row.counterpart))
                stored.add(b"%d %d" % (row.index, row.event), *named)
            step(len(rows))
        part.compare("log_entry / log_fact", self._logged, stored)
        if settings_store.counter(self._scan, audit_store.NAMES) != max(names, default=0):
            part.find("log_damaged", N_("The counter of names is not the number of the last name."), "counter")


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


def _review_micros(header: bytes) -> int:
    try:
        time = message_pb2.Header.FromString(header).review_time
    except DecodeError:  # its digest tells
        return 0
    return time.seconds * 1_000_000 + time.nanos // 1000
