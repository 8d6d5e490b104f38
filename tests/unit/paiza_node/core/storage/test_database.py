"""The store on both databases: plans that use the indexes, bytes that compare alike, connections that are lost."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, select, text

from paiza.core.v1 import delivery_pb2, log_pb2, message_pb2
from paiza_node.core.access.model import MessageQuery
from paiza_node.core.exchange.model import DeliveryRow, Postponement, QueueSummary, Settlement, Slot
from paiza_node.core.exchange.precedence import AHEAD_OF_FLASH
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Committed, Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import Store, open_store
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.engine import parse_url, reader_engine
from paiza_node.features.listing import listing
from paiza_wire import log_entries
from paiza_wire.errors import Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey
from tests.log_entries import entry_of
from tests.postgresql import PostgreSQL
from tests.statements import followed
from tests.unit.paiza_node.core.storage.opening import open_writer

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SIGNER = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
MESSAGES = 600


class NoFile:
    """A checkpoint file that remembers nothing."""

    def load(self) -> bytes | None:
        """Return nothing."""

    def save(self, note: bytes) -> None:
        """Forget it."""


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on an empty database."""
    store = open_store(database_url)
    yield store
    store.close()


def row(seq: int, author: str = "kaz") -> MessageRow:
    """Make a message of the own member."""
    return MessageRow(
        seq=seq,
        digest=sha256(b"%d" % seq).digest(),
        author=author,
        message_id=sha256(b"id%d" % seq).digest()[:16],
        thread_id=bytes(16),
        thread_name="KAZ-2026-00001",
        kind="free-message",
        urgency=message_pb2.URGENCY_FLASH if seq % 50 == 0 else message_pb2.URGENCY_ROUTINE,
        state=MessageState.RELEASED,
        header=b"header",
        stored_time=NOW,
        signed=b"signed",
    )


def delivery(seq: int, recipient: str = "tjk") -> DeliveryRow:
    """Make a waiting delivery of a message, released by the entry of the same number."""
    message = row(seq)
    return DeliveryRow(
        id=seq,
        message_seq=seq,
        digest=message.digest,
        recipient=recipient,
        urgency=message.urgency,
        released_index=seq - 1,
        released_time=NOW,
        expires_time=NOW + timedelta(days=1),
        next_attempt_time=NOW,
    )


def fill(store: Store) -> None:
    """Store messages with a delivery each; most are delivered, the last hundred wait."""
    numbers = range(1, MESSAGES + 1)
    with store.transaction() as conn:
        entry = entry_of(log_pb2.LOG_EVENT_RELEASED).SerializeToString()
        log_store.add_entries(conn, [(seq - 1, entry, row(seq).digest) for seq in numbers])
        messages_store.add_messages(conn, [row(seq) for seq in numbers])
        deliveries_store.add_deliveries(conn, [delivery(seq) for seq in numbers])
        settled = [Settlement(seq, delivery_pb2.DELIVERY_STATE_DELIVERED) for seq in numbers[:-100]]
        assert len(deliveries_store.settle(conn, settled, NOW)) == len(settled)


@pytest.fixture
def plans(store: Store, database_url: str) -> Iterator[list[str]]:
    """The query plans of the store's statements during a test."""
    fill(store)
    engine = reader_engine(parse_url(database_url))
    found: list[str] = []
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))

    def explain(connection: Connection, statement: str, values: object) -> None:
        if statement.startswith("SELECT") and connection.engine is not engine:
            found.append(_plan(engine, statement, values))

    with followed(explain):
        yield found
    engine.dispose()


def _plan(engine: Engine, statement: str, values: object) -> str:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()  # type: ignore[arg-type]
            return "\n".join(str(each[3]) for each in rows)
        # A table of some hundred rows is read whole by choice; the question is whether an index could serve.
        connection.exec_driver_sql("SET enable_seqscan = off")
        rows = connection.exec_driver_sql(f"EXPLAIN {statement}", values).all()  # type: ignore[arg-type]
        return "\n".join(str(each[0]) for each in rows)


