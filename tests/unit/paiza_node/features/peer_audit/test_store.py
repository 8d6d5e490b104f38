"""Grants, agreed periods, proofs held of others and counts, on both databases."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryKind, DeliveryRow, ForeignProof, ForwardingRow, ProofKind
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import Store, open_store
from paiza_node.features.peer_audit import store as peer_audit_store
from paiza_node.features.peer_audit.model import AuditGrant, ReconciledPeriod, Tally
from tests.log_entries import entry_of

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MEMBERS = ("tjk", "uzb", "kgz")
WAITING = delivery_pb2.DELIVERY_STATE_WAITING
DELIVERED = delivery_pb2.DELIVERY_STATE_DELIVERED
REFUSED = delivery_pb2.DELIVERY_STATE_REFUSED
REJECTED = delivery_pb2.DELIVERY_STATE_REJECTED
EXPIRED = delivery_pb2.DELIVERY_STATE_EXPIRED
DROPPED = delivery_pb2.DELIVERY_STATE_DROPPED


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on an empty database."""
    store = open_store(database_url)
    yield store
    store.close()


def digest(name: object) -> bytes:
    """Make a digest."""
    return sha256(str(name).encode()).digest()


def message(seq: int, author: str, state: MessageState, at: datetime) -> MessageRow:
    """Make a message."""
    return MessageRow(
        seq=seq, digest=digest(seq), author=author, message_id=digest(f"id {seq}")[:16], thread_id=digest(seq)[:16],
        thread_name="", kind="free-message", urgency=2, state=state, header=b"header", stored_time=at,
        signed=None if state is MessageState.REFUSED else b"signed",
    )  # fmt: skip


def delivery(
    row: MessageRow, number: int, recipient: str, state: int, delivery_kind: int = DeliveryKind.OWN
) -> DeliveryRow:
    """Make a delivery of a message."""
    return DeliveryRow(
        id=number, message_seq=row.seq, digest=row.digest, recipient=recipient, urgency=2, released_index=number,
        released_time=row.stored_time, expires_time=row.stored_time + 100 * HOUR, next_attempt_time=row.stored_time,
        state=state, delivery_kind=delivery_kind,
    )  # fmt: skip


def test_counts_are_those_of_counting_one_by_one(store: Store) -> None:
    """The counts equal naive ones for any sent, received, refused, dropped or forwarded messages and any period."""
    chosen = random.Random(4)
    rows: list[MessageRow] = []
    deliveries: list[DeliveryRow] = []
    passed: list[ForwardingRow] = []
    for seq in range(1, 301):
        at = BEGIN + seq // 3 * HOUR  # several at the same time
        other = chosen.choice(MEMBERS)
        if chosen.random() < 0.5:
            row = message(seq, "kaz", MessageState.RELEASED, at)
            for recipient in chosen.sample(MEMBERS, chosen.randint(1, 3)):
                state = chosen.choice([DELIVERED, DELIVERED, WAITING, REFUSED, REJECTED, EXPIRED, DROPPED])
                delivery_kind = chosen.choice([DeliveryKind.OWN] * 5 + [DeliveryKind.FORWARDED, DeliveryKind.NOTICE])
                deliveries.append(delivery(row, len(deliveries) + 1, recipient, state, delivery_kind))
        else:
            row = message(seq, other, chosen.choice([MessageState.RECEIVED] * 4 + [MessageState.REFUSED]), at)
            if row.state is MessageState.RECEIVED and chosen.random() < 0.2:
                held = ForwardingRow(other, seq, row.digest, "kaz", b"", b"", b"note", b"", seq, held=True)
                passed.append(replace(held, held=chosen.random() < 0.7))
        rows.append(row)
    with store.transaction() as conn:
        messages_store.add_messages(conn, rows)
        deliveries_store.add_deliveries(conn, deliveries)
        exchange_store.add_forwardings(conn, passed)
    only_passed = {each.digest for each in passed if each.held}
    ends = [None, *(BEGIN + hours * HOUR for hours in (0, 7, 40, 93, 200))]
    for since in ends:
        for until in ends:
            overdue = BEGIN + chosen.randint(0, 110) * HOUR
            with store.reads() as reads:
                found = peer_audit_store.tallies(reads, MEMBERS, since, until, overdue)
            assert found == _naive(rows, deliveries, only_passed, since, until, overdue)


