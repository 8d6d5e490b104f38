"""Tasks leave the lists by themselves: answers, recalls and steps of a workflow settle them, over a real store."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import pytest
from google.protobuf.message import Message

from paiza.content.v1 import common_pb2
from paiza.content.v1.acknowledgement_pb2 import Acknowledgement
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.information_pb2 import InformationAnswer, InformationRequest
from paiza.content.v1.recall_pb2 import Correction, Recall
from paiza.core.v1 import log_pb2
from paiza.officer.v1 import task_pb2
from paiza_domain import kinds
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.exchange.reactions import ReceivedMessage, ReleasedMessage, received, released
from paiza_node.core.exchange.readers import READERS
from paiza_node.core.log import store as log_store
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage.findings import Part
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.assign import Assign
from paiza_node.features.tasks.checks import Tasks
from paiza_node.features.tasks.settle import task_reaction
from paiza_wire.message import VerifiedMessage
from tests import delivery
from tests.unit.paiza_node.room import MEMBER, MEMBERS, Room

LIAISON: Final = f"spiffe://{MEMBER}.paiza.example/officer/liaison"
NEW, ACKNOWLEDGED, DONE = (
    task_pb2.TASK_STATE_NEW,
    task_pb2.TASK_STATE_ACKNOWLEDGED,
    task_pb2.TASK_STATE_DONE,
)
NOTE: Final = FreeMessage(subject="Exercise", text="Nothing of this is real.")
REQUEST: Final = InformationRequest(
    questions=[common_pb2.Question(number=1, text="Who?"), common_pb2.Question(number=2, text="When?")]
)


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A node's room with an empty store, on each database; in the end the log tells the state of every task."""
    with Room(database_url) as room:
        yield room
        part = Part("tasks")
        with room.store.reads() as reads:
            check = Tasks(reads, MEMBER)
            for each in log_store.entries(reads, 0, 1000):
                entry = log_pb2.LogEntry.FromString(each.entry)
                if entry.event in check.events:
                    check.read_entry(each.index, entry)
            check.verify(part, lambda _count: None)
        assert [each.what for each in part.findings] == []


def store(room: Room, message: VerifiedMessage) -> bytes:
    """Store a message as the exchange does, with the reactions of readers and tasks; return its digest."""
    reactions = (READERS, task_reaction(room.core.node_id, room.core.decryption_keys))

    def write(tx: LogTransaction) -> None:
        row = room.row(tx, message)
        room.write_row(tx, message, row)
        if row.received:
            received(reactions, tx, [ReceivedMessage(row, message.header, row.author)])
        else:
            released(reactions, tx, [ReleasedMessage(row, message.header, LIAISON)])

    room.ledger.commit_now(write)
    return message.digest


def say(room: Room, author: str, kind: str, content: Message, *parents: VerifiedMessage) -> VerifiedMessage:
    """Store a message that follows from others."""
    room.clock.now += timedelta(minutes=1)
    thread = parents[0].header.thread_id if parents else b""
    message = room.message(author, kind, content, thread=thread, parents=[each.digest for each in parents])
    store(room, message)
    return message


def state(room: Room, message: VerifiedMessage) -> int:
    """Return the state of a message's task."""
    with room.store.reads() as reads:
        return tasks_store.tasks_of(reads, [message.digest])[message.digest].state


def answer(*numbered: tuple[int, str]) -> InformationAnswer:
    """Return an answer by question number."""
    answers = [common_pb2.Answer(question_number=number, status=status) for number, status in numbered]
    return InformationAnswer(reference="OUR-1", answers=answers)


def test_an_answer_to_every_question_settles_a_request(room: Room) -> None:
    """One to some of them, or an interim one, only acknowledges it; the log names the officer who answered."""
    request = say(room, "tjk", "information-request", REQUEST)
    assert state(room, request) == NEW
    say(room, MEMBER, "information-answer", answer((1, "full"), (2, "interim")), request)
    assert state(room, request) == ACKNOWLEDGED
    say(room, MEMBER, "information-answer", answer((2, "negative")), request)
    assert state(room, request) == DONE
    say(room, MEMBER, "information-answer", answer((2, "full")), request)
    assert room.events(request.digest) == ["ACKNOWLEDGED", "DONE"]


ASKING: Final = [
    (name, answer)
    for name, kind in sorted(kinds.all_kinds().items())
    if not kind.workflow
    for answer in kind.answered_by
]


@pytest.mark.parametrize(("name", "reply"), ASKING)
def test_every_kind_that_asks_is_settled_by_what_answers_it(room: Room, name: str, reply: str) -> None:
    """Unless the answer leaves it open: such as more time needed, or a status on the way."""
    known = kinds.all_kinds()
    request = say(room, "tjk", name, known[name].content())
    content = known[reply].content()
    if reply == "acknowledgement":
        content = Acknowledgement(message_digest=request.digest)
    say(room, MEMBER, reply, content, request)
    assert state(room, request) == (ACKNOWLEDGED if known[reply].leaves_open(content) else DONE)


def test_another_reply_acknowledges_a_request(room: Room) -> None:
    """An acknowledgement is no answer, so that the request stays to be answered."""
    request = say(room, "tjk", "information-request", REQUEST)
    say(room, MEMBER, "acknowledgement", Acknowledgement(message_digest=request.digest), request)
    assert state(room, request) == ACKNOWLEDGED


