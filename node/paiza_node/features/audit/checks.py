"""Verification of what is derived of the log for its readers: event, actor and counterpart of every entry."""

from typing import Final

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.features.audit import store as audit_store
from paiza_node.features.audit.log_index import CURSOR

OPENINGS: Final = (log_pb2.LOG_EVENT_OPENED, log_pb2.LOG_EVENT_OPENED_TOGETHER)


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
                if row.needless and row.event not in OPENINGS:
                    part.find(
                        "log_damaged",
                        N_("Only an opening can be without need."),
                        N_("entry {entry}"),
                        entry=row.index,
                    )
            step(len(rows))
        part.compare("log_entry / log_fact", self._logged, stored)
        if settings_store.counter(self._scan, audit_store.NAMES) != max(names, default=0):
            part.find("log_damaged", N_("The counter of names is not the number of the last name."), "counter")
