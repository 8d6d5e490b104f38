"""Deliver: how released messages get to the other members' nodes.

Every other active member of the register has one courier (`courier`), which sends what waits for it and settles what it
answers (`settle`). A message whose life time is over is given up, which is logged and told to its officers.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog

from paiza.v1 import exchange_pb2, officer_pb2
from paiza_node.context import Context
from paiza_node.courier import Courier
from paiza_node.ledger import Pen
from paiza_node.model import DeliveryRow, Settlement, StoredEntry
from paiza_node.ports import Peer
from paiza_wire import log_entries
from paiza_wire.errors import Unavailable

EXPIRY_SECONDS: Final = 30.0  # how often expired deliveries are looked for
EXPIRY_BATCH: Final = 256

log = structlog.get_logger("paiza.deliver")


class Deliver:
    """All couriers of a node: one for every other active member of the register in force."""

    def __init__(self, context: Context, connect: Callable[[str], Peer]) -> None:
        """Take what couriers share, and how to make a channel to a member."""
        self._context = context
        self._connect = connect
        self.couriers: dict[str, Courier] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def ask(self, member: str) -> None:
        """Have a member asked what it holds of our log."""
        if member in self.couriers:
            self.couriers[member].ask()

    def wake(self, recipients: Iterable[str]) -> None:
        """Say that something may be waiting for these members."""
        for recipient in recipients:
            courier = self.couriers.get(recipient)
            if courier is not None:
                courier.wake()

    async def tell(self, member: str, entries: Sequence[StoredEntry]) -> None:
        """Tell a member what our log says of attachments it handed over; Unavailable where it has not taken note."""
        await self._courier(member).tell(entries)

    async def tell_erasures(self, member: str, entries: Sequence[StoredEntry]) -> None:
        """Tell a member what our log says of its requests to erase; Unavailable where it has not taken note."""
        await self._courier(member).tell(entries, erasures=True)

    def _courier(self, member: str) -> Courier:
        courier = self.couriers.get(member)
        if courier is None:
            raise Unavailable("peer_unreachable", f"{member} is no active member, or not known yet")
        return courier

    async def prove_growth(
        self, member: str, request: exchange_pb2.ProveGrowthRequest
    ) -> exchange_pb2.ProveGrowthResponse:
        """Ask a member to prove that its log grew."""
        courier = self.couriers.get(member)
        if courier is None:
            raise Unavailable("peer_unreachable", f"{member} is no active member, or not known yet")
        return await courier.prove_growth(request)

    async def run(self) -> None:
        """Keep couriers for the members of the register and give up what expired, for as long as the node runs."""
        try:
            while True:
                self._follow_register()
                try:
                    await self._give_up_expired()
                except Unavailable as error:
                    log.warning("expired_not_given_up", reason=error.reason, detail=error.detail)
                # A courier ends only by a failure that must stop the node: at once, not at the next round.
                waiting = [asyncio.ensure_future(asyncio.sleep(EXPIRY_SECONDS)), *self._tasks.values()]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                waiting[0].cancel()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await asyncio.gather(*(courier.close() for courier in self.couriers.values()), return_exceptions=True)

    def _follow_register(self) -> None:
        try:
            members = {member.id for member in self._context.registers.current.active_members()}
        except Unavailable as error:
            log.warning("register_expired", detail=error.detail)
            return
        for member in members - {self._context.member} - set(self.couriers):
            courier = Courier(self._context, self._connect(member))
            self.couriers[member] = courier
            self._tasks[member] = asyncio.create_task(courier.run(), name=f"courier {member}")
        for member, task in list(self._tasks.items()):
            if task.done():
                task.result()
            if member not in members:
                del self._tasks[member]
                self._ending.add(asyncio.create_task(_end(task, self.couriers.pop(member))))
        self._ending = {task for task in self._ending if not task.done()}

    async def _give_up_expired(self) -> None:
        """Give up what was not delivered in its life time, batch by batch."""
        while expired := await asyncio.to_thread(self._expired):
            await self._give_up(expired)

    async def _give_up(self, expired: Sequence[DeliveryRow]) -> None:
        context = self._context

        def work(pen: Pen) -> None:
            settlements = [
                Settlement(delivery.id, officer_pb2.DELIVERY_STATE_EXPIRED, "delivery_expired", delivery.detail)
                for delivery in expired
            ]
            ended = set(pen.tx.settle(settlements, pen.now))
            for delivery in expired:
                if delivery.id in ended:
                    pen.append(
                        log_entries.expired(
                            actor=context.node_id,
                            recipient=delivery.recipient,
                            digest=delivery.digest,
                            reason="delivery_expired",
                        )
                    )

        await context.ledger.commit(work)
        context.news.publish({delivery.digest for delivery in expired})
        for delivery in expired:
            log.warning("delivery_expired", digest=delivery.digest.hex(), recipient=delivery.recipient)

    def _expired(self) -> list[DeliveryRow]:
        with self._context.store.reads() as reads:
            return reads.expired(self._context.clock(), EXPIRY_BATCH)


async def _end(task: asyncio.Task[None], courier: Courier) -> None:
    """Let a courier finish what is being settled, and close its channel: its member has left."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await courier.close()
