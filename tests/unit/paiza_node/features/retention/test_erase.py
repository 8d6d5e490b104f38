"""Erasing at one node, on both databases: for any order of arrival, and any interruption."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from operator import attrgetter
from pathlib import Path

import pytest
from sqlalchemy import make_url

from paiza.content.v1.erasure_pb2 import ErasureRequest
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import delivery_pb2, log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.exchange.model import DeliveryRow
from paiza_node.core.exchange.reactions import ReceivedMessage, ReleasedMessage
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import scanning
from paiza_node.core.storage.scanning import open_scan
from paiza_node.core.storage.schema import METADATA
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.attached import pending_attachments
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.attachments.model import AttachmentRow
from paiza_node.features.retention import requests
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.erase import LONGEST_TELL_SECONDS, Erase
from paiza_node.features.retention.model import ErasureStep
from paiza_node.features.search import index
from paiza_node.features.search import store as search_store
from paiza_node.features.search.model import IndexedMessage, SearchMatch
from paiza_node.features.search.saved import store_matches
from paiza_node.ops.tables import LIFECYCLES
from paiza_wire import log_entries, receipts
from paiza_wire import message as wire
from paiza_wire.errors import Unavailable
from paiza_wire.message import VerifiedMessage
from tests import delivery
from tests.peers import directory_of
from tests.unit.paiza_node.room import BEGIN, MEMBER, MEMBERS, Room

REQUEST = ErasureRequest(reason="review", explanation="Exercise")
NOTE = FreeMessage(subject="Exercise", text="Nothing of this is real.")


@dataclass
class Bench:
    """A room, its attachments, and what requesters were told."""

    room: Room
    files: AttachmentFiles
    folder: Path
    told: list[tuple[str, list[log_pb2.LogEntry]]] = field(default_factory=list)
    away: bool = False

    @property
    def erase(self) -> Erase:
        """The duty, as after a start."""
        return Erase(
            self.room.core,
            self.files,
            lifecycles=LIFECYCLES,
            peers=directory_of({"tjk": Requester(self)}),
            forget=self.forget,
        )

    async def forget(self, _digest: bytes) -> None:
        """Fetch nothing: nothing is fetched here."""

    def take(self, message: VerifiedMessage) -> bytes:
        """Receive a message, or release one of our own, as the node does; gives its digest."""

        def work(tx: LogTransaction) -> None:
            row, node_id = self.room.row(tx, message), self.room.core.node_id
            messages_store.add_messages(tx.conn, [row])
            if row.author == MEMBER:
                requests.note_released(tx, MEMBER, node_id, [ReleasedMessage(row, message.header, "officer")])
            else:
                requests.note_received(tx, MEMBER, node_id, [ReceivedMessage(row, message.header, row.author)])

        self.room.ledger.commit_now(work)
        return message.digest

    def request(self, author: str, *digests: bytes) -> VerifiedMessage:
        """Make a request to erase."""
        return self.room.message(author, "erasure-request", REQUEST, thread=THREAD, parents=digests, two=True)

    def step(self, digest: bytes, request: bytes) -> ErasureStep | None:
        """Return where an erasure stands."""
        with self.room.store.reads() as reads:
            row = retention_store.erasure(reads, digest, request)
        return None if row is None else row.step

    def logged(self, digest: bytes) -> list[tuple[int, str]]:
        """Return event and counterpart of the entries about a message."""
        with self.room.store.reads() as reads:
            entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries_of(reads, digest)]
        return [(each.event, each.counterpart) for each in entries]


@dataclass
class Requester:
    """The session with tjk, which records answers while it is not away."""

    bench: Bench

    async def send_erasure_answers(self, entries: Sequence[StoredEntry]) -> None:
        """Record answers."""
        if self.bench.away:
            raise Unavailable("peer_unreachable", "away")
        self.bench.told.append(("tjk", [log_pb2.LogEntry.FromString(each.entry) for each in entries]))


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    """An empty room on either database."""
    folder = tmp_path / "attachments"
    with Room(database_url) as room:
        yield Bench(room, AttachmentFiles(folder), folder)


THREAD = wire.new_message_id(BEGIN)
ERASED = (log_pb2.LOG_EVENT_ERASED, "tjk")
NOT_HELD = (log_pb2.LOG_EVENT_NEVER_HELD, "tjk")
HELD = (log_pb2.LOG_EVENT_ERASURE_DENIED, "tjk")


async def test_what_a_request_names_goes_and_its_header_stays(bench: Bench) -> None:
    """Body and tokens go, header and signatures stay, the log says so once, and the requester is told."""
    note = bench.room.message("tjk", "free-message", NOTE)
    digest = bench.take(note)
    bench.room.ledger.commit_now(
        lambda tx: search_store.add_indexed(
            tx.conn, [IndexedMessage(1, None, ((b"t" * 16, "name", False),), linked=True)]
        )
    )
    request = bench.take(bench.request("tjk", digest))
    await bench.erase.erase_due()
    assert messages_store.read_signed(bench.room.store, digest) is None
    with bench.room.store.reads() as reads:
        stays = pb.SignedMessage.FromString(messages_store.tombstone(reads, digest) or b"")
        assert (wire.message_digest(stays.header), list(stays.parts), list(stays.wraps)) == (digest, [], [])
        assert search_store.tokens_of(reads, 1, ["name"]) == []
    assert bench.logged(digest) == [ERASED]
    await bench.erase._tell_all()
    ((member, (entry,)),) = bench.told
    receipts.check_erasure_answer(log_pb2.LogEntry.FromString(entry.SerializeToString(deterministic=True)), "tjk")
    assert (member, entry.message_digest, entry.erased.request_digest) == ("tjk", digest, request)
    await bench.erase.erase_due()
    await bench.erase._tell_all()
    assert len(bench.told) == 1


async def test_what_comes_after_its_request_is_erased_too(bench: Bench) -> None:
    """A request for what is not here is answered at once, and anew when the message comes after all."""
    note = bench.room.message("tjk", "free-message", NOTE)
    request = bench.take(bench.request("tjk", note.digest))
    assert bench.step(note.digest, request) is ErasureStep.NOT_HELD
    bench.take(note)
    assert bench.step(note.digest, request) is ErasureStep.ASKED
    await bench.erase.erase_due()
    assert messages_store.read_signed(bench.room.store, note.digest) is None
    assert bench.logged(note.digest) == [NOT_HELD, ERASED]


async def test_only_its_author_has_a_message_erased(bench: Bench) -> None:
    """A request by another than the author takes no effect, in either order; nor does one against a request."""
    note = bench.room.message("tjk", "free-message", NOTE)
    early = bench.take(bench.request("uzb", note.digest))
    bench.take(note)
    late = bench.take(bench.request("uzb", note.digest))
    first = bench.request("tjk", note.digest)
    again = bench.request("tjk", first.digest)
    bench.take(first)
    bench.take(again)
    assert bench.step(note.digest, early) is ErasureStep.NOT_HELD
    assert bench.step(note.digest, late) is None
    assert bench.step(first.digest, again.digest) is None
    await bench.erase.erase_due()
    assert messages_store.read_signed(bench.room.store, first.digest) is not None


async def test_a_step_of_a_workflow_is_not_erased_by_request(bench: Bench) -> None:
    """A workflow step is not erased even at its author's request; other named messages are."""
    step = bench.room.message("tjk", "cd-request", delivery.request(MEMBERS, BEGIN))
    note = bench.room.message("tjk", "free-message", NOTE)
    early = bench.take(bench.request("tjk", step.digest))
    bench.take(step)
    bench.take(note)
    late = bench.take(bench.request("tjk", step.digest, note.digest))
    assert bench.step(step.digest, early) is ErasureStep.NOT_HELD
    assert bench.step(step.digest, late) is None
    await bench.erase.erase_due()
    assert messages_store.read_signed(bench.room.store, step.digest) is not None
    assert messages_store.read_signed(bench.room.store, note.digest) is None
    assert bench.logged(step.digest) == [NOT_HELD]


