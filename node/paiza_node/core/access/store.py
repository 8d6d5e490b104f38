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
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import blocks, insertion, replacement

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
    """Give the officers of the own member, by id."""
    rows = conn.execute(select(officer_table))
    return {r.id: Officer(r.id, frozenset(r.roles.split()), r.unit, r.certificate_sha256, r.suspended) for r in rows}


def put_officer(conn: WriteConnection, officer: Officer) -> None:
    """Store an officer of the own member."""
    roles = " ".join(sorted(officer.roles))
    row = (officer.id, roles, officer.unit, officer.certificate_sha256, officer.suspended)
    _PUT_OFFICER.run(conn, [row])


def add_opened(conn: WriteConnection, opened: Opened) -> None:
    """Remember that a part was handed to an officer."""
    conn.insert(
        opened_table,
        [
            {
                "log_index": opened.log_index,
                "digest": opened.digest,
                "part_number": opened.part_number,
                "officer": opened.officer,
            }
        ],
    )


_PUT_OFFICER: Final = replacement(officer_table)


def visible(conn: ReadConnection, seqs: Collection[int], viewer: Viewer) -> set[int]:
    """Give those of these messages that a viewer sees."""
    if viewer.units is None:
        return set(seqs)
    found: set[int] = set()
    wanted = list(seqs)
    for block in blocks(wanted):
        rows = conn.execute(select(message_table.c.seq).where(message_table.c.seq.in_(block), seen_by(viewer)))
        found.update(row[0] for row in rows)
    return found


def add_readers(conn: WriteConnection, readers: Sequence[tuple[str, int]]) -> None:
    """Let officers see messages, whatever unit these belong to."""
    _ADD_READER.run(conn, list(readers))


_ADD_READER: Final = insertion(reader_table, ignore_known=True)


def seen_by(viewer: Viewer) -> ColumnElement[bool]:
    """Give the condition that a viewer sees a message; for questions that another condition narrows already."""
    assert viewer.units is not None
    r = reader_table.c
    given = exists().where(and_(r.officer == viewer.officer, r.seq == message_table.c.seq))
    return or_(message_table.c.unit.in_(viewer.units), given)
