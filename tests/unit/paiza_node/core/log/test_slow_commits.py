"""A database that does not answer to a commit: callers are told in time, nothing is lost or doubled."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest
from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.limits import Limits
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import Store, WriteConnection, open_store
from paiza_node.core.storage.replication import commit_waits_for
from paiza_wire import log_entries
from paiza_wire.errors import Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey
from tests.postgresql import PostgreSQL
from tests.unit.paiza_node.core.storage.opening import open_writer
from tests.unit.paiza_node.room import NoFile

SIGNER = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
DEADLINE = 4.0  # seconds; a commit here takes milliseconds, and on a busy machine some tenths of a second
PATIENCE = 60.0


class Remembering(NoFile):
    """A checkpoint file that remembers what was saved."""

    def __init__(self) -> None:
        self.notes: list[bytes] = []

    @override
    def save(self, note: bytes) -> None:
        """Keep a note."""
        self.notes.append(note)


class SlowStore(Store):
    """A store whose commits wait as long as a test says."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.fast = threading.Event()
        self.fast.set()
        self.waits = threading.Event()

    @override
    @contextmanager
    def transaction(self) -> Iterator[WriteConnection]:
        """Begin a transaction whose COMMIT is slow."""
        with super().transaction() as conn:
            yield conn
            if not self.fast.is_set():
                self.waits.set()
                assert self.fast.wait(PATIENCE)


@contextmanager
def opened(store: Store, deadline: float = DEADLINE) -> Iterator[Ledger]:
    """Run a ledger over a store."""
    ledger = Ledger(store, LogSigner([SIGNER]), NoFile(), lambda: bytes(32), limits=Limits(commit_seconds=deadline))
    try:
        yield ledger
    finally:
        ledger.close()
        store.close()


def once(tx: LogTransaction, name: str) -> int:
    """Append an entry of this name, or find the one that is there, as a repeated submission does."""
    for each in log_store.entries(tx.conn, 0, 1000):
        if log_pb2.LogEntry.FromString(each.entry).actor == name:
            return each.index
    return tx.append(log_entries.searched(actor=name)).index


def actors(store: Store) -> list[str]:
    """Return who stands in the log, in order."""
    with store.reads() as reads:
        return [log_pb2.LogEntry.FromString(entry.entry).actor for entry in log_store.entries(reads, 0, 100)]


async def refused(ledger: Ledger, name: str) -> None:
    """Commit, and expect to be told that the database is slow."""
    with pytest.raises(Unavailable) as told:
        await ledger.commit(lambda tx: once(tx, name))
    assert told.value.reason == "database_slow"


async def commit_often(ledger: Ledger, name: str) -> None:
    """Commit again and again: a server reads its configuration when it wants to."""
    for _ in range(1000):
        await ledger.commit(lambda tx: once(tx, name))
        await asyncio.sleep(0.01)


def slow(ledger: Ledger) -> bool:
    """Return whether the ledger refuses work."""
    return ledger.is_slow


async def until_fast(ledger: Ledger) -> None:
    """Return when the ledger accepts work again."""
    for _ in range(int(PATIENCE / 0.01)):
        if not ledger.is_slow:
            return
        await asyncio.sleep(0.01)  # the ledger's thread ends the commit
    raise AssertionError("the commit does not end")


async def test_callers_are_answered_and_the_commit_goes_on(database_url: str) -> None:
    """The caller of the commit and all behind it hear of it; new work is refused at once; what was committed stays."""
    store = SlowStore(database_url)
    with opened(store) as ledger:
        assert (await ledger.commit(lambda tx: once(tx, "before"))).result == 0
        store.fast.clear()
        first = asyncio.create_task(refused(ledger, "first"))
        await asyncio.to_thread(store.waits.wait, PATIENCE)
        assert not slow(ledger)
        await asyncio.gather(first, refused(ledger, "waiting"))
        assert slow(ledger)
        assert ledger.commit_age >= DEADLINE
        began = asyncio.get_running_loop().time()
        await refused(ledger, "late")
        assert asyncio.get_running_loop().time() - began < DEADLINE
        store.fast.set()
        await until_fast(ledger)
        assert ledger.commit_age == 0
        assert (await ledger.commit(lambda tx: once(tx, "first"))).result == 1
        assert (await ledger.commit(lambda tx: once(tx, "waiting"))).result == 2
        assert actors(store) == ["before", "first", "waiting"]
        assert ledger.checkpoint.size == 3