def test_what_overtakes_is_found_by_its_own_index(store: Store, plans: list[str]) -> None:
    """Urgent deliveries are found without reading any backlog; the other slots leave them out."""
    number = MESSAGES + 1
    with store.transaction() as conn:
        messages_store.add_messages(conn, [row(number)])
        deliveries_store.add_deliveries(
            conn, [replace(delivery(number), urgency=AHEAD_OF_FLASH, released_index=number - 2)]
        )
    with store.reads() as reads:
        found = {
            slot: deliveries_store.due(reads, "tjk", NOW, slot=slot, limit=1000, max_bytes=1 << 30, after_id=0)
            for slot in Slot
        }
        assert deliveries_store.next_attempt(reads, "tjk", slot=Slot.FIRST) == NOW
        assert deliveries_store.next_attempt(reads, "uzb", slot=Slot.FIRST) is None
    assert [outgoing.id for outgoing in found[Slot.FIRST]] == [number]
    assert number not in {outgoing.id for slot in (Slot.URGENT, Slot.BULK) for outgoing in found[slot]}
    assert any("ix_delivery_flash" in plan for plan in plans)


def test_an_outbound_queue_reads_by_the_index_of_what_waits(store: Store, plans: list[str]) -> None:
    """Finding what is due, when the next attempt is, and what expired reads no more than what waits."""
    with store.reads() as reads:
        for slot in (Slot.URGENT, Slot.BULK):
            assert deliveries_store.due(reads, "tjk", NOW, slot=slot, limit=10, max_bytes=1, after_id=0)
            assert deliveries_store.next_attempt(reads, "tjk", slot=slot) == NOW
        assert len(deliveries_store.expired(reads, NOW + timedelta(days=2), 10)) == 10
        assert deliveries_store.queue_summary(reads)[0].waiting == 100
    assert all(
        "ix_delivery_" in plan or "delivery" not in plan or "pk_delivery" in plan or "PRIMARY KEY" in plan
        for plan in plans
    )
    for plan in plans:
        assert "Seq Scan on delivery" not in plan, plan
        assert not any(line.startswith("SCAN delivery") for line in plan.splitlines()), plan
        assert "Sort" not in plan or "ix_delivery_expires" in plan, plan
        assert "TEMP B-TREE" not in plan or "ix_delivery_expires" in plan, plan


def test_what_is_postponed_is_not_read(store: Store) -> None:
    """Deliveries that wait for another attempt stand behind those due now, and are found again when they are due."""
    fill(store)
    later = NOW + timedelta(hours=1)
    waiting = range(MESSAGES - 99, MESSAGES + 1)
    with store.transaction() as conn:
        deliveries_store.postpone(conn, [Postponement(each, later, "busy", "") for each in waiting[:90]])

    def due(at: datetime, limit: int, after_id: int = 0) -> list[int]:
        with store.reads() as reads:
            found = deliveries_store.due(
                reads, "tjk", at, slot=Slot.BULK, limit=limit, max_bytes=1 << 30, after_id=after_id
            )
        return [each.id for each in found]

    fresh = [each for each in waiting[90:] if each % 50]
    assert due(NOW, 100) == fresh
    postponed = [each for each in waiting[:90] if each % 50]
    assert due(later, 100) == fresh + postponed
    pages = due(later, 7)
    while page := due(later, 7, pages[-1]):
        pages += page
    assert pages == fresh + postponed


def test_what_ended_is_not_postponed(store: Store) -> None:
    """A delivery that a recall, its expiry or a recovery ended while it was tried keeps what it ended with."""
    fill(store)
    query = select(deliveries_store.delivery_table).where(deliveries_store.delivery_table.c.id == MESSAGES)
    with store.transaction() as conn:
        deliveries_store.settle(conn, [Settlement(MESSAGES, delivery_pb2.DELIVERY_STATE_DELIVERED)], NOW)
        ended = conn.execute(query).all()
        deliveries_store.postpone(conn, [Postponement(MESSAGES, NOW + timedelta(hours=1), "cannot_open", "")])
        assert conn.execute(query).all() == ended


def test_counters_of_what_waits_are_exact(store: Store) -> None:
    """What is queued and settled is counted, once, and not if it is undone."""
    fill(store)
    settled = Settlement(MESSAGES, delivery_pb2.DELIVERY_STATE_DELIVERED)
    with store.transaction() as conn:
        assert deliveries_store.queue_lengths(conn) == {"tjk": 100}
        with suppress(LookupError), conn.savepoint():
            deliveries_store.settle(conn, [settled], NOW)
            assert deliveries_store.queue_lengths(conn) == {"tjk": 99}
            raise LookupError
        assert deliveries_store.queue_lengths(conn) == {"tjk": 100}
        assert deliveries_store.settle(conn, [settled, settled], NOW) == [MESSAGES, MESSAGES]
        assert not deliveries_store.settle(conn, [settled], NOW)
        assert deliveries_store.queue_lengths(conn) == {"tjk": 99}
        assert deliveries_store.queue_summary(conn) == [QueueSummary("tjk", 99, NOW)]
        rest = [Settlement(each, delivery_pb2.DELIVERY_STATE_EXPIRED) for each in range(MESSAGES - 99, MESSAGES)]
        deliveries_store.settle(conn, rest, NOW)
        assert deliveries_store.queue_summary(conn) == []


