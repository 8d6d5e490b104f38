"""Desks, approvals, threads and passing on, on both databases: who sees what, what waits, what belongs together."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from paiza.core.v1 import delivery_pb2
from paiza_node.model import (
    ApprovalRow,
    ApprovalState,
    DeliveryRow,
    MessageQuery,
    MessageRow,
    MessageState,
    PassedOn,
    Passing,
    Viewer,
    WorkRow,
)
from paiza_node.store import SqlStore, open_store

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ME = "spiffe://kaz.paiza.example/officer/one"


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
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


def work(seq: int, unit: str, assignee: str = "", *, due: timedelta | None = None, state: int = 1) -> WorkRow:
    """Make work on a message."""
    return WorkRow(seq, digest(str(seq)), unit, assignee, state, NOW + HOUR, None if due is None else NOW + due)


def approval(name: str, *, missing: tuple[str, ...], expires: timedelta) -> ApprovalRow:
    """Make a message that waits."""
    return ApprovalRow(
        digest(name), digest(name)[:16], ME, b"header", 7, NOW, NOW + expires, missing=missing, signed=b"signed"
    )


def test_a_viewer_sees_his_units_and_what_was_given_to_him(store: SqlStore) -> None:
    """Nothing of another unit, and nothing that belongs to none; who sees all sees these too. Lists agree."""
    with store.transaction() as tx:
        tx.add_messages([message(1, "A", "bureau"), message(2, "B", "border"), message(3, "C", None), message(4, "D")])
        tx.add_readers([(ME, 2), (ME, 2), ("another", 3)])
    viewer, overseer = Viewer(ME, ("", "bureau")), Viewer(ME, None)
    with store.reads() as reads:
        assert reads.visible([1, 2, 3, 4], viewer) == {1, 2, 4}
        assert reads.visible([1, 2, 3, 4], overseer) == {1, 2, 3, 4}
        for oldest, expected in ((False, [4, 2, 1]), (True, [1, 2, 4])):
            query = MessageQuery(seen_by=viewer, oldest_first=oldest)
            assert [each.row.seq for each in reads.list_messages(query, ME)] == expected
        page = reads.list_messages(MessageQuery(seen_by=viewer, limit=1, before_seq=4), ME)
        assert [each.row.seq for each in page] == [2]
        assert reads.unit_of([digest("3"), digest("2")]) == "border"
    with store.transaction() as tx:
        tx.put_unit(2, "bureau")
        assert tx.unit_of([digest("2")]) == "bureau"


def test_open_work_comes_in_the_order_it_is_due(store: SqlStore) -> None:
    """Of the units asked for and what is given to the officer, once each; what is done is left out."""
    rows = [
        work(1, "bureau"), work(2, "bureau", due=2 * HOUR), work(3, "border", ME, due=HOUR),
        work(4, "border", due=HOUR / 2), work(5, "bureau", state=3),
    ]  # fmt: skip
    with store.transaction() as tx:
        tx.add_messages([message(each.seq, f"T{each.seq}") for each in rows])
        tx.add_work(rows)
        assert [each.seq for each in tx.open_work(("bureau",), ME, 10)] == [3, 2, 1]
        assert [each.seq for each in tx.open_work(None, ME, 10)] == [4, 3, 2, 1]
        assert [each.seq for each in tx.open_work(None, ME, 2)] == [4, 3]
        assert tx.unacknowledged(NOW + HOUR - timedelta(seconds=1), 10) == []
        assert {each.seq for each in tx.unacknowledged(NOW + HOUR, 10)} == {1, 2, 3, 4}
        tx.put_work(replace(rows[0], state=2, assignee=ME, acknowledge_time=None, escalations=3))
        assert tx.work([digest("1")])[digest("1")] == replace(
            rows[0], state=2, assignee=ME, acknowledge_time=None, escalations=3
        )


def test_an_approval_waits_until_it_ends(store: SqlStore) -> None:
    """The first to be given up stands first; lists hold no bodies, and what has ended keeps none."""
    late, soon = approval("late", missing=("x", "y"), expires=9 * HOUR), approval("soon", missing=("x",), expires=HOUR)
    with store.transaction() as tx:
        tx.add_approval(late)
        tx.add_approval(soon)
        assert tx.waiting_approvals() == [replace(soon, signed=None), replace(late, signed=None)]
        assert tx.approvals_expired(NOW + HOUR - timedelta(seconds=1), 10) == []
        assert [each.digest for each in tx.approvals_expired(NOW + HOUR, 10)] == [soon.digest]
        tx.put_signed(late.digest, b"signed twice", ("y",))
        assert tx.approval(late.digest) == replace(late, signed=b"signed twice", missing=("y",))
        tx.end_approval(soon.digest, ApprovalState.EXPIRED, "approval_expired")
        ended = replace(soon, state=ApprovalState.EXPIRED, reason="approval_expired", signed=None)
        assert tx.approval(soon.digest) == ended
        assert tx.approvals_of([soon.message_id, b"unknown"]) == {soon.message_id: ended}
        assert [each.digest for each in tx.waiting_approvals()] == [late.digest]
        assert tx.approvals_expired(NOW + 2 * HOUR, 10) == []


def test_threads_hold_what_was_not_refused(store: SqlStore) -> None:
    """In order of arrival; they are found by name and by the kinds in them, the newest first."""
    with store.transaction() as tx:
        tx.add_messages([
            message(1, "A", kind="cd-request"), message(2, "B"), message(3, "A", kind="cd-plan", author="uzb"),
            replace(message(4, "A"), state=MessageState.REFUSED), message(5, "C", kind="cd-request"),
        ])  # fmt: skip
        thread = digest("A")[:16]
        assert [each.seq for each in tx.thread(thread)] == [1, 3]
        assert tx.thread_sizes("tjk", [thread, digest("B")[:16], digest("Z")[:16]]) == {
            thread: 2, digest("B")[:16]: 1, digest("Z")[:16]: 0,
        }  # fmt: skip
        assert tx.thread_id("B") == digest("B")[:16]
        assert tx.thread_id("nowhere") is None
        found = tx.threads_of(["cd-request", "cd-plan"])
        assert [each.thread_id for each in found] == [digest("C")[:16], thread]
        again = tx.threads_of(["cd-request", "cd-plan"], before_seq=found[0].last_seq, limit=1)
        assert [each.thread_id for each in again] == [thread]


def test_what_was_passed_on_is_kept_apart_from_what_was_released(store: SqlStore) -> None:
    """Deliveries of both kinds of one message; and another member's entry that says it passed one on to us."""
    one = message(1, "A", author="kaz")
    released = DeliveryRow(
        id=1, message_seq=1, digest=one.digest, recipient="tjk", urgency=1, released_index=4, released_time=NOW,
        expires_time=NOW + HOUR, next_attempt_time=NOW,
    )  # fmt: skip
    forwarded = replace(released, id=2, recipient="uzb", released_index=9, passing=Passing.PASSED_ON)
    notice = replace(released, id=3, recipient="kgz", released_index=9, passing=Passing.NOTICE)
    told = PassedOn("tjk", 12, digest("else"), "kaz", b"entry", bytes(64), b"note", bytes(32), 5, held=True)
    with store.transaction() as tx:
        tx.add_messages([one])
        tx.add_deliveries([released, forwarded, notice])
        tx.add_passed_on([told])
        assert [each.recipient for each in tx.deliveries_of(one.digest)] == ["tjk"]
        waiting = int(delivery_pb2.DELIVERY_STATE_WAITING)
        assert tx.forwarded_indices(one.digest) == [("uzb", 9, waiting)]
        assert tx.passed_on("tjk", 12) == told
        assert tx.passed_on("tjk", 11) is None
        assert tx.passed_on_of(digest("else")) == [told]
        tx.came_directly(digest("else"))
        assert [each.held for each in tx.passed_on_of(digest("else"))] == [False]
