"""Blind tokens on both databases: what a search finds, page by page, and what shares a token with what."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from paiza_node.core.access.model import Viewer
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import Store, open_store
from paiza_node.core.storage.findings import Part
from paiza_node.core.storage.schema import METADATA
from paiza_node.core.storage.values import check_values
from paiza_node.features.search import store as search_store
from paiza_node.features.search.model import IndexedMessage, SearchQuery
from paiza_node.features.search.store import MAX_SHARED

SEES_ALL = Viewer("", None)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MESSAGES = 30


def token(name: str) -> bytes:
    """Make a token as long as real ones."""
    return sha256(name.encode()).digest()[:16]


def _row(seq: int) -> MessageRow:
    digest = sha256(b"%d" % seq).digest()
    return MessageRow(
        seq=seq,
        digest=digest,
        author="kaz" if seq % 2 else "tjk",
        message_id=digest[:16],
        thread_id=digest[:16],
        thread_name="",
        kind="seizure-notice",
        urgency=2,
        state=MessageState.RECEIVED,
        header=b"header",
        stored_time=NOW,
    )


@pytest.fixture(autouse=True, params=[search_store.FIRST_SPAN, 3])
def span(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is sought in one span, and in several: the first of three messages."""
    monkeypatch.setattr(search_store, "FIRST_SPAN", request.param)
    monkeypatch.setattr(search_store, "SPAN_GROWTH", 2)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Thirty messages: an event a day each, "even" on every second, "pair" on two, one in an annex alone."""
    store = open_store(database_url)
    with store.transaction() as conn:
        messages_store.add_messages(conn, [_row(seq) for seq in range(1, MESSAGES + 1)])
        search_store.add_indexed(
            conn,
            [
                IndexedMessage(
                    seq,
                    NOW - timedelta(days=MESSAGES - seq) if seq != MESSAGES else None,
                    (
                        (token("all"), "substance", False),
                        *(((token("even"), "place", False),) if seq % 2 == 0 else ()),
                        *(((token("pair"), "plate", False),) if seq in {4, 9} else ()),
                        *(((token("annex"), "person", True),) if seq == 9 else ()),
                    ),
                    linked=seq == 9,
                )
                for seq in range(1, MESSAGES + 1)
            ],
        )
    yield store
    store.close()


def _found(store: Store, query: SearchQuery) -> list[int]:
    with store.reads() as reads:
        return [each.row.seq for each in search_store.search(reads, query)]


def test_every_clause_must_hold_and_any_of_its_tokens(store: Store) -> None:
    """Clauses narrow, alternatives widen, newest first; a token nobody has finds nothing."""
    everything = SearchQuery(clauses=((token("all"),),), annex=True, viewer=SEES_ALL)
    assert _found(store, everything) == list(range(MESSAGES, 0, -1))
    assert _found(store, replace(everything, clauses=((token("all"),), (token("pair"),)))) == [9, 4]
    assert _found(store, replace(everything, clauses=((token("pair"),), (token("even"),)))) == [4]
    assert _found(store, replace(everything, clauses=((token("none"), token("pair")),))) == [9, 4]
    assert _found(store, replace(everything, clauses=((token("none"),),))) == []


def test_what_stands_in_the_annex_alone_is_found_by_those_who_may_open_it(store: Store) -> None:
    """A token of an annex finds nothing for officers who may not open annexes."""
    query = SearchQuery(clauses=((token("annex"),),), annex=True, viewer=SEES_ALL)
    assert _found(store, query) == [9]
    assert _found(store, replace(query, annex=False)) == []


def test_pages_and_filters(store: Store) -> None:
    """Pages follow each other without gap; author, period and page restrict; no day means the day of storing."""
    query = SearchQuery(clauses=((token("all"),),), annex=True, viewer=SEES_ALL, limit=7)
    pages: list[int] = []
    while page := _found(store, replace(query, before_seq=pages[-1] if pages else None)):
        pages += page
    assert pages == list(range(MESSAGES, 0, -1))
    assert all(seq % 2 for seq in _found(store, replace(query, author="kaz")))
    since = NOW - timedelta(days=3)
    assert _found(store, replace(query, since_time=since)) == [30, 29, 28, 27]
    assert _found(store, replace(query, since_time=since, until_time=NOW - timedelta(days=1))) == [28, 27]


def test_links_and_flags(store: Store) -> None:
    """Messages that share a token are found, only older ones on request; flags are those of the indexing."""
    with store.reads() as reads:
        own = search_store.tokens_of(reads, 9, {"plate", "person"})
        assert {each.token for each in own} == {token("pair"), token("annex")}
        assert [each.seq for each in search_store.sharing(reads, [token("pair")])] == [9, 4]
        assert [each.seq for each in search_store.sharing(reads, [token("pair")], before_seq=9)] == [4]
        assert search_store.linked(reads, range(1, MESSAGES + 1)) == {9}
        assert [each.seq for each in messages_store.messages_at(reads, [4, 9])] == [9, 4]


def test_what_stands_in_annexes_crowds_nothing_out(store: Store) -> None:
    """Officers who may not open annexes find every open message, for any number of annexes with the identifier."""
    again = [_row(seq) for seq in range(MESSAGES + 1, MESSAGES + MAX_SHARED + 2)]
    with store.transaction() as conn:
        messages_store.add_messages(conn, again)
        search_store.add_indexed(
            conn, [IndexedMessage(row.seq, NOW, ((token("pair"), "plate", True),), linked=True) for row in again]
        )
    with store.reads() as reads:
        assert [each.seq for each in search_store.sharing(reads, [token("pair")], annex=False)] == [9, 4]
        assert {each.annex for each in search_store.sharing(reads, [token("pair")])} == {True}


def test_indexing_twice_changes_nothing_and_clearing_forgets(store: Store) -> None:
    """A batch that is repeated after a crash is passed over; a new key begins with nothing."""
    with store.transaction() as conn:
        search_store.add_indexed(conn, [IndexedMessage(9, NOW, ((token("pair"), "plate", False),), linked=False)])
    with store.reads() as reads:
        assert search_store.linked(reads, [9]) == {9}
    with store.transaction() as conn:
        search_store.clear_index(conn)
    assert _found(store, SearchQuery(clauses=((token("all"),),), annex=True, viewer=SEES_ALL)) == []


def test_known_tokens_are_found_however_often_they_occur(store: Store) -> None:
    """Of many tokens, more than fit into one statement, just those that some message has."""
    with store.transaction() as conn:
        search_store.add_indexed(
            conn,
            [
                IndexedMessage(seq, None, tuple((token(name), "plate", False) for name in names), linked=False)
                for seq, names in ((1, ("a", "b")), (2, ("b", "c")))
            ],
        )
    asked = {token(name) for name in ("b", "c", *map(str, range(1200)))}
    with store.reads() as reads:
        assert search_store.known(reads, asked) == {token("b"), token("c")}
        assert search_store.known(reads, ()) == set()


@pytest.mark.parametrize(
    ("event", "is_damage"),
    [
        (datetime(1969, 12, 31, 21, tzinfo=UTC), False),  # the first of January of 1970, in Moscow
        (datetime(1899, 12, 31, 10, tzinfo=UTC), False),  # the earliest day that a message may name, at +14:00
        (datetime(1898, 12, 31, tzinfo=UTC), True),
    ],
)
def test_an_event_before_1970_is_no_damage(store: Store, event: datetime, *, is_damage: bool) -> None:
    """What a message may report as the time of its event is a value of its column for `verify`."""
    with store.transaction() as conn:
        messages_store.add_messages(conn, [_row(MESSAGES + 1)])
        search_store.add_indexed(conn, [IndexedMessage(MESSAGES + 1, event, (), linked=False)])
    part = Part("values")
    with store.reads() as reads:
        check_values(reads, METADATA, part, lambda _rows: None)
    assert bool(part.findings) is is_damage
