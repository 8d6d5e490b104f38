"""The one commit path, with a database and a disk that fail at every step; on both databases."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.blocking import WouldBlock, on_loop
from paiza_node.core.errors import NodeStopped
from paiza_node.core.log import store as log_store
from paiza_node.core.log import waiting
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.log.waiting import LONG_GROUP_ITEMS, SHORT_GROUP_ITEMS
from paiza_node.core.storage import Store, WriteConnection
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.engine import READ_CONNECTIONS
from paiza_wire import log_entries, receipts
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog import merkle
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.notes import SignerKey, parse_note
from paiza_wire.tlog.tiles import TILE_WIDTH
from tests.log_entries import entry_of

ORIGIN = "kaz.paiza.example/log/1"
SIGNER = SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())
AWAY = "database_unavailable"


class FailingStore(Store):
    """A store whose transactions fail where a test says."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.failures: list[str] = []
        """The failures of the next transactions: begin, commit (rolled back), answer (committed), or none."""

    @override
    @contextmanager
    def transaction(self) -> Iterator[WriteConnection]:
        """Begin a transaction, which may fail."""
        how = self.failures.pop(0) if self.failures else ""
        if how == "begin":
            raise Unavailable(AWAY, "cannot begin")
        with super().transaction() as conn:
            yield conn
            if how == "commit":
                raise Unavailable(AWAY, "cannot commit")
        if how == "answer":
            raise Unavailable(AWAY, "committed, and the answer was lost")


class CheckpointInMemory:
    """A checkpoint file that can refuse to be written."""

    def __init__(self) -> None:
        self.notes: list[bytes] = []
        self.full = False

    def load(self) -> bytes | None:
        """Return the last note."""
        return self.notes[-1] if self.notes else None

    def save(self, note: bytes) -> None:
        """Keep a note, or refuse."""
        if self.full:
            raise Unavailable("checkpoint_unsaved", "the disk is full")
        self.notes.append(note)

    @property
    def size(self) -> int:
        """The size that was signed last."""
        return Checkpoint.parse(parse_note(self.notes[-1]).text).size


@pytest.fixture
def store(database_url: str) -> Iterator[FailingStore]:
    """A store on an empty database."""
    store = FailingStore(database_url)
    yield store
    store.close()


@pytest.fixture
def file() -> CheckpointInMemory:
    """A checkpoint file."""
    return CheckpointInMemory()


@contextmanager
def opened(store: FailingStore, file: CheckpointInMemory) -> Iterator[Ledger]:
    """Run a ledger over a store."""
    ledger = Ledger(store, LogSigner([SIGNER]), file, lambda: bytes(32))
    try:
        yield ledger
    finally:
        ledger.close()


def note_down(name: str) -> Any:
    """Make work that appends one entry and gives its index."""

    def work(tx: LogTransaction) -> int:
        settings_store.put_setting(tx.conn, name, b"1")
        return tx.append(log_entries.searched(actor=name)).index

    return work


def actors(store: FailingStore) -> list[str]:
    """Return who stands in the log, in order."""
    with store.reads() as reads:
        return [log_pb2.LogEntry.FromString(entry.entry).actor for entry in log_store.entries(reads, 0, 100)]


def check_proofs(ledger: Ledger, store: FailingStore) -> None:
    """Check that every entry is proven to the checkpoint."""
    checkpoint = ledger.checkpoint
    with store.reads() as reads:
        entries = log_store.entries(reads, 0, 100)
    assert checkpoint.size == len(entries)
    for entry, proof in zip(entries, ledger.prove(range(len(entries)), checkpoint.size), strict=True):
        merkle.verify_inclusion(merkle.leaf_hash(entry.entry), entry.index, checkpoint.size, proof, checkpoint.root)


async def test_what_waits_is_committed_together(store: FailingStore, file: CheckpointInMemory) -> None:
    """Work that arrives during a commit shares the next one: one signature for all of it."""
    with opened(store, file) as ledger:
        begun, go_on = threading.Event(), threading.Event()

        def slow(_tx: LogTransaction) -> None:
            begun.set()
            go_on.wait(60)

        first = asyncio.create_task(ledger.commit(slow))
        await asyncio.to_thread(begun.wait, 10)
        rest = [asyncio.create_task(ledger.commit(note_down(f"w{number}"))) for number in range(10)]
        await asyncio.sleep(0)
        signed = len(file.notes)
        go_on.set()
        committed = await asyncio.gather(*rest)
        await first
        assert len(file.notes) == signed + 1
        assert {each.checkpoint.size for each in committed} == {10}
        check_proofs(ledger, store)


