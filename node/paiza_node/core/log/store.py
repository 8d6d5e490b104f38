"""The node's own log in the database: head, entries, tiles, texts beside entries, and earlier logs it continues."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    bindparam,
    delete,
    func,
    literal_column,
    select,
)

from paiza_node.core.log.model import FormerLog, Head, LogText, StoredEntry
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Key, Lifecycle
from paiza_node.core.storage.records import Records, check_types
from paiza_node.core.storage.scanning import BLOCK, Rows
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import Query, blocks, insertion, replacement
from paiza_node.core.storage.times import EPOCH, from_micros, to_micros
from paiza_wire.errors import Unavailable
from paiza_wire.tlog import merkle
from paiza_wire.tlog.merkle import EMPTY_ROOT

log_head_table = Table(
    "log_head",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("deliveries", BigInteger, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("batch", LargeBinary, nullable=False),
)

log_entry_table = Table(
    "log_entry",
    METADATA,
    Column("index", Number, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=True),
)
Index("ix_log_entry_digest", log_entry_table.c.digest, log_entry_table.c.index)

log_tile_table = Table(
    "log_tile",
    METADATA,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

log_text_table = Table(
    "log_text",
    METADATA,
    Column("index", Number, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
    Column("text", Text, nullable=False),
)

# The messages that an entry about several concerns: the entry commits to them.
log_listed_table = Table(
    "log_listed",
    METADATA,
    Column("index", Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, primary_key=True),
)
Index("ix_log_listed_digest", log_listed_table.c.digest, log_listed_table.c.index)

# Entries removed by audit retention: their leaf hashes, of which the tree is built.
retired_table = Table(
    "retired",
    METADATA,
    Column("index", Number, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
)

# Earlier logs of this node, each continued by the next: `first_index` is the place of its entries in the present
# log, `size` their number, `kept_note` a checkpoint of it that they lead to, and `largest_note` the largest that
# another member presented. The entries between the two were lost.
former_log_table = Table(
    "former_log",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("first_index", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("kept_note", LargeBinary, nullable=False),
    Column("largest_note", LargeBinary, nullable=False),
)


_CHECK_HEAD: Final = check_types(log_head_table)


def head(conn: ReadConnection) -> Head:
    """Return the head of the log; an empty one if nothing was ever committed.

    Unavailable("log_damaged") if a value is of another type than its column.
    """
    for row in _HEAD.run(conn):
        _CHECK_HEAD(row)
        _id, size, root, messages, deliveries, last_time, batch = row
        if min(size, messages, deliveries) < 0:
            raise Unavailable("log_damaged", "the head of the log counts less than nothing")
        return Head(size, root, messages, deliveries, from_micros(last_time), batch)
    return Head(0, EMPTY_ROOT, 0, 0, EPOCH, b"")


_HEAD: Final = Query(select(log_head_table).where(log_head_table.c.id == literal_column("1")))


def tile(conn: ReadConnection, level: int, index: int) -> bytes:
    """Return one tile of the log's tree; Unavailable("log_damaged") if it is missing."""
    found = _TILE.run(conn, level, index)
    if not found or not isinstance(found[0][0], bytes | memoryview):
        raise Unavailable("log_damaged", f"tile {level}/{index} of the log is missing in the database")
    return bytes(found[0][0])


def entries(conn: ReadConnection, first: int, limit: int) -> list[StoredEntry]:
    """Return entries in order of index, from ``first`` on."""
    return [StoredEntry(*row) for row in _ENTRIES.run(conn, first, limit)]


_ENTRIES: Final = Query(
    select(log_entry_table.c.index, log_entry_table.c.entry)
    .where(log_entry_table.c.index >= bindparam("first"))
    .order_by(log_entry_table.c.index)
    .limit(bindparam("most")),
    "first",
    "most",
)


def entries_of(conn: ReadConnection, digest: bytes) -> list[StoredEntry]:
    """Return all entries that concern one message, oldest first."""
    e = log_entry_table.c
    rows = conn.execute(select(e.index, e.entry).where(e.digest == digest).order_by(e.index))
    return [StoredEntry(row[0], row[1]) for row in rows]


def entries_about(conn: ReadConnection, digest: bytes) -> list[StoredEntry]:
    """Return all entries that concern one message, alone or with others, oldest first."""
    listed = log_listed_table.c
    indices = conn.execute(select(listed.index).where(listed.digest == digest)).scalars()
    found = {each.index: each for each in (*entries_of(conn, digest), *entries_at(conn, list(indices)))}
    return [found[index] for index in sorted(found)]


