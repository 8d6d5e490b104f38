"""Desks, approvals, threads and passing on, on both databases: who sees what, what waits, what belongs together."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from paiza.core.v1 import delivery_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import MessageQuery, Viewer
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryKind, DeliveryRow, ForwardingRow
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import Store, open_store
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.model import ApprovalRow, ApprovalState
from paiza_node.features.listing import listing
from paiza_node.features.retention import store as retention_store
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.model import TaskRow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ME = "spiffe://kaz.paiza.example/officer/one"
SEES_ALL = Viewer(ME, None)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on an empty database."""
    store = open_store(database_url)
    yield store
    store.close()


def digest(name: str) -> bytes:
    """Make a digest."""
    return sha256(name.encode()).digest()


def message(
    seq: int, thread: str, unit: str | None = "", *, kind: str = "free-message", author: str = "tjk"
) -> MessageRow:
    """Make a message that was received."""
    return MessageRow(
        seq=seq, digest=digest(str(seq)), author=author, message_id=digest(f"id {seq}")[:16],
        thread_id=digest(thread)[:16], thread_name=thread, kind=kind, urgency=1, state=MessageState.RECEIVED,
        header=b"header", stored_time=NOW, signed=b"signed", unit=unit,
    )  # fmt: skip


def work(seq: int, unit: str, assignee: str = "", *, due: timedelta | None = None, state: int = 1) -> TaskRow:
    """Make work on a message."""
    return TaskRow(seq, digest(str(seq)), unit, assignee, state, NOW + HOUR, None if due is None else NOW + due)


def approval(name: str, *, missing: tuple[str, ...], expires: timedelta) -> ApprovalRow:
    """Make a message that waits."""
    return ApprovalRow(
        digest(name), digest(name)[:16], ME, b"header", 7, NOW, NOW + expires, missing=missing, signed=b"signed"
    )


def test_a_viewer_sees_his_units_and_what_was_given_to_him(store: Store) -> None:
    """A unit's list has no task of another unit or of none; a full list has them too. Lists agree."""
    with store.transaction() as conn:
        messages_store.add_messages(
            conn, [message(1, "A", "bureau"), message(2, "B", "border"), message(3, "C", None), message(4, "D")]
        )
        access_store.add_readers(conn, [(ME, 2), (ME, 2), ("another", 3)])
    viewer, overseer = Viewer(ME, ("", "bureau")), Viewer(ME, None)
    with store.reads() as reads:
        assert access_store.visible(reads, [1, 2, 3, 4], viewer) == {1, 2, 4}
        assert access_store.visible(reads, [1, 2, 3, 4], overseer) == {1, 2, 3, 4}
        for oldest, expected in ((False, [4, 2, 1]), (True, [1, 2, 4])):
            query = MessageQuery(seen_by=viewer, oldest_first=oldest)
            assert [each.row.seq for each in listing.list_messages(reads, query, ME)] == expected
        page = listing.list_messages(reads, MessageQuery(seen_by=viewer, limit=1, before_seq=4), ME)
        assert [each.row.seq for each in page] == [2]
        assert messages_store.unit_of(reads, [digest("3"), digest("2")]) == "border"
    with store.transaction() as conn:
        messages_store.put_unit(conn, 2, "bureau")
        assert messages_store.unit_of(conn, [digest("2")]) == "bureau"


def test_reviews_and_holds_are_read_page_by_page(store: Store) -> None:
    """Each page begins behind the last of the one before: reviews by date, holds from the newest."""
    dates = {1: 2 * HOUR, 2: HOUR, 3: HOUR, 4: 3 * HOUR}
    with store.transaction() as conn:
        messages_store.add_messages(conn, [message(number, f"T{number}") for number in dates])
        retention_store.put_reviews(conn, [(number, NOW + date) for number, date in dates.items()])
        for number in dates:
            retention_store.put_hold(conn, digest(str(number)), 10 * number)
    with store.reads() as reads:
        reviews, after = [], None
        while found := retention_store.reviews(reads, NOW + 9 * HOUR, Viewer(ME, None), 1, after):
            reviews.append(found[0].message.seq)
            after = (found[0].review_time, found[0].message.seq)
        held, below = [], None
        while page := retention_store.all_holds(reads, SEES_ALL, 1, below):
            below = page[0][1]
            held.append(below)
    assert (reviews, held) == ([2, 3, 1, 4], [40, 30, 20, 10])


def test_open_work_comes_in_the_order_it_is_due(store: Store) -> None:
    """The tasks of the units and of the officer come once each; completed ones are left out."""
    rows = [
        work(1, "bureau"), work(2, "bureau", due=2 * HOUR), work(3, "border", ME, due=HOUR),
        work(4, "border", due=HOUR / 2), work(5, "bureau", state=3),
    ]  # fmt: skip
    with store.transaction() as conn:
        messages_store.add_messages(conn, [message(each.seq, f"T{each.seq}") for each in rows])
        tasks_store.add_tasks(conn, rows)
        assert [each.seq for each in tasks_store.open_tasks(conn, ("bureau",), SEES_ALL, 10)] == [3, 2, 1]
        assert [each.seq for each in tasks_store.open_tasks(conn, None, SEES_ALL, 10)] == [4, 3, 2, 1]
        assert [each.seq for each in tasks_store.open_tasks(conn, None, SEES_ALL, 2)] == [4, 3]
        for units in (None, ("bureau", "border")):
            seen, after = [], None
            while page := tasks_store.open_tasks(conn, units, SEES_ALL, 1, after):
                seen.append(page[0].seq)
                after = (page[0].due_time, page[0].seq)
            assert seen == [4, 3, 2, 1]
        assert tasks_store.unacknowledged(conn, NOW + HOUR - timedelta(seconds=1), 10) == []
        assert {each.seq for each in tasks_store.unacknowledged(conn, NOW + HOUR, 10)} == {1, 2, 3, 4}
        tasks_store.put_task(conn, replace(rows[0], state=2, assignee=ME, acknowledge_time=None, escalations=3))
        assert tasks_store.tasks_of(conn, [digest("1")])[digest("1")] == replace(
            rows[0], state=2, assignee=ME, acknowledge_time=None, escalations=3
        )


