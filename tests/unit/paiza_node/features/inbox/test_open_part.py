"""Opening: what comes between the question and the entry that says OPENED still decides. On both databases."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2
from paiza.officer.v1 import officer_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.access.open import OpenAuthorizer
from paiza_node.core.access.open_rules import Opening
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import ReadConnection
from paiza_node.features.inbox.open_part import OpenPart
from paiza_node.features.recalls import recalls
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


def received(room: Room) -> VerifiedMessage:
    """Receive a message for the officer's unit."""
    note = room.message("tjk", "free-message", NOTE)
    room.ledger.commit_now(lambda tx: room.write(tx, note, unit=OFFICER.unit))
    return note


def disclose_overtaken(room: Room, note: VerifiedMessage, between: Between) -> OpenPart:
    """Make the verb, with something that is committed just before its own commit."""
    return OpenPart(room.overtaken_by(lambda tx: between(room, note, tx)), (recalls.open_rule,))


def asked(note: VerifiedMessage, reason: str = "") -> officer_pb2.OpenMessageRequest:
    """Ask for the main part."""
    return officer_pb2.OpenMessageRequest(message_digest=note.digest, reason_text=reason)


async def test_a_part_is_handed_over_with_its_key(room: Room) -> None:
    """The key opens the part, and the log says who opened it."""
    note = received(room)
    response = await disclose_overtaken(room, note, nothing)(OFFICER, asked(note))
    assert response.part_key == room.core.decryption_keys.part_key(note, 0)
    opened = log_pb2.LogEntry.FromString(response.opened.proven.entry)
    assert (opened.event, opened.actor) == (log_pb2.LOG_EVENT_OPENED, OFFICER.id)
    assert room.events(note.digest) == ["OPENED"]


@pytest.mark.parametrize(
    ("between", "reason", "logged"),
    [
        (recalled, "recalled", []),
        (erased, "erased", []),
        (given_away, "unknown_id", ["DENIED unknown_id"]),
        (retired, "unknown_id", ["DENIED unknown_id"]),
    ],
)
async def test_what_changes_before_the_commit_is_not_opened(
    room: Room, between: Between, reason: str, logged: list[str]
) -> None:
    """A message that is recalled, erased, taken from the unit or retired meanwhile stays shut, and nobody read it."""
    note = received(room)
    with pytest.raises(Rejected) as refused:
        await disclose_overtaken(room, note, between)(OFFICER, asked(note))
    assert refused.value.reason == reason
    assert room.events(note.digest) == logged


async def test_a_recalled_message_is_opened_with_a_reason(room: Room) -> None:
    """Also where the recall comes between: the reason was stated."""
    note = received(room)
    await disclose_overtaken(room, note, recalled)(OFFICER, asked(note, "case 17"))
    assert room.events(note.digest) == ["OPENED"]


async def test_need_to_know_is_answered_before_the_rules(room: Room) -> None:
    """An officer of another unit without a role is told that there is none, and both refusals are logged once."""
    note = received(room)
    stranger = replace(OFFICER, unit="border", roles=frozenset())
    with pytest.raises(Rejected, match="of another unit"):
        await disclose_overtaken(room, note, nothing)(stranger, asked(note))
    assert room.events(note.digest) == ["DENIED unknown_id"]
    with pytest.raises(Rejected, match="no rule permits open"):
        await disclose_overtaken(room, note, nothing)(replace(OFFICER, roles=frozenset()), asked(note))
    assert room.events(note.digest) == ["DENIED unknown_id", "DENIED policy_denied"]


async def test_rules_of_capabilities_are_asked_last_and_in_order(room: Room) -> None:
    """The first rule that is against it decides, without an entry; who needs not know hears of none of them."""
    note = received(room)
    asked_of: list[tuple[str, str]] = []

    def rule(name: str, reads: ReadConnection, opening: Opening) -> Rejected | None:
        assert messages_store.message(reads, opening.row.digest) is not None
        asked_of.append((name, opening.reason))
        return Rejected("recalled", name) if name == opening.reason else None

    core = room.overtaken_by(lambda tx: nothing(room, note, tx))
    open_part = OpenPart(core, (partial(rule, "first"), partial(rule, "second")))
    with pytest.raises(Rejected, match="second"):
        await open_part(OFFICER, asked(note, "second"))
    assert room.events(note.digest) == []
    with pytest.raises(Rejected, match="of another unit"):
        await open_part(replace(OFFICER, unit="border"), asked(note, "first"))
    await open_part(OFFICER, asked(note, "case 17"))
    assert asked_of == [("first", "second"), ("second", "second"), ("first", "case 17"), ("second", "case 17")]
    assert room.events(note.digest) == ["DENIED unknown_id", "OPENED"]


async def test_a_check_refuses_as_opening_does_and_opens_nothing(room: Room) -> None:
    """Fetching a ciphertext needs the same permission; a denial is logged, a permission is not."""
    note = received(room)
    authorizer = OpenAuthorizer(room.overtaken_by(lambda tx: nothing(room, note, tx)), (recalls.open_rule,))
    assert await authorizer.check(OFFICER, asked(note)) == note.header
    with pytest.raises(Rejected, match="of another unit"):
        await authorizer.check(replace(OFFICER, unit="border"), asked(note))
    assert room.events(note.digest) == ["DENIED unknown_id"]


@pytest.mark.parametrize(("role", "opens"), [("liaison", True), ("coordinator", True), ("auditor", False)])
async def test_who_may_open_is_told_without_an_entry(room: Room, role: str, opens: bool) -> None:  # noqa: FBT001 - a row
    """An auditor opens nothing, others what their unit got; of a message that is not here nobody may open anything."""
    note = received(room)
    authorizer = OpenAuthorizer(room.overtaken_by(lambda tx: nothing(room, note, tx)), ())
    officer = replace(OFFICER, roles=frozenset({role}))
    assert authorizer.may_open(officer, note.digest) is opens
    assert not authorizer.may_open(replace(officer, unit="border"), note.digest)
    assert not authorizer.may_open(officer, bytes(32))
    assert room.events(note.digest) == []
