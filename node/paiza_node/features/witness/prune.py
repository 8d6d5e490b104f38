"""Pruning: witnessed notes of the own log are deleted as they grow old, so that they take bounded space.

A log that grows all the time is witnessed once a second, and a note with many cosignatures has tens of KiB. All notes
stay for `WHOLE`; after that of each minute the largest, and after `BY_MINUTE` of each hour the largest. So the largest
of all always stays, and between any two entries that were witnessed an hour apart there is a note for ever. What is let
go of makes the interval in which an old entry is proven to have been made wider, up to a minute or an hour, and nothing
else: an entry is still proven to the next note that stayed. Whoever was given a span (`prove`) keeps both its notes
whole, so no proof that was ever handed out rests on what is kept here.

What a crash leaves: notes that are looked at again.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.ledger import Ledger, LogTransaction
from paiza_node.core.storage import Store
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.model import WitnessedTime

WHOLE: Final = timedelta(hours=1)  # by then whoever asks for proofs in the background has asked
BY_MINUTE: Final = timedelta(days=30)  # 43,000 notes: 1.4 GB where ten members cosign and the log never stands still
LOOK_SECONDS: Final = 600.0  # between two looks
BLOCK: Final = 4096  # notes looked at in one commit; more than a minute or an hour holds

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

log = structlog.get_logger("paiza.witness")


@dataclass(frozen=True, slots=True)
class Tier:
    """Of notes older than ``age`` one stays of each ``span``; ``counter`` says up to when that was done."""

    age: timedelta
    span: timedelta
    counter: str


TIERS: Final = (
    Tier(WHOLE, timedelta(minutes=1), "witnessed_thinned_minutes"),
    Tier(BY_MINUTE, timedelta(hours=1), "witnessed_thinned_hours"),
)


class Prune:
    """The duty of letting go of old witnessed notes."""

    def __init__(self, ledger: Ledger, store: Store, clock: Callable[[], datetime]) -> None:
        """Store what is thinned out."""
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self.task = PeriodicTask(self._round, period=LOOK_SECONDS, failed="not_pruned")

    async def _round(self) -> None:
        for tier in TIERS:
            while await self.thin(tier):
                pass

    async def thin(self, tier: Tier) -> bool:
        """Let go of a block of notes; says whether there may be more."""
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

        await self._ledger.commit(work)
        return full and bool(dropped or reached > since)

    def _block(self, tier: Tier, until: datetime) -> tuple[datetime, list[WitnessedTime]]:
        with self._store.reads() as reads:
            since = _EPOCH + timedelta(seconds=settings_store.counter(reads, tier.counter))
            return since, witness_store.witnessed_times(reads, since, until, BLOCK)


def superfluous(notes: Sequence[WitnessedTime], span: timedelta) -> list[tuple[int, bool]]:
    """Name the notes that may go: of each span of time all but the largest."""
    largest: dict[datetime, WitnessedTime] = {}
    for note in notes:
        begin = _begin(note.time, span)
        held = largest.get(begin)
        if held is None or (held.size, held.again) < (note.size, note.again):
            largest[begin] = note
    stays = {(note.size, note.again) for note in largest.values()}
    return [(note.size, note.again) for note in notes if (note.size, note.again) not in stays]


def _begin(time: datetime, span: timedelta) -> datetime:
    return _EPOCH + (time - _EPOCH) // span * span
