"""Searches of the log index, against a plain reading of all entries, on both databases."""

import asyncio
import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from paiza.core.v1 import log_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.time_index import index_at
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.audit import store as audit_store
from paiza_node.features.audit.log_index import CURSOR, LogIndex
from paiza_node.features.audit.model import LogQuery
from paiza_node.features.retention import store as retention_store
from paiza_node.ops.tables import LIFECYCLES
from paiza_wire import log_entries
from tests.log_entries import entry_of
from tests.unit.paiza_node.room import BEGIN, Room

EVENTS = (log_pb2.LOG_EVENT_OPENED, log_pb2.LOG_EVENT_DENIED, log_pb2.LOG_EVENT_RECEIVED)
ACTORS = ("spiffe://kaz.paiza.example/officer/a%b", "spiffe://kaz.paiza.example/officer/a_b", "os-user:root", "")
MEMBERS = ("tjk", "uzb", "")
DIGESTS = (bytes(31) + b"1", bytes(31) + b"2", b"")
ENTRIES = 60


def officer(name: str, unit: str, *roles: str) -> Officer:
    """Make an officer of kaz."""
    return Officer(f"spiffe://kaz.paiza.example/officer/{name}", frozenset(roles or {"liaison"}), unit)


OFFICERS = {each.id: each for each in (officer("near", "ops"), officer("far", "other"), officer("desk", "dd", "duty"))}


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """An empty room on either database."""
    with Room(database_url) as room:
        yield room


def facts(room: Room) -> LogIndex:
    """Make the duty."""
    return LogIndex(room.core, UnitDirectory("kaz", "dd", lambda: OFFICERS), lambda: OFFICERS)


def write(room: Room, seed: int) -> list[log_pb2.LogEntry]:
    """Append random entries, a second or none apart; gives them."""
    chance = random.Random(seed)
    written: list[log_pb2.LogEntry] = []

    def work(tx: LogTransaction) -> None:
        entry = entry_of(
            chance.choice(EVENTS),
            actor=chance.choice(ACTORS),
            counterpart=chance.choice(MEMBERS),
            message_digest=chance.choice(DIGESTS),
        )
        tx.append(entry)
        written.append(entry)

    for _ in range(ENTRIES):
        room.clock.now += timedelta(seconds=chance.choice((0, 0, 1)))
        room.ledger.commit_now(work)
    return written


async def test_questions_are_answered_as_by_reading_everything(room: Room) -> None:
    """Every combination of filters finds just the entries a plain reading finds, wildcards being plain characters."""
    entries = write(room, 7)
    duty = facts(room)
    assert await duty.catch_up() == ENTRIES
    assert await duty.catch_up() == ENTRIES
    chance = random.Random(8)
    for _ in range(60):
        query = LogQuery(
            first=chance.choice((0, 0, 13)),
            end=chance.choice((ENTRIES, 41)),
            limit=chance.choice((3, 1000)),
            events=tuple(chance.sample([int(event) for event in EVENTS], chance.randint(0, 2))),
            actor=chance.choice(("", "officer", "a%b", "a_b", "%")),
            counterpart=chance.choice(MEMBERS),
            digests=chance.choice(((), DIGESTS[:2], *((each,) for each in DIGESTS if each))),
        )
        expected = [
            index
            for index, entry in enumerate(entries)
            if query.first <= index < query.end
            and (not query.events or entry.event in query.events)
            and query.actor in entry.actor
            and query.counterpart in ("", entry.counterpart)
            and (not query.digests or entry.message_digest in query.digests)
        ]
        with room.store.reads() as reads:
            assert audit_store.find_entries(reads, query) == expected[: query.limit], query


async def test_a_time_leads_to_its_first_entry(room: Room) -> None:
    """Also where entries share a time, before the first, behind the last, and where retention left gaps."""
    entries = write(room, 9)
    times = [entry.entry_time.ToDatetime(tzinfo=BEGIN.tzinfo) for entry in entries]
    moments = {*times, BEGIN - timedelta(days=1), times[-1] + timedelta(seconds=1)}
    gaps = {3, 4, 17, ENTRIES - 1}
    for gone in (set(), gaps):
        if gone:
            with room.store.transaction() as conn:
                retention_store.retire_entries(
                    conn,
                    LIFECYCLES,
                    [StoredEntry(index, entries[index].SerializeToString()) for index in gone],
                )
        left = [index for index in range(ENTRIES) if index not in gone]
        with room.store.reads() as reads:
            for moment in moments:
                found = index_at(reads, moment, ENTRIES)
                assert found is not None
                assert [index for index in left if times[index] >= moment] == [i for i in left if i >= found]


