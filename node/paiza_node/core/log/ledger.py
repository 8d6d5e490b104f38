"""The one commit path: every change of state is rows plus log entries, committed together, proven before answered.

`Ledger.commit` takes *work*, a function that reads and writes through a `LogTransaction`. One thread gathers work that
waits (group commit, `paiza_node.core.log.waiting`), runs it in ONE database transaction, appends its entries to the
log's tree and advances the head. Only after the commit does it sign one checkpoint for the batch, put that on disk
outside the database, and release the callers.

What a crash leaves:

- before the COMMIT: nothing happened, nobody was answered;
- after the COMMIT, before the checkpoint is on disk: the batch happened and nobody was answered; the next start signs
  the committed head, and a caller that repeats gets the same entries;
- after that: the answer may be lost; repeats get the same entries. Subscribers who were not told of announced changes
  (`changes`) find them in the rows when they catch up at the next start.

Where the database is lost during a COMMIT and cannot be asked, the callers get "try again"; the next commit finds out
by the batch's id whether it took place, and if so takes it over before anything else.

Where the database does not answer in time (a slow disk, a synchronous standby that is away), the callers are answered
all the same (`paiza_node.core.log.commit_watch`); work that still takes place is found by a repeat. The COMMIT itself
is never cancelled: PostgreSQL would report success although no standby has it. New work is refused until it ends.
"""

import asyncio
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, Protocol, TypeVar

import structlog

from paiza_node.core.blocking import held
from paiza_node.core.errors import N_, NodeStopped, damage_of
from paiza_node.core.limits import Limits
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import Change, ChangeFeed
from paiza_node.core.log.commit_watch import SLOW, CommitWatch, answer
from paiza_node.core.log.denial_share import DenialShare
from paiza_node.core.log.disk_reserve import DiskReserve
from paiza_node.core.log.model import Head
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.log.waiting import Waiting, WaitingWork
from paiza_node.core.quotas.quotas import Quotas
from paiza_node.core.storage import Store
from paiza_wire import receipts
from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.tlog import merkle, tiles
from paiza_wire.tlog.checkpoint import Checkpoint, VerifiedCheckpoint

BATCH_ID_BYTES: Final = 16

T = TypeVar("T")
log = structlog.get_logger("paiza.log")


class CheckpointFile(Protocol):
    """Storage of the last signed checkpoint outside the database."""

    def load(self) -> bytes | None:
        """Return the note saved last; None if there is none."""

    def save(self, note: bytes) -> None:
        """Put a note on disk; returns when it would survive loss of power."""


@dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """The result of a piece of work, and a checkpoint of the log that contains its entries."""

    result: T
    checkpoint: VerifiedCheckpoint


Work = Callable[[LogTransaction], T]
PartWork = Callable[[LogTransaction, int, int], T]
"""Work on the items from one number to another, of work that can be divided."""


@dataclass(frozen=True, slots=True)
class _Uncertain:
    """A batch whose COMMIT had no known result: the head it would have made, and its changes."""

    head: Head
    tiles: tiles.TileBatch | None
    changes: tuple[Change, ...]


