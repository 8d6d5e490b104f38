"""Upgrading proofs: stored proofs from members' logs are complemented by proofs to cosigned checkpoints.

A proof is stored as received, with the checkpoint of that moment, which only the log itself had signed. In the
background, a little behind our own log, which has an entry for each stored proof:

1. Entries of our log are read in order, and the stored entries of other logs about their messages are noted as waiting.
2. Each member is asked for the waiting entries of its log (`ProveEntries`), a batch at a time.
3. Its answer is verified completely, and committed; those entries wait no longer. An invalid proof changes nothing but
   is logged: an honest log always has a valid one.

What a crash leaves: a place in our log that is read again, which finds nothing new; entries that still wait.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import witness_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import NodeStopped
from paiza_node.core.executors.periodic import PeriodicTask, backoff
from paiza_node.core.log import store as log_store
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.peers.claims import record_fork
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.session import PeerSession
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.statements import Lookup
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.gossip import bare
from paiza_node.features.witness.model import CosignedProof, Uncosigned
from paiza_node.features.witness.prove import MAX_INDICES
from paiza_node.features.witness.submit_checkpoints import ROUND_SECONDS, round_seconds
from paiza_node.features.witness.verify_cosignatures import judge_span
from paiza_register import Member, Register
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

SWEPT_ENTRIES: Final = 1024  # of our log in one commit
SWEEP_PAUSE_SECONDS: Final = 0.05  # between two such commits: new entries go before old ones
LONGEST_PAUSE_SECONDS: Final = 30.0  # until a member that returned nothing new is asked again
# These entries have no stored proof of another log, and are half of what a sending node writes.
OWN_ACTS: Final = frozenset(
    {
        log_pb2.LOG_EVENT_SUBMITTED,
        log_pb2.LOG_EVENT_APPROVED,
        log_pb2.LOG_EVENT_RELEASED,
        log_pb2.LOG_EVENT_OPENED,
    }
)
REMEMBERED_REGISTERS: Final = 4  # a note cosigned before the membership changed is verified by the register of its time
COUNTER: Final = "uncosigned_swept"

log = structlog.get_logger("paiza.witness")


class UpgradeProofs:
    """Upgrades proofs. Belongs to one event loop."""

    def __init__(self, core: Core, kept_proofs: Sequence[Lookup], peers: PeerDirectory) -> None:
        """Store the peers to ask, and ``kept_proofs``, which find the stored proofs."""
        self._core = core
        self._kept_proofs = kept_proofs
        self._peers = peers
        self._after: dict[str, int] = {}  # the index of each log after which waiting entries are requested next
        self._failures: dict[str, int] = {}  # times in a row that each member returned nothing new
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._register_cache: list[Register] = []  # those in force since the start, the newest first

    async def run(self) -> None:
        """Upgrade as long as the node runs."""
        try:
            await PeriodicTask(self._round, period=ROUND_SECONDS, failed="proof_not_upgraded").run()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _round(self) -> float:
        if await self.sweep():
            return SWEEP_PAUSE_SECONDS
        self._ask_all(await asyncio.to_thread(self._counts))
        return self._look_seconds

    @property
    def _look_seconds(self) -> float:
        """The seconds between two checks for waiting entries: about as long as a quorum takes."""
        return round_seconds(len(self._peers.sessions))

    async def sweep(self) -> bool:
        """Note waiting entries, from the next entries of our log on; return whether there may be more."""
        self._follow_register()
        found = await asyncio.to_thread(self._next)
        if found is None:
            return False
        end, waiting, more = found

        def work(tx: LogTransaction) -> None:
            witness_store.drop_left_behind(tx.conn)
            witness_store.add_uncosigned(tx.conn, waiting)
            settings_store.put_counter(tx.conn, COUNTER, end)

        await self._core.ledger.commit(work, rides=True, items=len(waiting))
        return more

    def _follow_register(self) -> None:
        register = self._core.register_cache.current
        if not self._register_cache or self._register_cache[0].version != register.version:
            self._register_cache = [register, *self._register_cache][:REMEMBERED_REGISTERS]

    def _next(self) -> tuple[int, list[Uncosigned], bool] | None:
        with self._core.store.reads() as reads:
            entries = log_store.entries(reads, settings_store.counter(reads, COUNTER), SWEPT_ENTRIES)
            if not entries:
                return None
            parsed = [log_pb2.LogEntry.FromString(each.entry) for each in entries]
            digests = {each.message_digest for each in parsed if each.event not in OWN_ACTS} - {b""}
            waiting = witness_store.foreign_entries(reads, self._kept_proofs, digests)
            return entries[-1].index + 1, waiting, len(entries) == SWEPT_ENTRIES

    def _counts(self) -> dict[str, int]:
        with self._core.store.reads() as reads:
            return witness_store.uncosigned_counts(reads)

    def _ask_all(self, waiting: Mapping[str, int]) -> None:
        """Ask each member for the waiting entries of its log; members with a question in progress are skipped."""
        for member, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[member]
                task.result()
        for member, session in self._peers.sessions.items():
            if waiting.get(member) and member not in self._tasks:
                self._tasks[member] = asyncio.create_task(self._ask(session), name=f"upgrade {member}")

    async def _ask(self, session: PeerSession) -> None:
        """Upgrade the waiting entries of one member's log, in batches while it returns new proofs; then pause."""
        member = session.member
        try:
            while await self.upgrade(session):
                self._failures.pop(member, None)
        except NodeStopped:
            raise
        except PaizaError as error:
            log.debug("proof_not_upgraded", peer=member, reason=error.reason, detail=error.detail)
        except Exception:  # no answer of one peer may end the node
            log.exception("upgrade_failed", peer=member)
        failures = self._failures[member] = self._failures.get(member, 0) + 1
        await asyncio.sleep(backoff(failures, self._look_seconds, LONGEST_PAUSE_SECONDS))

    async def upgrade(self, session: PeerSession) -> bool:
        """Ask one member for a batch; return whether it returned new proofs.

        Entries without a proof are requested again after all later ones, and delay nothing.
        """
        core, member = self._core, session.member
        owner = core.register_cache.current.active_member(member)
        waiting = await asyncio.to_thread(self._waiting, owner)
        if not waiting and self._after.pop(member, None) is not None:
            waiting = await asyncio.to_thread(self._waiting, owner)
        if not waiting:
            return False
        response = await session.prove_entries([each.index for each in waiting])
        proofs = await self._judge(owner, waiting, response)
        if not proofs:
            self._after[member] = waiting[-1].index
            return False
        await core.ledger.commit(lambda tx: witness_store.add_cosigned(tx.conn, proofs), rides=True, items=len(proofs))
        left = {each.index for each in waiting} - {proof.index for proof in proofs}
        # An answer may have been cut short: the rest comes next.
        self._after[member] = min(left) - 1 if left else waiting[-1].index
        return True

    def _waiting(self, owner: Member) -> list[Uncosigned]:
        origin, after = owner.origin, self._after.get(owner.id, -1)
        with self._core.store.reads() as reads:
            return witness_store.uncosigned(reads, origin, MAX_INDICES, after=after)

    async def _judge(
        self, owner: Member, waiting: list[Uncosigned], response: witness_pb2.ProveEntriesResponse
    ) -> list[CosignedProof]:
        """Verify every span, and compare its checkpoints with those known; invalid ones are left out."""
        core = self._core
        self._follow_register()
        by_index = {each.index: each for each in waiting}
        found: dict[int, CosignedProof] = {}
        for span in response.spans[:MAX_INDICES]:
            judge = partial(judge_by_any, span, owner.id, by_index, list(self._register_cache), core.clock())
            try:
                proofs, shown = await asyncio.to_thread(judge)
                for each in shown:
                    if each.origin == owner.origin:
                        core.logs.compare(owner.id, core.logs.verify(owner, bare(each.note, owner), held=True))
            except PaizaError as error:
                await record_fork(core.ledger, core.logs)
                log.warning("span_refused", peer=owner.id, reason=error.reason, detail=error.detail)
                continue
            found.update({proof.index: proof for proof in proofs})
        return list(found.values())


def judge_by_any(
    span: log_pb2.WitnessedSpan,
    owner: str,
    waiting: dict[int, Uncosigned],
    register_cache: Sequence[Register],
    now: datetime,
) -> tuple[list[CosignedProof], list[VerifiedCheckpoint]]:
    """Verify a span by the first of these registers with which it is valid; raise the error of the first otherwise."""
    refused: Rejected | None = None
    for register in register_cache:
        try:
            return judge_span(span, register.member(owner), waiting, register, now)
        except Rejected as error:
            refused = refused or error
    assert refused is not None, "there is a register"
    raise refused