def test_the_answer_of_another_member_settles_nothing_here(room: Room) -> None:
    """Each addressee answers for itself."""
    request = say(room, "tjk", "information-request", REQUEST)
    say(room, "uzb", "information-answer", answer((1, "full"), (2, "full")), request)
    assert state(room, request) == NEW


def test_any_reply_settles_what_expects_no_answer(room: Room) -> None:
    """So an answer that was received leaves the list with the feedback or the next question."""
    note = say(room, "tjk", "free-message", NOTE)
    say(room, MEMBER, "free-message", NOTE, note)
    assert state(room, note) == DONE


def test_a_recall_settles_what_it_takes_back_and_is_settled_by_its_acknowledgement(room: Room) -> None:
    """The recall itself is the task then; that of another member than the author takes nothing back."""
    request = say(room, "tjk", "information-request", REQUEST)
    say(room, "uzb", "recall", Recall(), request)
    assert state(room, request) == NEW
    recall = say(room, "tjk", "recall", Recall(), request)
    assert (state(room, request), state(room, recall)) == (DONE, NEW)
    say(room, MEMBER, "acknowledgement", Acknowledgement(message_digest=recall.digest), recall)
    assert state(room, recall) == DONE


def test_a_recalled_answer_makes_its_request_a_task_again(room: Room) -> None:
    """What is left answers nothing; a second answer settles it again."""
    request = say(room, "tjk", "information-request", REQUEST)
    first = say(room, MEMBER, "information-answer", answer((1, "full"), (2, "full")), request)
    assert state(room, request) == DONE
    say(room, MEMBER, "recall", Recall(), first)
    assert state(room, request) == ACKNOWLEDGED
    say(room, MEMBER, "information-answer", answer((1, "full"), (2, "full")), request)
    assert state(room, request) == DONE
    note = say(room, "tjk", "free-message", NOTE)
    say(room, MEMBER, "recall", Recall(), say(room, MEMBER, "free-message", NOTE, note))
    assert state(room, note) == DONE


def test_an_interim_answer_leaves_when_a_later_one_says_it_all(room: Room) -> None:
    """A partial one stays to be read, and so does the interim answer of another member."""
    request = say(room, MEMBER, "information-request", REQUEST)
    interim = say(room, "tjk", "information-answer", answer((1, "interim"), (2, "interim")), request)
    partly = say(room, "tjk", "information-answer", answer((1, "full"), (2, "interim")), request)
    other = say(room, "uzb", "information-answer", answer((1, "interim")), request)
    assert [state(room, each) for each in (interim, partly, other)] == [DONE, NEW, NEW]
    last = say(room, "tjk", "information-answer", answer((2, "full")), request)
    assert [state(room, each) for each in (interim, partly, other, last)] == [DONE, NEW, NEW, NEW]


def test_a_replaced_message_is_settled_and_a_corrected_one_is_not(room: Room) -> None:
    """What replaces it is a task of its own."""
    request = say(room, "tjk", "information-request", REQUEST)
    say(room, "tjk", "correction", Correction(), request)
    assert state(room, request) == NEW
    newer = say(room, "tjk", "information-request", REQUEST, request)
    say(room, "tjk", "correction", Correction(), request, newer)
    assert (state(room, request), state(room, newer)) == (DONE, NEW)


async def test_an_acknowledged_task_is_done_if_nothing_more_is_expected(room: Room) -> None:
    """A request stays until it is answered, a note leaves the list."""
    request, note = say(room, "tjk", "information-request", REQUEST), say(room, "tjk", "free-message", NOTE)
    officer = Officer(LIAISON, frozenset({"duty"}), "")
    assign = Assign(
        node_id=room.core.node_id,
        ledger=room.ledger,
        store=room.store,
        notifier=room.notifier,
        unit_directory=UnitDirectory(MEMBER, "", lambda: {LIAISON: officer}),
        clock=room.clock,
    )
    for each in (request, note):
        await assign.acknowledge(officer, each.digest)
    assert (state(room, request), state(room, note)) == (ACKNOWLEDGED, DONE)


async def test_steps_leave_with_the_workflow(room: Room) -> None:
    """A request of a delivery stays while it was only acknowledged, and leaves with the decision."""
    request = room.message("tjk", "cd-request", delivery.request(MEMBERS, room.clock.now))
    store(room, request)
    await room.deadlines.round()
    assert state(room, request) == NEW
    told = delivery.acknowledgement(request.digest)
    acknowledgement = say(room, MEMBER, "cd-acknowledgement", told, request)
    room.moved(request)
    await room.deadlines.round()
    assert state(room, request) == NEW
    room.clock.now += timedelta(minutes=1)
    permit = room.message(
        MEMBER,
        "cd-authorisation",
        delivery.authorisation(MEMBERS, room.clock.now),
        thread=request.header.thread_id,
        parents=[acknowledgement.digest],
        two=True,
    )
    store(room, permit)
    room.moved(request)
    await room.deadlines.round()
    assert state(room, request) == DONE
    assert room.events(request.digest) == ["DONE"]


async def test_a_crash_leaves_a_settled_step_to_the_next_start(room: Room) -> None:
    """Every thread is looked at when the node begins."""
    request = room.message("tjk", "cd-request", delivery.request(MEMBERS, room.clock.now))
    store(room, request)
    permit = room.message(
        MEMBER,
        "cd-authorisation",
        delivery.authorisation(MEMBERS, room.clock.now),
        thread=request.header.thread_id,
        parents=[request.digest],
        two=True,
    )
    store(room, permit)
    room.restart()
    await room.deadlines.load()
    await room.deadlines.round()
    assert state(room, request) == DONE