def test_text_that_a_database_does_not_store_is_no_failure(store: FailingStore, file: CheckpointInMemory) -> None:
    """PostgreSQL stores no NUL, and callers send any text; the entry commits to what is stored."""
    with opened(store, file) as ledger:
        entry = ledger.commit_now(lambda tx: tx.append(log_entries.searched(actor="one"), text="because\0")).result
    with store.reads() as reads:
        beside = log_store.texts(reads, [entry.index])[entry.index]
    assert beside.text == "because\N{REPLACEMENT CHARACTER}"
    assert log_pb2.LogEntry.FromString(entry.entry).text_sha256 == receipts.text_digest(beside.salt, beside.text)


async def test_failing_work_is_undone_alone(store: FailingStore, file: CheckpointInMemory) -> None:
    """The writes of failed work are gone; those of other work in the commit stay."""
    with opened(store, file) as ledger:

        def bad(tx: LogTransaction) -> None:
            note_down("bad")(tx)
            tx.next_message_seq()
            raise Rejected("unknown_id", "no")

        results = await asyncio.gather(
            ledger.commit(note_down("a")), ledger.commit(bad), ledger.commit(note_down("b")), return_exceptions=True
        )
        assert isinstance(results[1], Rejected)
        assert actors(store) == ["a", "b"]
        with store.reads() as reads:
            assert settings_store.setting(reads, "bad") is None
            assert log_store.head(reads).messages == 0
        check_proofs(ledger, store)


def change_more(tx: LogTransaction) -> None:
    """Change something after a change that the database refuses."""
    settings_store.put_setting(tx.conn, "after", b"1")


def find_something(tx: LogTransaction) -> None:
    """Query after a change that the database refuses."""
    settings_store.setting(tx.conn, "bad")


def find_all(tx: LogTransaction) -> None:
    """Query by SQLAlchemy after a change that the database refuses."""
    tx.conn.execute(select(log_store.log_text_table)).all()