def test_an_approval_waits_until_it_ends(store: Store) -> None:
    """The first to be given up stands first; lists hold no bodies, and what has ended keeps none."""
    late, soon = approval("late", missing=("x", "y"), expires=9 * HOUR), approval("soon", missing=("x",), expires=HOUR)
    with store.transaction() as conn:
        approvals_store.add_approval(conn, late)
        approvals_store.add_approval(conn, soon)
        assert approvals_store.waiting_approvals(conn) == [replace(soon, signed=None), replace(late, signed=None)]
        assert approvals_store.approvals_expired(conn, NOW + HOUR - timedelta(seconds=1), 10) == []
        assert [each.digest for each in approvals_store.approvals_expired(conn, NOW + HOUR, 10)] == [soon.digest]
        approvals_store.put_signed(conn, late.digest, b"signed twice", ("y",))
        assert approvals_store.approval(conn, late.digest) == replace(late, signed=b"signed twice", missing=("y",))
        approvals_store.end_approval(conn, soon.digest, ApprovalState.EXPIRED, "approval_expired")
        ended = replace(soon, state=ApprovalState.EXPIRED, reason="approval_expired", signed=None)
        assert approvals_store.approval(conn, soon.digest) == ended
        assert approvals_store.approvals_of(conn, [soon.message_id, b"unknown"]) == {soon.message_id: ended}
        assert [each.digest for each in approvals_store.waiting_approvals(conn)] == [late.digest]
        assert approvals_store.approvals_expired(conn, NOW + 2 * HOUR, 10) == []


def test_threads_hold_what_was_not_refused(store: Store) -> None:
    """In order of arrival; they are found by name and by the kinds in them, the newest first."""
    with store.transaction() as conn:
        messages_store.add_messages(conn, [
            message(1, "A", kind="cd-request"), message(2, "B"), message(3, "A", kind="cd-plan", author="uzb"),
            replace(message(4, "A"), state=MessageState.REFUSED), message(5, "C", kind="cd-request"),
        ])  # fmt: skip
        thread = digest("A")[:16]
        assert [each.seq for each in messages_store.thread(conn, thread)] == [1, 3]
        assert messages_store.thread_sizes(conn, "tjk", [thread, digest("B")[:16], digest("Z")[:16]]) == {
            thread: 2, digest("B")[:16]: 1, digest("Z")[:16]: 0,
        }  # fmt: skip
        assert messages_store.thread_id(conn, "B") == digest("B")[:16]
        assert messages_store.thread_id(conn, "nowhere") is None
        found = messages_store.threads_of(conn, ["cd-request", "cd-plan"])
        assert [each.thread_id for each in found] == [digest("C")[:16], thread]
        again = messages_store.threads_of(conn, ["cd-request", "cd-plan"], before_seq=found[0].last_seq, limit=1)
        assert [each.thread_id for each in again] == [thread]


def test_what_was_passed_on_is_kept_apart_from_what_was_released(store: Store) -> None:
    """Deliveries of both kinds of one message; and another member's entry that says it passed one on to us."""
    one = message(1, "A", author="kaz")
    released = DeliveryRow(
        id=1, message_seq=1, digest=one.digest, recipient="tjk", urgency=1, released_index=4, released_time=NOW,
        expires_time=NOW + HOUR, next_attempt_time=NOW,
    )  # fmt: skip
    forwarded = replace(released, id=2, recipient="uzb", released_index=9, delivery_kind=DeliveryKind.FORWARDED)
    notice = replace(released, id=3, recipient="kgz", released_index=9, delivery_kind=DeliveryKind.NOTICE)
    told = ForwardingRow("tjk", 12, digest("else"), "kaz", b"entry", bytes(64), b"note", bytes(32), 5, held=True)
    with store.transaction() as conn:
        messages_store.add_messages(conn, [one])
        deliveries_store.add_deliveries(conn, [released, forwarded, notice])
        exchange_store.add_forwardings(conn, [told])
        assert [each.recipient for each in deliveries_store.deliveries_of(conn, one.digest)] == ["tjk"]
        waiting = int(delivery_pb2.DELIVERY_STATE_WAITING)
        assert deliveries_store.forwarded_indices(conn, one.digest) == [("uzb", 9, waiting)]
        assert exchange_store.forwarding(conn, "tjk", 12) == told
        assert exchange_store.forwarding(conn, "tjk", 11) is None
        assert exchange_store.forwardings_of_message(conn, digest("else")) == [told]
