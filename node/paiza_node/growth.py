"""That logs only grow: what other members' logs are known to be, and what is claimed of our own.

Every exchange names the size of the other's log that is known and proves one's own growth from the size the other is
assumed to know ("Log", *Growth*, in proto/README.md). What is accepted here is chained in memory at once and stored
in the same commit as what it carried; after a crash the stored one is an earlier link of the same chain.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

import structlog

from paiza.v1 import exchange_pb2, log_pb2
from paiza_node.ledger import Ledger, Pen
from paiza_node.model import KnownLog
from paiza_register.model import Member
from paiza_wire import checkpoint as checkpoints
from paiza_wire import merkle
from paiza_wire.checkpoint import VerifiedCheckpoint
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.notes import VerifierKey

MAX_GROWTH_HASHES: Final = 128  # a consistency proof between any two sizes has fewer

log = structlog.get_logger("paiza.growth")


class GrowthMismatch(Exception):  # noqa: N818 - an answer, not a mistake
    """The caller assumed another size of its own log than we know; ``known_size`` is what we know."""

    def __init__(self, known_size: int) -> None:
        """Take the size we know."""
        super().__init__(known_size)
        self.known_size = known_size


@dataclass(frozen=True, slots=True)
class _Link:
    size: int
    root: bytes
    note: bytes


class KnownLogs:
    """The largest accepted checkpoint of every other member's log. Safe between threads."""

    def __init__(self, stored: dict[str, KnownLog], clock: Callable[[], datetime]) -> None:
        """Begin with what was stored."""
        self._links = {member: _Link(known.size, known.root, known.note) for member, known in stored.items()}
        self._clock = clock
        self._lock = threading.Lock()
        self._forks: dict[str, tuple[bytes, bytes]] = {}
        self.unrecorded_forks: list[str] = []
        """Members whose fork was found and does not yet stand in our own log."""

    def size(self, member: str) -> int:
        """Give the size known of a member's log; 0 where none is."""
        link = self._links.get(member)
        return 0 if link is None else link.size

    def note(self, member: str) -> bytes:
        """Give the largest accepted checkpoint note of a member's log; empty where none is."""
        link = self._links.get(member)
        return b"" if link is None else link.note

    def accept(self, member: Member, growth: log_pb2.Growth) -> VerifiedCheckpoint:
        """Check the checkpoint and the proof of growth in a claim, and chain it on.

        0. That log has not shown two histories since this node started.
        1. The checkpoint is signed by a key of that member's log in the register; its size has not another root.
        2. The claim begins at the size we know; GrowthMismatch says which that is.
        3. A smaller or equal checkpoint than the known one is proven to be on its way to it.
        4. A larger one is proven to contain the known one.

        Rejected("log_forked") where one size has two signed roots: both notes are kept, see `write_forks`.
        """
        # 0.
        if member.id in self._forks:
            raise Rejected("log_forked", f"{member.id} signed two roots for one size")
        # 1.
        checkpoint = _verify(member, growth.checkpoint)
        with self._lock:
            known = self._links.get(member.id) or _Link(0, merkle.EMPTY_ROOT, b"")
            self._refuse_fork(member.id, known, checkpoint)
            # 2.
            if growth.from_size != known.size:
                raise GrowthMismatch(known.size)
            if len(growth.consistency_hashes) > MAX_GROWTH_HASHES:
                raise Unavailable("growth_not_proven", f"the proof of growth has over {MAX_GROWTH_HASHES} hashes")
            smaller, larger = sorted((_Link(checkpoint.size, checkpoint.root, checkpoint.note), known), key=_size)
            try:
                merkle.verify_consistency(
                    smaller.size, smaller.root, larger.size, larger.root, growth.consistency_hashes
                )
            except Rejected as error:
                raise Unavailable(
                    "growth_not_proven", f"{member.id} did not prove its growth: {error.detail}"
                ) from error
            # 3. and 4.
            if checkpoint.size > known.size:
                self._links[member.id] = _Link(checkpoint.size, checkpoint.root, checkpoint.note)
        return checkpoint

    def _refuse_fork(self, member: str, known: _Link, checkpoint: VerifiedCheckpoint) -> None:
        if checkpoint.size == known.size and checkpoint.root != known.root:
            self._forks[member] = (known.note, checkpoint.note)
            self.unrecorded_forks.append(member)
            log.critical("log_forked", member=member, size=known.size)
            raise Rejected("log_forked", f"{member} signed two roots for size {known.size}")

    def verify(self, member: Member, note: bytes) -> VerifiedCheckpoint:
        """Check that a checkpoint was signed by that member's log, and nothing else."""
        return _verify(member, note)

    def accept_between(
        self, member: Member, checkpoint: VerifiedCheckpoint, proof: exchange_pb2.ProveGrowthResponse
    ) -> VerifiedCheckpoint:
        """Accept a checkpoint whose proof begins elsewhere: it and the known one must both lead to one newer one.

        That is so where two exchanges with one peer overlapped. Unavailable where the log moved on in between.
        """
        newest = _verify(member, proof.checkpoint)
        with self._lock:
            known = self._links.get(member.id) or _Link(0, merkle.EMPTY_ROOT, b"")
            self._refuse_fork(member.id, known, checkpoint)
            self._refuse_fork(member.id, known, newest)
            proofs = {growth.from_size: growth.hashes for growth in proof.proofs}
            if any(len(hashes) > MAX_GROWTH_HASHES for hashes in proofs.values()):
                raise Unavailable("growth_not_proven", f"a proof of growth has over {MAX_GROWTH_HASHES} hashes")
            try:
                for size, root in ((known.size, known.root), (checkpoint.size, checkpoint.root)):
                    if size not in proofs:
                        raise Unavailable("growth_mismatch", f"{member.id} gave no proof from size {size}")
                    merkle.verify_consistency(size, root, newest.size, newest.root, proofs[size])
            except Rejected as error:
                raise Unavailable(
                    "growth_not_proven", f"{member.id} did not prove its growth: {error.detail}"
                ) from error
            self._links[member.id] = _Link(newest.size, newest.root, newest.note)
        return checkpoint

    def to_store(self, member: str, checkpoint: VerifiedCheckpoint) -> KnownLog:
        """Give what is to be stored in the commit of what the checkpoint carried."""
        return KnownLog(member, checkpoint.size, checkpoint.root, checkpoint.note, self._clock())

    def write_forks(self, pen: Pen, members: Collection[str]) -> None:
        """Log the forks of these members, each with both signed notes: the proof needs no more than them."""
        for member in members:
            notes = self._forks[member]
            entry = log_pb2.LogEntry(
                event=log_pb2.LOG_EVENT_FORK_FOUND,
                counterpart=member,
                reason="log_forked",
                evidence_sha256=sha256(b"".join(notes)).digest(),
            )
            pen.append(entry, text="\n".join(note.decode() for note in notes))


