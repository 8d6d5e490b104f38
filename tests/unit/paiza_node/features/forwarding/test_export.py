"""Leave to take content out: what comes between the question and its entry still decides. On both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.release_pb2 import ReleaseGrant
from paiza.officer.v1 import forwarding_pb2
from paiza_node.core.access.model import Officer
from paiza_node.features.forwarding.export import Export
from paiza_wire.message import VerifiedMessage
from tests.unit.paiza_node.between import Between, erased, given_away, nothing, recalled, retired
from tests.unit.paiza_node.room import MEMBER, Room

OFFICER = Officer("spiffe://kaz.paiza.example/officer/liaison", frozenset({"liaison"}), "bureau")
NOTE = FreeMessage(subject="Exercise", text="Nothing of this is real.")


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A node's room with an empty store."""
    with Room(database_url) as room:
        yield room


def received(room: Room) -> VerifiedMessage:
    """Receive a message for the officer's unit, marked AMBER."""
    note = room.message("tjk", "free-message", NOTE)
    room.ledger.commit_now(lambda tx: room.write(tx, note, unit=OFFICER.unit))
    return note


def granted(room: Room, note: VerifiedMessage) -> VerifiedMessage:
    """Receive the author's grant to take a message out."""
    content = ReleaseGrant(
        reference="EX-1", scope="whole", recipients=[MEMBER], purposes=["investigate"], conditions="none"
    )
    content.until_time.FromDatetime(room.clock.now + timedelta(days=30))
    grant = room.message("tjk", "release-grant", content, thread=note.header.thread_id, parents=[note.digest], two=True)
    room.ledger.commit_now(lambda tx: room.write(tx, grant))
    return grant


async def exported(
    room: Room,
    note: VerifiedMessage,
    between: Between,
    about: VerifiedMessage | None = None,
    audience: forwarding_pb2.ExportAudience.ValueType = forwarding_pb2.EXPORT_AUDIENCE_OWN_MEMBER,
) -> str:
    """Ask to take a message out, with something between about it or another; gives "" or why not."""
    export = Export(room.overtaken_by(lambda tx: between(room, about or note, tx)))
    request = forwarding_pb2.AuthorizeExportRequest(
        message_digests=[note.digest],
        audience=audience,
        purpose="investigate",
        reason_text="Exercise.",
        recipient_text="Invented bureau",
    )
    (result,) = (await export(OFFICER, request)).results
    return result.rejection.reason


@pytest.mark.parametrize(
    ("between", "reason", "logged"),
    [
        (nothing, "", ["EXPORTED"]),
        (recalled, "policy_denied", ["DENIED policy_denied"]),
        (erased, "erased", []),
        (given_away, "unknown_id", ["DENIED unknown_id"]),
        (retired, "unknown_id", ["DENIED unknown_id"]),
    ],
)
async def test_what_changes_before_the_commit_is_not_taken_out(
    room: Room, between: Between, reason: str, logged: list[str]
) -> None:
    """A message that is recalled, erased, taken from the unit or retired meanwhile is not exported."""
    note = received(room)
    assert await exported(room, note, between) == reason
    assert room.events(note.digest) == logged


@pytest.mark.parametrize(
    ("between", "reason", "logged"),
    [
        (nothing, "", ["EXPORTED"]),
        (recalled, "grant_missing", ["DENIED grant_missing"]),
        (erased, "grant_missing", ["DENIED grant_missing"]),
    ],
)
async def test_a_grant_that_ends_before_the_commit_grants_nothing(
    room: Room, between: Between, reason: str, logged: list[str]
) -> None:
    """An export that needs the originator's grant requires it at the moment of the entry."""
    note = received(room)
    grant = granted(room, note)
    outside = forwarding_pb2.EXPORT_AUDIENCE_OUTSIDE
    assert await exported(room, note, between, about=grant, audience=outside) == reason
    assert room.events(note.digest) == logged
