"""Open findings of forks, and for each log the size up to which an administrator restored trust."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import structlog

from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.model import Finding, FindingKind, FindingState
from paiza_wire import log_entries
from paiza_wire.errors import PaizaError
from paiza_wire.tlog import fork_proofs, merkle
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.fork_proofs import Fork

log = structlog.get_logger("paiza.peers")


class Forks:
    """The open forks, by the origin of the log. Not thread-safe: the caller holds a lock."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """Begin with the stored findings."""
        self._proofs: dict[str, bytes] = {}
        self._accepted_up_to: dict[str, int] = {}
        self._restored: dict[str, datetime] = {}
        self.unrecorded: list[tuple[str, Fork]] = []
        """Forks that are not yet recorded in our own log, with the member."""
        for finding in findings:
            if finding.kind is FindingKind.FORK:
                if finding.state is FindingState.OPEN:
                    self._proofs[finding.origin] = finding.proof
                self._accept(finding.origin, finding.accepted_up_to, finding.ended_time)

    def stand(self, origin: str) -> bool:
        """Return whether a fork of this log is open."""
        return origin in self._proofs

    def proofs(self) -> dict[str, bytes]:
        """Return the proof of each open fork, by the origin of the log."""
        return dict(self._proofs)

    def trust_restored_up_to(self, origin: str, size: int) -> bool:
        """Return whether an administrator restored trust in that log up to this size or a larger one."""
        return size <= self._accepted_up_to.get(origin, 0)

    def trust_restored_since(self, origin: str, time: datetime) -> bool:
        """Return whether an administrator restored trust in that log at this time or later."""
        restored = self._restored.get(origin)
        return restored is not None and restored >= time

    def trust_restored_for(self, checkpoint: VerifiedCheckpoint) -> bool:
        """Return whether an administrator restored trust in the log of a checkpoint up to its size."""
        return self.trust_restored_up_to(checkpoint.origin, checkpoint.size)

    def add(self, member: str, fork: Fork) -> bool:
        """Add a fork of a member's log; False if one is open already."""
        if fork.origin in self._proofs:
            return False
        self._proofs[fork.origin] = fork.proof
        self.unrecorded.append((member, fork))
        log.critical("log_forked", member=member, origin=fork.origin, size=fork.size)
        return True

    def restore_trust(self, sizes: Mapping[str, int], at: datetime) -> None:
        """Close the forks of these logs and accept what they signed up to these sizes, by origin."""
        for origin, size in sizes.items():
            self._proofs.pop(origin, None)
            self._accept(origin, size, at)

    def _accept(self, origin: str, size: int, at: datetime | None) -> None:
        self._accepted_up_to[origin] = max(size, self._accepted_up_to.get(origin, 0))
        if at is not None:
            self._restored[origin] = max(at, self._restored.get(origin, at))


def write_forks(tx: LogTransaction, forks: Collection[tuple[str, Fork]]) -> None:
    """Log forks and store their proofs. Forks that are stored already are left unchanged."""
    for member, fork in forks:
        stands = (FindingKind.FORK, fork.origin, FindingState.OPEN)
        if stands in {(each.kind, each.origin, each.state) for each in peers_store.findings(tx.conn, member)}:
            continue
        entry = log_entries.fork_found(member=member, notes_sha256=fork.digest)
        notes = (fork.first.note, fork.second.note)
        index = tx.append(entry, text="\n".join(note.decode() for note in notes)).index
        peers_store.add_finding(tx.conn, Finding(index, member, fork.origin, FindingKind.FORK, fork.proof, tx.now))


def find_fork(
    smaller: VerifiedCheckpoint, larger: VerifiedCheckpoint, hashes: Sequence[bytes], root: bytes
) -> Fork | None:
    """Return the fork that a consistency proof shows: the larger root does not contain ``smaller`` as signed.

    ``root`` is the smaller root as the log's owner states it; if empty, it is computed if possible.
    """
    if not smaller.note:
        return None
    try:
        if not root:
            root = merkle.prefix_root(smaller.size, larger.size, larger.root, hashes)
        return fork_proofs.other_prefix(smaller, larger, root, hashes)
    except PaizaError:
        return None
