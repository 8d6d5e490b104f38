"""That logs only grow: what other members' logs are known to be, and what is claimed of our own.

Every exchange names the size of the other's log that is known and proves one's own growth from the size the other is
assumed to know ("Log", *Growth*, in proto/README.md). What is accepted here is chained in memory at once and stored
in the same commit as what it carried; after a crash the stored one is an earlier link of the same chain.

Where two checkpoints that a log signed contradict each other, that log is forked: both are kept, and nothing of it is
accepted until an administrator decides. What it signed and was not proven is a doubt
(`paiza_node.core.peers.unverified_checkpoints`), and doubts are `witness.convictions`' to settle.
"""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.peers.checkpoint_history import CheckpointHistory
from paiza_node.core.peers.forks import Forks, write_forks
from paiza_node.core.peers.model import Finding, PeerLogView
from paiza_node.core.peers.unverified_checkpoints import ToldEntry, UnverifiedCheckpoints
from paiza_register.model import Member
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.receipts import VerifiedEntry
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import fork_proofs, merkle
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.fork_proofs import Fork
from paiza_wire.tlog.notes import VerifierKey

MAX_GROWTH_HASHES: Final = 128  # a consistency proof between any two sizes has fewer
MAX_VERIFIED: Final = 1024  # notes whose signature was checked and need not be again: the same come with every exchange
SHORT_CLAIM_BYTES: Final = 4096  # of a claim that is verified on the event loop: a note and a usual proof have 700
STALE_ALARM: Final = 16  # exchanges in a row in which a log shows less than is known of it

log = structlog.get_logger("paiza.growth")


class ConsistencyMismatch(Exception):  # noqa: N818 - an answer, not a mistake
    """The caller assumed another size of its own log than we know; ``known_size`` is what we know."""

    def __init__(self, known_size: int) -> None:
        """Take the size we know."""
        super().__init__(known_size)
        self.known_size = known_size


