"""A message that cannot be delivered within its lifetime is given up, and its officers are told.

`delivery_life_hours` is an hour at least, so the clock of `Deliver` is the test's; store, ledger and log are real.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.model import DeliveryRow, Slot
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.send.queue import OutboundQueues
from paiza_node.core.executors.executors import Executors
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import CheckpointSlots
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.notifier import Notifier
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.session import PeerSession
from paiza_node.core.storage import Store, open_store
from paiza_wire.errors import Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey
from tests.changed_messages import ChangedMessages
from tests.log_entries import entry_of
from tests.peers import MethodChannel, directory_of

BEGIN: Final = datetime(2026, 5, 1, 12, tzinfo=UTC)
LIFE: Final = timedelta(hours=1)
DIGEST: Final = bytes(range(32))


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


class AwayChannel(MethodChannel):
    """The way to a member's node that is never there."""

    async def handshake(self, _request: object) -> Any:
        """Fail."""
        raise Unavailable("peer_unreachable", "nobody is there")


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands at the beginning."""
    return Clock()


@pytest.fixture
def node(tmp_path: Path, clock: Clock) -> Iterator[tuple[OutboundQueues, Ledger, Store]]:
    """Put the deliverer on a real store and ledger."""
    store = open_store(f"sqlite:///{tmp_path / 'paiza.db'}")
    file = CheckpointSlots(tmp_path / "checkpoint")
    signer = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
    ledger = Ledger(store, LogSigner([signer]), file, lambda: bytes(32), clock)
    member = SimpleNamespace(id="tjk")
    register: Any = SimpleNamespace(
        federation="paiza.example",
        version=bytes(32),
        active_members=lambda: (member,),
        active_member=lambda _id: member,
    )
    with closing(Executors()) as executors:
        core = Core(
            member="kaz",
            node_id="spiffe://kaz.paiza.example/node",
            register_cache=SimpleNamespace(current=register, version=bytes(32)),  # type: ignore[arg-type]
            ledger=ledger,
            store=store,
            logs=PeerLogViews({}, clock),
            notifier=Notifier(),
            executors=executors,
            decryption_keys=DecryptionKeys("kaz", {}),
            clock=clock,
        )
        channel = AwayChannel("tjk")
        session = PeerSession(
            channel,
            channel,
            own_member="kaz",
            register_cache=core.register_cache,
            ledger=ledger,
            logs=core.logs,
            executor=executors.deliver,
            clock=clock,
        )
        yield OutboundQueues(core, directory_of({"tjk": session}), lambda _reads, _proof: None), ledger, store
        ledger.close()
    file.close()
    store.close()


def _release(clock: Clock) -> Callable[[LogTransaction], None]:
    def work(tx: LogTransaction) -> None:
        entry = entry_of(log_pb2.LOG_EVENT_RELEASED, counterpart="tjk", message_digest=DIGEST)
        index = tx.append(entry).index
        seq = tx.next_message_seq()
        messages_store.add_messages(
            tx.conn,
            [
                MessageRow(
                    seq=seq,
                    digest=DIGEST,
                    author="kaz",
                    message_id=bytes(16),
                    thread_id=bytes(16),
                    thread_name="KAZ-2026-00001",
                    kind="free-message",
                    urgency=2,
                    state=MessageState.RELEASED,
                    header=b"header",
                    stored_time=clock.now,
                    signed=b"signed",
                )
            ],
        )
        deliveries_store.add_deliveries(
            tx.conn,
            [
                DeliveryRow(
                    id=tx.next_delivery_id(),
                    message_seq=seq,
                    digest=DIGEST,
                    recipient="tjk",
                    urgency=2,
                    released_index=index,
                    released_time=clock.now,
                    expires_time=clock.now + LIFE,
                    next_attempt_time=clock.now,
                )
            ],
        )

    return work


async def test_undeliverable_message_expires_with_notice(
    node: tuple[OutboundQueues, Ledger, Store], clock: Clock
) -> None:
    """Before its life is over it waits; after, it is EXPIRED in queue and log, once, and its watchers are told."""
    deliver, ledger, store = node
    await ledger.commit(_release(clock))
    told = ChangedMessages()
    ledger.changes.subscribe([told])
    clock.now += LIFE - timedelta(seconds=1)
    await deliver._give_up_expired()
    with store.reads() as reads:
        (waiting,) = deliveries_store.deliveries_of(reads, DIGEST)
    assert waiting.state == delivery_pb2.DELIVERY_STATE_WAITING
    clock.now += timedelta(seconds=2)
    await deliver._give_up_expired()
    await deliver._give_up_expired()
    assert await asyncio.wait_for(told.digests.get(), 30) == DIGEST
    with store.reads() as reads:
        (expired,) = deliveries_store.deliveries_of(reads, DIGEST)
        events = [log_pb2.LogEntry.FromString(entry.entry) for entry in log_store.entries_of(reads, DIGEST)]
        due = deliveries_store.next_attempt(reads, "tjk", slot=Slot.BULK)
    assert (expired.state, expired.reason) == (delivery_pb2.DELIVERY_STATE_EXPIRED, "delivery_expired")
    assert expired.settled_time == clock.now
    assert [entry.event for entry in events] == [log_pb2.LOG_EVENT_RELEASED, log_pb2.LOG_EVENT_EXPIRED]
    assert (events[1].expired.reason, events[1].counterpart) == ("delivery_expired", "tjk")
    assert due is None