def test_the_queue_is_read_page_by_page(store: Store) -> None:
    """Each page begins behind the last delivery of the one before, and nothing is left out."""
    with store.reads() as reads:
        whole = [each.id for each in deliveries_store.queue(reads, "", 1000)]
        found: list[int] = []
        while page := deliveries_store.queue(reads, "", 30, found[-1] if found else 0):
            found += [each.id for each in page]
    assert found == whole


def test_lists_read_by_an_index(store: Store, plans: list[str]) -> None:
    """A page of the inbox, a thread, and messages by a shortened id are found without reading every message."""
    digest = row(77).digest.hex()
    with store.reads() as reads:
        assert listing.list_messages(reads, MessageQuery(received=False, limit=5), "officer")
        assert listing.list_messages(reads, MessageQuery(thread_id=bytes(16), limit=5), "officer")
        assert listing.list_messages(reads, MessageQuery(author="kaz", kind="free-message", limit=5), "officer")
        assert [
            each.row.seq for each in listing.list_messages(reads, MessageQuery(id_prefix=digest[:9]), "officer")
        ] == [77]
    for plan in plans:
        assert "Seq Scan" not in plan, plan
        assert not any(line.startswith("SCAN message") and "INDEX" not in line for line in plan.splitlines()), plan


@pytest.mark.parametrize("digits", [1, 2, 3, 8, 31, 64])
def test_shortened_ids_compare_alike(digits: int, store: Store) -> None:
    """A prefix of an odd or even number of hex digits finds exactly the digests and ids that begin with it."""
    fill(store)
    prefix = row(123).digest.hex()[:digits]
    rows = [row(seq) for seq in range(1, MESSAGES + 1)]
    expected = {each.seq for each in rows if prefix in (each.digest.hex()[:digits], each.message_id.hex()[:digits])}
    with store.reads() as reads:
        found = listing.list_messages(reads, MessageQuery(id_prefix=prefix, limit=1000), "officer")
    assert {each.row.seq for each in found} == expected


def test_a_parameter_that_no_column_holds_is_damage(tmp_path: Path) -> None:
    """SQLite stores values of any type, so that a row that was found may give a look-up what it cannot take."""
    store = open_store(f"sqlite:///{tmp_path / 'bent.db'}")
    try:
        digest = log_store.log_listed_table.c.digest
        with store.reads() as reads:
            for ask in (
                lambda: reads.execute(select(digest).where(digest == "no bytes")).all(),
                lambda: reads.run("SELECT ?", (2**63,)),
            ):
                with pytest.raises(Unavailable, match="log_damaged"):
                    ask()
    finally:
        store.close()


def test_reads_are_of_one_moment(store: Store) -> None:
    """A reader does not see a commit before its next query."""
    with store.reads() as reads:
        assert settings_store.setting(reads, "x") is None
        with store.transaction() as conn:
            settings_store.put_setting(conn, "x", b"1")
        assert settings_store.setting(reads, "x") is None
    with store.reads() as reads:
        assert settings_store.setting(reads, "x") == b"1"


@pytest.mark.parametrize("tiles", [False, True])
def test_a_read_that_outlasts_the_store_leaves_no_connection(database_url: str, *, tiles: bool) -> None:
    """A thread may still read when the node ends: its connection is closed when it ends."""
    store = open_store(database_url)
    with store.tile_reads() if tiles else store.reads() as reads:
        driver = reads._connection.connection.dbapi_connection
        store.close()
        assert settings_store.setting(reads, "any") is None
    assert driver is not None
    with pytest.raises(Exception, match="closed"):
        driver.cursor()