class PeerLogViews:
    """The largest accepted checkpoint of every other member's log. Safe between threads.

    Known is the newest log of a member, by its origin; a log that follows another one begins at size 0.
    """

    def __init__(
        self,
        stored: dict[str, PeerLogView],
        clock: Callable[[], datetime],
        findings: Iterable[Finding] = (),
        newest_origin: Callable[[str], str] | None = None,
    ) -> None:
        """Begin with what was stored. ``newest_origin`` names a member's newest log; else the one seen last is it."""
        self._newest = {member: fork_proofs.read_origin(known.note) for member, known in stored.items()}
        self._chains = CheckpointHistory(
            VerifiedCheckpoint(self._newest[member], known.size, known.root, known.note)
            for member, known in stored.items()
        )
        self._newest_origin = newest_origin
        self._clock = clock
        self._lock = threading.RLock()
        self._verified: OrderedDict[tuple[str, bytes], VerifiedCheckpoint] = OrderedDict()
        self.forks = Forks(findings)
        self.unverified_checkpoints = UnverifiedCheckpoints()
        """Checkpoints that a member's log signed and did not prove to belong to what is known of it."""
        self.exchanges: dict[str, int] = {}
        """How often each member's log was accepted."""
        self.stale: dict[str, int] = {}
        """How often in a row each member's log showed less than is known of it."""

    def size(self, member: str) -> int:
        """Give the size known of a member's log; 0 where none is."""
        return self._chains.link(self._origin(member)).size

    def note(self, member: str) -> bytes:
        """Give the largest accepted checkpoint note of a member's log; empty where none is."""
        return self._chains.link(self._origin(member)).note

    def link(self, member: str) -> VerifiedCheckpoint:
        """Give the largest accepted checkpoint of a member's log; that of the empty tree where none is."""
        return self._chains.link(self._origin(member))

    def largest_note(self, member: str) -> bytes:
        """Give the largest checkpoint note that a member's log signed, as far as we ever heard; empty where none is."""
        return self._chains.largest(self._origin(member)).note

    def forked(self, member: str) -> bool:
        """Say whether a member's log was found forked and nobody decided on it."""
        return self.forks.stand(self._origin(member))

    def fork_proofs(self) -> dict[str, bytes]:
        """Give what shows the forks that nobody decided on, by the origin of the log."""
        with self._lock:
            return self.forks.proofs()

    def accept(self, member: Member, consistency_claim: log_pb2.ConsistencyClaim) -> VerifiedCheckpoint:
        """Check the checkpoint and the proof of growth in a claim, and chain it on.

        0. That log has not shown two histories on which nobody decided.
        1. The checkpoint is signed by a key of that member's log in the register; its size has not another root.
        2. The claim begins at the size we know; GrowthMismatch says which that is.
        3. A smaller or equal checkpoint than the known one is proven to be on its way to it.
        4. A larger one is proven to contain the known one.

        Rejected("log_forked") where the checkpoint and the known one contradict each other: see `record_fork`. What is
        merely not proven is a doubt.
        """
        # 0.
        self.check_trusted(member.id)
        # 1.
        checkpoint = self.verify(member, consistency_claim.checkpoint)
        with self._lock:
            known = self._chains.link(checkpoint.origin)
            self.compare(member.id, checkpoint)
            # 2.
            if consistency_claim.from_size != known.size:
                raise ConsistencyMismatch(known.size)
            # 3. and 4.
            smaller, larger = sorted((checkpoint, known), key=_size)
            try:
                self._check_contains(member.id, larger, smaller, consistency_claim.consistency_hashes)
            except Unavailable:
                self._doubt(member.id, checkpoint, told_by=member.id)
                raise
            self._count(member.id, checkpoint, known)
            self._chains.extend(checkpoint)
        return checkpoint

    def check_trusted(self, member: str) -> None:
        """Refuse a member whose log was found forked."""
        if self.forked(member):
            raise Rejected("log_forked", f"the log of {member} showed two histories")

    def compare(self, member: str, checkpoint: VerifiedCheckpoint) -> bool:
        """Say whether a checkpoint is one that is known; Rejected("log_forked") where its size has another root."""
        with self._lock:
            same = self._chains.at(checkpoint.origin, checkpoint.size)
            other = same or self._chains.signed_at(checkpoint.origin, checkpoint.size)
            if other is not None and other.root != checkpoint.root:
                if self.forks.is_forgiven(checkpoint):
                    raise Unavailable("consistency_not_proven", f"{member} shows what was decided against")
                raise self.convict(member, fork_proofs.one_size(other, checkpoint))
            return same is not None

    def hear(self, member: Member, note: bytes, told_by: str) -> None:
        """Take a note of a member's log that somebody else holds: what is not known of that log becomes a doubt.

        Unavailable("bad_checkpoint") where that log did not sign it, Rejected("log_forked") where it contradicts what
        that log signed.
        """
        checkpoint = self.verify(member, note)
        with self._lock:
            if self.forked(member.id) or checkpoint.size == 0 or self.forks.is_forgiven(checkpoint):
                return
            if not self.compare(member.id, checkpoint):
                self._doubt(member.id, checkpoint, told_by)

    def hear_entry(self, member: Member, entry: VerifiedEntry, hashes: Sequence[bytes], told_by: str) -> None:
        """Take an entry of a member's log that somebody else proved, to a checkpoint of that log's newest origin.

        It raises nothing: what it comes to is found by `witness.convictions`.
        """
        try:
            self.hear(member, entry.checkpoint.note, told_by)
        except PaizaError as error:
            log.info("gossip_ignored", teller=told_by, reason=error.reason, detail=error.detail)
            return
        leaf = merkle.leaf_hash(entry.raw)
        with self._lock:
            doubted = self.unverified_checkpoints.of(member.id, entry.checkpoint.origin)
            if any(each.size == entry.checkpoint.size for each in doubted):
                self.unverified_checkpoints.entries.append(
                    ToldEntry(member.id, entry.index, leaf, tuple(hashes), entry.checkpoint)
                )

    def doubted(self, member: str, origin: str) -> list[VerifiedCheckpoint]:
        """Give the doubts about a member's log of this origin; those about an earlier log of its are dropped."""
        with self._lock:
            return self.unverified_checkpoints.of(member, origin)

    def convict(self, member: str, fork: Fork) -> Rejected:
        """Keep what shows that a member's log is forked; gives the refusal to raise."""
        with self._lock:
            if self.forks.add(member, fork):
                self.unverified_checkpoints.forget(member)
        return Rejected("log_forked", f"{member} signed two histories, which differ at size {fork.size}")

    def recorded(self, forks: Collection[tuple[str, Fork]]) -> None:
        """Say that these forks stand in our own log now; one that was found meanwhile, in a thread, does not yet."""
        with self._lock:
            self.forks.unrecorded = [fork for fork in self.forks.unrecorded if fork not in forks]

    def learn_fork(self, member: Member, proof: bytes) -> bool:
        """Take what somebody else says shows a fork; says whether it is one that is new here.

        Rejected where it does not hold by the key that the register names for that log: nobody's word counts.
        """
        key = VerifierKey.from_vkey(member.log_key(fork_proofs.proof_origin(proof)).vkey)
        with self._lock:
            if self.forks.stand(key.name):
                return False
            fork = fork_proofs.verify(fork_proofs.bare_proof(proof, key), key)
            if self.forks.accepted_up_to(fork.origin, fork.size):
                return False
            self.convict(member.id, fork)
            return True

    def restore_trust(self, member: str, sizes: Mapping[str, int]) -> None:
        """Trust a member's logs again: of what they signed up to these sizes, by origin, nothing counts against them.

        What was known of them is forgotten: which of its histories a log goes on with is for it to show, from nothing.
        """
        with self._lock:
            self.forks.restore_trust(sizes)
            for origin in sizes:
                self._chains.forget(origin)
            for noted in [noted for noted, each in self._verified.items() if each.origin in sizes]:
                del self._verified[noted]  # what is shown again is remembered again
            self.unverified_checkpoints.forget(member)
            self.stale.pop(member, None)

    def largest_shown(self, origin: str) -> int:
        """Give the largest size that the log of this origin signed, as far as was heard since the start."""
        return self._chains.largest(origin).size

    def verify(self, member: Member, note: bytes) -> VerifiedCheckpoint:
        """Check that a checkpoint was signed by that member's newest log, and nothing else."""
        newest = member.log_keys[-1]
        identity = newest.vkey, sha256(note).digest()  # the note itself may be large with what others wrote below it
        with self._lock:
            if (verified := self._verified.get(identity)) is not None:
                return verified
        try:
            key = VerifierKey.from_vkey(newest.vkey)
            checkpoint = checkpoints.verify(note, [key], newest.origin)
        except Rejected as error:
            detail = f"the checkpoint of {member.id} does not hold: {error.detail}"
            raise Unavailable("bad_checkpoint", detail) from error
        # What others wrote below it is left behind: it is not ours to hand on, and takes room.
        checkpoint = VerifiedCheckpoint(
            checkpoint.origin, checkpoint.size, checkpoint.root, fork_proofs.bare(note, key)
        )
        with self._lock:
            self._newest[member.id] = newest.origin
            self._verified[identity] = checkpoint
            if len(self._verified) > MAX_VERIFIED:
                self._verified.popitem(last=False)
            self._chains.note_signed(checkpoint)
        return checkpoint

    def accept_between(
        self, member: Member, checkpoint: VerifiedCheckpoint, proof: exchange_pb2.ProveConsistencyResponse
    ) -> VerifiedCheckpoint:
        """Accept a checkpoint whose proof begins elsewhere: it and the known one must both lead to one newer one.

        That is so where two exchanges with one peer overlapped. Unavailable where the log moved on in between.
        """
        with self._lock:
            self.compare(member.id, checkpoint)
            base = self._chains.link(checkpoint.origin)
            if base.size not in {each.from_size for each in proof.proofs}:
                raise Unavailable("consistency_mismatch", f"{member.id} gave no proof from size {base.size}")
            self.reconcile(member, base, [checkpoint], proof)
        return checkpoint

    def reconcile(
        self,
        member: Member,
        base: VerifiedCheckpoint,
        doubted: Sequence[VerifiedCheckpoint],
        proof: exchange_pb2.ProveConsistencyResponse,
    ) -> VerifiedCheckpoint:
        """See that a link of the chain, and other checkpoints of the log, all lead to the one that the log now shows.

        Gives the newer one, which is then the known one; where the known one moved on meanwhile, it is a doubt of its
        own. Rejected("log_forked") where the proof of any shows another history, Unavailable where something is not
        proven: what is proven then counts all the same, if the link is.
        """
        self.check_trusted(member.id)
        newest = self.verify(member, proof.checkpoint)
        with self._lock:
            self.compare(member.id, newest)
            given = {each.from_size: each for each in proof.proofs}
            failures: list[Unavailable] = []
            proven: list[VerifiedCheckpoint] = []
            for earlier in (base, *doubted):
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
                for unproven in (each for each in (*doubted, newest) if each not in proven):
                    self._doubt(member.id, unproven, told_by=member.id)
                raise failures[0]
        return newest

    def _take_newer(
        self, member: str, base: VerifiedCheckpoint, newest: VerifiedCheckpoint, proven: Sequence[VerifiedCheckpoint]
    ) -> None:
        # Both lead to the newest, so they do not contradict each other, whatever became known meanwhile.
        for earlier in proven:
            self._chains.remember(earlier)
            self.unverified_checkpoints.settled(member, earlier)
        if self._chains.link(newest.origin) == base:
            self._count(member, newest, base)
            self._chains.extend(newest)
        elif not self.compare(member, newest):
            self._doubt(member, newest, told_by=member)

    def to_store(self, member: str, checkpoint: VerifiedCheckpoint) -> PeerLogView:
        """Give what is to be stored in the commit of what the checkpoint carried."""
        return PeerLogView(member, checkpoint.size, checkpoint.root, checkpoint.note, self._clock())

    def _check_contains(
        self,
        member: str,
        larger: VerifiedCheckpoint,
        smaller: VerifiedCheckpoint,
        hashes: Sequence[bytes],
        root: bytes = b"",
    ) -> None:
        """Check that a checkpoint contains a smaller one; where its own proof shows that it does not, it is forked."""
        if len(hashes) > MAX_GROWTH_HASHES:
            raise Unavailable("consistency_not_proven", f"the proof of growth has over {MAX_GROWTH_HASHES} hashes")
        try:
            merkle.verify_consistency(smaller.size, smaller.root, larger.size, larger.root, hashes)
        except Rejected as error:
            fork = _other_beginning(smaller, larger, hashes, root)
            if fork is not None and not self.forks.is_forgiven(smaller):
                raise self.convict(member, fork) from error
            raise Unavailable("consistency_not_proven", f"{member} did not prove its growth: {error.detail}") from error

    def _count(self, member: str, checkpoint: VerifiedCheckpoint, known: VerifiedCheckpoint) -> None:
        self.exchanges[member] = self.exchanges.get(member, 0) + 1
        self.stale[member] = self.stale.get(member, 0) + 1 if checkpoint.size < known.size else 0
        if self.stale[member] == STALE_ALARM:
            log.critical("log_stale", member=member, shown_size=checkpoint.size, known_size=known.size)

    def _doubt(self, member: str, checkpoint: VerifiedCheckpoint, told_by: str) -> None:
        if not self.forks.is_forgiven(checkpoint):
            self.unverified_checkpoints.add(member, checkpoint, told_by)

    def _origin(self, member: str) -> str:
        return self._newest_origin(member) if self._newest_origin is not None else self._newest.get(member, "")


