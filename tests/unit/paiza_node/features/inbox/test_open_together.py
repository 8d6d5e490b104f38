"""Opening several messages for one reason: one entry, each judged by itself, and a budget. On both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2
from paiza.officer.v1 import officer_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.exchange.proofs import proofs_of
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.features.inbox import open_together
from paiza_node.features.inbox.open_together import OpenTogether
from paiza_node.features.listing import listing
from paiza_node.features.recalls import recalls
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage
from tests.unit.paiza_node.between import Between, erased, given_away, nothing
from tests.unit.paiza_node.room import Room

OFFICER = Officer("spiffe://kaz.paiza.example/officer/liaison", frozenset({"liaison"}), "bureau")
NOTE = FreeMessage(subject="Exercise", text="Nothing of this is real.")


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A node's room with an empty store."""
    with Room(database_url) as room:
        yield room


def received(room: Room, unit: str = OFFICER.unit, note: FreeMessage = NOTE) -> VerifiedMessage:
    """Receive a message for a unit."""
    message = room.message("tjk", "free-message", note)
    room.ledger.commit_now(lambda tx: room.write(tx, message, unit=unit))
    return message


def verb(room: Room, note: VerifiedMessage, between: Between = nothing) -> OpenTogether:
    """Build the verb, with something that is committed just before its own commit."""
    return OpenTogether(room.overtaken_by(lambda tx: between(room, note, tx)), (recalls.open_rule,))


def asked(*notes: VerifiedMessage, reason: str = "statistics") -> officer_pb2.OpenMessagesRequest:
    """Ask for messages."""
    return officer_pb2.OpenMessagesRequest(message_digests=[note.digest for note in notes], reason_text=reason)


def told(response: officer_pb2.OpenMessagesResponse) -> list[str]:
    """Return what became of each message, with the reason of a refusal."""
    return [
        result.rejection.reason if result.HasField("rejection") else str(result.WhichOneof("result"))
        for result in response.results
    ]


def entries(room: Room, note: VerifiedMessage) -> list[str]:
    """Return the events about a message, alone or with others."""
    with room.store.reads() as reads:
        found = log_store.entries_about(reads, note.digest)
    return [log_entries.event_name(log_pb2.LogEntry.FromString(each.entry).event) for each in found]


async def test_one_entry_is_about_all_that_are_opened(room: Room) -> None:
    """The keys open the parts, the entry names just these, its list is told, and none is marked as read."""
    notes = [received(room) for _ in range(3)]
    response = await verb(room, notes[0])(OFFICER, asked(*notes))
    assert told(response) == ["opened"] * 3
    for note, result in zip(notes, response.results, strict=True):
        assert result.opened.part_key == room.core.decryption_keys.part_key(note, 0)
        assert [part.part_number for part in result.opened.message.parts] == [0]
        assert entries(room, note) == ["OPENED_TOGETHER"]
    entry = log_pb2.LogEntry.FromString(response.opened.proven.entry)
    listed = list(response.opened.proven.message_digests)
    assert (entry.actor, listed) == (OFFICER.id, sorted(note.digest for note in notes))
    assert log_entries.commits_to(entry, listed)
    with room.store.reads() as reads:
        shown = listing.listed(reads, listed, OFFICER.id)
        assert log_store.texts(reads, [response.opened.proven.index]).popitem()[1].text == "statistics"
    assert not any(each.opened or each.opened_by_caller for each in shown)


async def test_each_is_judged_by_itself(room: Room) -> None:
    """Unknown, erased and other units' messages are refused by name; the rest is opened."""
    mine, theirs, gone = received(room), received(room, "border"), received(room)
    request = asked(mine, theirs, gone)
    request.message_digests.append(bytes(32))
    response = await verb(room, gone, erased)(OFFICER, request)
    assert told(response) == ["opened", "unknown_id", "erased", "unknown_id"]
    assert list(response.opened.proven.message_digests) == [mine.digest]
    assert (entries(room, mine), entries(room, theirs)) == (["OPENED_TOGETHER"], ["DENIED"])


