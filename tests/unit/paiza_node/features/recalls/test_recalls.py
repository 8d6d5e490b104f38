"""Recalls and corrections at a node: who may release them, and what its log says of them. On both databases."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza.core.v1.message_pb2 import Header, Recipient
from paiza_node.core.exchange.model import DeliveryRow, Settlement
from paiza_node.core.exchange.reactions import ReceivedMessage
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import Store, open_store
from paiza_node.features.recalls import recalls
from tests.unit.paiza_node.core.log.test_ledger import SIGNER, CheckpointInMemory

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
THREAD = bytes(16)


def message(
    seq: int, kind: str, *parents: bytes, author: str = "kaz", to: str = "tjk uzb", thread: bytes = THREAD
) -> MessageRow:
    """Make a message, released by kaz or received from another."""
    header = Header(
        kind=kind,
        author=author,
        thread_id=thread,
        message_id=bytes([seq]) * 16,
        parent_digests=parents,
        recipients=[Recipient(member=each) for each in to.split()],
    )
    return MessageRow(
        seq=seq,
        digest=sha256(header.SerializeToString()).digest(),
        author=author,
        message_id=header.message_id,
        thread_id=thread,
        thread_name="",
        kind=kind,
        urgency=2,
        state=MessageState.RELEASED if author == "kaz" else MessageState.RECEIVED,
        header=header.SerializeToString(),
        stored_time=NOW,
        parents=parents,
    )


def delivery(row: MessageRow, number: int, recipient: str) -> DeliveryRow:
    """Queue a message for a recipient."""
    day = NOW + timedelta(days=1)
    return DeliveryRow(number, row.seq, row.digest, recipient, 2, 0, NOW, day, NOW)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store with a message of kaz to tjk and uzb, and one of tjk."""
    store = open_store(database_url)
    with store.transaction() as conn:
        messages_store.add_messages(conn, [OWN, FOREIGN])
        deliveries_store.add_deliveries(conn, [delivery(OWN, 1, "tjk"), delivery(OWN, 2, "uzb")])
    yield store
    store.close()


OWN = message(1, "free-message")
FOREIGN = message(2, "free-message", author="tjk", to="kaz")


def refused(store: Store, row: MessageRow) -> tuple[str, str]:
    """Return reason and detail of the refusal of a recall or correction; empty if it may be released."""
    with store.reads() as reads:
        found = recalls.refusal(reads, Header.FromString(row.header), "kaz", {"kaz", "tjk", "uzb"}.__contains__)
    return ("", "") if found is None else (found.reason, found.detail)


def test_the_author_recalls_its_own_message_at_all_holders(store: Store) -> None:
    """A recall to everyone who holds the message may be released."""
    assert refused(store, message(9, "recall", OWN.digest)) == ("", "")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (message(9, "recall", FOREIGN.digest, to="tjk"), "not_author"),
        (message(9, "correction", FOREIGN.digest, to="tjk"), "not_author"),
        (message(9, "recall", OWN.digest, FOREIGN.digest), "not_author"),
        (message(9, "recall", sha256(b"").digest()), "unknown_id"),
        (message(9, "recall", OWN.digest, thread=b"x" * 16), "invalid_header"),
        (message(9, "correction", OWN.digest, OWN.digest, OWN.digest), "invalid_header"),
        (message(9, "correction", OWN.digest, FOREIGN.digest), "not_author"),
    ],
)
def test_what_is_not_ones_own_is_not_taken_back(store: Store, row: MessageRow, reason: str) -> None:
    """Another's message, an unknown one and one of another thread are refused at the sender's node."""
    assert refused(store, row)[0] == reason


def test_a_recall_is_final(store: Store) -> None:
    """A recall is not recalled, nor corrected."""
    recall = message(3, "recall", OWN.digest)
    with store.transaction() as conn:
        messages_store.add_messages(conn, [recall])
    assert refused(store, message(9, "recall", recall.digest))[0] == "invalid_header"
    assert refused(store, message(9, "correction", recall.digest))[0] == "invalid_header"


