"""Attachments of a message that a forwarder delivered before its author, on both databases."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import delivery_pb2, log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.access.open_rules import Opening
from paiza_node.core.exchange.reactions import ReceivedMessage, RedeliveredMessage, received, redelivered
from paiza_node.core.log import store as log_store
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage.findings import Part
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.attached import attachment_reaction, open_rule
from paiza_node.features.attachments.checks import ATTACHMENT_ENDS, AttachmentRows
from paiza_node.features.attachments.download import AttachmentDownloads
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.attachments.model import AttachmentRow
from paiza_node.features.retention import store as retention_store
from paiza_node.ops.tables import LIFECYCLES
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage
from tests.unit.paiza_node.room import MEMBER, Room

PENDING: Final = delivery_pb2.ATTACHMENT_STATE_PENDING
RECEIVED: Final = delivery_pb2.ATTACHMENT_STATE_RECEIVED
REFUSED: Final = delivery_pb2.ATTACHMENT_STATE_REFUSED
EXPIRED: Final = delivery_pb2.ATTACHMENT_STATE_EXPIRED
LIFE: Final = timedelta(days=14)
PART: Final = 1
WRONG: Final = Rejected("part_digest_mismatch", "other bytes came")


@dataclass
class Scene:
    """The node of kaz, and a message of tjk with an attachment that uzb forwards to it first."""

    room: Room
    downloads: AttachmentDownloads
    message: VerifiedMessage

    def come(self, source: str) -> None:
        """Receive the message from a member; the first brings it, the author comes later."""

        def work(tx: LogTransaction) -> None:
            entry = log_entries.received(
                actor=self.room.core.node_id, source=source, digest=self.message.digest, dispatch_sha256=bytes(32)
            )
            tx.append(entry)
            reactions, header = [attachment_reaction(MEMBER)], self.message.header
            if (row := messages_store.message(tx.conn, self.message.digest)) is not None:
                redelivered(reactions, tx, [RedeliveredMessage(row, header, source)])
                return
            row = self.room.row(tx, self.message)
            self.room.write_row(tx, self.message, row)
            received(reactions, tx, [ReceivedMessage(row, header, source)])

        self.room.ledger.commit_now(work)
        self.room.clock.now += timedelta(hours=1)

    def row(self, source: str) -> AttachmentRow | None:
        """Return what is stored of the attachment by the member that serves it."""
        with self.room.store.reads() as reads:
            return attachments_store.attachment(reads, self.message.digest, PART, MEMBER, source)

    def states(self) -> dict[str, int]:
        """Return the states by the member that serves the attachment."""
        with self.room.store.reads() as reads:
            return {row.source: row.state for row in attachments_store.attachment_rows(reads, [self.message.digest])}

    def shown(self) -> list[int]:
        """Return the states that a list shows."""
        with self.room.store.reads() as reads:
            found = attachments_store.attachments_of(reads, [self.message.digest])
        return [row.state for row in found[self.message.digest]]

    def opens(self) -> Rejected | Unavailable | None:
        """Return why the attachment is not handed to an officer, if it is not."""
        with self.room.store.reads() as reads:
            row = messages_store.message(reads, self.message.digest)
            assert row is not None
            return open_rule(MEMBER)(reads, Opening(row, self.message.header, PART, "Exercise."))

    async def end(self, source: str, state: int) -> None:
        """End the attachment at one member as a download does."""
        row = self.row(source)
        assert row is not None
        if state == EXPIRED:
            self.room.clock.now += LIFE
            await self.downloads._give_up_expired()
        elif state != PENDING:
            assert await self.downloads._settle(row, WRONG if state == REFUSED else None)
        self.room.clock.now += timedelta(hours=1)

    def verified(self) -> list[str]:
        """Verify the rows against the log; return what is found."""
        part = Part("attachments")
        with self.room.store.reads() as reads:
            check = AttachmentRows(reads, MEMBER)
            for each in log_store.entries(reads, 0, 100):
                entry = log_pb2.LogEntry.FromString(each.entry)
                if entry.event in ATTACHMENT_ENDS:
                    check.read_entry(each.index, entry)
            check.verify(part, lambda _count: None)
        return [str(each) for each in part.findings]


@pytest.fixture
def scene(database_url: str, tmp_path: Path) -> Iterator[Scene]:
    """An empty node, and a message with an attachment."""
    with Room(database_url) as room:
        note = FreeMessage(subject="Exercise", text="Nothing of this is real.")
        made = room.message("tjk", "free-message", note)
        made.header.parts.add(kind=pb.PART_KIND_ATTACHMENT, ciphertext_sha256=b"c" * 32, ciphertext_size=1000)
        made.signed.header = made.header.SerializeToString(deterministic=True)
        message = VerifiedMessage(wire.message_digest(made.signed.header), made.header, made.signed, ())
        nobody: Any = None
        files = AttachmentFiles(tmp_path / "attachments")
        yield Scene(room, AttachmentDownloads(room.core, files, peers=nobody, life=LIFE), message)


@pytest.mark.parametrize("before", [RECEIVED, REFUSED, EXPIRED])
@pytest.mark.parametrize("after", [RECEIVED, REFUSED, EXPIRED])
async def test_the_author_learns_how_it_ended(scene: Scene, before: int, after: int) -> None:
    """What the forwarder ended stays as it is; the author's own end is logged and due to be told to the author."""
    scene.come("uzb")
    await scene.end("uzb", before)
    ended = scene.row("uzb")
    scene.come("tjk")
    assert scene.states() == {"uzb": before, "tjk": PENDING}
    assert scene.shown() == [RECEIVED if before == RECEIVED else PENDING]
    assert (scene.opens() is None) == (before == RECEIVED)
    assert scene.verified() == []
    await scene.end("tjk", after)
    assert scene.states() == {"uzb": before, "tjk": after}
    assert scene.shown() == [RECEIVED if before == RECEIVED else after]
    assert (scene.opens() is None) == (RECEIVED in (before, after))
    assert scene.row("uzb") == ended
    assert scene.verified() == []
    told = scene.row("tjk")
    assert told is not None
    assert told.log_index is not None
    assert (told.due_time is None) == (after == EXPIRED)


