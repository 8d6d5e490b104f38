"""Consistency claims: those about our own log, and the acceptance of those that peers make about theirs."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.peers.forks import write_forks
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.unverified_checkpoints import ToldEntry
from paiza_register.model import Member
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.receipts import VerifiedEntry
from paiza_wire.tlog import fork_proofs, merkle
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

SHORT_CLAIM_BYTES: Final = 4096  # of a claim that is verified on the event loop: a note and a usual proof have 700

log = structlog.get_logger("paiza.peers")


def consistency_claim(
    ledger: Ledger, checkpoint: VerifiedCheckpoint, from_size: int, known_size: int
) -> log_pb2.ConsistencyClaim:
    """Return a claim of our checkpoint, consistent with the size that the peer knows; ``known_size`` is of its log."""
    first, second = sorted((from_size, checkpoint.size))
    return log_pb2.ConsistencyClaim(
        checkpoint=checkpoint.note,
        from_size=from_size,
        consistency_hashes=ledger.prove_consistency(first, second),
        known_size=known_size,
    )


async def accept_claim(
    ledger: Ledger, logs: PeerLogViews, member: Member, claim: log_pb2.ConsistencyClaim
) -> VerifiedCheckpoint:
    """Accept a claim as `PeerLogViews.accept` does, and record the fork if it shows one.

    A long claim is verified in a thread, since refusing one takes up to 30 ms. For a usual one a thread would take as
    long and could change the order of claims.
    """
    try:
        if claim.ByteSize() <= SHORT_CLAIM_BYTES:
            return logs.accept(member, claim)
        return await asyncio.to_thread(logs.accept, member, claim)
    except Rejected:
        await record_fork(ledger, logs)
        raise


async def record_fork(ledger: Ledger, logs: PeerLogViews) -> None:
    """Commit the forks found by `PeerLogViews` to our own log; nothing happens if there are none."""
    if found := list(logs.forks.unrecorded):
        await ledger.commit(lambda tx: write_forks(tx, found))
        logs.recorded(found)


def learn_fork(logs: PeerLogViews, member: Member, proof: bytes) -> bool:
    """Store a reported fork proof; return whether the fork is new here.

    Rejected if it does not verify with the keys that the register names for that log, abandoned ones among them: a log
    does not rid itself of a fork by another key. What an abandoned key alone signed may come from its thief: see
    `PeerLogViews.may_be_forged`. The report itself counts for nothing.
    """
    origin = fork_proofs.proof_origin(proof)
    keys = member.keys_of_log(origin)
    if logs.forks.stand(origin):
        return False
    fork = fork_proofs.verify(fork_proofs.minimal_proof(proof, *keys), *keys)
    if logs.forks.trust_restored_up_to(fork.origin, fork.size):
        return False
    if logs.may_be_forged(member, fork.first) or logs.may_be_forged(member, fork.second):
        log.critical("abandoned_key_used", member=member.id, origin=fork.origin, size=fork.size)
        return False
    logs.distrust(member.id, fork)
    return True


def note_told_entry(
    logs: PeerLogViews, member: Member, entry: VerifiedEntry, hashes: Sequence[bytes], told_by: str
) -> None:
    """Note an entry of a member's log that another member proved, to a checkpoint of that log's newest origin.

    Raises nothing: the witness's monitor evaluates the entry.
    """
    try:
        logs.add_reported(member, entry.checkpoint.note, told_by)
    except PaizaError as error:
        log.info("gossip_ignored", teller=told_by, reason=error.reason, detail=error.detail)
        return
    unverified = logs.unverified(member.id, entry.checkpoint.origin)
    if any(each.size == entry.checkpoint.size for each in unverified):
        told = ToldEntry(member.id, entry.index, merkle.leaf_hash(entry.raw), tuple(hashes), entry.checkpoint)
        logs.unverified_checkpoints.entries.append(told)
