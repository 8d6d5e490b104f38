"""Verification of what is known of other members: blocks as the log records them, checkpoints of their logs."""

from typing import Any

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.peers import store as peers_store
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step
from paiza_register import Register
from paiza_wire.errors import Rejected
from paiza_wire.tlog import fork_proofs


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


class KnownLogs(Check):
    """Verifies the largest known checkpoints of other members' logs, and those of logs that they left behind."""

    def __init__(self, scan: ReadConnection, register: Register) -> None:
        self._scan = scan
        self._register = register
        self._admitted = {name for name, _digest in register.key_pins}

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check that each is signed by that member's log, and is of the size and root that are stored with it."""
        for table in (peers_store.known_log_table, peers_store.former_known_log_table):
            for rows in scanning.rows(self._scan, table):
                for row in rows:
                    with part.refusals("bad_checkpoint", N_("known log of {member}"), member=row.member):
                        self._check(row)
                step(len(rows))

    def _check(self, row: Any) -> None:
        origin = fork_proofs.read_origin(row.note)
        member = self._register.described.get(row.member)
        if member is None:  # it was removed, and its keys are known by their digests alone
            if origin not in self._admitted or not origin.startswith(f"{row.member}."):
                raise Rejected("bad_checkpoint", "no member of this name ever had such a log")
            return
        checkpoint = member.checkpoint(row.note, origin)
        if (checkpoint.size, checkpoint.root) != (row.size, row.root):
            raise Rejected("bad_checkpoint", "the checkpoint is of another size or root")
        if getattr(row, "origin", origin) != origin:
            raise Rejected("bad_checkpoint", "the checkpoint is of another log")