async def test_each_comes_with_its_own_proofs(room: Room) -> None:
    """Proofs are read for all messages at once, and each message gets those that it has alone."""
    notes = [received(room) for _ in range(3)]
    response = await verb(room, notes[0])(OFFICER, asked(*reversed(notes)))
    checkpoint = room.ledger.checkpoint
    for note, result in zip(reversed(notes), response.results, strict=True):
        with room.store.reads() as reads:
            row = messages_store.message(reads, note.digest)
            assert row is not None
            alone = proofs_of(reads, room.ledger, row, checkpoint.size, checkpoint.note)
        assert alone.released
        assert list(result.opened.released) == alone.released
        assert [each.proven.entry for each in result.opened.answers] == [each.proven.entry for each in alone.answers]
        entries_shown = [*result.opened.released, *result.opened.answers]
        assert {log_pb2.LogEntry.FromString(each.proven.entry).message_digest for each in entries_shown} == {
            note.digest
        }


async def test_nothing_is_logged_where_nothing_is_opened(room: Room) -> None:
    """An entry about no message says nothing."""
    note = received(room)
    response = await verb(room, note, given_away)(OFFICER, asked(note))
    assert told(response) == ["unknown_id"]
    assert not response.HasField("opened")
    assert entries(room, note) == ["DENIED"]


async def test_a_purpose_leaves_out_what_was_given_for_others(room: Room) -> None:
    """An author's limit holds for statistics and exports; a message without one serves every purpose."""
    kept = room.message("tjk", "free-message", NOTE, purposes=["prosecute"])
    room.ledger.commit_now(lambda tx: room.write(tx, kept, unit=OFFICER.unit))
    note = received(room)
    for purpose, outcome in (("statistics", "policy_denied"), ("prosecute", "opened"), ("", "opened")):
        request = asked(kept, note)
        request.purpose = purpose
        assert told(await verb(room, note)(OFFICER, request)) == [outcome, "opened"]


async def test_an_answer_that_is_full_holds_the_first(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that do not fit are asked for again; one larger than an answer comes alone."""
    monkeypatch.setattr(open_together, "MAX_ANSWER_BYTES", 10_000)
    notes = [received(room, note=FreeMessage(subject="Exercise", text="x" * 20_000)) for _ in range(2)]
    response = await verb(room, notes[0])(OFFICER, asked(*notes))
    assert told(response) == ["opened"]
    assert entries(room, notes[1]) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"message_digests": []}, "malformed"),
        ({"message_digests": [bytes([number % 256]) + bytes(31) for number in range(257)]}, "too_large"),
        ({"message_digests": [bytes(32), bytes(32)]}, "malformed"),
        ({"message_digests": [b"short"]}, "malformed"),
        ({"reason_text": " "}, "opening_reason_missing"),
        ({"reason_text": "x" * 2_001}, "too_large"),
        ({"purpose": "to-sell-it"}, "malformed"),
    ],
)
async def test_what_is_asked_wrongly_is_refused(room: Room, changes: dict[str, object], reason: str) -> None:
    """Before anything is read."""
    fields = {"message_digests": [bytes(32)], "reason_text": "statistics", **changes}
    with pytest.raises(Rejected) as refused:
        await verb(room, received(room))(OFFICER, officer_pb2.OpenMessagesRequest(**fields))  # type: ignore[arg-type]
    assert refused.value.reason == reason


async def test_a_day_has_a_budget_for_each_officer(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are counted, not calls; another officer has a budget of their own, and the next day a new one."""
    monkeypatch.setattr(open_together, "MAX_A_DAY", 3)
    notes = [received(room) for _ in range(3)]
    await verb(room, notes[0])(OFFICER, asked(*notes[:2]))
    with pytest.raises(Unavailable, match="opening_budget") as busy:
        await verb(room, notes[0])(OFFICER, asked(*notes[:2]))
    assert busy.value.retry_after_seconds is not None
    assert 0 < busy.value.retry_after_seconds <= 24 * 3600
    await verb(room, notes[0])(OFFICER, asked(notes[2]))
    await verb(room, notes[0])(replace(OFFICER, id=OFFICER.id + "-two"), asked(*notes))
    room.clock.now += timedelta(days=1)
    await verb(room, notes[0])(OFFICER, asked(*notes))
