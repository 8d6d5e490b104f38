"""Daily quotas: they bound one caller, free themselves at midnight, survive a restart and hold up nothing urgent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paiza_node.core.caller import CALLER, NODE, CallerKey
from paiza_node.core.limits import Limits, LimitUse
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import Store
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey

SIGNER = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
OFFICER = CallerKey("officer", "spiffe://kaz.paiza.example/officer/liaison")
OTHER = CallerKey("officer", "spiffe://kaz.paiza.example/officer/duty")
PEER = CallerKey("peer", "tjk")
LIMITS = Limits(
    officer_messages_per_day=4,
    officer_message_bytes_per_day=1000,
    officer_log_entries_per_day=10,
    peer_messages_per_day=2,
    peer_log_entries_per_day=100,
)


class NoFile:
    """A checkpoint file that keeps nothing."""

    def load(self) -> bytes | None:
        """Return nothing."""

    def save(self, note: bytes) -> None:
        """Keep nothing."""


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 29, 23, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on an empty database."""
    store = Store(database_url)
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@contextmanager
def opened(store: Store, clock: Clock) -> Iterator[Ledger]:
    """Run a ledger with small quotas over a store."""
    ledger = Ledger(store, LogSigner([SIGNER]), NoFile(), lambda: bytes(32), clock, limits=LIMITS)
    try:
        yield ledger
    finally:
        ledger.close()


async def send(ledger: Ledger, caller: CallerKey, count: int, *, unhindered: bool = False) -> int:
    """Send messages with an entry each; return how many did not have to wait."""

    def work(tx: LogTransaction) -> int:
        sent = 0
        for _ in range(count):
            if (waits := tx.count_message(unhindered=unhindered)) is None:
                tx.append(log_entries.searched(actor=caller.id))
                sent += 1
            else:
                assert waits.reason == "daily_quota"
        return sent

    sent: int = await _as(caller, lambda: ledger.commit(work, counts_messages=True))
    return sent


async def carry(ledger: Ledger, caller: CallerKey, size: int, *, unhindered: bool = False, held: bool = False) -> str:
    """Send a message of so many bytes, or leave it to a second officer; return why it has to wait."""

    def work(tx: LogTransaction) -> str:
        counted = tx.take_room if held else tx.count_message
        waits = counted(size, unhindered=unhindered)
        return "" if waits is None else str(waits)

    waits: str = await _as(caller, lambda: ledger.commit(work, counts_messages=True))
    return waits


async def search(ledger: Ledger, caller: CallerKey) -> None:
    """Make one log entry."""
    await _as(caller, lambda: ledger.commit(lambda tx: tx.append(log_entries.searched(actor=caller.id))))


async def _as(caller: CallerKey, commit: Callable[[], object]) -> Any:
    token = CALLER.set(caller)
    try:
        return (await commit()).result  # type: ignore[misc]  # of either kind of work
    finally:
        CALLER.reset(token)


async def test_messages_beyond_the_quota_wait_until_midnight(store: Store, clock: Clock) -> None:
    """One caller's quota is used up, in one batch or several; another's is not; at midnight UTC it is free again."""
    with opened(store, clock) as ledger:
        assert await send(ledger, OFFICER, 3) == 3
        assert await send(ledger, OFFICER, 3) == 1
        assert await send(ledger, OFFICER, 1) == 0
        assert await send(ledger, OTHER, 1) == 1
        assert await send(ledger, PEER, 3) == 2
        assert await send(ledger, NODE, 20) == 20
        clock.now += timedelta(hours=1, seconds=1)
        assert await send(ledger, OFFICER, 5) == 4