class Ledger:
    """The log of one node and the only way to change its state. One per store; its thread is the only writer."""

    def __init__(
        self,
        store: Store,
        signer: LogSigner,
        file: CheckpointFile,
        register_version: Callable[[], bytes],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        limits: Limits | None = None,
        free_bytes: Callable[[], int] | None = None,
    ) -> None:
        """Open over the store: compare its head with the last signed checkpoint, sign it anew, start the threads.

        ``limits`` holds the quotas of a day, and after how long the callers of a commit are answered that the database
        is slow. ``free_bytes`` returns the free bytes of the disk, of which a reserve is kept.
        """
        self._store = store
        self._signer = signer
        self._file = file
        self._register_version = register_version
        self._clock = clock
        limits = limits or Limits()
        self._lock = threading.Lock()  # provers read the tree while the thread appends
        self._waiting = WaitingWork()
        with store.reads() as reads:
            self._head = log_store.head(reads)
            on_server = reads.database == "postgresql"
            self.quotas = Quotas(limits, reads, clock())
        self._tree = tiles.TileTree(self._head.size, self._read_tile)
        self._check_start()
        self._uncertain: _Uncertain | None = None
        self._unpublished: list[Change] = []  # committed, and not yet proven on disk
        self._reserve = None if free_bytes is None else DiskReserve(free_bytes)
        self.denials = DenialShare()
        self.changes = ChangeFeed()
        self.stopped: Future[None] = Future()
        """Fails with NodeStopped when this process must not write any more."""
        self._commit_seconds = limits.commit_seconds
        self._watch = CommitWatch(limits.commit_seconds, self._waiting.drain)
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._watch.start()
        try:
            self._confirm_head(on_server=on_server)
            self._checkpoint = self._sign()
        except BaseException:
            self._watch.close()
            raise
        self._thread.start()

    @property
    def origin(self) -> str:
        """Return the name of the log."""
        return self._signer.origin

    @property
    def checkpoint(self) -> VerifiedCheckpoint:
        """Return the last checkpoint that is on disk."""
        return self._checkpoint

    @property
    def last_seq(self) -> int:
        """Return the number of the message that was stored last; 0 if there is none."""
        return self._head.messages

    @property
    def is_slow(self) -> bool:
        """Whether the running commit takes longer than callers wait: no work is accepted meanwhile."""
        return self._watch.is_slow

    @property
    def commit_age(self) -> float:
        """For how many seconds the running commit has been under way; 0 if none is."""
        return self._watch.age

    @property
    def group_items(self) -> int:
        """Return how many items a commit group holds at present."""
        return self._waiting.group_items

    @property
    def has_traffic(self) -> bool:
        """Return whether other work than what rides waits, or came a moment ago."""
        return self._waiting.has_traffic

    async def commit(
        self,
        work: Work[T],
        *,
        first: bool = False,
        rides: bool = False,
        items: int = 1,
        counts_messages: bool = False,
    ) -> Committed[T]:
        """Run work when its caller's turn comes. Exceptions of work or commit are raised; then nothing happened.

        ``first``: ahead of what is not urgent. ``rides``: background work, committed together with other work, alone
        only if none comes for a moment. ``items``: messages, or what else the work is measured by; the caller is
        charged for them. Unavailable("busy") if too much waits already. Unavailable("daily_quota") if it makes log
        entries beyond the caller's quota; work that ``counts_messages`` asks for each of them instead
        (`LogTransaction.count_message`). Unavailable("database_slow") if the database does not answer in time: the work
        may still take place, as if the caller had hung up.
        """
        return await asyncio.wrap_future(
            self._enqueue(
                lambda tx, _granted: work(tx), first=first, rides=rides, items=items, counts_messages=counts_messages
            )
        )

    async def commit_parts(
        self,
        work: PartWork[T],
        items: int,
        *,
        first: bool = False,
        extra: int = 0,
        together: bool = False,
        counts_messages: bool = False,
    ) -> list[Committed[T]]:
        """Commit work on so many items, as `commit` does: in one piece, or in several while others wait for the ledger.

        ``extra``: items that the caller is charged for beside those of the first piece. ``together``: all is one piece.
        If a piece fails, those before it are committed, and those behind it are not tried.
        """
        done: list[Committed[T]] = []
        begin = 0
        while begin < items or not done:

            def part(tx: LogTransaction, granted: int, begin: int = begin, extra: int = extra) -> tuple[int, T]:
                end = min(items, begin + granted - extra)
                return end, work(tx, begin, end)

            wanted = max(1, items - begin) + extra
            committed = await asyncio.wrap_future(
                self._enqueue(
                    part,
                    first=first,
                    items=wanted,
                    least=wanted if together else extra + 1,
                    is_rest=bool(done),
                    counts_messages=counts_messages,
                )
            )
            begin, result = committed.result
            done.append(Committed(result, committed.checkpoint))
            extra = 0
        return done

    def commit_now(self, work: Work[T], timeout_seconds: float = 60.0) -> Committed[T]:
        """Run `commit` from a plain thread."""
        return self._enqueue(lambda tx, _granted: work(tx)).result(timeout_seconds)

    def prove(self, indices: Sequence[int], size: int) -> list[list[bytes]]:
        """Return inclusion proofs of these entries in the tree of ``size``."""
        with held(self._lock):
            return self._tree.inclusion_proofs(indices, size)

    def prove_consistency(self, size1: int, size2: int) -> list[bytes]:
        """Return the consistency proof between two sizes of the log."""
        with held(self._lock):
            return self._tree.consistency_proof(size1, size2)

    def root(self, size: int) -> bytes:
        """Return the root of the log at a size."""
        with held(self._lock):
            return self._tree.root(size)

    def size_before(self, time: datetime) -> int | None:
        """Return how many entries are earlier than this time; None if no entry is of this time or later.

        Blocking. Entries that are retired count as earlier.
        """
        first, end = 0, self._checkpoint.size
        with self._store.reads() as reads:
            while first < end:
                middle = (first + end) // 2
                found = log_store.entries_at(reads, [middle])
                if found and receipts.parse_entry(found[0].entry).entry_time.ToDatetime(tzinfo=UTC) >= time:
                    end = middle
                else:
                    first = middle + 1
        return None if first == self._checkpoint.size else first

    def close(self) -> None:
        """Finish the waiting work, then end the thread."""
        self._waiting.close()
        self._thread.join(self._commit_seconds)
        if self._thread.is_alive():
            log.error("stop_waits_for_commit", seconds=round(self.commit_age, 1))
            self._thread.join()
        self._watch.close()

    def _enqueue(
        self,
        work: Callable[[LogTransaction, int], T],
        *,
        first: bool = False,
        rides: bool = False,
        items: int = 1,
        least: int | None = None,
        is_rest: bool = False,
        counts_messages: bool = False,
    ) -> "Future[Committed[T]]":
        if self._watch.is_slow:
            raise self._watch.refusal()
        return self._waiting.add(
            work,
            first=first,
            rides=rides,
            items=max(1, items),
            least=least,
            is_rest=is_rest,
            counts_messages=counts_messages,
        )

    def _run(self) -> None:
        while group := self._waiting.gather():
            with self._watch.over(group):
                self._settle(group)

    def _settle(self, group: list[Waiting]) -> None:
        try:
            self._commit_group(group)
        except BaseException as error:
            if not isinstance(error, Unavailable):
                log.exception("commit_failed")
            if isinstance(error, NodeStopped) and not self.stopped.done():
                self.stopped.set_exception(error)
            for item in group:
                answer(item.future, error)

    def _commit_group(self, group: list[Waiting]) -> None:
        batch = secrets.token_bytes(BATCH_ID_BYTES)
        attempt: _Uncertain | None = None
        try:
            with self._store.transaction() as conn:
                # Re-read under the database's lock: this detects another writer and a restored database.
                self._compare_head(log_store.head(conn))
                tx = LogTransaction(
                    conn,
                    self._head,
                    max(self._clock(), self._head.last_time),
                    self._register_version(),
                    self.denials,
                    self.quotas,
                    self._reserve,
                )
                self.quotas.begin(tx.now)
                if self._reserve is not None:
                    self._reserve.begin()
                for item in group:
                    _do(item, tx)
                self.quotas.store(conn)
                tile_batch: tiles.TileBatch | None = None
                if tx.entries:
                    with self._lock:
                        tile_batch = self._tree.append([merkle.leaf_hash(entry) for _, entry, _ in tx.entries])
                    log_store.put_tiles(conn, tile_batch.tiles)
                head = tx.head(tile_batch.root if tile_batch else self._head.root, batch)
                attempt = _Uncertain(head, tile_batch, tuple(tx.changes))
                log_store.set_head(conn, head)
        except Unavailable as error:
            # The COMMIT may have taken place although its answer was lost: the batch id shows it. It is never repeated.
            self._uncertain = attempt or self._uncertain
            if error.reason != SLOW:  # committed here, and not known to be at a standby: only the next commit shows it
                self._look_up(error)
            if self._head.batch != batch:
                raise
        else:
            self._take_over(attempt)
        if self._checkpoint.size != self._head.size:
            self._checkpoint = self._sign()
        # If we crash here, subscribers find what happened when they catch up at the next start.
        changes, self._unpublished = self._unpublished, []
        self.changes.publish(changes)
        for item in group:
            answer(item.future, Committed(item.outcome, self._checkpoint))

    def _look_up(self, error: Unavailable) -> None:
        """Query the result of the last batch. If the database cannot be queried, the next commit does so first."""
        try:
            if error.reason == "standby":
                with self._store.reads() as reads:
                    self._compare_head(log_store.head(reads))
            else:
                with self._store.transaction() as conn:
                    self._compare_head(log_store.head(conn))
        except Unavailable:
            return

    def _compare_head(self, found: Head) -> None:
        """Compare the head in the database with ours; take over the batch whose COMMIT was uncertain if it is there."""
        if found == self._head:
            return
        if self._uncertain is None or found != self._uncertain.head:
            raise _moved(self._head, found)
        self._take_over(self._uncertain)

    def _take_over(self, done: _Uncertain | None) -> None:
        """Make a committed batch the state of this process. Callers and subscribers get it only after `_sign`."""
        self._uncertain = None
        if done is None:
            return
        self._head = done.head
        self._unpublished.extend(done.changes)
        if done.tiles is not None:
            with self._lock:
                self._tree.commit(done.tiles)

    def _sign(self) -> VerifiedCheckpoint:
        """Sign the committed head. No caller may be answered with it before it is on disk outside the database.

        A crash before `save` returns leaves the old checkpoint in the file; the next start signs the head again.
        """
        note = self._signer.sign(Checkpoint(self.origin, self._head.size, self._head.root), self._clock())
        self._file.save(note)
        return VerifiedCheckpoint(self.origin, self._head.size, self._head.root, note)

    def _check_start(self) -> None:
        if self._tree.root() != self._head.root:
            raise _damaged(N_("The log is damaged: its tiles do not give the root in its head."))
        note = self._file.load()
        if note is None or self._is_former(note):
            return
        last = self._signer.verify(note)
        if last.size > self._head.size:
            raise NodeStopped(
                "log_rolled_back",
                what=N_("The database ends at entry {size}, but a checkpoint of {signed} was signed."),
                where="{origin}",
                remedy=N_(
                    "An old copy of the database was restored. Restore the newest copy and keep the "
                    "checkpoint file. If there is none, make a backup of this one, move the database away and"
                    " run `paiza-node restore`."
                ),
                size=self._head.size,
                signed=last.size,
                origin=self.origin,
            )
        if self._tree.root(last.size) != last.root:
            raise _damaged(
                N_("The log is damaged: it does not lead to the checkpoint of size {signed} that was signed."),
                signed=last.size,
            )

    def _confirm_head(self, *, on_server: bool) -> None:
        """Commit once before anything is signed, so that a synchronous standby has all that is committed here.

        The process before may have ended while its commit waited for the standby: PostgreSQL shows that commit from
        then on, although the standby may lack it.
        """
        if not on_server or not self._head.size:
            return
        with self._watch.over(()), self._store.transaction() as conn:
            log_store.set_head(conn, self._head)

    def _is_former(self, note: bytes) -> bool:
        """Return whether the file holds a checkpoint of an earlier log: a restore stopped before saving the new one."""
        with self._store.reads() as reads:
            return note.partition(b"\n")[0].decode() in {former.origin for former in log_store.former_logs(reads)}

    def _read_tile(self, level: int, index: int) -> bytes:
        with self._store.tile_reads() as reads:
            return log_store.tile(reads, level, index)


