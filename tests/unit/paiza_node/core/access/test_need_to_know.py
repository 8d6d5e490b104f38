"""Which unit and officer a received message is for, over a real store on each database."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.exchange.reactions import ReceivedMessage
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.assign import make_tasks
from paiza_wire import message as wire
from paiza_wire.message import VerifiedMessage
from tests.unit.paiza_node.room import MEMBER, Room

DUTY = "duty"
LIAISON = Officer("spiffe://kaz.paiza.example/officer/liaison", frozenset({"liaison"}), "bureau")
BORDER = Officer("spiffe://kaz.paiza.example/officer/guard", frozenset({"liaison"}), "border")
DESKS = UnitDirectory(MEMBER, DUTY, lambda: {each.id: each for each in (LIAISON, BORDER)})

Place = tuple[str | None, str, str]
"""Unit of a message, unit and officer of the work on it."""


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A node's room with an empty store."""
    with Room(database_url) as room:
        yield room


def message(room: Room, *parents: VerifiedMessage, attention: str = "") -> VerifiedMessage:
    """Make a message of tjk to kaz."""
    room.clock.now += timedelta(seconds=1)
    digests = [parent.digest for parent in parents]
    thread = parents[0].header.thread_id if parents else b""
    made = room.message("tjk", "free-message", pb.Header(), thread=thread, parents=digests, members=["tjk", MEMBER])
    header = pb.Header.FromString(made.signed.header)
    header.recipients[0].attention = attention
    raw = header.SerializeToString(deterministic=True)
    return replace(made, digest=wire.message_digest(raw), header=header, signed=pb.SignedMessage(header=raw))


def received(room: Room, batch: Sequence[VerifiedMessage]) -> list[Place]:
    """Receive a batch; gives where each of its messages went."""

    def work(tx: LogTransaction) -> list[str | None]:
        placed = DESKS.received(tx.conn, [(room.row(tx, each), each.header) for each in batch])
        messages_store.add_messages(tx.conn, [row for row, _assignee in placed])
        headers = [each.header for each in batch]
        made = zip(placed, headers, strict=True)
        make_tasks(tx, [ReceivedMessage(row, header, "tjk", assignee) for (row, assignee), header in made])
        return [row.unit for row, _assignee in placed]

    units = room.ledger.commit_now(work).result
    with room.store.reads() as reads:
        found = tasks_store.tasks_of(reads, [each.digest for each in batch])
    return [
        (unit, found[each.digest].unit, found[each.digest].assignee) for unit, each in zip(units, batch, strict=True)
    ]


def placed_in(unit: str, officer: str = "") -> Place:
    """Write down that message and work went to one unit."""
    return unit, unit, officer


def test_a_message_goes_to_whom_it_names_or_to_the_duty_unit(room: Room) -> None:
    """A unit, the unit of an officer with the work for that officer, and else the duty unit."""
    batch = [message(room, attention=each) for each in ("border", "liaison", "nobody known", "")]
    assert received(room, batch) == [
        placed_in("border"), placed_in("bureau", LIAISON.id), placed_in(DUTY), placed_in(DUTY),
    ]  # fmt: skip


@pytest.mark.parametrize("together", [True, False])
def test_a_reply_goes_where_its_parent_went(room: Room, *, together: bool) -> None:
    """Message and work go to the parent's unit, over two steps, whether they come in its batch or after it."""
    first = message(room, attention="border")
    reply = message(room, first)
    batch = [first, reply, message(room, reply)]
    found = received(room, batch) if together else [place for each in batch for place in received(room, [each])]
    assert found == [placed_in("border")] * 3


def test_of_several_parents_the_first_that_came_decides(room: Room) -> None:
    """Earlier messages go before those of the batch, and these in the order of the batch."""
    old = message(room, attention="border")
    received(room, [old])
    first, second = message(room, attention="bureau"), message(room, attention="border")
    batch = [first, second, message(room, second, first), message(room, first, old)]
    assert received(room, batch)[2:] == [placed_in("bureau"), placed_in("border")]


def test_a_reply_before_its_parent_goes_to_the_duty_unit(room: Room) -> None:
    """An unknown parent, also in the same batch, decides nothing."""
    parent = message(room, attention="border")
    assert received(room, [message(room, parent), parent]) == [placed_in(DUTY), placed_in("border")]