def test_a_step_of_a_workflow_is_not_recalled(store: Store) -> None:
    """A step is undone only by another step; a correction of its text is allowed."""
    step = message(3, "cd-plan")
    with store.transaction() as conn:
        messages_store.add_messages(conn, [step])
    assert refused(store, message(9, "recall", step.digest))[0] == "workflow_breach"
    assert refused(store, message(9, "correction", step.digest)) == ("", "")


def test_a_message_is_replaced_by_one_of_its_kind(store: Store) -> None:
    """A correction names a replacement of the same kind, by the same author."""
    same, other = message(3, "free-message", OWN.digest), message(4, "feedback", OWN.digest)
    with store.transaction() as conn:
        messages_store.add_messages(conn, [same, other])
    assert refused(store, message(9, "correction", OWN.digest, same.digest)) == ("", "")
    assert refused(store, message(9, "correction", OWN.digest, other.digest))[0] == "invalid_header"


def test_a_recall_that_leaves_a_holder_out_is_not_released(store: Store) -> None:
    """Holders of the message are named; members that proved a refusal or are inactive need no recall."""
    recall = message(9, "recall", OWN.digest, to="tjk")
    assert refused(store, recall) == ("holder_missing", "recipients: uzb hold the message too")
    with store.transaction() as conn:
        assert deliveries_store.settle(conn, [Settlement(2, delivery_pb2.DELIVERY_STATE_REFUSED)], NOW) == [2]
    assert refused(store, recall) == ("", "")


def logged(store: Store, rows: list[MessageRow]) -> list[tuple[str, str, bytes, bytes]]:
    """Receive messages in one commit; return the RECALLED entries: actor, counterpart, message, evidence."""

    def work(tx: LogTransaction) -> None:
        messages_store.add_messages(tx.conn, rows)
        received = [ReceivedMessage(row, Header.FromString(row.header), row.author) for row in rows]
        recalls.note_received(tx, "node", received)

    async def take() -> None:
        ledger = Ledger(store, LogSigner([SIGNER]), CheckpointInMemory(), lambda: bytes(32), lambda: NOW)
        try:
            await ledger.commit(work)
        finally:
            ledger.close()

    asyncio.run(take())
    with store.reads() as reads:
        entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries(reads, 0, 10)]
    assert all(each.event == log_pb2.LOG_EVENT_RECALLED for each in entries)
    return [(each.actor, each.counterpart, each.message_digest, each.recalled.recall_digest) for each in entries]


def test_a_recall_that_arrives_is_logged_with_what_it_takes_back(store: Store) -> None:
    """The holder's log says RECALLED of its author's message, by the digest of the recall; of no other's."""
    recall = message(3, "recall", FOREIGN.digest, OWN.digest, author="tjk", to="kaz")
    assert logged(store, [recall]) == [("node", "tjk", FOREIGN.digest, recall.digest)]


def test_a_recall_by_another_takes_no_effect(store: Store) -> None:
    """Only the author can recall a message, even if another node lets a recall pass."""
    assert logged(store, [message(3, "recall", FOREIGN.digest, OWN.digest, author="uzb", to="kaz")]) == []


def test_a_recall_that_comes_first_takes_effect_when_its_message_comes(store: Store) -> None:
    """In whichever order they come, and both in one batch, the log says RECALLED once."""
    late = message(3, "free-message", author="uzb", to="kaz")
    recall = message(4, "recall", late.digest, author="uzb", to="kaz")
    assert logged(store, [recall]) == []
    assert logged(store, [late]) == [("node", "uzb", late.digest, recall.digest)]


def test_a_message_and_its_recall_in_one_batch_are_logged_once(store: Store) -> None:
    """Both in one commit make one entry."""
    late = message(3, "free-message", author="uzb", to="kaz")
    recall = message(4, "recall", late.digest, author="uzb", to="kaz")
    assert logged(store, [recall, late]) == [("node", "uzb", late.digest, recall.digest)]
