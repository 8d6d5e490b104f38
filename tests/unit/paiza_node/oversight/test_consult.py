"""What one member's questions may cost in a minute, also those that are shown nothing."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from paiza.v1 import oversight_pb2 as pb
from paiza_node.oversight import consult
from paiza_node.oversight.budget import Budget
from paiza_wire.consultations import NONCE_SIZE
from paiza_wire.errors import Unavailable
from tests.unit.paiza_node.oversight.log_room import LogRoom, member_of, officer

ENTRIES = 40


@pytest.fixture
def room(tmp_path: Path) -> Iterator[LogRoom]:
    """The log of kaz, of which nothing concerns uzb."""
    with LogRoom("kaz", tmp_path) as made:
        for number in range(ENTRIES):
            made.log("RELEASED", "tjk", bytes([number]) * 32)
        yield made


async def _ask(room: LogRoom, member: str) -> int:
    asker = await room.consult.as_member(member_of(member), officer(member))
    query = pb.EntryQuery(nonce=secrets.token_bytes(NONCE_SIZE)).SerializeToString(deterministic=True)
    return len((await room.consult.entries(asker, query)).entries)


async def test_reading_through_the_log_for_nothing_is_bounded(room: LogRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is shown nothing has as much read for it as who is shown all: so much in a minute, and others' go on."""
    monkeypatch.setattr(consult, "MAX_LOOKED", 3 * ENTRIES)
    for _ in range(3):
        assert await _ask(room, "uzb") < 3  # that it asked before
    with pytest.raises(Unavailable, match="busy"):
        await _ask(room, "uzb")
    assert await _ask(room, "tjk") >= ENTRIES


async def test_questions_about_counts_are_worth_entries(room: LogRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reads tables through."""
    monkeypatch.setattr(consult, "MAX_LOOKED", consult.COUNTS_LOOKED)
    asker = await room.consult.as_member(member_of("uzb"), officer("uzb"))
    await room.consult.counts(asker, pb.CountQuery(nonce=secrets.token_bytes(NONCE_SIZE)).SerializeToString())
    with pytest.raises(Unavailable, match="busy"):
        await room.consult.as_member(member_of("uzb"), officer("uzb"))


def test_a_minute_later_there_is_room_again() -> None:
    """What was read before counts no more."""
    budget = Budget()
    budget.add("uzb", 5, 0.0)
    with pytest.raises(Unavailable, match="busy"):
        budget.check("uzb", 5, 59.0)
    budget.check("uzb", 6, 59.0)
    budget.check("uzb", 5, 60.0)
    budget.add("uzb", 1, 61.0)
    budget.check("uzb", 5, 62.0)
