"""The index over a real store: messages nobody validated, and messages that are in memory still."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy.exc import OperationalError

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.nominal_annex_pb2 import NominalAnnex, Telephone
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza.core.v1 import message_pb2
from paiza_node.core.exchange.reactions import ReceivedMessage, RedeliveredMessage, redelivered
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys, Opened
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.findings import Part
from paiza_node.features.search import index as search_index
from paiza_node.features.search import store as search_store
from paiza_node.features.search.checks import SearchIndex
from paiza_node.features.search.index import CURSOR, Comparison, Index, MessagesReplaced, NewMessages, TokenKey
from paiza_node.features.search.model import IndexedMessage, SearchMatch
from paiza_wire import message as wire
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage
from tests import delivery
from tests.officer import subject_of
from tests.statements import followed
from tests.unit.paiza_node.room import MEMBERS, Room

KEY = TokenKey(bytes(32))
FIELDS = ("name", "plate", "substance", "subject", "place")


class Garbage:
    """Content from a client that validates nothing."""

    def SerializeToString(self) -> bytes:  # noqa: N802 - the name of protobuf
        """Return bytes that are no message."""
        return b"\xff\xff\xff"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A node's room with an empty store."""
    with Room(f"sqlite:///{tmp_path / 'paiza.db'}") as room:
        yield room


@pytest.mark.parametrize("kind", ["cd-request", "a-kind-of-tomorrow"])
async def test_what_cannot_be_read_holds_up_nothing(room: Room, kind: str) -> None:
    """A message of our own whose content is no content is passed over, and what came after it is indexed."""
    garbage: Any = Garbage()
    room.put(room.message("kaz", kind, garbage))
    readable = room.message("kaz", "cd-request", delivery.request(MEMBERS, room.clock.now))
    room.put(readable)
    await Index(room.core, token_key=KEY).index_stored()
    with room.store.reads() as reads:
        assert settings_store.counter(reads, CURSOR) == 2
        assert not search_store.tokens_of(reads, 1, FIELDS)
        assert search_store.tokens_of(reads, 2, FIELDS)


async def test_what_the_database_fails_at_is_read_again(room: Room) -> None:
    """A message is not taken for unreadable because the database went away while it was compared with searches."""
    readable = room.message("kaz", "cd-request", delivery.request(MEMBERS, room.clock.now))
    room.put(readable)
    failing: list[Exception] = [OperationalError("SELECT", {}, Exception("server closed the connection"))]

    def compare(*_of: object) -> tuple[()]:
        if failing:
            raise failing.pop()
        return ()

    index = Index(room.core, token_key=KEY, compare=lambda _reads: compare)
    with pytest.raises(Unavailable, match="database_unavailable"):
        await index.index_stored()
    with room.store.reads() as reads:
        assert settings_store.counter(reads, CURSOR) == 0
    await index.index_stored()
    with room.store.reads() as reads:
        assert search_store.tokens_of(reads, 1, FIELDS)


def about(room: Room, author: str, plate: str = "123 ABC 02") -> tuple[VerifiedMessage, Opened]:
    """Return a message about a truck, and its content."""
    content = FreeMessage(subject="a truck", text=f"Its plate is {plate}.")
    return room.message(author, "free-message", content), Opened(content, None)


def receive(room: Room, new: NewMessages, *received: tuple[VerifiedMessage, Opened], stored: bool = True) -> None:
    """Store messages as receiving does, which has opened them; the transaction fails unless they are ``stored``."""

    def work(tx: LogTransaction) -> None:
        before = tx.savepoint()
        for message, opened in received:
            row = room.row(tx, message)
            new.reaction.on_received(tx, [ReceivedMessage(row, message.header, "tjk", opened=opened)])  # type: ignore[misc]
        if not stored:
            raise Rejected("malformed", "the work fails")
        tx.rollback_to(before)  # the rows get the same numbers
        for message, _opened in received:
            room.write(tx, message)

    room.ledger.commit_now(work)


def indexed(room: Room, count: int) -> list[set[tuple[str, bytes]]]:
    """Return the fields and tokens of the first messages."""
    with room.store.reads() as reads:
        assert settings_store.counter(reads, CURSOR) == count
        tokens = [search_store.tokens_of(reads, seq, FIELDS) for seq in range(1, count + 1)]
    return [{(each.field, each.token) for each in found} for found in tokens]