def _naive(
    rows: list[MessageRow],
    deliveries: list[DeliveryRow],
    only_passed: set[bytes],
    since: datetime | None,
    until: datetime | None,
    overdue_before: datetime,
) -> list[Tally]:
    def within(time: datetime) -> bool:
        return (since is None or time >= since) and (until is None or time < until)

    tallies = []
    for member in sorted(MEMBERS):
        sent = [
            each
            for each in deliveries
            if each.recipient == member and each.delivery_kind == DeliveryKind.OWN and within(each.released_time)
        ]
        of = [row for row in rows if row.author == member and within(row.stored_time) and row.digest not in only_passed]
        tally = Tally(
            member,
            sent=len(sent),
            receipted=sum(each.state == DELIVERED for each in sent),
            refused=sum(each.state in (REFUSED, REJECTED) for each in sent),
            overdue=sum(
                each.state in (EXPIRED, DROPPED) or (each.state == WAITING and each.released_time < overdue_before)
                for each in sent
            ),
            received=sum(row.state is MessageState.RECEIVED for row in of),
            refused_here=sum(row.state is MessageState.REFUSED for row in of),
        )
        if tally.sent or tally.received or tally.refused_here:
            tallies.append(tally)
    return tallies


def test_grants_keep_their_rows(store: Store) -> None:
    """A grant is found by its member, oldest first, also when it was withdrawn; nothing of it is lost on the way."""
    one = AuditGrant(1, "uzb", frozenset({3, 4, 32}), None, BEGIN + HOUR, headers=True, granted_time=BEGIN)
    two = AuditGrant(2, "tjk", frozenset({7}), BEGIN - HOUR, BEGIN + 9 * HOUR, headers=False, granted_time=BEGIN)
    with store.transaction() as conn:
        peer_audit_store.add_audit_grant(conn, one)
        peer_audit_store.add_audit_grant(conn, two)
        peer_audit_store.end_audit_grant(conn, 1, BEGIN + HOUR / 2)
    with store.reads() as reads:
        assert peer_audit_store.audit_grants(reads) == [replace(one, withdrawn_time=BEGIN + HOUR / 2), two]
        assert peer_audit_store.audit_grants(reads, "tjk") == [two]
        assert peer_audit_store.audit_grants(reads, "kgz") == []


def test_an_agreed_period_takes_the_other_sides_proof_later(store: Store) -> None:
    """A period is found by exactly its ends; putting it again replaces it, and keeps the proof that came with it."""
    theirs = ForeignProof(b"", "tjk", ProofKind.ANSWER, b"entry", 5, b"h" * 64, b"note", b"v" * 32)
    period = ReconciledPeriod("tjk", BEGIN, BEGIN + HOUR, digest("agreed"), 7)
    with store.transaction() as conn:
        peer_audit_store.put_reconciled(conn, period)
        assert peer_audit_store.reconciled_period(conn, "tjk", BEGIN, BEGIN + HOUR) == period
        peer_audit_store.put_reconciled(conn, replace(period, theirs=theirs))
    with store.reads() as reads:
        assert peer_audit_store.reconciled_period(reads, "tjk", BEGIN, BEGIN + HOUR) == replace(period, theirs=theirs)
        assert peer_audit_store.reconciled_period(reads, "tjk", BEGIN, BEGIN + 2 * HOUR) is None
        assert peer_audit_store.reconciled_period(reads, "uzb", BEGIN, BEGIN + HOUR) is None


def test_what_is_left_of_messages_and_proofs_of_one_member(store: Store) -> None:
    """Header and body are told apart; held proofs are those of the member asked for, passed-on ones among them."""
    row = message(1, "tjk", MessageState.RECEIVED, BEGIN)
    gone = message(2, "tjk", MessageState.REFUSED, BEGIN)
    entry = entry_of(log_pb2.LOG_EVENT_RELEASED).SerializeToString()
    proofs = [
        ForeignProof(row.digest, member, ProofKind.RELEASED, entry + bytes([at]), at, b"h" * 32, b"note", b"v" * 32)
        for at, member in enumerate(("tjk", "uzb"))
    ]
    with store.transaction() as conn:
        messages_store.add_messages(conn, [row, gone])
        exchange_store.add_proofs(conn, proofs)
        exchange_store.add_forwardings(
            conn, [ForwardingRow("uzb", 9, row.digest, "kaz", b"forwarded", b"", b"note", b"v" * 32, 3)]
        )
    with store.reads() as reads:
        found = messages_store.possessions(reads, [row.digest, gone.digest, digest("nothing")])
        assert {each: (left.author, left.has_body) for each, left in found.items()} == {
            row.digest: ("tjk", True),
            gone.digest: ("tjk", False),
        }
        assert [each.entry for each in exchange_store.held_proofs(reads, [row.digest], "tjk")[row.digest]] == [
            entry + b"\0"
        ]
        held = exchange_store.held_proofs(reads, [row.digest, gone.digest], "uzb")
        assert {each.entry for each in held[row.digest]} == {entry + b"\1", b"forwarded"}
        assert exchange_store.held_proofs(reads, [row.digest], "kgz") == {}
