"""Views of the other members' logs: the largest accepted checkpoint of each, and the proof that each log only grows.

Every exchange names the known size of the other's log and proves one's own consistency from the size the other is
assumed to know ("Log", *Growth*, in proto/README.md). An accepted checkpoint takes effect in memory at once and is
stored in the same commit as the data it came with; after a crash the stored one is an earlier checkpoint of the same
history.

If two checkpoints that a log signed contradict each other, that log is forked: both are stored, and nothing of it is
accepted until an administrator restores trust. A signed but unproven checkpoint is an unverified checkpoint, which the
witness's monitor resolves.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.peers.checkpoint_history import CheckpointHistory, ClaimCounts
from paiza_node.core.peers.forks import Forks, find_fork
from paiza_node.core.peers.model import Finding, PeerLogView
from paiza_node.core.peers.unverified_checkpoints import UnverifiedCheckpoints
from paiza_node.core.peers.verified_notes import VerifiedNotes, check_contains, note_identity, verify_note
from paiza_register.model import Member
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.fork_proofs import Fork


class ConsistencyMismatch(Exception):  # noqa: N818 - an answer, not a mistake
    """The caller assumed another size of its own log than we know; ``known_size`` is what we know."""

    def __init__(self, known_size: int) -> None:
        """Store the size we know."""
        super().__init__(known_size)
        self.known_size = known_size


class PeerLogViews:
    """The largest accepted checkpoint of every other member's log. Thread-safe.

    A member's newest log is tracked, by its origin; a log that follows another one begins at size 0.
    """

    def __init__(
        self,
        stored: dict[str, PeerLogView],
        clock: Callable[[], datetime],
        findings: Iterable[Finding] = (),
        newest_origin: Callable[[str], str] | None = None,
    ) -> None:
        """Begin with the stored state. ``newest_origin`` returns a member's newest log; default: the log seen last."""
        self._newest = {member: fork_proofs.read_origin(known.note) for member, known in stored.items()}
        self._history = CheckpointHistory(
            VerifiedCheckpoint(self._newest[member], known.size, known.root, known.note)
            for member, known in stored.items()
        )
        self._newest_origin = newest_origin
        self._clock = clock
        self._lock = threading.RLock()
        self._notes = VerifiedNotes()
        self.forks = Forks(findings)
        self.unverified_checkpoints = UnverifiedCheckpoints()
        """Checkpoints that a member's log signed and that are not proven consistent with its known state."""
        self.counts = ClaimCounts()

    def size(self, member: str) -> int:
        """Return the known size of a member's log; 0 if unknown."""
        return self._history.link(self._origin(member)).size

    def note(self, member: str) -> bytes:
        """Return the largest accepted checkpoint note of a member's log; empty if there is none."""
        return self._history.link(self._origin(member)).note

    def link(self, member: str) -> VerifiedCheckpoint:
        """Return the largest accepted checkpoint of a member's log; that of the empty tree if there is none."""
        return self._history.link(self._origin(member))

    def is_accepted(self, checkpoint: VerifiedCheckpoint) -> bool:
        """Return whether a checkpoint is an accepted one that is remembered."""
        with self._lock:
            known = self._history.at(checkpoint.origin, checkpoint.size)
            return known is not None and bool(known.note) and known.root == checkpoint.root

    def largest(self, member: str) -> VerifiedCheckpoint:
        """Return the largest checkpoint that a member's log signed, as far as it was seen; at least the known one."""
        return self._history.largest(self._origin(member))

    def largest_note(self, member: str) -> bytes:
        """Return the note of `largest`; empty if there is none."""
        return self.largest(member).note

    def forked(self, member: str) -> bool:
        """Return whether a fork of a member's log is open."""
        return self.forks.stand(self._origin(member))

    def fork_proofs(self) -> dict[str, bytes]:
        """Return the proofs of open forks, by the origin of the log."""
        with self._lock:
            return self.forks.proofs()

    def accept(self, member: Member, claim: log_pb2.ConsistencyClaim) -> VerifiedCheckpoint:
        """Check the checkpoint and the consistency proof in a claim, and accept it.

        0. No fork of that log is open.
        1. The checkpoint is signed by the keys of that member's log in the register, and not by abandoned ones alone;
           its size has no other known root.
        2. The claim begins at the size we know; ConsistencyMismatch states that size.
        3. A smaller or equal checkpoint is proven to be contained in the known one.
        4. A larger one is proven to contain the known one.

        Rejected("log_forked") if the checkpoint and the known one contradict each other: see `claims.record_fork`. A
        checkpoint that is merely not proven becomes unverified.
        """
        # 0.
        self.check_trusted(member.id)
        # 1.
        checkpoint = self.verify(member, claim.checkpoint)
        with self._lock:
            known = self._history.link(checkpoint.origin)
            self.compare(member.id, checkpoint)
            # 2.
            if claim.from_size != known.size:
                raise ConsistencyMismatch(known.size)
            # 3. and 4.
            smaller, larger = sorted((checkpoint, known), key=attrgetter("size"))
            try:
                self._check_contains(member.id, larger, smaller, claim.consistency_hashes)
            except Unavailable:
                self._add_unverified(member.id, checkpoint, told_by=member.id)
                raise
            self.counts.accepted_claim(member.id, checkpoint.size, known.size)
            self._history.extend(checkpoint)
        return checkpoint

    def check_trusted(self, member: str) -> None:
        """Raise if a fork of a member's log is open."""
        if self.forked(member):
            raise Rejected("log_forked", f"the log of {member} showed two histories")

    def compare(self, member: str, checkpoint: VerifiedCheckpoint) -> bool:
        """Return whether a checkpoint is a known one; Rejected("log_forked") if its size has another root."""
        with self._lock:
            same = self._history.at(checkpoint.origin, checkpoint.size)
            other = same or self._history.signed_at(checkpoint.origin, checkpoint.size)
            if other is not None and other.root != checkpoint.root:
                if self.forks.trust_restored_for(checkpoint):
                    raise Unavailable("consistency_not_proven", f"{member} shows what was decided against")
                raise self.distrust(member, fork_proofs.same_size(other, checkpoint))
            return same is not None

    def add_reported(self, member: Member, note: bytes, told_by: str, *, held: bool = False) -> None:
        """Note a checkpoint of a member's log that another member holds; it is unverified unless that log proved it.

        Unavailable("bad_checkpoint") if that log did not sign it, or only with keys it has abandoned and not ``held``
        here before, Rejected("log_forked") if it contradicts another signed checkpoint.
        """
        checkpoint = self.verify(member, note, held=held)
        with self._lock:
            if self.forked(member.id) or checkpoint.size == 0 or self.forks.trust_restored_for(checkpoint):
                return
            if not self.compare(member.id, checkpoint):
                self._add_unverified(member.id, checkpoint, told_by)

    def unverified(self, member: str, origin: str) -> list[VerifiedCheckpoint]:
        """Return the unverified checkpoints of a member's log of this origin.

        Those of an earlier log are dropped, and those that the log itself has shown and proven since.
        """
        with self._lock:
            for each in self.unverified_checkpoints.of(member, origin):
                if self.is_accepted(each):
                    self.unverified_checkpoints.settled(member, each)
            return self.unverified_checkpoints.of(member, origin)

    def distrust(self, member: str, fork: Fork) -> Rejected:
        """Store the proof that a member's log is forked; return the refusal to raise."""
        with self._lock:
            if self.forks.add(member, fork):
                self.unverified_checkpoints.forget(member)
        return Rejected("log_forked", f"{member} signed two histories, which differ at size {fork.size}")

    def may_be_forged(self, member: Member, checkpoint: VerifiedCheckpoint) -> bool:
        """Return whether a checkpoint in a proof of others may come from the thief of an abandoned key.

        Only keys signed it that the log has abandoned, and it was never accepted here. It is larger than what the log
        has shown with another key since, and so than the log was when it abandoned them; or an administrator has
        restored trust since then, and decided about all that such a key may still sign.
        """
        since = member.abandoned_since(checkpoint.note, checkpoint.origin, self._clock())
        if since is None or self.is_accepted(checkpoint):
            return False
        with self._lock:
            if self.forks.trust_restored_since(checkpoint.origin, since):
                return True
            known = self._history.link(checkpoint.origin)
        if not known.note or member.abandoned_since(known.note, known.origin, self._clock()) is not None:
            return False
        return checkpoint.size > known.size

    def recorded(self, forks: Collection[tuple[str, Fork]]) -> None:
        """Note that these forks are recorded in our own log now; one found meanwhile in another thread is not yet."""
        with self._lock:
            self.forks.unrecorded = [fork for fork in self.forks.unrecorded if fork not in forks]

    def restore_trust(self, member: str, sizes: Mapping[str, int]) -> None:
        """Trust a member's logs again: what they signed up to these sizes, by origin, no longer counts against them.

        The known state is forgotten: each log shows which of its histories it continues, from size 0.
        """
        with self._lock:
            self.forks.restore_trust(sizes, self._clock())
            for origin in sizes:
                self._history.forget(origin)
            self._notes.forget(sizes)  # notes that are shown again are remembered again
            self.unverified_checkpoints.forget(member)
            self.counts.stale.pop(member, None)

    def largest_shown(self, origin: str) -> int:
        """Return the largest size that the log of this origin signed, among those seen since the start."""
        return self._history.largest(origin).size

    def verify(self, member: Member, note: bytes, *, held: bool = False) -> VerifiedCheckpoint:
        """Check that a checkpoint was signed by that member's newest log, and drop all other signatures.

        A new one is refused if only keys signed it that the log has abandoned by now; one that was ``held`` before, or
        that a quorum cosigned, is not.
        """
        new_at = None if held else self._clock()
        identity = note_identity(member, note, new_at)
        with self._lock:
            if (verified := self._notes.find(identity)) is not None:
                return verified
        checkpoint = verify_note(member, note, new_at)
        with self._lock:
            self._newest[member.id] = checkpoint.origin
            self._notes.add(identity, checkpoint)
            self._history.note_signed(checkpoint)
        return checkpoint

    def accept_between(
        self, member: Member, checkpoint: VerifiedCheckpoint, proof: exchange_pb2.ProveConsistencyResponse
    ) -> VerifiedCheckpoint:
        """Accept a checkpoint whose proof begins elsewhere, if it and the known one are consistent with a newer one.

        This happens if two exchanges with one peer overlapped. Unavailable if the log grew in between.
        """
        with self._lock:
            self.compare(member.id, checkpoint)
            base = self._history.link(checkpoint.origin)
            if base.size not in {each.from_size for each in proof.proofs}:
                raise Unavailable("consistency_mismatch", f"{member.id} gave no proof from size {base.size}")
            self.reconcile(member, base, [checkpoint], proof)
        return checkpoint

    def reconcile(
        self,
        member: Member,
        base: VerifiedCheckpoint,
        unverified: Sequence[VerifiedCheckpoint],
        proof: exchange_pb2.ProveConsistencyResponse,
    ) -> VerifiedCheckpoint:
        """Check that an accepted and other checkpoints of the log are consistent with the one it now shows.

        Return the newer one, which is then the known one; if the known one advanced meanwhile, the newer one is
        unverified. Rejected("log_forked") if any proof shows another history, Unavailable if something is not proven:
        what is proven then counts nevertheless, if the accepted checkpoint is.
        """
        self.check_trusted(member.id)
        newest = self.verify(member, proof.checkpoint)
        with self._lock:
            self.compare(member.id, newest)
            given = {each.from_size: each for each in proof.proofs}
            failures: list[Unavailable] = []
            proven: list[VerifiedCheckpoint] = []
            for earlier in (base, *unverified):
                shown = given.get(earlier.size, exchange_pb2.ConsistencyProof())
                try:
                    if earlier.size > newest.size or earlier.size not in given:
                        detail = f"{member.id} gave no proof from size {earlier.size}"
                        raise Unavailable("consistency_not_proven", detail)  # noqa: TRY301 - gathered with the others
                    self._check_contains(member.id, newest, earlier, shown.hashes, shown.from_root)
                    proven.append(earlier)
                except Unavailable as error:
                    failures.append(error)
            if base in proven:
                self._take_newer(member.id, base, newest, proven[1:])
            if failures:
                for unproven in (each for each in (*unverified, newest) if each not in proven):
                    self._add_unverified(member.id, unproven, told_by=member.id)
                raise failures[0]
        return newest

    def _take_newer(
        self, member: str, base: VerifiedCheckpoint, newest: VerifiedCheckpoint, proven: Sequence[VerifiedCheckpoint]
    ) -> None:
        # Both are consistent with the newest, so they do not contradict each other, whatever became known meanwhile.
        for earlier in proven:
            self._history.remember(earlier)
            self.unverified_checkpoints.settled(member, earlier)
        if self._history.link(newest.origin) == base:
            self.counts.accepted_claim(member, newest.size, base.size)
            self._history.extend(newest)
        elif not self.compare(member, newest):
            self._add_unverified(member, newest, told_by=member)

    def to_store(self, member: str, checkpoint: VerifiedCheckpoint) -> PeerLogView:
        """Return the state to store in the commit of the data that came with the checkpoint."""
        return PeerLogView(member, checkpoint.size, checkpoint.root, checkpoint.note, self._clock())

    def _check_contains(
        self,
        member: str,
        larger: VerifiedCheckpoint,
        smaller: VerifiedCheckpoint,
        hashes: Sequence[bytes],
        root: bytes = b"",
    ) -> None:
        """Check that a checkpoint contains a smaller one; if its own proof disproves it, the log is forked."""
        try:
            check_contains(member, larger, smaller, hashes)
        except Unavailable as error:
            fork = find_fork(smaller, larger, hashes, root)
            if fork is not None and not self.forks.trust_restored_for(smaller):
                raise self.distrust(member, fork) from error
            raise

    def _add_unverified(self, member: str, checkpoint: VerifiedCheckpoint, told_by: str) -> None:
        if not self.forks.trust_restored_for(checkpoint):
            self.unverified_checkpoints.add(member, checkpoint, told_by)

    def _origin(self, member: str) -> str:
        return self._newest_origin(member) if self._newest_origin is not None else self._newest.get(member, "")