def listed(conn: ReadConnection, indices: Collection[int]) -> dict[int, list[bytes]]:
    """Return the messages of those of these entries that are about several, sorted."""
    columns = log_listed_table.c
    found: dict[int, list[bytes]] = {}
    for block in blocks(sorted(indices)):
        rows = conn.execute(select(columns.index, columns.digest).where(columns.index.in_(block)))
        for index, digest in rows:
            found.setdefault(index, []).append(bytes(digest))
    return {index: sorted(digests) for index, digests in found.items()}


def add_listed(conn: WriteConnection, index: int, digests: Collection[bytes]) -> None:
    """Store the messages that an entry about several is about."""
    _ADD_LISTED.run(conn, [(index, digest) for digest in digests])


def entries_at(conn: ReadConnection, indices: Collection[int]) -> list[StoredEntry]:
    """Return the entries at these indices, in order of index."""
    e = log_entry_table.c
    found: list[StoredEntry] = []
    for block in blocks(sorted(indices)):
        rows = conn.execute(select(e.index, e.entry).where(e.index.in_(block)).order_by(e.index))
        found.extend(StoredEntry(row[0], row[1]) for row in rows)
    return found


def entry_at(conn: ReadConnection, index: int) -> StoredEntry:
    """Return the entry that a row names by its index; Unavailable("log_damaged") if there is none."""
    found = entries_at(conn, [index])
    if not found:
        raise Unavailable("log_damaged", f"entry {index} of the log is missing in the database")
    return found[0]


def texts(conn: ReadConnection, indices: Collection[int]) -> dict[int, LogText]:
    """Return the free texts stored beside these entries, each with its salt."""
    t = log_text_table.c
    found: dict[int, LogText] = {}
    for block in blocks(sorted(indices)):
        rows = conn.execute(select(t.index, t.salt, t.text).where(t.index.in_(block)))
        found.update((row[0], LogText(row[1], row[2])) for row in rows)
    return found


def texts_of(conn: ReadConnection, digests: Collection[bytes]) -> list[tuple[bytes, str]]:
    """Return the texts beside all entries that concern one of these messages: (digest, text)."""
    e, t = log_entry_table.c, log_text_table.c
    joined = log_text_table.join(log_entry_table, e.index == t.index)
    found: list[tuple[bytes, str]] = []
    for block in blocks(list(digests)):
        rows = conn.execute(select(e.digest, t.text).select_from(joined).where(e.digest.in_(block)))
        found.extend((bytes(row[0]), row[1]) for row in rows)
    return found


_TILE: Final = Query(
    select(log_tile_table.c.hashes).where(
        log_tile_table.c.level == bindparam("level"), log_tile_table.c.index == bindparam("tile")
    ),
    "level",
    "tile",
)


def set_head(conn: WriteConnection, head: Head) -> None:
    """Advance the head of the log."""
    values = head.size, head.root, head.messages, head.deliveries, to_micros(head.last_time), head.batch
    _PUT_HEAD.run(conn, [(1, *values)])


def put_tiles(conn: WriteConnection, tiles: Sequence[tuple[int, int, bytes]]) -> None:
    """Store tiles; a longer one replaces a shorter."""
    _PUT_TILE.run(conn, tiles)


def add_entries(conn: WriteConnection, entries: Sequence[tuple[int, bytes, bytes]]) -> None:
    """Append entries to the log: (index, entry, digest of the message concerned or empty)."""
    _ADD_ENTRY.run(conn, [(index, entry, digest or None) for index, entry, digest in entries])


def add_texts(conn: WriteConnection, texts: Mapping[int, LogText]) -> None:
    """Store free texts beside entries."""
    _ADD_TEXT.run(conn, [(index, each.salt, each.text) for index, each in texts.items()])


_PUT_HEAD: Final = replacement(log_head_table)
_ADD_ENTRY: Final = insertion(log_entry_table)
_ADD_TEXT: Final = insertion(log_text_table)
_ADD_LISTED: Final = insertion(log_listed_table)

_PUT_TILE: Final = replacement(log_tile_table)


def drop_texts(conn: WriteConnection, indices: Collection[int]) -> None:
    """Delete the free texts beside these entries."""
    for block in blocks(sorted(indices)):
        conn.execute(delete(log_text_table).where(log_text_table.c.index.in_(block)))


def retired_end(conn: ReadConnection) -> int:
    """Return the index below which audit retention removed entries; 0 if it removed none."""
    last = conn.execute(select(func.max(retired_table.c.index))).scalar_one()
    return 0 if last is None else int(last) + 1


def former_logs(conn: ReadConnection) -> list[FormerLog]:
    """Return the earlier logs of this node, the latest first."""
    return _FORMER_LOGS.find(conn, select(former_log_table).order_by(former_log_table.c.first_index))


