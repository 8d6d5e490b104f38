"""Blind tokens in the database: the terms of each message as keyed hashes, meaningless without the key."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.sql.dml import UpdateBase

from paiza_node.core.access.model import Viewer
from paiza_node.core.access.store import seen_by
from paiza_node.core.messages.store import message_row, message_table
from paiza_node.core.storage import ReadConnection, WriteConnection, scanning
from paiza_node.core.storage.lifecycle import Key, Lifecycle, Subject
from paiza_node.core.storage.records import TIME, Kept, Records
from paiza_node.core.storage.scanning import BLOCK, Rows
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import Lookup, Occurrence, Query, insertion
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_node.features.search.model import (
    Found,
    IndexedMessage,
    SavedSearch,
    SearchMatch,
    SearchQuery,
    SharedToken,
)

# Terms of messages: HMAC-SHA256 under the node's index key, cut to 16 bytes. A stolen database shows no term.
term_token_table = Table(
    "term_token",
    METADATA,
    Column("token", LargeBinary, primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("field", Text, nullable=False),
    Column("annex", Boolean, nullable=False),  # the term is in the nominal annex alone
    sqlite_with_rowid=False,
)
Index("ix_term_token_seq", term_token_table.c.seq)

indexed_message_table = Table(
    "indexed_message",
    METADATA,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("event_time", BigInteger, nullable=True),
    Column("linked", Boolean, nullable=False),
    Column("tokens_digest", LargeBinary, nullable=False),  # of all that is indexed of the message: for `verify`
)

# Saved searches of officers: the tokens of their criteria, and no name or text.
saved_search_table = Table(
    "saved_search",
    METADATA,
    Column("officer", Text, primary_key=True),
    Column("search_id", LargeBinary, primary_key=True),
    Column("clauses", LargeBinary, nullable=False),
    Column("author", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("saved_time", BigInteger, nullable=False),
    Column("after_seq", BigInteger, nullable=False),
    Column("key_fingerprint", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Messages that meet a saved search and were not acknowledged.
search_match_table = Table(
    "search_match",
    METADATA,
    Column("officer", Text, primary_key=True),
    Column("search_id", LargeBinary, primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("annex", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_search_match_seq", search_match_table.c.seq)


TOKEN_BYTES: Final = 16  # of HMAC-SHA256: a chance hit among a billion tokens is one in 10^20
FIRST_SPAN: Final = 4096  # messages sought in first
SPAN_GROWTH: Final = 8
MANY: Final = 1000  # occurrences, up to which the rarest clause is sought
DIGEST_BYTES: Final = 16  # of SHA-256: shows damage, the index is derived from what is signed
MAX_SHARED: Final = 50  # linked messages that are returned for one message; an identifier in more of them says little


def search(conn: ReadConnection, query: SearchQuery) -> list[Found]:
    """Return messages that meet all clauses, newest first.

    They are sought in one span of numbers after the other, each eight times as long: what many messages have is found
    among the newest, and what few have in a few more steps.
    """
    clauses = query.clauses
    if len(clauses) > 1:
        clauses = tuple(sorted(clauses, key=lambda clause: _occurrences(conn, clause)))
    end = query.before_seq
    if end is None:
        end = (conn.execute(_NEWEST).scalar() or 0) + 1
    found: list[Found] = []
    span = FIRST_SPAN
    while end > 0 and len(found) < query.limit:
        first = max(0, end - span)
        rows = conn.execute(_within(query, clauses, first, end).limit(query.limit - len(found)))
        found += [Found(message_row(row), _time(row)) for row in rows]
        end, span = first, span * SPAN_GROWTH
    return found


def _within(query: SearchQuery, clauses: Sequence[Collection[bytes]], first: int, end: int) -> Select[Any]:
    """Return the search among the messages from the number ``first`` to the one before ``end``.

    It starts from the tokens of the first clause, and looks up for each of their messages whether it meets the others.
    """
    m, i, t = message_table.c, indexed_message_table.c, term_token_table.c
    statement = select(message_table, i.event_time).join(indexed_message_table, i.seq == m.seq)
    statement = statement.where(m.seq >= first, m.seq < end)
    open_to_all = [] if query.annex else [t.annex.is_(False)]
    for clause in clauses[:1]:
        has = select(t.seq).where(t.token.in_(list(clause)), t.seq >= first, t.seq < end, *open_to_all)
        statement = statement.where(m.seq.in_(has))
    for clause in clauses[1:]:
        statement = statement.where(exists().where(t.token.in_(list(clause)), t.seq == m.seq, *open_to_all))
    if query.viewer.units is not None:
        statement = statement.where(seen_by(query.viewer))
    if query.author:
        statement = statement.where(m.author == query.author)
    if query.kind:
        statement = statement.where(m.kind == query.kind)
    when = func.coalesce(i.event_time, m.stored_time)
    if query.since_time is not None:
        statement = statement.where(when >= to_micros(query.since_time))
    if query.until_time is not None:
        statement = statement.where(when < to_micros(query.until_time))
    return statement.order_by(m.seq.desc())


def sharing(
    conn: ReadConnection,
    tokens: Collection[bytes],
    *,
    before_seq: int | None = None,
    limit: int = MAX_SHARED,
    annex: bool = True,
    viewer: Viewer | None = None,
) -> list[SharedToken]:
    """Return the newest occurrences of these tokens, in messages before ``before_seq`` if it is set.

    Those in messages that ``viewer`` does not see are skipped before they are counted, so that they displace no others;
    without ``annex`` those in nominal annexes too.
    """
    t = term_token_table.c
    below = [t.seq < before_seq] if before_seq is not None else []
    below += [] if annex else [t.annex.is_(False)]
    found = select(t.seq, t.field, t.annex, t.token)
    if viewer is not None and viewer.units is not None:
        found = found.join(message_table, message_table.c.seq == t.seq).where(seen_by(viewer))
    rows = conn.execute(found.where(t.token.in_(list(tokens)), *below).order_by(t.seq.desc()).limit(limit))
    return [SharedToken(row.seq, row.field, row.annex, row.token) for row in rows]


def known(conn: ReadConnection, tokens: Collection[bytes]) -> set[bytes]:
    """Return those of these tokens that a message has."""
    return _KNOWN.run(conn, tokens)


def tokens_of(conn: ReadConnection, seq: int, fields: Collection[str]) -> list[SharedToken]:
    """Return the tokens of one message in these fields."""
    t = term_token_table.c
    rows = conn.execute(select(t.seq, t.field, t.annex, t.token).where(t.seq == seq, t.field.in_(list(fields))))
    return [SharedToken(row.seq, row.field, row.annex, row.token) for row in rows]


def tokens_at(conn: ReadConnection, seq: int) -> set[bytes]:
    """Return all tokens of one message."""
    t = term_token_table.c
    return {bytes(token) for token in conn.execute(select(t.token).where(t.seq == seq)).scalars()}


def linked(conn: ReadConnection, seqs: Collection[int]) -> set[int]:
    """Return which of these messages shared an identifier with an older one when they were indexed."""
    return {row[0] for row in _LINKED.run(conn, seqs)}


def add_indexed(conn: WriteConnection, messages: Sequence[IndexedMessage]) -> None:
    """Store the tokens of messages; those of one indexed before are unchanged."""
    _ADD_INDEXED.run(
        conn,
        [
            (m.seq, micros, m.linked, tokens_digest(micros, m.tokens, linked=m.linked))
            for m in messages
            for micros in [None if m.event_time is None else to_micros(m.event_time)]
        ],
    )
    _ADD_TOKEN.run(conn, [(token, m.seq, field, annex) for m in messages for token, field, annex in m.tokens])


def drop_indexed(conn: WriteConnection, seq: int) -> None:
    """Delete what is indexed of a message, which is indexed again."""
    conn.execute(delete(term_token_table).where(term_token_table.c.seq == seq))
    conn.execute(delete(indexed_message_table).where(indexed_message_table.c.seq == seq))


def tokens_digest(event_micros: int | None, tokens: Collection[tuple[bytes, str, bool]], *, linked: bool) -> bytes:
    """Return a digest of what is indexed of a message, 16 bytes; the order of the tokens is free."""
    fields = sorted(token + field.encode() + (b"\x01" if annex else b"\x00") for token, field, annex in tokens)
    return sha256(b"%a %d " % (event_micros, linked) + b"".join(fields)).digest()[:DIGEST_BYTES]


def with_tokens(conn: ReadConnection) -> Iterator[tuple[Rows, dict[int, list[tuple[bytes, str, bool]]]]]:
    """Return all indexed messages, block by block, each block with the tokens up to its last message, by number."""
    t = term_token_table.c
    last = -1
    for rows in scanning.pages(conn, select(indexed_message_table), indexed_message_table, BLOCK // 16):
        found: dict[int, list[tuple[bytes, str, bool]]] = {}
        wanted = select(t.seq, t.token, t.field, t.annex).where(t.seq > last, t.seq <= rows[-1].seq)
        for seq, token, field, annex in conn.execute(wanted):
            found.setdefault(seq, []).append((bytes(token), field, annex))
        last = rows[-1].seq
        yield rows, found


def saved_searches(conn: ReadConnection, officer: str | None = None) -> list[SavedSearch]:
    """Return the saved searches of an officer, or of all, in the order in which they were saved."""
    s = saved_search_table.c
    found = select(saved_search_table).order_by(s.saved_time, s.search_id)
    return _SAVED.find(conn, found if officer is None else found.where(s.officer == officer))


def put_saved_search(conn: WriteConnection, search: SavedSearch) -> None:
    """Store a saved search, in the place of one with its id; its earlier matches go."""
    remove_saved_search(conn, search.officer, search.search_id)
    _SAVED.add(conn, [search])


def remove_saved_search(conn: WriteConnection, officer: str, search_id: bytes) -> None:
    """Delete a saved search and its matches."""
    s, m = saved_search_table.c, search_match_table.c
    conn.execute(delete(search_match_table).where(m.officer == officer, m.search_id == search_id))
    conn.execute(delete(saved_search_table).where(s.officer == officer, s.search_id == search_id))


def matches(conn: ReadConnection, officer: str, search_id: bytes, limit: int) -> list[SearchMatch]:
    """Return the matches of a saved search that were not acknowledged, newest first."""
    m = search_match_table.c
    found = select(search_match_table).where(m.officer == officer, m.search_id == search_id)
    return _MATCHES.find(conn, found.order_by(m.seq.desc()).limit(limit))


def match_count(conn: ReadConnection, officer: str, search_id: bytes) -> int:
    """Return how many matches of a saved search were not acknowledged."""
    ((count,),) = _MATCH_COUNT.run(conn, officer, search_id)
    return int(count)


def add_matches(conn: WriteConnection, found: Sequence[SearchMatch]) -> None:
    """Store matches."""
    _MATCHES.add_new(conn, found)


def drop_matches(conn: WriteConnection, officer: str, search_id: bytes, last_seq: int) -> None:
    """Delete the matches of a saved search up to a message."""
    m = search_match_table.c
    conn.execute(delete(search_match_table).where(m.officer == officer, m.search_id == search_id, m.seq <= last_seq))


def packed(clauses: Sequence[Sequence[bytes]]) -> bytes:
    """Return clauses as bytes: of each the number of its tokens, two bytes, and the tokens."""
    return b"".join(len(clause).to_bytes(2, "big") + b"".join(clause) for clause in clauses)


def unpacked(data: bytes) -> tuple[tuple[bytes, ...], ...]:
    """Return the clauses in bytes of `packed`; ValueError for others."""
    found: list[tuple[bytes, ...]] = []
    place = 0
    while place < len(data):
        end = place + 2 + int.from_bytes(data[place : place + 2], "big") * TOKEN_BYTES
        if end > len(data):
            raise ValueError("a clause is cut short")
        found.append(tuple(data[at : at + TOKEN_BYTES] for at in range(place + 2, end, TOKEN_BYTES)))
        place = end
    return tuple(found)


def clear_index(conn: WriteConnection) -> None:
    """Delete all tokens: they were made with another key or by other rules."""
    conn.execute(delete(term_token_table))
    conn.execute(delete(indexed_message_table))


_SAVED: Final = Records(saved_search_table, SavedSearch, clauses=Kept(packed, unpacked), saved_time=TIME)

_MATCHES: Final = Records(search_match_table, SearchMatch, annex=Kept(bool, bool))

_MATCH_COUNT: Final = Query(
    select(func.count()).where(
        search_match_table.c.officer == bindparam("officer"), search_match_table.c.search_id == bindparam("search")
    ),
    "officer",
    "search",
)

_NEWEST: Final = select(func.max(indexed_message_table.c.seq))

_LINKED: Final = Lookup(
    select(indexed_message_table.c.seq).where(indexed_message_table.c.linked.is_(True)), indexed_message_table.c.seq
)

_KNOWN: Final = Occurrence(term_token_table.c.token)

_ADD_INDEXED: Final = insertion(indexed_message_table, ignore_known=True)

_ADD_TOKEN: Final = insertion(term_token_table, ignore_known=True)


def _occurrences(conn: ReadConnection, clause: Collection[bytes]) -> int:
    """Return in how many messages a clause has a token; a number beyond `MANY` is not counted out."""
    t = term_token_table.c
    some = select(t.seq).where(t.token.in_(list(clause))).limit(MANY).subquery()
    return conn.execute(select(func.count()).select_from(some)).scalar_one()


def _time(row: Row[Any]) -> datetime | None:
    return None if row.event_time is None else from_micros(row.event_time)


def _unindexed(subject: Subject, _now: datetime) -> UpdateBase:
    found = update(indexed_message_table).where(indexed_message_table.c.seq == subject.seq)
    return found.values(event_time=None, linked=False, tokens_digest=tokens_digest(None, (), linked=False))


LIFECYCLES: Final = (
    Lifecycle(saved_search_table),
    Lifecycle(
        search_match_table,
        Key.MESSAGE,
        search_match_table.c.seq,
        on_erase=lambda subject, _now: delete(search_match_table).where(search_match_table.c.seq == subject.seq),
    ),
    Lifecycle(
        term_token_table,
        Key.MESSAGE,
        term_token_table.c.seq,
        content=True,
        on_erase=lambda subject, _now: delete(term_token_table).where(term_token_table.c.seq == subject.seq),
    ),
    Lifecycle(indexed_message_table, Key.MESSAGE, indexed_message_table.c.seq, on_erase=_unindexed),
)