def _do(item: Waiting, tx: LogTransaction) -> None:
    """Run one piece of work; if it fails only its own writes are undone, and only its caller gets the error."""
    mark = tx.savepoint()
    try:
        with tx.conn.savepoint():
            tx.begin_work(item.caller)
            item.outcome = item.work(tx, item.granted)
            tx.end_work(counts_messages=item.counts_messages)
            # Now, not with the batch: the next piece of work may read these entries, to answer a repeat.
            log_store.add_entries(tx.conn, tx.entries[mark[0] :])
    except Exception as error:
        if isinstance(error, Unavailable) and error.reason == "database_unavailable":
            raise
        tx.rollback_to(mark)
        answer(item.future, _told(error))


def _told(error: Exception) -> Exception:
    """Return the error that the caller of failed work gets; what is no refusal is logged."""
    damage = damage_of(error)
    if damage is not None:
        log.error("row_damaged", detail=f"{type(error).__name__}: {error}")
    elif not isinstance(error, PaizaError):
        log.error("work_failed", exc_info=error)
    return damage or error


def _moved(expected: Head, found: Head) -> NodeStopped:
    return NodeStopped(
        "log_damaged",
        what=N_("The log has {found} entries in the database where this process left it at {expected}."),
        where="log_head",
        remedy=N_(
            "Another process wrote to the database, or took over. Run `paiza-node verify`, then start this one again."
        ),
        found=found.size,
        expected=expected.size,
    )


def _damaged(what: str, **values: object) -> NodeStopped:
    return NodeStopped(
        "log_damaged",
        what=what,
        where=N_("the database"),
        remedy=N_("Run `paiza-node verify` to find the first bad entry, and restore the newest backup."),
        **values,
    )
