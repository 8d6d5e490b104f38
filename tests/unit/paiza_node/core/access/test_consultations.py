"""Consultations are logged before they are shown; repeats and floods do not fill the log."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from paiza_node.core.access.consultations import MAX_ENTRIES, REPEAT, Consultations
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.rate_limit import PERIOD_SECONDS
from paiza_wire import log_entries
from paiza_wire.errors import Unavailable
from tests.unit.paiza_node.room import Room, open_room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A node's room with an empty store."""
    with open_room(tmp_path) as room:
        yield room


class Desk:
    """One officer's consultations."""

    def __init__(self, room: Room, officer: str = "one") -> None:
        self.room = room
        self.officer = officer
        self.consultations = Consultations(room.ledger, room.clock)

    async def consult(self, what: object, officer: str = "") -> int:
        """Consult something; return the index of the entry that stands for it."""
        actor = officer or self.officer

        def work(tx: LogTransaction) -> int:
            return tx.append(log_entries.consulted(actor=actor)).index

        committed = await self.consultations.log(actor, work, what=what)
        assert committed.checkpoint.size > committed.result, "it is on disk before it is answered"
        return committed.result


async def test_a_repeat_is_covered_by_the_entry_of_the_minute_before(room: Room) -> None:
    """Also one that comes while the first is being committed; another thing, or another officer, has its own."""
    desk = Desk(room)
    assert await asyncio.gather(*(desk.consult("trail") for _ in range(5))) == [0] * 5
    assert await desk.consult("evidence") == 1
    assert await desk.consult("trail", "other") == 2
    room.clock.now += REPEAT - timedelta(seconds=1)
    assert await desk.consult("trail") == 0
    room.clock.now += timedelta(seconds=1)
    assert [await desk.consult("trail") for _ in range(2)] == [3, 3]


async def test_what_has_no_repeats_is_logged_each_time(room: Room) -> None:
    """An answer that an entry commits to is never the answer of another entry."""
    desk = Desk(room)
    assert [await desk.consult(None) for _ in range(3)] == [0, 1, 2]


async def test_an_officer_makes_so_many_entries_a_minute(room: Room) -> None:
    """Beyond that nothing is shown, and the answer says when to try again; others and repeats go on."""
    desk = Desk(room)
    for number in range(MAX_ENTRIES):
        await desk.consult(number)
    room.clock.now += timedelta(seconds=20)
    with pytest.raises(Unavailable, match="busy") as busy:
        await desk.consult("one more")
    assert busy.value.retry_after_seconds == 40.0
    assert await desk.consult(MAX_ENTRIES - 1) == MAX_ENTRIES - 1
    assert await desk.consult("other's", "other") == MAX_ENTRIES
    room.clock.now += timedelta(seconds=PERIOD_SECONDS - 20)
    assert await desk.consult("one more") == MAX_ENTRIES + 1


async def test_what_was_not_logged_covers_no_repeat(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed commit the next one is tried anew."""
    desk = Desk(room)

    async def fails(_work: object) -> None:
        raise Unavailable("database_unavailable", "gone")

    with monkeypatch.context() as patched:
        patched.setattr(room.ledger, "commit", fails)
        with pytest.raises(Unavailable, match="gone"):
            await desk.consult("trail")
    assert await desk.consult("trail") == 0