async def record_fork(ledger: Ledger, logs: KnownLogs) -> None:
    """Have what `KnownLogs.accept` found committed to our own log; nothing where it found nothing."""
    if found := list(logs.unrecorded_forks):
        await ledger.commit(lambda pen: logs.write_forks(pen, found))
        logs.unrecorded_forks = [member for member in logs.unrecorded_forks if member not in found]


def claim(ledger: Ledger, checkpoint: VerifiedCheckpoint, from_size: int, known_size: int) -> log_pb2.Growth:
    """State our checkpoint, its growth from the size the other knows, and the size of its log that we know."""
    first, second = sorted((from_size, checkpoint.size))
    return log_pb2.Growth(
        checkpoint=checkpoint.note,
        from_size=from_size,
        consistency_hashes=ledger.prove_growth(first, second),
        known_size=known_size,
    )


def _size(link: _Link) -> int:
    return link.size


def _verify(member: Member, note: bytes) -> VerifiedCheckpoint:
    """Check a checkpoint against the newest log of a member; a bad one fails the whole call, which may be repeated."""
    newest = member.log_keys[-1]
    try:
        return checkpoints.verify(note, [VerifierKey.from_vkey(newest.vkey)], newest.origin)
    except Rejected as error:
        raise Unavailable("bad_checkpoint", f"the checkpoint of {member.id} does not hold: {error.detail}") from error