async def test_an_ordinary_commit_disturbs_nobody(database_url: str) -> None:
    """Many commits at once are all answered with their entries."""
    with opened(open_store(database_url), deadline=PATIENCE) as ledger:
        done = await asyncio.gather(*(ledger.commit(lambda tx, n=n: once(tx, f"w{n}")) for n in range(50)))  # type: ignore[misc]
        assert sorted(each.result for each in done) == list(range(50))
        assert not ledger.is_slow


def until_commits_wait(url: str) -> None:
    """Return once a commit waits for the standby: the server's processes learn of it one after another."""
    with (
        psycopg.connect(url, autocommit=True) as committing,
        psycopg.connect(url, autocommit=True) as looking,
        ThreadPoolExecutor(1) as threads,
    ):
        cancelled: list[Any] = []
        while not cancelled:
            commit = threads.submit(committing.execute, "SELECT pg_logical_emit_message(true, '', '')")
            while not commit.done():
                cancelled += looking.execute(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = %s",
                    [committing.info.backend_pid],
                ).fetchall()
            commit.result()


@contextmanager
def standby_wanted(server: PostgreSQL, database: str) -> Iterator[psycopg.Connection]:
    """Have every commit wait for a synchronous standby that is not there."""
    with psycopg.connect(server.url(database), autocommit=True) as connection:

        def name(standby: bytes) -> None:
            connection.execute(b"ALTER SYSTEM SET synchronous_standby_names = '%s'" % standby)
            connection.execute("SELECT pg_reload_conf()")
            while connection.execute("SHOW synchronous_standby_names").fetchone() != (standby.decode(),):
                time.sleep(0.01)  # the server reads its configuration when it wants to

        name(b"away")
        try:
            until_commits_wait(server.url(database))
            yield connection
        finally:
            name(b"")


async def test_a_commit_without_its_synchronous_standby(postgresql: PostgreSQL) -> None:
    """PostgreSQL waits for a standby that is away: callers hear it, the cause is known, a repeat finds the entry."""
    store = open_store(postgresql.create_database("nostandby"))
    with opened(store) as ledger:
        with standby_wanted(postgresql, "nostandby"):
            with pytest.raises(Unavailable, match="database_slow"):
                await commit_often(ledger, "first")
            assert slow(ledger)
            with store.reads() as reads:
                assert commit_waits_for(reads) == "synchronous_standby"
        await until_fast(ledger)
        index = (await ledger.commit(lambda tx: once(tx, "first"))).result
        assert actors(store)[index] == "first"
        assert len(set(actors(store))) == len(actors(store))


async def test_a_cancelled_wait_is_no_success(postgresql: PostgreSQL) -> None:
    """Whoever cancels the wait makes PostgreSQL report success with a warning: nobody is answered with that."""
    store = open_store(postgresql.create_database("cancelled"))
    with opened(store, deadline=PATIENCE) as ledger:
        size = ledger.checkpoint.size
        with standby_wanted(postgresql, "cancelled") as connection:
            waiting = asyncio.create_task(refused(ledger, "first"))
            async with asyncio.timeout(PATIENCE):
                while not waiting.done():
                    await asyncio.to_thread(
                        connection.execute,
                        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
                    )
                    await asyncio.sleep(0.05)
            await waiting
            assert ledger.checkpoint.size == size
        assert (await ledger.commit(lambda tx: once(tx, "first"))).result == size
        assert actors(store) == ["first"]
        assert ledger.checkpoint.size == size + 1


async def test_nothing_is_signed_at_a_start_before_the_standby_has_it(postgresql: PostgreSQL) -> None:
    """What the process before left may be at the primary alone: the next one signs only after a commit of its own."""
    url = postgresql.create_database("left")
    with opened(open_store(url)) as ledger:
        await ledger.commit(lambda tx: once(tx, "left"))
    file = Remembering()
    store = open_writer(url)
    with standby_wanted(postgresql, "left"):
        start = partial(
            Ledger, store, LogSigner([SIGNER]), file, lambda: bytes(32), limits=Limits(commit_seconds=DEADLINE)
        )
        starting = asyncio.create_task(asyncio.to_thread(start))
        done, _ = await asyncio.wait({starting}, timeout=1.5 * DEADLINE)
        assert not done
        assert not file.notes
    started = await asyncio.wait_for(starting, PATIENCE)
    assert (started.checkpoint.size, len(file.notes)) == (1, 1)
    started.close()
    store.close()
