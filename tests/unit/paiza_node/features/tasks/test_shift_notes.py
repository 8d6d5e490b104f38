"""Notes of shifts over a real store and ledger, on each database."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from paiza.core.v1 import log_pb2
from paiza_node.core.access.model import Officer, StandIn
from paiza_node.core.log import store as log_store
from paiza_node.core.storage.findings import Part
from paiza_node.features.tasks import shift_checks
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.shift_notes import MAX_NOTE, MAX_NOTES, ShiftNotes
from paiza_wire.errors import Rejected
from tests.unit.paiza_node.room import Room


def officer(name: str, unit: str) -> Officer:
    """Make an officer of kaz."""
    return Officer(f"spiffe://kaz.paiza.example/officer/{name}", frozenset({"liaison"}), unit)


PETROV = officer("petrov", "bureau")
ALIEV = officer("aliev", "bureau")
SIDOROV = officer("sidorov", "desk")


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A node's room with an empty store, on each database."""
    with Room(database_url) as room:
        yield room


def add(room: Room, who: Officer, text: str, *, hands_over: bool = False) -> None:
    """Leave a note."""
    asyncio.run(ShiftNotes(room.ledger, room.store).add(who, text, hands_over=hands_over))


def shown(room: Room, who: Officer) -> list[str]:
    """Return the texts that an officer is shown."""
    return [text for _note, text in asyncio.run(ShiftNotes(room.ledger, room.store).shown(who))]


def findings(room: Room) -> list[str]:
    """Return what `verify` finds."""
    part = Part("tasks")
    with room.store.reads() as reads:
        check = shift_checks.ShiftNotes(reads)
        for each in log_store.entries(reads, 0, 1000):
            entry = log_pb2.LogEntry.FromString(each.entry)
            if entry.event in check.events:
                check.read_entry(each.index, entry)
        check.verify(part, lambda _count: None)
    return [each.what for each in part.findings]


def test_a_note_is_shown_to_its_unit_until_the_next_hand_over(room: Room) -> None:
    """Also to the officer who takes over; another unit's notes are their own."""
    add(room, PETROV, "  The lorry is expected at night. ")
    add(room, SIDOROV, "Ours.")
    assert shown(room, ALIEV) == shown(room, PETROV) == ["The lorry is expected at night."]
    assert shown(room, SIDOROV) == ["Ours."]
    add(room, ALIEV, "It has passed.", hands_over=True)
    add(room, PETROV, "Quiet.")
    assert shown(room, ALIEV) == ["It has passed.", "Quiet."]
    add(room, PETROV, "", hands_over=True)
    assert shown(room, ALIEV) == [""]
    assert shown(room, SIDOROV) == ["Ours."]
    assert findings(room) == []


def test_a_deputy_reads_the_notes_of_the_other_unit_too(room: Room) -> None:
    """And writes for their own."""
    add(room, PETROV, "For the bureau.")
    deputy = replace(SIDOROV, stands_in=(StandIn(PETROV.id, "bureau", datetime.now(UTC) + timedelta(hours=1)),))
    assert shown(room, deputy) == ["For the bureau."]
    add(room, deputy, "For the desk.")
    assert shown(room, PETROV) == ["For the bureau."]


def test_notes_are_bounded(room: Room) -> None:
    """In length and in number; a hand-over is always possible."""
    for text in ("", "   ", "x" * (MAX_NOTE + 1)):
        with pytest.raises(Rejected):
            add(room, PETROV, text)
    for number in range(MAX_NOTES):
        add(room, PETROV, str(number))
    with pytest.raises(Rejected, match="too_large"):
        add(room, ALIEV, "one more")
    add(room, ALIEV, "done", hands_over=True)
    assert shown(room, PETROV) == ["done"]


def test_verify_finds_a_note_that_is_lost_or_of_another_unit(room: Room) -> None:
    """And one that is shown again after the hand-over."""
    add(room, PETROV, "before")
    with room.store.reads() as reads:
        (before,) = tasks_store.all_shift_notes(reads)
    add(room, PETROV, "hand-over", hands_over=True)
    with room.store.transaction() as conn:
        tasks_store.add_shift_note(conn, before)
    assert findings(room) == ["The notes of shifts are not those that the log leaves."]
