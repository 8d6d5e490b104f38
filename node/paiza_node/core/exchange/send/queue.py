"""The outbound queues: they send released messages to the other members' nodes.

Every other active member of the register has one queue (`peer_queue`), which sends its waiting deliveries over the
member's session and records the answers (`results`). A message whose lifetime is over is given up, which is logged and
shown to its officers.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from paiza.core.v1 import delivery_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.model import DeliveryRow, Settlement, Slot
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.send.peer_queue import PeerQueue
from paiza_node.core.exchange.send.store import slot_of
from paiza_node.core.exchange.send.witnessed import Cosigned
from paiza_node.core.log.changes import Change, DeliveriesQueued, MessagesChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.peers.directory import PeerDirectory
from paiza_wire import log_entries
from paiza_wire.errors import Unavailable

EXPIRY_SECONDS: Final = 30.0  # how often expired deliveries are looked for
EXPIRY_BATCH: Final = 256

log = structlog.get_logger("paiza.exchange")


class OutboundQueues:
    """Runs one outbound queue for each session of the peer directory."""

    def __init__(self, core: Core, peers: PeerDirectory, cosigned: Cosigned) -> None:
        """Begin without queues; `run` creates them. ``cosigned`` finds proofs to cosigned checkpoints."""
        self._core = core
        self._cosigned = cosigned
        self._peers = peers
        self._queues: dict[str, PeerQueue] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def notify(self, changes: Sequence[Change]) -> None:
        """Wake the slots of members' queues that have new deliveries."""
        for change in changes:
            if isinstance(change, DeliveriesQueued):
                for member in change.members & self._queues.keys():
                    self._queues[member].wake(set(map(slot_of, change.urgencies)) or Slot)

    def catch_up(self) -> None:
        """Wake every queue."""
        for queue in self._queues.values():
            queue.wake()

    async def run(self) -> None:
        """Run a queue for each session and give up expired deliveries, as long as the node runs."""
        try:
            while True:
                changed = self._peers.changed
                self._follow_sessions()
                try:
                    await self._give_up_expired()
                except Unavailable as error:
                    log.warning("expired_not_given_up", reason=error.reason, detail=error.detail)
                # A queue ends only by a failure that must stop the node: at once, not at the next round.
                waiting = [asyncio.create_task(changed.wait()), *self._tasks.values()]
                await asyncio.wait(waiting, timeout=EXPIRY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                waiting[0].cancel()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), *self._ending, return_exceptions=True)

    def _follow_sessions(self) -> None:
        """Create queues for new sessions; let queues of ended sessions finish recording."""
        sessions = self._peers.sessions
        for member, task in list(self._tasks.items()):
            if task.done():
                task.result()
            if sessions.get(member) is not self._queues[member].session:
                del self._tasks[member], self._queues[member]
                task.cancel()
                self._ending.add(task)
        for member in sessions.keys() - self._queues.keys():
            queue = self._queues[member] = PeerQueue(self._core, sessions[member], self._cosigned)
            self._tasks[member] = asyncio.create_task(queue.run(), name=f"queue {member}")
        self._ending = {task for task in self._ending if not task.done()}

    async def _give_up_expired(self) -> None:
        """End deliveries whose lifetime is over, batch by batch."""
        while expired := await asyncio.to_thread(self._expired):
            await self._give_up(expired)

    async def _give_up(self, expired: Sequence[DeliveryRow]) -> None:
        core = self._core

        def work(tx: LogTransaction) -> None:
            settlements = [
                Settlement(delivery.id, delivery_pb2.DELIVERY_STATE_EXPIRED, "delivery_expired", delivery.detail)
                for delivery in expired
            ]
            ended = set(deliveries_store.settle(tx.conn, settlements, tx.now))
            for delivery in expired:
                if delivery.id in ended:
                    tx.append(
                        log_entries.expired(
                            actor=core.node_id,
                            recipient=delivery.recipient,
                            digest=delivery.digest,
                            reason="delivery_expired",
                        )
                    )
            tx.announce(MessagesChanged(tuple({delivery.digest for delivery in expired})))

        await core.ledger.commit(work)
        for delivery in expired:
            log.warning("delivery_expired", digest=delivery.digest.hex(), recipient=delivery.recipient)

    def _expired(self) -> list[DeliveryRow]:
        with self._core.store.reads() as reads:
            return deliveries_store.expired(reads, self._core.clock(), EXPIRY_BATCH)
