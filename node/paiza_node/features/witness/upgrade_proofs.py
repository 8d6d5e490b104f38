"""Upgrading proofs: stored proofs from members' logs are complemented by proofs to cosigned checkpoints.

A proof is stored as received, with the checkpoint of that moment, which only the log itself had signed. In the
background, a little behind our own log, which has an entry for each stored proof:

1. Entries of our log are read in order, and the stored entries of other logs about their messages are noted as waiting.
2. Each member is asked for the waiting entries of its log (`ProveEntries`), a batch at a time.
3. Its answer is verified completely, and committed; those entries wait no longer. An invalid proof changes nothing but
   is logged: an honest log always has a valid one.

While our log grows, entries are gathered for `GATHER_SECONDS` or until they fill a request: entries that are proven
together share their span, and among ten members a note has 33 KB. Once our log stands still they are asked for at once.

What a crash leaves: before the commit of 1. a place in our log that is read again; before that of 3. entries that still
wait. The last span is known in memory only: the first span after a start shows both its notes.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from time import monotonic
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
from paiza_node.features.witness.verify_cosignatures import JudgedSpan, judge_span
from paiza_register import Member, Register
from paiza_wire.errors import PaizaError, Rejected

LOOK_SECONDS: Final = 1.0  # between two looks at whether our log has grown
CALM_SECONDS: Final = 1.0  # without growth of our log, after which nothing more is gathered
GATHER_SECONDS: Final = 15.0  # for which waiting entries are gathered while it grows
SWEPT_ENTRIES: Final = 1024  # of our log in one commit; so many new ones are not left for later
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

    def __init__(
        self,
        core: Core,
        kept_proofs: Sequence[Lookup],
        peers: PeerDirectory,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        """Store the peers to ask, and ``kept_proofs``, which find the stored proofs; ``seconds`` is monotonic."""
        self._core = core
        self._kept_proofs = kept_proofs
        self._peers = peers
        self._pace = Pace(seconds)
        self._after: dict[str, int] = {}  # the index of each log after which waiting entries are requested next
        self._most: dict[str, int] = {}  # entries of each log in one request, after an answer that was refused
        self._failures: dict[str, int] = {}  # times in a row that each member returned nothing new
        self._spans: dict[str, JudgedSpan] = {}  # the last one of each member's log: the next may continue it
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._register_cache: list[Register] = []  # those in force since the start, the newest first

    async def run(self) -> None:
        """Upgrade as long as the node runs."""
        try:
            await PeriodicTask(self._round, period=LOOK_SECONDS, failed="proof_not_upgraded").run()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _round(self) -> float:
        size = self._core.ledger.checkpoint.size
        if not self._pace.looks(size):
            return LOOK_SECONDS
        if await self.sweep():
            return SWEEP_PAUSE_SECONDS
        waiting = await asyncio.to_thread(self._counts)
        self._ask_all(waiting, MAX_INDICES if self._pace.gathers else 1)
        self._pace.looked(size, done=not waiting)
        return LOOK_SECONDS

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

    def _ask_all(self, waiting: Mapping[str, int], least: int) -> None:
        """Ask the members of whose logs so many entries wait; those with a question in progress are skipped."""
        for member, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[member]
                task.result()
        for member, session in self._peers.sessions.items():
            if waiting.get(member, 0) >= least and member not in self._tasks:
                self._tasks[member] = asyncio.create_task(self._ask(session), name=f"upgrade {member}")

    async def _ask(self, session: PeerSession) -> None:
        """Upgrade the waiting entries of one member's log, in batches while it returns new proofs.

        If it returns none, a pause follows, in which it is not asked again.
        """
        member = session.member
        witnessed = None
        try:
            while (proven := await self.upgrade(session, witnessed)) is not None:
                witnessed = proven
        except NodeStopped:
            raise
        except PaizaError as error:
            log.debug("proof_not_upgraded", peer=member, reason=error.reason, detail=error.detail)
        except Exception:  # no answer of one peer may end the node
            log.exception("upgrade_failed", peer=member)
        if witnessed is not None:
            self._failures.pop(member, None)
            return
        failures = self._failures[member] = self._failures.get(member, 0) + 1
        await asyncio.sleep(backoff(failures, LOOK_SECONDS, LONGEST_PAUSE_SECONDS))

    async def upgrade(self, session: PeerSession, witnessed: int | None = None) -> int | None:
        """Ask one member for a batch; return up to which size its log is witnessed, None if it gave no new proofs.

        Entries without a proof are requested again after all later ones, and delay nothing; those from the size
        ``witnessed`` on are not.
        """
        core, member = self._core, session.member
        owner = core.register_cache.current.active_member(member)
        waiting = await asyncio.to_thread(self._waiting, owner)
        if not waiting and self._after.pop(member, None) is not None:
            waiting = await asyncio.to_thread(self._waiting, owner)
        if witnessed is not None:
            waiting = [each for each in waiting if each.index < witnessed]
        if not waiting:
            return None
        held = self._spans.get(member)
        if held is not None and held.after.checkpoint.origin != owner.origin:
            held = None
        held_size = 0 if held is None else held.after.checkpoint.size
        response = await session.prove_entries([each.index for each in waiting], held_size)
        proofs = await self._judge(owner, waiting, response, held)
        if not proofs:
            self._after[member] = waiting[-1].index
            if response.spans:  # an entry that cannot be proven must not hold up those asked for together with it
                self._most[member] = max(1, len(waiting) // 2)
            return None
        self._most[member] = min(MAX_INDICES, 2 * self._most.get(member, MAX_INDICES))
        await core.ledger.commit(lambda tx: witness_store.add_cosigned(tx.conn, proofs), rides=True, items=len(proofs))
        left = {each.index for each in waiting} - {proof.index for proof in proofs}
        # An answer may have been cut short: the rest comes next.
        self._after[member] = min(left) - 1 if left else waiting[-1].index
        return response.witnessed_size

    def _waiting(self, owner: Member) -> list[Uncosigned]:
        origin, after = owner.origin, self._after.get(owner.id, -1)
        with self._core.store.reads() as reads:
            return witness_store.uncosigned(reads, origin, self._most.get(owner.id, MAX_INDICES), after=after)

    async def _judge(
        self,
        owner: Member,
        waiting: list[Uncosigned],
        response: witness_pb2.ProveEntriesResponse,
        earlier: JudgedSpan | None,
    ) -> list[CosignedProof]:
        """Verify every span, and compare its checkpoints with those known; invalid ones are left out.

        The first span may continue the ``earlier`` one, each other one the span before it.
        """
        core = self._core
        self._follow_register()
        by_index = {each.index: each for each in waiting}
        found: dict[int, CosignedProof] = {}
        for span in response.spans[:MAX_INDICES]:
            judge = partial(judge_by_any, span, owner.id, by_index, list(self._register_cache), core.clock(), earlier)
            earlier = None  # the next span does not continue an invalid one
            try:
                judged = await asyncio.to_thread(judge)
                for each in judged.shown:
                    if each.origin == owner.origin:
                        core.logs.compare(owner.id, core.logs.verify(owner, bare(each.note, owner), held=True))
            except PaizaError as error:
                await record_fork(core.ledger, core.logs)
                log.warning("span_refused", peer=owner.id, reason=error.reason, detail=error.detail)
                continue
            found.update({proof.index: proof for proof in judged.proofs})
            earlier = self._spans[owner.id] = judged
        return list(found.values())


class Pace:
    """Decides when waiting entries are looked for, by the growth of our log; ``seconds`` is monotonic."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._size = -1  # of our log at the last look, and since when
        self._since = 0.0
        self._next = float("-inf")  # when what was gathered is asked for
        self._looked = 0  # the size up to which entries were looked for
        self._done = False  # nothing of them waits
        self.gathers = False
        """Whether only what fills a request is asked for."""

    def looks(self, size: int) -> bool:
        """Return whether entries are looked for now that our log has this size."""
        now = self._seconds()
        if size != self._size:
            self._size, self._since = size, now
        if self._done and size == self._looked:
            return False
        self.gathers = now - self._since < CALM_SECONDS and now < self._next
        return not self.gathers or size - self._looked >= SWEPT_ENTRIES

    def looked(self, size: int, *, done: bool) -> None:
        """Note that entries were looked for up to this size, and whether none of them waits."""
        self._looked, self._done = size, done
        if not self.gathers:
            self._next = self._seconds() + GATHER_SECONDS


def judge_by_any(
    span: log_pb2.WitnessedSpan,
    owner: str,
    waiting: dict[int, Uncosigned],
    register_cache: Sequence[Register],
    now: datetime,
    earlier: JudgedSpan | None = None,
) -> JudgedSpan:
    """Verify a span by the first of these registers with which it is valid; raise the error of the first otherwise."""
    refused: Rejected | None = None
    for register in register_cache:
        try:
            return judge_span(span, register.member(owner), waiting, register, now, earlier)
        except Rejected as error:
            refused = refused or error
    assert refused is not None, "there is a register"
    raise refused