async def index(room: Room, new: NewMessages, *, opens: bool) -> None:
    """Index what is stored, with our keys or without."""
    keys = room.core.decryption_keys if opens else DecryptionKeys("kaz", {})
    await Index(replace(room.core, decryption_keys=keys), token_key=KEY, new_messages=new).index_stored()


async def test_an_index_that_is_complete_does_not_read(room: Room) -> None:
    """A change that stores no message costs no read; the next message is indexed all the same."""
    room.put(about(room, "tjk")[0])
    complete = Index(room.core, token_key=KEY)
    await complete.index_stored()
    with patch.object(Index, "_read", side_effect=AssertionError("nothing is new")):
        await complete.index_stored()
    room.put(about(room, "tjk")[0])
    await complete.index_stored()
    first, second = indexed(room, 2)
    assert first == second


async def test_what_was_opened_at_admission_is_not_opened_again(room: Room) -> None:
    """A received message in memory is indexed without a key, with the tokens it has when it is read and opened."""
    new = NewMessages()
    first, second = about(room, "tjk"), about(room, "tjk")
    receive(room, new, first)
    await index(room, new, opens=False)
    receive(room, NewMessages(), second)
    await index(room, new, opens=True)
    in_memory, read = indexed(room, 2)
    assert in_memory == read
    assert in_memory


@pytest.mark.parametrize("most_bytes", [0, 10_000])
async def test_messages_that_are_not_in_memory_are_read(room: Room, most_bytes: int) -> None:
    """However few fit into memory, all are indexed."""
    new = NewMessages(most_bytes)
    receive(room, new, *(about(room, "tjk") for _ in range(5)))
    await index(room, new, opens=True)
    assert all(indexed(room, 5))


@pytest.mark.parametrize("room_bytes", [1, 10_000, 1_000_000])
async def test_messages_are_read_in_groups_of_bounded_size(
    room: Room, monkeypatch: pytest.MonkeyPatch, room_bytes: int
) -> None:
    """All are indexed; they are read with few statements if they are short, and one at a time if they are long."""
    monkeypatch.setattr(search_index, "READ_BYTES", room_bytes)
    receive(room, NewMessages(), *(about(room, "tjk") for _ in range(12)))
    read: list[str] = []
    with followed(lambda _connection, sql, _values: read.append(sql)):
        await index(room, NewMessages(), opens=True)
    assert all(indexed(room, 12))
    bodies = sum("FROM message_body JOIN message" in sql for sql in read)
    assert {1: bodies == 12, 10_000: 1 < bodies < 12, 1_000_000: bodies == 1}[room_bytes]


async def test_the_saved_searches_are_read_once_for_a_batch(room: Room) -> None:
    """A message costs no statement of its own: on PostgreSQL that is a journey to the server."""
    new = NewMessages()
    receive(room, new, *(about(room, "tjk") for _ in range(5)))
    begun: list[list[int]] = []

    def compare(_reads: ReadConnection) -> Comparison:
        compared: list[int] = []
        begun.append(compared)

        def one(seq: int, _header: message_pb2.Header, _message: IndexedMessage) -> tuple[()]:
            compared.append(seq)
            return ()

        return one

    await Index(room.core, token_key=KEY, new_messages=new, compare=compare).index_stored()
    assert begun == [[1, 2, 3, 4, 5]]


async def test_a_message_whose_commit_failed_is_not_taken_for_another(room: Room) -> None:
    """The next message gets its number, and its own tokens."""
    new = NewMessages()
    failed = about(room, "tjk", plate="777 XYZ 01")
    with pytest.raises(Rejected):
        receive(room, new, failed, stored=False)
    receive(room, NewMessages(), about(room, "tjk"))
    receive(room, NewMessages(), about(room, "tjk"))
    await index(room, new, opens=True)
    first, second = indexed(room, 2)
    assert first == second
    assert new.find(1, failed[0].digest) is None, "it is forgotten"


