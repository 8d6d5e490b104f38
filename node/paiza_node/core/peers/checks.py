"""Verification of blocks of members: the log records exactly those in force."""

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.peers import store as peers_store
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.findings import Check, Part, Step


class Blocks(Check):
    """Verifies the blocked members."""

    events = (log_pb2.LOG_EVENT_PEER_BLOCKED, log_pb2.LOG_EVENT_PEER_UNBLOCKED)

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._blocked: dict[str, tuple[int, str]] = {}

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        if entry.event == log_pb2.LOG_EVENT_PEER_BLOCKED:
            self._blocked[entry.counterpart] = index, entry.actor
        else:
            self._blocked.pop(entry.counterpart, None)

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check that the blocks in force are those whose end the log does not record."""
        stored = {member: (block.index, block.actor) for member, block in peers_store.peer_blocks(self._scan).items()}
        step(len(stored))
        if stored != self._blocked:
            part.find("log_damaged", N_("The blocked members are not those that the log records."), "peer_block")
        part.counts = {"blocks": len(stored)}
