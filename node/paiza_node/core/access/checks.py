"""Verification of openings: they are exactly those the log records."""

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step, Tally


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