async def accept_claim(
    logs: PeerLogViews, member: Member, consistency_claim: log_pb2.ConsistencyClaim
) -> VerifiedCheckpoint:
    """Accept a claim as `PeerLogViews.accept` does; a long one in a thread, since it takes up to 30 ms to refuse."""
    if (
        consistency_claim.ByteSize() <= SHORT_CLAIM_BYTES
    ):  # a thread would take longer, and could change the order of claims
        return logs.accept(member, consistency_claim)
    return await asyncio.to_thread(logs.accept, member, consistency_claim)


async def record_fork(ledger: Ledger, logs: PeerLogViews) -> None:
    """Have what `PeerLogViews` found committed to our own log; nothing where it found nothing."""
    if found := list(logs.forks.unrecorded):
        await ledger.commit(lambda tx: write_forks(tx, found))
        logs.recorded(found)


def claim(ledger: Ledger, checkpoint: VerifiedCheckpoint, from_size: int, known_size: int) -> log_pb2.ConsistencyClaim:
    """State our checkpoint, its growth from the size the other knows, and the size of its log that we know."""
    first, second = sorted((from_size, checkpoint.size))
    return log_pb2.ConsistencyClaim(
        checkpoint=checkpoint.note,
        from_size=from_size,
        consistency_hashes=ledger.prove_consistency(first, second),
        known_size=known_size,
    )


def _other_beginning(
    smaller: VerifiedCheckpoint, larger: VerifiedCheckpoint, hashes: Sequence[bytes], root: bytes
) -> Fork | None:
    """Give the fork that a proof of growth shows, if it does: it leads to the larger root from another smaller one."""
    if not smaller.note:
        return None
    try:
        if not root:
            root = merkle.prefix_root(smaller.size, larger.size, larger.root, hashes)
        return fork_proofs.other_beginning(smaller, larger, root, hashes)
    except PaizaError:
        return None


def _size(checkpoint: VerifiedCheckpoint) -> int:
    return checkpoint.size
