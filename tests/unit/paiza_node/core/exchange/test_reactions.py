"""Reactions to written messages: any order leaves the same rows and entries."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from paiza.content.v1.erasure_pb2 import ErasureRequest
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.exchange.reactions import Reaction, ReceivedMessage, ReleasedMessage, received, released
from paiza_node.core.exchange.readers import READERS
from paiza_node.core.log import store as log_store
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.features.attachments.attached import attachment_reaction
from paiza_node.features.recalls.recalls import recall_reaction
from paiza_node.features.retention.requests import erasure_reaction
from paiza_node.features.tasks.settle import task_reaction
from paiza_node.ops.tables import METADATA
from paiza_wire.message import VerifiedMessage
from tests.unit.paiza_node.room import MEMBER, Room

NODE = "spiffe://kaz.paiza.example/node"
REACTIONS = (
    READERS,
    task_reaction(NODE, DecryptionKeys(MEMBER, {})),
    recall_reaction(NODE),
    erasure_reaction(MEMBER, NODE),
    attachment_reaction(MEMBER),
)
NOTE = FreeMessage(subject="Exercise", text="Nothing of this is real.")

Written = Counter[str]


def test_order_of_reactions_makes_no_difference(tmp_path: Path) -> None:
    """Any two of them in both orders, and each of them first and last, write the same but for the places of entries."""
    with Room(f"sqlite:///{tmp_path / 'made.db'}") as room:
        batch = messages(room)
    turned = [(*REACTIONS[first:], *REACTIONS[:first]) for first in range(len(REACTIONS))]
    orders = [*turned, *(order[::-1] for order in turned)]
    found = [written(tmp_path / f"{number}.db", order, batch) for number, order in enumerate(orders)]
    assert sum(found[0].values()) > 20
    assert [each for each in found if each != found[0]] == []


def messages(room: Room) -> list[VerifiedMessage]:
    """Make messages of tjk and kaz, and what both recall and ask to erase of them, in an order that no node expects."""
    made: list[VerifiedMessage] = []
    for author in ("tjk", MEMBER):
        notes = [room.message(author, "free-message", NOTE, members=["tjk", MEMBER], two=True) for _ in range(3)]
        thread = notes[0].header.thread_id
        erased = [notes[0].digest, notes[1].digest]
        request = ErasureRequest(reason="review", explanation="Exercise")
        made += [
            room.message(author, "recall", NOTE, thread=thread, parents=[notes[0].digest], two=True),
            room.message(author, "erasure-request", request, thread=thread, parents=erased, two=True),
            *notes,
        ]
    return [with_attachment(each) for each in made]


def with_attachment(message: VerifiedMessage) -> VerifiedMessage:
    """Describe an attachment in a message's header."""
    message.header.parts.add(kind=pb.PART_KIND_ATTACHMENT, ciphertext_sha256=b"c" * 32, ciphertext_size=9)
    return message


def written(path: Path, reactions: Sequence[Reaction], batch: Sequence[VerifiedMessage]) -> Written:
    """Write a batch with the reactions in one order; return every row and entry that is there afterwards."""
    with Room(f"sqlite:///{path}") as room:

        def work(tx: LogTransaction) -> None:
            rows = [(room.row(tx, each), each.header) for each in batch]
            messages_store.add_messages(tx.conn, [row for row, _header in rows])
            ours = [ReleasedMessage(row, header, "officer") for row, header in rows if row.author == MEMBER]
            theirs = [ReceivedMessage(row, header, "tjk", "assignee") for row, header in rows if row.author != MEMBER]
            received(reactions, tx, theirs)
            released(reactions, tx, ours)

        room.ledger.commit_now(work)
        return Counter(rows_of(room))


def rows_of(room: Room) -> list[str]:
    """Return all rows: where one names an entry of the log, what the entry says instead of its place."""
    with room.store.reads() as reads:
        entries = {each.index: said(each.entry) for each in log_store.entries(reads, 0, 1000)}
        found = list(entries.values())
        for table in METADATA.sorted_tables:
            if table.name.startswith("log_"):
                continue
            names = [column.name for column in table.columns]
            for row in reads._connection.execute(table.select()):
                values = [
                    entries[value] if name == "log_index" and value is not None else value
                    for name, value in zip(names, row, strict=True)
                ]
                found.append(f"{table.name} {values}")
    return found


def said(raw: bytes) -> str:
    """Return what an entry says, without its salt."""
    entry = log_pb2.LogEntry.FromString(raw)
    entry.ClearField("salt")
    return str(entry)
