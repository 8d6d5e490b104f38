"""Pruning: old witnessed notes of the own log are deleted, so that they take bounded space.

A log that grows all the time is witnessed once a second, and a note with many cosignatures has tens of KiB. All notes
stay for `WHOLE`; after that the largest of each minute, and after `BY_MINUTE` the largest of each hour; and with one
that was cosigned again the first of its size. The largest of all therefore always stays, and between any two entries
that were witnessed an hour apart there is a note for ever. A deleted note only widens the interval of time in which an
old entry is proven to have been made, up to a minute or an hour: the entry is still proven to the next remaining note.
A member that was given a span (`prove`) keeps both its notes, so no issued proof depends on the notes stored here.

What a crash leaves: notes that are considered again.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import Store
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.model import WitnessedTime

WHOLE: Final = timedelta(hours=1)  # by then members that request proofs in the background have them
BY_MINUTE: Final = timedelta(days=30)  # 43,000 notes: 1.4 GB where ten members cosign and the log never stands still
LOOK_SECONDS: Final = 600.0  # between two rounds
BLOCK: Final = 4096  # notes considered in one commit; more than a minute or an hour holds

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

log = structlog.get_logger("paiza.witness")


@dataclass(frozen=True, slots=True)
class Tier:
    """Keep one note of each ``span`` among those older than ``age``; ``counter`` records the progress."""

    age: timedelta
    span: timedelta
    counter: str


TIERS: Final = (
    Tier(WHOLE, timedelta(minutes=1), "witnessed_thinned_minutes"),
    Tier(BY_MINUTE, timedelta(hours=1), "witnessed_thinned_hours"),
)


class Prune:
    """Deletes old witnessed notes."""

    def __init__(self, ledger: Ledger, store: Store, clock: Callable[[], datetime]) -> None:
        """Store the ledger, the store and the clock."""
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self.task = PeriodicTask(self._round, period=LOOK_SECONDS, failed="not_pruned")

    async def _round(self) -> None:
        for tier in TIERS:
            while await self.prune_block(tier):
                pass

    async def prune_block(self, tier: Tier) -> bool:
        """Delete notes of one block; return whether there may be more."""
        until = _begin(self._clock() - tier.age, tier.span)
        since, found = await asyncio.to_thread(self._block, tier, until)
        if not found:
            return False
        full = len(found) == BLOCK
        reached = _begin(found[-1].time, tier.span) if full else until
        whole = [note for note in found if note.time < reached] if reached > since else found
        dropped = superfluous(whole, tier.span)

        def work(tx: LogTransaction) -> None:
            witness_store.drop_witnessed(tx.conn, dropped)
            settings_store.put_counter(tx.conn, tier.counter, (max(reached, since) - _EPOCH) // timedelta(seconds=1))

        await self._ledger.commit(work, rides=True)
        return full and bool(dropped or reached > since)

    def _block(self, tier: Tier, until: datetime) -> tuple[datetime, list[WitnessedTime]]:
        with self._store.reads() as reads:
            since = _EPOCH + timedelta(seconds=settings_store.counter(reads, tier.counter))
            return since, witness_store.witnessed_times(reads, since, until, BLOCK)


def superfluous(notes: Sequence[WitnessedTime], span: timedelta) -> list[tuple[int, bool]]:
    """Return the notes to delete: of each span of time all but the largest, and the first of its size."""
    largest: dict[datetime, WitnessedTime] = {}
    for note in notes:
        begin = _begin(note.time, span)
        held = largest.get(begin)
        if held is None or (held.size, held.again) < (note.size, note.again):
            largest[begin] = note
    stays = {(note.size, again) for note in largest.values() for again in {note.again, False}}
    return [(note.size, note.again) for note in notes if (note.size, note.again) not in stays]


def _begin(time: datetime, span: timedelta) -> datetime:
    return _EPOCH + (time - _EPOCH) // span * span