def put_former_log(conn: WriteConnection, former: FormerLog) -> None:
    """Store an earlier log of this node."""
    _FORMER_LOGS.add(conn, [former])


_FORMER_LOGS: Final = Records(former_log_table, FormerLog)


def last_entry_of(conn: ReadConnection, digest: bytes) -> int | None:
    """Return the index of the newest entry about a message."""
    e = log_entry_table.c
    found: int | None = conn.execute(select(func.max(e.index)).where(e.digest == digest)).scalar_one_or_none()
    return found


def entry_rows(conn: ReadConnection, first: int, size: int) -> Iterator[Rows]:
    """Return (index, entry, digest) of the entries from ``first`` on, below ``size``.

    For an entry that retention removed: (index, None, leaf hash).
    """
    e = log_entry_table.c
    for start in range(first, size, BLOCK):
        end = min(start + BLOCK, size)
        columns = select(e.index, e.entry, e.digest)
        found = conn.execute(columns.where(e.index >= start, e.index < end).order_by(e.index))
        # The driver's own tuples: wrapping them took a fifth of the time for a long log.
        assert found.cursor is not None
        rows = found.cursor.fetchall()
        found.close()
        if len(rows) < end - start:
            rows = sorted([*rows, *_retired(conn, start, end)], key=itemgetter(0))
        yield rows


def _retired(conn: ReadConnection, first: int, end: int) -> list[tuple[int, None, bytes]]:
    """Return (index, None, leaf hash) of the entries that retention removed."""
    r = retired_table.c
    found = conn.execute(select(r.index, r.leaf).where(r.index >= first, r.index < end))
    return [(row[0], None, row[1]) for row in found]


def is_retired(conn: ReadConnection, index: int) -> bool:
    """Return whether retention removed an entry of the log."""
    return bool(_retired(conn, index, index + 1))


def tiles(conn: ReadConnection, level: int, first: int, last: int) -> dict[int, bytes]:
    """Return the tiles of one level from index ``first`` to ``last``."""
    t = log_tile_table.c
    found = conn.execute(select(t.index, t.hashes).where(t.level == level, t.index >= first, t.index <= last)).all()
    return {row[0]: row[1] for row in found}


def texts_between(conn: ReadConnection, first: int, last: int) -> dict[int, LogText]:
    """Return the free texts beside these entries, by index."""
    t = log_text_table.c
    found = conn.execute(select(t.index, t.salt, t.text).where(t.index >= first, t.index <= last)).all()
    return {row[0]: LogText(row[1], row[2]) for row in found}


def listed_between(conn: ReadConnection, first: int, last: int) -> dict[int, list[bytes]]:
    """Return the messages of entries about several, sorted, by index of the entry."""
    t = log_listed_table.c
    found: dict[int, list[bytes]] = {}
    for index, digest in conn.execute(select(t.index, t.digest).where(t.index >= first, t.index <= last)):
        found.setdefault(index, []).append(bytes(digest))
    return {index: sorted(digests) for index, digests in found.items()}


def entry_leaves(conn: ReadConnection, first: int, end: int) -> Iterator[list[bytes]]:
    """Return the leaf hashes of the log in order, block by block: of entries, and of those that retention removed."""
    e, r = log_entry_table.c, retired_table.c
    for start in range(first, end, BLOCK):
        stop = min(start + BLOCK, end)
        rows = conn.execute(select(e.index, e.entry).where(e.index >= start, e.index < stop))
        leaves = {row[0]: merkle.leaf_hash(row[1]) for row in rows}
        rows = conn.execute(select(r.index, r.leaf).where(r.index >= start, r.index < stop))
        leaves |= {row[0]: row[1] for row in rows}
        yield [leaves[index] for index in range(start, stop)]


def add_retired(conn: WriteConnection, entries: Sequence[StoredEntry]) -> None:
    """Store the hashes of entries whose retention ended."""
    _ADD_RETIRED.run(conn, [(entry.index, merkle.leaf_hash(entry.entry)) for entry in entries])


_ADD_RETIRED: Final = insertion(retired_table)


LIFECYCLES: Final = (
    Lifecycle(log_head_table),
    Lifecycle(log_entry_table, Key.ENTRY, log_entry_table.c.index),
    Lifecycle(log_tile_table),
    Lifecycle(log_text_table, Key.ENTRY, log_text_table.c.index, content=True),
    Lifecycle(log_listed_table, Key.ENTRY, log_listed_table.c.index),
    Lifecycle(retired_table),
    Lifecycle(former_log_table),
)
