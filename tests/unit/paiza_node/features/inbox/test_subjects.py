"""Subjects in lists: shown to those who may open the message, logged once a page, and nothing is marked as read."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2
from paiza_node.core.access.consultations import Consultations
from paiza_node.core.access.model import Officer
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.features.inbox.subjects import ShownSubjects, ShowSubjects
from paiza_node.features.listing import listing
from paiza_node.features.recalls import recalls
from paiza_wire import log_entries, message
from paiza_wire.errors import Rejected
from paiza_wire.message import VerifiedMessage
from tests.unit.paiza_node.between import Between, erased, given_away, nothing, recalled, retired
from tests.unit.paiza_node.room import Room

OFFICER = Officer("spiffe://kaz.paiza.example/officer/liaison", frozenset({"liaison"}), "bureau")
NOTE = FreeMessage(subject="Exercise", text="Nothing of this is real.")


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A node's room with an empty store."""
    with Room(database_url) as room:
        yield room


def received(room: Room, unit: str = OFFICER.unit) -> VerifiedMessage:
    """Receive a message for a unit."""
    note = room.message("tjk", "free-message", NOTE)
    room.ledger.commit_now(lambda tx: room.write(tx, note, unit=unit))
    return note


async def shown(
    room: Room, *notes: VerifiedMessage, between: Between = nothing, officer: Officer = OFFICER
) -> ShownSubjects:
    """Show the subjects of messages, with something committed just before the verb's own commit."""
    with room.store.reads() as reads:
        rows = [row for note in notes if (row := messages_store.message(reads, note.digest)) is not None]
    core = room.overtaken_by(lambda tx: between(room, notes[0], tx))
    verb = ShowSubjects(core, Consultations(core.ledger, core.clock), (recalls.open_rule,))
    return await verb(officer, rows)


async def test_subjects_are_shown_and_logged_once(room: Room) -> None:
    """The key opens the subject and no part; one entry is about the page, and nobody has read anything."""
    notes = [received(room) for _ in range(3)]
    found = await shown(room, *notes)
    assert set(found.by_digest) == {note.digest for note in notes}
    for note in notes:
        sealed, key = found.by_digest[note.digest]
        assert message.open_subject(note.header, sealed, key) == b""
        with pytest.raises(Rejected, match="part_altered"):
            message.open_part(note.header, 0, note.signed.parts[0].ciphertext, key)
    assert found.proof is not None
    entry, listed = log_pb2.LogEntry.FromString(found.proof.proven.entry), list(found.proof.proven.message_digests)
    assert (entry.event, entry.actor) == (log_pb2.LOG_EVENT_SUBJECTS_SHOWN, OFFICER.id)
    assert listed == sorted(note.digest for note in notes)
    assert log_entries.commits_to(entry, listed)
    with room.store.reads() as reads:
        assert [each.index for each in log_store.entries_about(reads, notes[0].digest)] == [found.proof.proven.index]
        assert not any(each.opened for each in listing.listed(reads, listed, OFFICER.id))


@pytest.mark.parametrize("between", [recalled, erased, given_away, retired])
async def test_what_may_not_be_opened_has_no_subject(room: Room, between: Between) -> None:
    """Also where that comes just before the entry is written; the rest of the page is shown."""
    one, other = received(room), received(room)
    assert set((await shown(room, one, other, between=between)).by_digest) == {other.digest}
    assert set((await shown(room, one, other)).by_digest) == {other.digest}


async def test_nothing_is_logged_where_nothing_is_shown(room: Room) -> None:
    """Officers without need to know, or who may open nothing, see no subject; a list logs no denial."""
    theirs = received(room, "border")
    size = room.ledger.checkpoint.size
    assert await shown(room, theirs) == ShownSubjects()
    mine = received(room)
    assert await shown(room, mine, officer=replace(OFFICER, roles=frozenset())) == ShownSubjects()
    assert room.events(theirs.digest) == room.events(mine.digest) == []
    assert room.ledger.checkpoint.size == size
