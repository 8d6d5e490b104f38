"""Which messages follow from which, asked from the parent's side."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

import pytest

from paiza.core.v1.message_pb2 import Header
from paiza_domain.threads.thread import Amendments
from paiza_node.core.access.model import MessageQuery
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import Store, open_store
from paiza_node.features.listing import listing
from tests.unit.paiza_node.core.storage.test_database import row

PARENT = sha256(b"parent").digest()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    store = open_store(database_url)
    yield store
    store.close()


def test_children_are_found_by_kind_in_order_of_arrival(store: Store) -> None:
    """A parent that is not here finds those who follow from it; other kinds and what was refused are left out."""
    rows = [
        replace(row(1), kind="recall", parents=(PARENT, PARENT)),
        replace(row(2), kind="feedback", parents=(PARENT,)),
        replace(row(3), kind="recall", parents=(PARENT,), state=MessageState.REFUSED, signed=None),
        replace(row(4), kind="correction", parents=(row(1).digest, PARENT)),
    ]
    with store.transaction() as conn:
        messages_store.add_messages(conn, rows)
        assert messages_store.children(conn, [PARENT], ("recall",)) == {PARENT: [row(1).digest]}
    with store.reads() as reads:
        found = messages_store.children(reads, [PARENT, row(1).digest, row(2).digest], ("recall", "correction"))
    assert found == {PARENT: [row(1).digest, row(4).digest], row(1).digest: [row(4).digest]}


def afterwards(seq: int, kind: str, *parents: bytes, author: str = "kaz") -> MessageRow:
    """Make what an author says of messages afterwards."""
    header = Header(kind=kind, author=author, parent_digests=parents, message_id=bytes([seq]))
    return replace(row(seq, author), kind=kind, header=header.SerializeToString(), parents=parents)


def test_authors_mark_their_own_messages(store: Store) -> None:
    """A list shows what was recalled, corrected and replaced, by its author only, and not by a recalled correction."""
    header = Header(kind="free-message", author="kaz").SerializeToString()
    notes = [replace(row(seq), header=header) for seq in (1, 2, 3, 4)]
    recalled, corrected, unmarked, foreign = (each.digest for each in notes)
    recall = afterwards(5, "recall", recalled)
    correction = afterwards(6, "correction", corrected, foreign)
    undone = afterwards(7, "correction", unmarked)
    undo = afterwards(8, "recall", undone.digest)
    stranger = afterwards(9, "recall", foreign, author="tjk")
    with store.transaction() as conn:
        messages_store.add_messages(conn, [*notes, recall, correction, undone, undo, stranger])
    with store.reads() as reads:
        listed = {each.row.digest: each.marks for each in listing.list_messages(reads, MessageQuery(), "officer")}
    assert listed.pop(recalled) == Amendments(recalled_by=(recall.digest,))
    assert listed.pop(corrected) == Amendments(corrected_by=(correction.digest,), replaced_by=foreign)
    assert listed.pop(undone.digest) == Amendments(recalled_by=(undo.digest,))
    assert set(listed.values()) == {Amendments()}


def test_a_list_names_the_last_corrections_alone(store: Store) -> None:
    """An author may send thousands: a page of a list stays small, and what replaces the message stands in it."""
    header = Header(kind="free-message", author="kaz").SerializeToString()
    corrected = replace(row(1), header=header)
    corrections = [afterwards(seq, "correction", corrected.digest) for seq in range(2, 50)]
    with store.transaction() as conn:
        messages_store.add_messages(conn, [corrected, *corrections])
    with store.reads() as reads:
        (listed,) = listing.listed(reads, [corrected.digest], "officer")
    info = listing.message_info(listed)
    in_order = [digest for _time, digest in sorted((each.stored_time, each.digest) for each in corrections)]
    assert list(info.corrected_by) == in_order[-listing.MAX_MARKS :]


def test_the_first_parent_of_a_correction_is_the_corrected_one(store: Store) -> None:
    """Whichever digest is the smaller: the second parent is the replacement."""
    header = Header(kind="free-message", author="kaz").SerializeToString()
    notes = [replace(row(seq), header=header) for seq in (1, 2, 3, 4)]
    one, other, third, fourth = sorted(each.digest for each in notes)
    with store.transaction() as conn:
        messages_store.add_messages(
            conn, [*notes, afterwards(5, "correction", one, other), afterwards(6, "correction", fourth, third)]
        )
    with store.reads() as reads:
        found = {each.row.digest: each.marks.replaced_by for each in listing.listed(reads, [one, other, fourth], "")}
    assert found == {one: other, other: b"", fourth: third}


def test_no_header_of_a_correction_is_read(store: Store) -> None:
    """A member may correct one message 2,048 times with headers of 64 KiB: a list that shows it takes none of them."""
    plain = Header(kind="free-message", author="kaz")
    corrected = replace(row(1), header=plain.SerializeToString())
    corrections = []
    for seq in range(2, 250):
        header = Header(kind="correction", author="kaz", parent_digests=[corrected.digest])
        header.handling.code_text = "x" * 60_000
        made = afterwards(seq, "correction", corrected.digest)
        corrections.append(replace(made, header=header.SerializeToString()))
    with store.transaction() as conn:
        messages_store.add_messages(conn, [corrected, *corrections])
    with store.reads() as reads:
        tracemalloc.start()
        try:
            (listed,) = listing.listed(reads, [corrected.digest], "officer")
            _now, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(listed.marks.corrected_by) == len(corrections)
    assert most < 20 * 60_000