def test_second_process_stands_by_and_takes_over(postgresql: PostgreSQL) -> None:
    """While one process is the writer the next is told to wait; when the first is gone it is the writer."""
    url = postgresql.create_database("standby")
    first = open_store(url)
    with pytest.raises(Unavailable, match="standby"):
        open_store(url)
    first.close()
    second = open_writer(url)
    with second.transaction() as conn:
        settings_store.put_setting(conn, "x", b"1")
    second.close()


@pytest.mark.parametrize("then", ["change", "query", "nothing"])
def test_connection_lost_within_a_group_loses_the_group(postgresql: PostgreSQL, then: str) -> None:
    """Nothing of a commit whose connection is lost between its changes is stored, and the next commit goes on."""
    store = open_store(postgresql.create_database(f"within-{then}"))
    ledger = Ledger(store, LogSigner([SIGNER]), NoFile(), lambda: bytes(32))
    begun, go_on = threading.Event(), threading.Event()

    def wait(_tx: LogTransaction, _granted: int) -> None:
        begun.set()
        go_on.wait(60)

    def lose(tx: LogTransaction, _granted: int) -> None:
        settings_store.put_setting(tx.conn, "x", b"1")
        ((process,),) = tx.conn.run("SELECT pg_backend_pid()")
        settings_store.put_setting(tx.conn, "y", b"1")
        with store.reads() as reads:
            reads.run("SELECT pg_terminate_backend(%s, 10000)", (process,))
        if then == "change":
            settings_store.put_setting(tx.conn, "z", b"1")
        elif then == "query":
            settings_store.setting(tx.conn, "x")

    def append(name: str) -> Callable[[LogTransaction, int], object]:
        return lambda tx, _granted: tx.append(log_entries.searched(actor=name))

    try:
        first = ledger._enqueue(wait)
        begun.wait(60)
        group = [ledger._enqueue(each) for each in (append("a"), lose, append("b"))]
        go_on.set()
        first.result(60)
        for each in group:
            with pytest.raises(Unavailable, match="database_unavailable"):
                each.result(60)
        after = commit_when_it_answers(ledger, lambda tx: tx.append(log_entries.searched(actor="c")))
        assert after.checkpoint.size == 1
        with store.reads() as reads:
            assert [entry.index for entry in log_store.entries(reads, 0, 9)] == [0]
            assert {settings_store.setting(reads, each) for each in "xyz"} == {None}
    finally:
        ledger.close()
        store.close()


def commit_when_it_answers(ledger: Ledger, work: Callable[[LogTransaction], object]) -> Committed[object]:
    """Commit; the server may take a moment to see that the session before has ended."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return ledger.commit_now(work)
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_lost_connections_lose_and_double_nothing(postgresql: PostgreSQL) -> None:
    """Backends ended by force at random points of commits: what was answered is there, once, and the log goes on."""
    url = postgresql.create_database("lost")
    store = open_store(url)
    ledger = Ledger(store, LogSigner([SIGNER]), NoFile(), lambda: bytes(32))
    killer = create_engine(parse_url(url), isolation_level="AUTOCOMMIT")
    chosen = random.Random(7)
    answered: list[str] = []
    refused = 0

    def end_backends() -> None:
        with killer.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    @event.listens_for(Engine, "commit")
    def strike(connection: object) -> None:
        if getattr(connection, "engine", None) is not killer and chosen.random() < 0.2:
            end_backends()

    def work(name: str, tx: LogTransaction) -> None:
        tx.append(log_entries.searched(actor=name))
        if chosen.random() < 0.2:
            end_backends()

    try:
        for number in range(60):
            name = f"w{number}"
            try:
                ledger.commit_now(lambda tx, name=name: work(name, tx))  # type: ignore[misc]
                answered.append(name)
            except Unavailable:
                refused += 1
        event.remove(Engine, "commit", strike)
        answered.append("last")
        commit_when_it_answers(ledger, lambda tx: tx.append(log_entries.searched(actor="last")))
        with store.reads() as reads:
            stored = [log_pb2.LogEntry.FromString(entry.entry).actor for entry in log_store.entries(reads, 0, 1000)]
        assert refused
        assert len(set(stored)) == len(stored)
        assert set(answered) <= set(stored)
        assert ledger.checkpoint.size == len(stored)
        assert not ledger.stopped.done()
    finally:
        ledger.close()
        store.close()
        killer.dispose()
    again = open_writer(url)
    Ledger(again, LogSigner([SIGNER]), NoFile(), lambda: bytes(32)).close()
    again.close()