async def test_a_member_that_did_not_bring_the_message_serves_nothing_of_it(scene: Scene) -> None:
    """A row that names another member is found when rows and log are compared."""
    scene.come("uzb")
    row = scene.row("uzb")
    assert row is not None
    scene.room.ledger.commit_now(lambda tx: attachments_store.put_attachments(tx.conn, [replace(row, source="kgz")]))
    assert len(scene.verified()) == 1


async def test_nothing_is_expected_any_longer_of_a_forwarder_who_has_not_served_it(scene: Scene) -> None:
    """What is still pending is pending from the author alone; at a member we passed it on to, nothing changes."""
    scene.come("uzb")
    row = scene.row("uzb")
    assert row is not None
    there = replace(row, member="kgz", source="", state=REFUSED)
    scene.room.ledger.commit_now(lambda tx: attachments_store.put_attachments(tx.conn, [there]))
    scene.come("tjk")
    assert scene.states() == {"": REFUSED, "tjk": PENDING}
    with scene.room.store.transaction() as conn:
        attachments_store.drop_attachments(conn, [there])
    await scene.end("tjk", RECEIVED)
    assert scene.verified() == []


async def test_what_was_erased_is_not_fetched_again(scene: Scene) -> None:
    """A message that was erased before its author delivered it expects no attachment."""
    scene.come("uzb")
    await scene.end("uzb", RECEIVED)

    def erase(tx: LogTransaction) -> None:
        row = messages_store.message(tx.conn, scene.message.digest)
        assert row is not None
        retention_store.erase_body(tx.conn, LIFECYCLES, row, b"stays", tx.now)

    scene.room.ledger.commit_now(erase)
    scene.come("tjk")
    assert scene.states() == {"uzb": attachments_store.ERASED}