@pytest.mark.parametrize(
    ("who", "unit", "reads_it", "needless"),
    [
        ("near", "ops", False, False),
        ("far", "ops", False, True),
        ("far", "ops", True, False),
        ("desk", "ops", False, True),
        ("desk", "dd", False, False),
        ("gone", "ops", False, True),
        ("far", "", False, False),
    ],
)
async def test_need_is_by_unit_desk_or_task(room: Room, who: str, unit: str, *, reads_it: bool, needless: bool) -> None:
    """An opening of what is another unit's, and nobody's task there, stands out; so does one by nobody we know."""
    begun = room.begin("tjk")
    actor = f"spiffe://kaz.paiza.example/officer/{who}"

    def work(tx: LogTransaction) -> None:
        messages_store.put_unit(tx.conn, 1, unit)
        if reads_it:
            access_store.add_readers(tx.conn, [(actor, 1)])
        tx.append(entry_of(log_pb2.LOG_EVENT_OPENED, actor=actor, message_digest=begun.digest))

    room.ledger.commit_now(work)
    await facts(room).catch_up()
    with room.store.reads() as reads:
        found = audit_store.find_entries(reads, LogQuery(first=0, end=1, limit=10, needless=True))
    assert found == ([0] if needless else [])


@pytest.mark.parametrize("both", [False, True])
async def test_messages_opened_together_were_all_needed_or_stand_out(room: Room, *, both: bool) -> None:
    """One that was another unit's makes the entry an opening without need, which is found by each of its messages."""
    digests = [room.begin("tjk").digest, room.begin("uzb").digest]
    actor = "spiffe://kaz.paiza.example/officer/near"

    def work(tx: LogTransaction) -> None:
        messages_store.put_unit(tx.conn, 1, "ops")
        messages_store.put_unit(tx.conn, 2, "ops" if both else "border")
        entry = tx.append(log_entries.opened_together(actor=actor, digests=digests))
        log_store.add_listed(tx.conn, entry.index, digests)

    room.ledger.commit_now(work)
    await facts(room).catch_up()
    with room.store.reads() as reads:
        for digest in digests:
            query = LogQuery(first=0, end=1, limit=10, digests=(digest,), needless=True)
            assert audit_store.find_entries(reads, query) == ([] if both else [0])


async def test_a_damaged_header_ends_no_index(room: Room) -> None:
    """An opening of a message whose header cannot be read is indexed, and so is what comes after it."""
    digest = room.begin("tjk").digest

    def damage(tx: LogTransaction) -> None:
        messages_store.put_unit(tx.conn, 1, "ops")
        tx.conn.execute(
            update(messages_store.message_table).where(messages_store.message_table.c.seq == 1).values(header=b"\xff")
        )
        for name in ("near", "far"):
            actor = f"spiffe://kaz.paiza.example/officer/{name}"
            tx.append(entry_of(log_pb2.LOG_EVENT_OPENED, actor=actor, message_digest=digest))

    room.ledger.commit_now(damage)
    assert await facts(room).catch_up() == 2
    with room.store.reads() as reads:
        assert audit_store.find_entries(reads, LogQuery(first=0, end=2, limit=10, needless=True)) == [1]


async def test_index_in_the_background_rides_and_finds_what_was_not_told(room: Room) -> None:
    """The task indexes entries without any notice of them; one that begins anew goes on where the last commit ended."""
    for seed in (10, 11):
        write(room, seed)
        duty = facts(room)
        running = asyncio.ensure_future(duty.task.run())
        try:
            async with asyncio.timeout(30):
                while indexed(room) < room.ledger.checkpoint.size:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.02)
        finally:
            running.cancel()
    with room.store.reads() as reads:
        found = audit_store.find_entries(reads, LogQuery(first=0, end=2 * ENTRIES, limit=3 * ENTRIES))
    assert found == list(range(2 * ENTRIES))


def indexed(room: Room) -> int:
    """Return up to which entry the log is indexed."""
    with room.store.reads() as reads:
        return settings_store.counter(reads, CURSOR)