async def test_bytes_beyond_the_quota_wait_until_midnight(store: Store, clock: Clock) -> None:
    """Few large messages use up a caller's bytes, released or held; small ones that fit pass, and urgent ones."""
    most = LIMITS.officer_message_bytes_per_day
    with opened(store, clock) as ledger:
        assert await carry(ledger, OFFICER, most // 2) == ""
        assert await carry(ledger, OFFICER, most // 2 - 10, held=True) == ""
        for held in (True, False):
            assert "daily_quota" in await carry(ledger, OFFICER, 11, held=held)
        assert await carry(ledger, OFFICER, most, unhindered=True) == ""
        assert await carry(ledger, OTHER, most) == ""
        assert await carry(ledger, PEER, most) == ""
        assert await carry(ledger, NODE, 10 * most) == ""
        (use,) = [each for each in ledger.quotas.uses(clock.now.date()) if each.name == "officer_message_bytes_per_day"]
        assert use == LimitUse("officer_message_bytes_per_day", 2 * most - 10, most, OFFICER.id)
    with opened(store, clock) as ledger:
        assert "daily_quota" in await carry(ledger, OTHER, 1)
        clock.now += timedelta(hours=1, seconds=1)
        assert await carry(ledger, OTHER, most) == ""


async def test_what_nothing_may_hold_up_is_counted_and_never_waits(store: Store, clock: Clock) -> None:
    """Urgent messages pass beyond both quotas; messages that are not urgent then wait."""
    with opened(store, clock) as ledger:
        assert await send(ledger, OFFICER, 30, unhindered=True) == 30
        assert await send(ledger, OFFICER, 1) == 0
        assert await send(ledger, OFFICER, 1, unhindered=True) == 1


async def test_log_entries_beyond_the_quota_are_refused_with_the_time_when_it_is_free(
    store: Store, clock: Clock
) -> None:
    """Work that makes entries is undone, and the caller is told when to come again; work without entries goes on."""
    with opened(store, clock) as ledger:
        for _ in range(10):
            await search(ledger, OFFICER)
        size = ledger.checkpoint.size
        with pytest.raises(Unavailable, match=r"daily_quota.*2026-11-30 00:00 UTC") as refused:
            await search(ledger, OFFICER)
        assert refused.value.retry_after_seconds == 3600
        assert ledger.checkpoint.size == size
        await search(ledger, OTHER)
        await _as(OFFICER, lambda: ledger.commit(lambda tx: tx.size))


async def test_quota_survives_a_restart(store: Store, clock: Clock) -> None:
    """A node that is started again on the same day knows what was used; on the next day nothing is."""
    with opened(store, clock) as ledger:
        await send(ledger, OFFICER, 3)
    with opened(store, clock) as ledger:
        assert await send(ledger, OFFICER, 3) == 1
    clock.now += timedelta(days=1)
    with opened(store, clock) as ledger:
        assert await send(ledger, OFFICER, 5) == 4


async def test_failed_work_uses_nothing(store: Store, clock: Clock) -> None:
    """Work that is undone is not counted."""

    def fail(tx: LogTransaction) -> None:
        tx.count_message(unhindered=False)
        tx.append(log_entries.searched(actor="x"))
        raise Rejected("malformed", "x")

    with opened(store, clock) as ledger:
        for _ in range(5):
            with pytest.raises(Rejected):
                await _as(OFFICER, lambda: ledger.commit(fail, counts_messages=True))
        assert await send(ledger, OFFICER, 5) == 4


async def test_use_is_shown_of_who_used_most(store: Store, clock: Clock) -> None:
    """Status and metrics show the highest of each quota; on a new day nothing is used."""
    with opened(store, clock) as ledger:
        await send(ledger, OFFICER, 3)
        await send(ledger, OTHER, 1)
        uses = {each.name: each for each in ledger.quotas.uses(clock.now.date())}
        assert uses["officer_messages_per_day"] == LimitUse("officer_messages_per_day", 3, 4, OFFICER.id)
        assert uses["peer_messages_per_day"] == LimitUse("peer_messages_per_day", 0, 2)
        assert {each.used for each in ledger.quotas.uses(clock.now.date() + timedelta(days=1))} == {0}
