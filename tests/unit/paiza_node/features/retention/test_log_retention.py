"""The entries that retention removes and keeps, on both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.event import listens_for

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.exchange.model import DeliveryRow
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageState
from paiza_node.core.storage import Store
from paiza_node.features.recovery import store as recovery_store
from paiza_node.features.recovery.model import RecoveredEntry
from paiza_node.features.recovery.recovered_messages import Lost, recovered
from paiza_node.features.retention import log_retention
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.log_retention import STANDING, LogRetention
from paiza_node.features.retention.model import ErasureRow, ErasureStep
from paiza_node.ops.tables import LIFECYCLES
from paiza_wire.errors import Unavailable
from paiza_wire.receipts import VerifiedEntry
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.merkle import leaf_hash, verify_inclusion
from tests.log_entries import entry_of
from tests.unit.paiza_node.room import MEMBER, Room

NOTE = FreeMessage(subject="Exercise", text="Nothing of this is real.")
KEPT_FOR = timedelta(days=3653)


@pytest.fixture
def room(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    """A room on either database; rounds do not pause."""
    monkeypatch.setattr(log_retention, "PAUSE_SECONDS", 0.0)
    with Room(database_url) as room:
        yield room


def old_message(room: Room, author: str = "tjk", *, erased: bool = True) -> bytes:
    """Store a message with an entry, a delivery or a proof, and erase it; gives its digest."""
    message = room.message(author, "free-message", NOTE)

    def work(tx: LogTransaction) -> None:
        room.write(tx, message)
        row = messages_store.message(tx.conn, message.digest)
        assert row is not None
        event = log_pb2.LOG_EVENT_RELEASED if author == MEMBER else log_pb2.LOG_EVENT_RECEIVED
        index = tx.append(entry_of(event, message_digest=message.digest), text="words").index
        access_store.add_readers(tx.conn, [("somebody", row.seq)])
        retention_store.put_reviews(tx.conn, [(row.seq, tx.now)])
        if author == MEMBER:
            end = tx.now + timedelta(days=1)
            delivery = DeliveryRow(tx.next_delivery_id(), row.seq, row.digest, "tjk", 2, index, tx.now, end, tx.now)
            deliveries_store.add_deliveries(tx.conn, [delivery])
        if erased:
            retention_store.erase_body(tx.conn, LIFECYCLES, row, b"stays", tx.now)
            retention_store.put_erasures(tx.conn, [ErasureRow(row.digest, b"", MEMBER, ErasureStep.ERASED, tx.now)])

    room.ledger.commit_now(work)
    return message.digest


def note(room: Room, event: "log_pb2.LogEvent.ValueType", digest: bytes = b"") -> int:
    """Append an entry; gives its index."""
    return room.ledger.commit_now(lambda tx: tx.append(entry_of(event, message_digest=digest)).index).result


async def round_of(room: Room) -> list[int]:
    """End retention for all entries, and retire; return the indices of the remaining entries."""
    room.clock.now += KEPT_FOR + timedelta(days=1)
    await LogRetention(room.core, LIFECYCLES, KEPT_FOR).once()
    with room.store.reads() as reads:
        return [entry.index for entry in log_store.entries(reads, 0, 1000)]


async def test_an_erased_message_goes_with_everything_about_it(room: Room) -> None:
    """Rows, entries and texts go; the digest stays; what stays is proven as before, in the same tree."""
    digest = old_message(room)
    stays = note(room, log_pb2.LOG_EVENT_KEY_ADDED)
    note(room, log_pb2.LOG_EVENT_BACKED_UP)
    size = room.ledger.checkpoint.size
    root = room.ledger.checkpoint.root
    left = await round_of(room)
    assert left == [stays, size]  # and the RETIRED entry
    with room.store.reads() as reads:
        assert messages_store.message(reads, digest) is None
        assert messages_store.retired_messages(reads, [digest]) == {digest}
        assert (
            messages_store.tombstone(reads, digest),
            log_store.texts(reads, range(size)),
            retention_store.review(reads, 1),
        ) == (None, {}, None)
        assert retention_store.erasures_of(reads, [digest]) == {}
        assert retention_store.retired_counts(reads) == (1, 0)
        (entry,) = log_store.entries_at(reads, [stays])
    (hashes,) = room.ledger.prove([stays], size)
    leaf = log_pb2.LogEntry.FromString(entry.entry)
    assert leaf.event == log_pb2.LOG_EVENT_KEY_ADDED
    verify_inclusion(leaf_hash(entry.entry), stays, size, hashes, root)
    assert await round_of(room) == [stays, size]  # nothing but what stays is left


@pytest.mark.parametrize("reason", ["content", "held", "sending", "untold", "under way", "young"])
async def test_what_is_not_over_stays_whole(room: Room, reason: str) -> None:
    """Content, a hold, something under way or a newer entry keeps every entry about a message."""
    digest = old_message(room, MEMBER if reason == "sending" else "tjk", erased=reason != "content")

    def work(tx: LogTransaction) -> None:
        if reason == "held":
            retention_store.put_hold(tx.conn, digest, 0)
        if reason in ("untold", "under way"):
            step = ErasureStep.ERASED if reason == "untold" else ErasureStep.GONE
            retention_store.put_erasures(
                tx.conn,
                [ErasureRow(digest, bytes(32), "tjk", step, tx.now, 0, tx.now if reason == "untold" else None)],
            )

    room.ledger.commit_now(work)
    if reason == "young":
        room.clock.now += timedelta(days=10)
        note(room, log_pb2.LOG_EVENT_OPENED, digest)
        room.clock.now -= timedelta(days=10)
        room.clock.now += KEPT_FOR + timedelta(days=1)
        await LogRetention(room.core, LIFECYCLES, KEPT_FOR).once()
    else:
        await round_of(room)
    with room.store.reads() as reads:
        assert log_store.entries_of(reads, digest)
        row = messages_store.message(reads, digest)
        assert row is not None
        assert row.state in (MessageState.RECEIVED, MessageState.RELEASED)


async def test_what_others_rest_on_stays(room: Room) -> None:
    """Keys, registers, misbehaviour, grants, reconciliations and the retiring itself are not retired."""
    kept = [note(room, event) for event in sorted(STANDING)]
    gone = {note(room, log_pb2.LOG_EVENT_SEARCHED), note(room, log_pb2.LOG_EVENT_DIRECTORY_CHANGED)}
    left = await round_of(room)
    assert left[: len(kept)] == kept
    assert gone.isdisjoint(left)
    issued = {log_pb2.LOG_EVENT_KEY_ANNOUNCED, log_pb2.LOG_EVENT_NODE_CERTIFIED, log_pb2.LOG_EVENT_OFFICER_RENEWAL}
    assert issued <= STANDING


async def test_what_was_given_back_of_a_lost_log_goes_with_its_message(room: Room) -> None:
    """Neither the RECOVERED entry nor the lost one beside it stays: what the log and the rows say still agrees."""
    digest, origin = bytes([7]) * 32, "kaz.paiza.example/log/0"
    entry = entry_of(log_pb2.LOG_EVENT_RECEIVED, counterpart="tjk", message_digest=digest)
    raw = entry.SerializeToString()
    lost = Lost(
        RecoveredEntry(origin, 0, "tjk", digest, raw, b"", b"note"),
        VerifiedEntry(entry, raw, 0, VerifiedCheckpoint(origin, 1, bytes(32), b"note")),
    )
    assert room.ledger.commit_now(lambda tx: recovered(tx, [lost], "node")).result == 1
    assert await round_of(room) == [1]
    with room.store.reads() as reads:
        assert recovery_store.recovered_entries(reads, origin, [0]) == set()


async def test_many_messages_take_hardly_more_statements_than_one(room: Room) -> None:
    """Any number of removals needs only a few statements in the ledger's one transaction."""
    assert isinstance(room.store, Store)
    assert room.store._writer_engine is not None
    deletions: list[str] = []

    @listens_for(room.store._writer_engine, "before_cursor_execute")
    def note_deletion(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE"):
            deletions.append(statement)

    old_message(room)
    await round_of(room)
    of_one = len(deletions)
    for _ in range(20):
        old_message(room)
    deletions.clear()
    await round_of(room)
    with room.store.reads() as reads:
        assert retention_store.retired_counts(reads) == (21, 0)
    assert 0 < len(deletions) <= of_one


async def test_a_round_that_broke_off_before_the_database_let_go_is_made_up_for(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retired entries leave the tables; the next, empty round releases the space."""
    old_message(room)

    def busy(_tables: object) -> None:
        raise Unavailable("busy", "somebody reads")

    monkeypatch.setattr(room.store, "purge", busy)
    with pytest.raises(Unavailable):
        await round_of(room)
    purged: list[str] = []
    monkeypatch.setattr(room.store, "purge", lambda _tables: purged.append("now"))
    assert await LogRetention(room.core, LIFECYCLES, KEPT_FOR).once() == 0
    assert purged == ["now"]