@pytest.mark.parametrize("together", [False, True])
async def test_messages_that_share_an_identifier_are_linked(room: Room, *, together: bool) -> None:
    """The later one is, whether both are indexed at once or one after the other; one with another plate is not."""
    new = NewMessages()
    plates = ("123 ABC 02", "777 XYZ 01", "123-ABC-02")
    for plate in plates:
        receive(room, new, about(room, "tjk", plate=plate))
        if not together:
            await index(room, new, opens=True)
    await index(room, new, opens=True)
    with room.store.reads() as reads:
        assert search_store.linked(reads, [1, 2, 3]) == {3}


async def test_a_batch_is_bounded_by_its_tokens(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages with many terms are committed in several batches, and all of them are indexed."""
    monkeypatch.setattr(search_index, "BATCH_TOKENS", 2)
    new = NewMessages()
    receive(room, new, *(about(room, "tjk") for _ in range(5)))
    await index(room, new, opens=False)
    assert all(indexed(room, 5))


def with_annex(room: Room) -> tuple[VerifiedMessage, VerifiedMessage]:
    """Return a message with an annex, and the same as it is forwarded without the annex."""
    content = SeizureNotice().SerializeToString()
    annex = NominalAnnex(telephones=[Telephone(number="+77015550102")]).SerializeToString()
    header = room.message("tjk", "seizure-notice", SeizureNotice()).header
    parts = [
        wire.PlainPart(message_pb2.PART_KIND_MAIN, content),
        wire.PlainPart(message_pb2.PART_KIND_NOMINAL_ANNEX, annex),
    ]
    keys = [wire.RecipientKey(member, room.key.public_key) for member in MEMBERS]
    sealed = wire.seal(header, parts, keys, subject=subject_of(header, content))
    whole = message_pb2.SignedMessage(
        header=sealed.header, subject=sealed.subject, wraps=sealed.wraps, parts=sealed.parts
    )
    bare = message_pb2.SignedMessage.FromString(whole.SerializeToString())
    del bare.parts[1]
    parsed, digest = wire.parse_header(sealed.header), wire.message_digest(sealed.header)
    return VerifiedMessage(digest, parsed, whole, ()), VerifiedMessage(digest, parsed, bare, ())


@pytest.mark.parametrize("is_indexed", [False, True])
async def test_the_annex_that_only_the_author_brings_is_indexed(room: Room, *, is_indexed: bool) -> None:
    """A member may forward a message without its annex before its author delivers it: a search finds it by both."""
    whole, bare = with_annex(room)
    new = NewMessages()
    receive(room, new, (bare, Opened(SeizureNotice(), None)))
    other = about(room, "tjk")
    receive(room, new, other)
    matched: list[tuple[int, bool]] = []

    def compare(seq: int, _header: message_pb2.Header, message: IndexedMessage) -> tuple[SearchMatch, ...]:
        has_annex = any(annex for _token, _field, annex in message.tokens)
        return (SearchMatch("open", b"", seq, annex=False), *([SearchMatch("annex", b"", seq, annex=True)] * has_annex))

    def note(_tx: LogTransaction, matches: Sequence[SearchMatch]) -> None:
        matched.extend((each.seq, each.annex) for each in matches)

    index = Index(room.core, token_key=KEY, new_messages=new, compare=lambda _reads: compare, store_matches=note)

    def deliver(tx: LogTransaction) -> None:
        messages_store.replace_signed(tx.conn, whole.digest, whole.signed.SerializeToString())
        rows = messages_store.messages_of(tx.conn, [whole.digest])
        redelivered([new.reaction], tx, [RedeliveredMessage(row, whole.header, "tjk") for row in rows])

    if is_indexed:
        await index.index_stored()
    room.ledger.commit_now(deliver)
    for _ in range(2):  # the second time, nothing is left to do
        index.notify([MessagesReplaced()])
        await index.index_stored()
    with room.store.reads() as reads:
        assert [each.annex for each in search_store.tokens_of(reads, 1, ["phone"])] == [True]
        part = Part("search")
        SearchIndex(reads).verify(part, lambda _count: None)
    assert part.findings == []
    assert indexed(room, 2)[1]
    assert sorted(matched) == [(1, False), (1, True), (2, False)]