async def test_a_hold_goes_before_a_request(bench: Bench) -> None:
    """A held message is denied and stays; once the hold is lifted it is erased, and the requester notified."""
    note = bench.room.message("tjk", "free-message", NOTE)
    digest = bench.take(note)
    node_id = bench.room.core.node_id

    def hold(tx: LogTransaction) -> None:
        retention_store.put_hold(tx.conn, digest, tx.append(log_entries.held(actor="x", digest=digest)).index)

    def lift(tx: LogTransaction) -> None:
        retention_store.lift_hold(tx.conn, digest)
        requests.plan_again(tx, MEMBER, node_id, digest)

    bench.room.ledger.commit_now(hold)
    request = bench.take(bench.request("tjk", digest))
    await bench.erase.erase_due()
    assert (bench.step(digest, request), messages_store.read_signed(bench.room.store, digest) is None) == (
        ErasureStep.HELD,
        False,
    )
    bench.room.ledger.commit_now(lift)
    await bench.erase.erase_due()
    assert bench.logged(digest)[1:] == [HELD, ERASED]
    await bench.erase._tell_all()
    assert [each.event for _, entries in bench.told for each in entries] == [ERASED[0]]


async def test_a_hold_waits_for_its_message(bench: Bench) -> None:
    """Under a hold that was put back before the message came back, an earlier request does not erase it."""
    note = bench.room.message("tjk", "free-message", NOTE)
    bench.room.ledger.commit_now(lambda tx: retention_store.put_hold(tx.conn, note.digest, 0))
    request = bench.take(bench.request("tjk", note.digest))
    assert bench.step(note.digest, request) is ErasureStep.NOT_HELD
    digest = bench.take(note)
    await bench.erase.erase_due()
    assert (bench.step(digest, request), messages_store.read_signed(bench.room.store, digest) is None) == (
        ErasureStep.HELD,
        False,
    )