@pytest.mark.parametrize("then", [lambda _tx: None, change_more, find_something, find_all])
async def test_work_that_the_database_refuses_is_undone_alone(
    then: Callable[[LogTransaction], None], store: FailingStore, file: CheckpointInMemory
) -> None:
    """A row that exists already fails its own work, whenever the database says so, and no other in the commit."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(_tx: LogTransaction) -> None:
        begun.set()
        go_on.wait(60)

    def bad(tx: LogTransaction) -> None:
        note_down("bad")(tx)
        log_store.add_listed(tx.conn, 1, [bytes(32)])
        log_store.add_listed(tx.conn, 1, [bytes(32)])
        then(tx)

    with opened(store, file) as ledger:
        first = asyncio.create_task(ledger.commit(slow))
        await asyncio.to_thread(begun.wait, 10)
        together = asyncio.gather(
            *(ledger.commit(each) for each in (note_down("a"), bad, note_down("b"), bad, note_down("c"))),
            return_exceptions=True,
        )
        await asyncio.sleep(0)
        signed = len(file.notes)
        go_on.set()
        await first
        results = await together
        refused = [each.reason if isinstance(each, Unavailable) else "" for each in results]
        assert refused == ["", "log_damaged", "", "log_damaged", ""]
        assert len(file.notes) == signed + 1
        assert actors(store) == ["a", "b", "c"]
        with store.reads() as reads:
            assert settings_store.setting(reads, "bad") is None
            assert settings_store.setting(reads, "after") is None
            assert log_store.listed(reads, [1]) == {}
        check_proofs(ledger, store)


@pytest.mark.parametrize("how", ["begin", "commit"])
def test_what_was_not_committed_never_happened(how: str, store: FailingStore, file: CheckpointInMemory) -> None:
    """A transaction that cannot begin or commit: the caller is told to try again, nothing is stored or signed."""
    with opened(store, file) as ledger:
        ledger.commit_now(note_down("a"))
        store.failures = [how]
        with pytest.raises(Unavailable):
            ledger.commit_now(note_down("b"))
        assert (actors(store), file.size) == (["a"], 1)
        assert ledger.commit_now(note_down("c")).result == 1
        check_proofs(ledger, store)


def test_commit_whose_answer_was_lost_is_looked_up(store: FailingStore, file: CheckpointInMemory) -> None:
    """The batch is found by its id: the caller is answered, and it is not written twice."""
    with opened(store, file) as ledger:
        store.failures = ["answer"]
        assert ledger.commit_now(note_down("a")).result == 0
        assert actors(store) == ["a"]
        check_proofs(ledger, store)


@pytest.mark.parametrize("away", [1, 3])
def test_lost_commit_is_taken_over_when_the_database_is_back(
    away: int, store: FailingStore, file: CheckpointInMemory
) -> None:
    """The caller gets "try again" if the look-up fails too; later the batch is committed once, and proven."""
    with opened(store, file) as ledger:
        # A commit asks twice: for itself, and to find out how it ended.
        store.failures = ["answer", *["begin"] * (2 * away - 1)]
        with pytest.raises(Unavailable):
            ledger.commit_now(note_down("a"))
        for _ in range(away - 1):
            with pytest.raises(Unavailable):
                ledger.commit_now(note_down("never"))
        assert store.failures == []
        assert ledger.commit_now(note_down("b")).result == 1
        assert actors(store) == ["a", "b"]
        check_proofs(ledger, store)
        assert not ledger.stopped.done()


def test_work_without_entries_is_answered_with_all_that_is_committed(
    store: FailingStore, file: CheckpointInMemory
) -> None:
    """After a checkpoint that could not be saved, the next answer waits for one that covers that commit."""
    with opened(store, file) as ledger:
        file.full = True
        with pytest.raises(Unavailable, match="checkpoint_unsaved"):
            ledger.commit_now(note_down("a"))
        with pytest.raises(Unavailable, match="checkpoint_unsaved"):
            ledger.commit_now(lambda _tx: None)
        file.full = False
        assert ledger.commit_now(lambda _tx: None).checkpoint.size == 1
        check_proofs(ledger, store)


def test_start_signs_what_was_committed(store: FailingStore, file: CheckpointInMemory) -> None:
    """A crash between COMMIT and checkpoint: the next start signs the committed head."""
    with opened(store, file) as ledger:
        ledger.commit_now(note_down("a"))
        ledger.commit_now(note_down("b"))
    del file.notes[-1]
    assert file.size == 1
    with opened(store, file) as ledger:
        assert (file.size, ledger.checkpoint.size) == (2, 2)
        check_proofs(ledger, store)


def test_database_older_than_the_checkpoint_is_refused(store: FailingStore, file: CheckpointInMemory) -> None:
    """An old copy put back is found at the start, and nothing is signed."""
    with opened(store, file) as ledger:
        ledger.commit_now(note_down("a"))
    longer = CheckpointInMemory()
    with opened(store, longer) as ledger:
        ledger.commit_now(note_down("b"))
        newest = longer.notes[-1]
    with store.transaction() as conn:
        head = log_store.head(conn)
        log_store.set_head(conn, type(head)(1, merkle.EMPTY_ROOT, 0, 0, head.last_time, b"old"))
    file.notes.append(newest)
    with pytest.raises(NodeStopped) as stopped:
        Ledger(store, LogSigner([SIGNER]), file, lambda: bytes(32))
    assert stopped.value.reason in {"log_rolled_back", "log_damaged"}
    assert file.notes[-1] == newest


def test_another_writer_stops_this_one(store: FailingStore, file: CheckpointInMemory) -> None:
    """A head that this process did not write ends it: its view of the log is no longer the log."""
    with opened(store, file) as ledger:
        ledger.commit_now(note_down("a"))
        with store.transaction() as conn:
            head = log_store.head(conn)
            log_store.set_head(conn, type(head)(head.size, head.root, 7, 0, head.last_time, b"other"))
        with pytest.raises(NodeStopped):
            ledger.commit_now(note_down("b"))
        assert isinstance(ledger.stopped.exception(), NodeStopped)
        assert actors(store) == ["a"]


def test_proofs_are_made_while_every_reader_holds_its_connection(store: FailingStore, file: CheckpointInMemory) -> None:
    """A proof during a read waits for no connection of the pool, though the tile must be read."""

    def fill(tx: LogTransaction) -> None:
        for _ in range(TILE_WIDTH + 1):
            tx.append(log_entries.searched(actor=""))

    with opened(store, file) as ledger:
        ledger.commit_now(fill)
    with opened(store, file) as ledger, ExitStack() as readers:  # a new ledger remembers no tile
        for _ in range(READ_CONNECTIONS):
            readers.enter_context(store.reads())
        (hashes,) = ledger.prove([0], ledger.checkpoint.size)
    assert hashes


def test_the_event_loop_does_not_wait_for_tiles_that_others_read(store: FailingStore, file: CheckpointInMemory) -> None:
    """A proof on the event loop is begun again in a thread while another reads the tree."""
    with opened(store, file) as ledger:
        ledger.commit_now(note_down("a"))
        reading, done = threading.Event(), threading.Event()

        def read(*_: object) -> list[bytes]:
            reading.set()
            done.wait(60)
            return []

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ledger._tree, "inclusion_proof", read)
            other = threading.Thread(target=ledger.prove, args=([0], 1))
            other.start()
            try:
                assert reading.wait(60)
                with on_loop(), pytest.raises(WouldBlock):
                    ledger.prove([0], 1)
            finally:
                done.set()
                other.join()
        with on_loop():
            assert ledger.prove([0], 1) == [[]]


async def test_size_before_a_time(store: FailingStore, file: CheckpointInMemory) -> None:
    """The entries before a time are counted, as far as a later entry shows that the log went on after it."""
    begin = datetime(2026, 11, 3, tzinfo=UTC)
    now = begin
    ledger = Ledger(store, LogSigner([SIGNER]), file, lambda: bytes(32), lambda: now)
    try:
        assert ledger.size_before(begin) is None
        for hour in range(5):
            now = begin + timedelta(hours=hour)
            await ledger.commit(note_down(f"a{hour}"))
        assert [ledger.size_before(begin + timedelta(hours=hour)) for hour in range(-1, 6)] == [0, 0, 1, 2, 3, 4, None]
    finally:
        ledger.close()


async def test_work_is_committed_in_parts_while_others_send_single_messages(
    store: FailingStore, file: CheckpointInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch is one piece, or short ones in order while single messages come; a failing piece ends it."""

    def note_parts(tx: LogTransaction, begin: int, end: int) -> list[int]:
        if begin <= fails < end:
            raise Rejected("malformed", "exercise")
        return [tx.append(entry_of(log_pb2.LOG_EVENT_APPROVED, actor="batch")).index for _ in range(begin, end)]

    monkeypatch.setattr(waiting, "SHORT_SECONDS", 3600.0)
    fails, size = LONG_GROUP_ITEMS, LONG_GROUP_ITEMS
    with opened(store, file) as ledger:
        (whole,) = await ledger.commit_parts(note_parts, size)
        assert whole.result == list(range(size))
        await ledger.commit(note_down("single"), counts_messages=True)
        parts = await ledger.commit_parts(note_parts, size, extra=8)
        assert [len(each.result) for each in parts] == [SHORT_GROUP_ITEMS - 8, *[SHORT_GROUP_ITEMS] * 7, 8]
        assert [index for each in parts for index in each.result] == list(range(size + 1, 2 * size + 1))
        assert all(each.checkpoint.size > each.result[-1] for each in parts)
        (together,) = await ledger.commit_parts(note_parts, size, together=True)
        assert len(together.result) == size
        fails = SHORT_GROUP_ITEMS
        with pytest.raises(Rejected, match="malformed"):
            await ledger.commit_parts(note_parts, size)
        assert ledger.checkpoint.size == together.checkpoint.size + SHORT_GROUP_ITEMS
        assert [each.result for each in await ledger.commit_parts(lambda _tx, begin, end: (begin, end), 0)] == [(0, 0)]
