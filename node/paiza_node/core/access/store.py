"""Officers of the own member, who sees which message, and who opened which."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    exists,
    or_,
    select,
)

from paiza_node.core.access.model import Officer, Opened, Viewer
from paiza_node.core.messages.store import message_table
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Key, Lifecycle
from paiza_node.core.storage.records import Kept, Records
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import blocks, insertion

officer_table = Table(
    "officer",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("roles", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("certificate_sha256", LargeBinary, nullable=False),
    Column("suspended", Boolean, nullable=False),
)

opened_table = Table(
    "opened",
    METADATA,
    Column("log_index", Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("part_number", Integer, nullable=False),
    Column("officer", Text, nullable=False),
)
Index("ix_opened_digest_officer", opened_table.c.digest, opened_table.c.officer)

# Officers who see a message besides those of its unit: those it was given to, and those who signed it.
reader_table = Table(
    "reader",
    METADATA,
    Column("officer", Text, primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)


def officers(conn: ReadConnection) -> dict[str, Officer]:
    """Return the officers of the own member, by id."""
    return {officer.id: officer for officer in _OFFICERS.find(conn, select(officer_table))}


def put_officer(conn: WriteConnection, officer: Officer) -> None:
    """Store an officer of the own member."""
    _OFFICERS.put(conn, [officer])


def openers(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, set[str]]:
    """Return the officers to whom the main part of each of these messages was handed."""
    o = opened_table.c
    found: dict[bytes, set[str]] = {}
    for block in blocks(list(digests)):
        for digest, officer in conn.execute(
            select(o.digest, o.officer).where(o.digest.in_(block), o.part_number == 0).distinct()
        ):
            found.setdefault(digest, set()).add(officer)
    return found


def add_opened(conn: WriteConnection, opened: Opened) -> None:
    """Store that a part was handed to an officer."""
    _OPENED.add(conn, [opened])


_OFFICERS: Final = Records(
    officer_table, Officer, roles=Kept(lambda roles: " ".join(sorted(roles)), lambda text: frozenset(text.split()))
)
_OPENED: Final = Records(opened_table, Opened)


def visible(conn: ReadConnection, seqs: Collection[int], viewer: Viewer) -> set[int]:
    """Return those of these messages that a viewer sees."""
    if viewer.units is None:
        return set(seqs)
    found: set[int] = set()
    wanted = list(seqs)
    for block in blocks(wanted):
        rows = conn.execute(select(message_table.c.seq).where(message_table.c.seq.in_(block), seen_by(viewer)))
        found.update(row[0] for row in rows)
    return found


def add_readers(conn: WriteConnection, readers: Sequence[tuple[str, int]]) -> None:
    """Allow officers to see messages, whatever unit these belong to."""
    _ADD_READER.run(conn, list(readers))


_ADD_READER: Final = insertion(reader_table, ignore_known=True)


def seen_by(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that a viewer sees a message; for questions that another condition narrows already."""
    assert viewer.units is not None
    r = reader_table.c
    given = exists().where(and_(r.officer == viewer.officer, r.seq == message_table.c.seq))
    return or_(message_table.c.unit.in_(viewer.units), given)


LIFECYCLES: Final = (
    Lifecycle(officer_table),
    Lifecycle(opened_table, Key.DIGEST, opened_table.c.digest),
    Lifecycle(reader_table, Key.MESSAGE, reader_table.c.seq),
)