async def test_a_hold_between_plan_and_deed_counts(bench: Bench) -> None:
    """A hold that is set after the request came, and before it was carried out, still keeps the message."""
    note = bench.room.message("tjk", "free-message", NOTE)
    digest = bench.take(note)
    request = bench.take(bench.request("tjk", digest))
    bench.room.ledger.commit_now(lambda tx: retention_store.put_hold(tx.conn, digest, 0))
    await bench.erase.erase_due()
    assert (bench.step(digest, request), messages_store.read_signed(bench.room.store, digest) is None) == (
        ErasureStep.HELD,
        False,
    )


@pytest.mark.parametrize("fails", ["files", "purge"])
async def test_an_interruption_is_made_good(bench: Bench, fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure after the first commit reports nothing erased; the next start finishes, once."""
    note = bench.room.message("tjk", "free-message", NOTE)
    digest = bench.take(note)
    request = bench.take(bench.request("tjk", digest))
    broken = bench.erase

    def fail(*_: object) -> None:
        raise Unavailable("file_unwritable", "the disk refuses")

    with monkeypatch.context() as patch:
        if fails == "files":
            patch.setattr(broken, "_remove_files", fail)
        else:
            patch.setattr(bench.room.store, "purge", fail)
        with pytest.raises(Unavailable):
            await broken.erase_due()
    assert bench.step(digest, request) is ErasureStep.GONE
    assert bench.logged(digest) == []
    await bench.erase.erase_due()
    assert bench.logged(digest) == [ERASED]


async def test_who_is_away_is_told_later(bench: Bench) -> None:
    """An answer waits for its requester, over restarts, and is planned again with a pause."""
    note = bench.room.message("tjk", "free-message", NOTE)
    bench.take(bench.request("tjk", note.digest))
    bench.away = True
    assert 0 < await bench.erase._tell_all() <= 30
    bench.away = False
    await bench.erase._tell_all()
    assert bench.told == []  # not yet due
    bench.room.clock.now += timedelta(seconds=LONGEST_TELL_SECONDS)
    await bench.erase._tell_all()
    assert [member for member, _ in bench.told] == ["tjk"]


async def test_files_go_unless_another_message_names_them(bench: Bench) -> None:
    """A ciphertext that a message which stays names as well is not removed."""
    own, shared = b"only here" * 1000, b"named twice" * 1000
    for data in (own, shared):
        (bench.folder / sha256(data).hexdigest()).write_bytes(data)
    note = with_attachments(bench.room, own, shared)
    digest = bench.take(note)
    other = bench.take(bench.room.message("tjk", "free-message", NOTE))

    def attach(tx: LogTransaction) -> None:
        for owner, data in ((digest, own), (digest, shared), (other, shared)):
            attachments_store.put_attachments(
                tx.conn,
                [
                    AttachmentRow(
                        digest=owner,
                        part_number=1 + (data == shared),
                        member=MEMBER,
                        source="tjk",
                        ciphertext_sha256=sha256(data).digest(),
                        size=len(data),
                        pending_since_time=tx.now,
                        due_time=None,
                        state=2,
                    )
                ],
            )

    bench.room.ledger.commit_now(attach)
    bench.take(bench.request("tjk", digest))
    await bench.erase.erase_due()
    assert not (bench.folder / sha256(own).hexdigest()).exists()
    assert (bench.folder / sha256(shared).hexdigest()).exists()
    with bench.room.store.reads() as reads:
        assert {row.state for row in attachments_store.attachments_of(reads, [digest])[digest]} == {5}
        assert attachments_store.named_ciphertexts(reads, [sha256(own).digest(), sha256(shared).digest()]) == {
            sha256(shared).digest()
        }


async def test_what_waits_to_be_sent_of_it_is_given_up(bench: Bench) -> None:
    """An own message that was erased is not delivered any more, and the log says so."""
    note = bench.room.message(MEMBER, "free-message", NOTE)
    digest = bench.take(note)

    def queue(tx: LogTransaction) -> None:
        later = tx.now.replace(year=tx.now.year + 1)
        deliveries_store.add_deliveries(
            tx.conn, [DeliveryRow(tx.next_delivery_id(), 1, digest, "tjk", 2, 0, tx.now, later, tx.now)]
        )

    bench.room.ledger.commit_now(queue)
    bench.take(bench.request(MEMBER, digest))
    await bench.erase.erase_due()
    with bench.room.store.reads() as reads:
        (delivery,) = deliveries_store.deliveries_of(reads, digest)
    assert (delivery.state, delivery.reason) == (delivery_pb2.DELIVERY_STATE_DROPPED, "erased")
    assert bench.logged(digest) == [
        (log_pb2.LOG_EVENT_EXPIRED, "tjk"),
        (log_pb2.LOG_EVENT_ERASED, ""),
    ]


async def test_what_was_read_before_is_not_indexed_after(bench: Bench) -> None:
    """An index that had opened a message before it was erased stores no token of it."""
    digest = bench.take(bench.room.message("tjk", "free-message", NOTE))
    match = SearchMatch("spiffe://kaz.paiza.example/officer/petrov", bytes(16), 1, annex=False)
    batch = [(digest, IndexedMessage(1, None, ((b"t" * 16, "name", False),), linked=False, matches=(match,)))]
    bench.take(bench.request("tjk", digest))
    await bench.erase.erase_due()
    bench.room.ledger.commit_now(lambda tx: index._store(tx, batch=batch, store_matches=store_matches))
    with bench.room.store.reads() as reads:
        assert search_store.tokens_of(reads, 1, ["name"]) == []
        assert search_store.matches(reads, match.officer, match.search_id, 10) == []


async def test_who_serves_an_attachment_is_still_told(bench: Bench) -> None:
    """One that is pending when its message is erased is refused; the answer about one that came is still due."""
    note = with_attachments(bench.room, b"pending" * 1000, b"received" * 1000)
    digest = bench.take(note)

    def attach(tx: LogTransaction) -> int:
        pending, received = pending_attachments(digest, note.header, MEMBER, tx.now, source="tjk")
        receipt = log_entries.attachment_received(
            actor="node",
            source="tjk",
            digest=digest,
            part_number=received.part_number,
            ciphertext_sha256=received.ciphertext_sha256,
        )
        index = tx.append(receipt).index
        received = replace(received, state=attachments_store.RECEIVED, log_index=index, settled_time=tx.now)
        attachments_store.put_attachments(tx.conn, [replace(pending, attempts=9), received])
        return index

    index = bench.room.ledger.commit_now(attach).result
    bench.take(bench.request("tjk", digest))
    await bench.erase.erase_due()
    with bench.room.store.reads() as reads:
        refused, received = sorted(attachments_store.attachment_rows(reads, [digest]), key=attrgetter("part_number"))
        due = attachments_store.attachments_due(reads, "tjk", bench.room.core.clock() + timedelta(days=1), 9)
        assert received.log_index == index
        assert refused.log_index is not None
        (entry,) = log_store.entries_at(reads, [refused.log_index])
    assert sorted(due, key=attrgetter("part_number")) == [refused, received]
    assert {row.state for row in due} == {attachments_store.ERASED}
    logged = log_pb2.LogEntry.FromString(entry.entry)
    receipts.check_attachment_answer(logged, "tjk")
    assert (logged.event, log_entries.reason(logged)) == (log_pb2.LOG_EVENT_REFUSED, "erased")
    assert bench.logged(digest)[-2:] == [(log_pb2.LOG_EVENT_REFUSED, "tjk"), ERASED]


def with_attachments(room: Room, *ciphertexts: bytes) -> VerifiedMessage:
    """Make a message of tjk whose header names these ciphertexts as attachments."""
    plain = room.message("tjk", "free-message", NOTE)
    header = pb.Header()
    header.CopyFrom(plain.header)
    for data in ciphertexts:
        header.parts.add(
            kind=pb.PART_KIND_ATTACHMENT, ciphertext_sha256=sha256(data).digest(), ciphertext_size=len(data)
        )
    raw = header.SerializeToString(deterministic=True)
    signed = pb.SignedMessage(header=raw, wraps=plain.signed.wraps, parts=plain.signed.parts)
    return VerifiedMessage(wire.message_digest(raw), header, signed, ())


async def test_nothing_that_is_left_lets_a_text_be_guessed(bench: Bench, database_url: str) -> None:
    """Short words fall to a dictionary wherever the salt of their digest is left; with the text the salt goes."""
    digest = bench.take(bench.room.message("tjk", "free-message", NOTE))
    words = [f"{word} {number}" for number in range(4) for word in ("heroin", "see uzb", "no")]

    def work(tx: LogTransaction) -> dict[bytes, str]:
        said: dict[bytes, str] = {}
        for word in words:
            stored = tx.append(log_entries.assigned(actor="x", digest=digest), text=word)
            said[log_pb2.LogEntry.FromString(stored.entry).text_sha256] = word
        return said

    said = bench.room.ledger.commit_now(work).result
    assert guessed(database_url, said) == set(words), "what is looked for must be there before"
    bench.take(bench.request("tjk", digest))
    await bench.erase.erase_due()
    assert len([entry for entry in bench.logged(digest) if entry[0] == log_pb2.LOG_EVENT_ASSIGNED]) == len(words)
    assert guessed(database_url, said) == set()


def guessed(database_url: str, said: dict[bytes, str]) -> set[str]:
    """Return the texts that somebody can confirm who tries every string in the database, or its file, as the salt."""
    path = make_url(database_url).database if database_url.startswith("sqlite") else None
    held = [Path(f"{path}{end}").read_bytes() for end in ("", "-wal") if path and Path(f"{path}{end}").exists()]
    with open_scan(database_url) as scan:
        for table in METADATA.sorted_tables:
            for rows in scanning.rows(scan, table):
                held += [value for row in rows for value in row if isinstance(value, bytes)]
    size = receipts.TEXT_SALT_SIZE
    salts = {data[at : at + size] for data in held for at in range(len(data) - size + 1)}
    return {word for wanted, word in said.items() if any(receipts.text_digest(salt, word) == wanted for salt in salts)}
