"""Passing on: what comes between the question and its entry still decides. On both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.release_pb2 import ReleaseGrant
from paiza.officer.v1 import forwarding_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.features.forwarding.forward import Forward
from paiza_wire.message import VerifiedMessage
from tests.unit.paiza_node.between import Between, erased, given_away, nothing, recalled, retired
from tests.unit.paiza_node.room import Room

OFFICER = Officer("spiffe://kaz.paiza.example/officer/liaison", frozenset({"liaison"}), "bureau")
NOTE = FreeMessage(subject="Exercise", text="Nothing of this is real.")
DAY = timedelta(days=1)
OTHER = "kgz"  # it got the message from nobody yet


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A node's room with an empty store."""
    with Room(database_url) as room:
        yield room


def received(room: Room) -> VerifiedMessage:
    """Receive a message for the officer's unit, marked AMBER: it is passed on with a grant alone."""
    note = room.message("tjk", "free-message", NOTE)
    room.ledger.commit_now(lambda tx: room.write(tx, note, unit=OFFICER.unit))
    return note


def granted(room: Room, note: VerifiedMessage) -> VerifiedMessage:
    """Receive the author's grant to pass a message on."""
    content = ReleaseGrant(
        reference="EX-1", scope="whole", recipients=[OTHER], purposes=["investigate"], conditions="none"
    )
    content.until_time.FromDatetime(room.clock.now + timedelta(days=30))
    grant = room.message("tjk", "release-grant", content, thread=note.header.thread_id, parents=[note.digest], two=True)
    room.ledger.commit_now(lambda tx: room.write(tx, grant))
    return grant


async def forwarded(room: Room, note: VerifiedMessage, between: Between, about: VerifiedMessage) -> str:
    """Pass a message on, with something between; return "" or why not."""
    forward = Forward(room.overtaken_by(lambda tx: between(room, about, tx)), delivery_life=DAY)
    request = forwarding_pb2.ForwardRequest(
        message_digest=note.digest, recipients=[OTHER], purpose="investigate", reason_text="Exercise."
    )
    (result,) = (await forward(OFFICER, request)).results
    return result.rejection.reason


def deliveries(room: Room) -> list[str]:
    """Return to whom something is to be delivered."""
    with room.store.reads() as reads:
        queued = [deliveries_store.queue(reads, member, 10) for member in (OTHER, "tjk")]
    return [each.recipient for deliveries in queued for each in deliveries]


@pytest.mark.parametrize(
    ("between", "reason", "logged"),
    [
        (nothing, "", ["FORWARDED"]),
        (recalled, "policy_denied", ["DENIED policy_denied"]),
        (erased, "erased", []),
        (given_away, "unknown_id", []),
        (retired, "unknown_id", []),
    ],
)
async def test_what_changes_before_the_commit_is_not_passed_on(
    room: Room, between: Between, reason: str, logged: list[str]
) -> None:
    """A message that is recalled, erased, taken from the unit or retired meanwhile goes to nobody."""
    note = received(room)
    granted(room, note)
    assert await forwarded(room, note, between, note) == reason
    assert room.events(note.digest) == logged
    assert deliveries(room) == ([OTHER, "tjk"] if between is nothing else [])


@pytest.mark.parametrize("between", [recalled, erased, retired])
async def test_a_grant_that_ends_before_the_commit_grants_nothing(room: Room, between: Between) -> None:
    """A forwarding that needs the originator's grant requires it at the moment of the entry."""
    note = received(room)
    grant = granted(room, note)
    assert await forwarded(room, note, between, grant) == "grant_missing"
    assert room.events(note.digest) == ["DENIED grant_missing"]
    assert deliveries(room) == []


@pytest.mark.parametrize("between", [nothing, erased, retired])
async def test_step_that_goes_before_the_commit_is_not_shared(room: Room, between: Between) -> None:
    """Only workflow steps present at the moment of the entry are shared."""
    first, second = room.begin("tjk"), room.begin("tjk")
    forward = Forward(room.overtaken_by(lambda tx: between(room, first, tx)), delivery_life=DAY)
    refused = await forward.share([first.digest, second.digest], OTHER, room.core.node_id)
    gone = [] if between is nothing else [first.digest]
    reason = "erased" if between is erased else "unknown_id"
    assert {digest: each.reason for digest, each in refused.items()} == dict.fromkeys(gone, reason)
    assert room.events(first.digest) == ([] if gone else ["FORWARDED"])
    assert room.events(second.digest) == ["FORWARDED"]
    assert len(deliveries(room)) == (2 if gone else 4)  # to the new holder, and to the author who is told
