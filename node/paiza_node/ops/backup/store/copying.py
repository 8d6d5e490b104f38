"""Copying a whole database to one file and back: the database part of a backup, for either database.

The file is an SQLite database of the node's own tables. From SQLite it is made by SQLite's online backup, from
PostgreSQL row by row in one REPEATABLE READ transaction; both are of one moment while the node continues writing, and
need no other program. It can be copied into either, so that a backup also moves a node from one database to the other.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage.engine import parse_url, reader_engine, take_advisory_lock, writer_engine
from paiza_node.core.storage.migrate import NEWEST, migrate, revision
from paiza_node.ops.tables import METADATA
from paiza_wire.errors import Unavailable

BLOCK: Final = 1000  # rows copied at once; a row has a message of some kilobytes, at most some megabytes


def copy_out(url: str, file: Path) -> str:
    """Copy a database, as of one moment, to a new file; return the kind of database.

    Unavailable("database_unavailable") on failure. A crash leaves a file that is not a backup.
    """
    source = parse_url(url)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        if source.get_backend_name() == "sqlite":
            _copy_sqlite(Path(source.database or ""), file)
        else:
            _copy_rows_out(source, file)
        settle_copy(file)
    except (sqlite3.Error, DBAPIError) as error:
        raise Unavailable("database_unavailable", f"the database could not be copied: {_said(error)}") from error
    return source.get_backend_name()


def settle_copy(file: Path) -> None:
    """Merge the side files of an SQLite copy into it, so that one file contains all; returns when it is on disk."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def copy_in(file: Path, url: str) -> None:
    """Copy into an empty database; the copy is migrated on the way.

    A crash leaves nothing (SQLite: the file gets its name last; PostgreSQL: it is one transaction).
    NodeStopped("folder_not_empty") if the database is not empty.
    """
    target = parse_url(url)
    try:
        bring_up_to_date(file)
        if target.get_backend_name() == "sqlite":
            _place(file, Path(target.database or ""))
        else:
            _copy_rows_in(file, target)
    except (sqlite3.Error, DBAPIError) as error:
        raise Unavailable("database_unavailable", f"the database could not be filled: {_said(error)}") from error


def holds_something(url: str) -> bool:
    """Return whether there is a database with any content."""
    target = parse_url(url)
    if target.get_backend_name() == "sqlite":
        return Path(target.database or "").exists()
    engine = reader_engine(target)
    try:
        with engine.connect() as connection:
            return revision(connection) is not None and _filled(connection)
    except DBAPIError as error:
        raise Unavailable("database_unavailable", f"the database cannot be opened: {_said(error)}") from error
    finally:
        engine.dispose()


def _copy_sqlite(source: Path, file: Path) -> None:
    with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(file)) as writer:
        reader.execute("PRAGMA query_only = ON")
        reader.backup(writer)  # all pages in one step: of one moment, and in WAL mode no writer waits for it


def _copy_rows_out(source: URL, file: Path) -> None:
    reader, writer = reader_engine(source), writer_engine(_sqlite(file))
    try:
        with writer.connect() as target:
            migrate(target)
            with reader.connect() as connection, connection.begin(), target.begin():
                found = revision(connection)
                if found != NEWEST:
                    raise Unavailable("database_unavailable", f"its schema is of revision {found}: start the node once")
                _copy_rows(connection, target)
    finally:
        reader.dispose()
        writer.dispose()


def _copy_rows_in(file: Path, target: URL) -> None:
    reader, writer = reader_engine(_sqlite(file)), writer_engine(target)
    try:
        with writer.connect() as connection:
            if not take_advisory_lock(connection):
                raise Unavailable("standby", "another node process is the writer of this database")
            migrate(connection)
            with connection.begin(), reader.connect() as source, source.begin():
                if _filled(connection):
                    raise _not_empty(target.render_as_string(hide_password=True))
                _copy_rows(source, connection)
    finally:
        reader.dispose()
        writer.dispose()


def _copy_rows(source: Connection, target: Connection) -> None:
    for table in METADATA.sorted_tables:
        rows = source.execution_options(stream_results=True, yield_per=BLOCK).execute(select(table))
        for block in rows.mappings().partitions(BLOCK):
            target.execute(insert(table), [dict(row) for row in block])


def _filled(connection: Connection) -> bool:
    return any(
        connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (log_store.log_head_table, log_store.log_entry_table, messages_store.message_table)
    )


def _place(file: Path, target: Path) -> None:
    if target.exists():
        raise _not_empty(str(target))
    side_file = target.with_name(f".{target.name}.new")
    side_file.unlink(missing_ok=True)
    with (
        file.open("rb") as read,
        os.fdopen(os.open(side_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to,
    ):
        shutil.copyfileobj(read, to, 1 << 20)
        to.flush()
        os.fsync(to.fileno())
    for left in ("-wal", "-shm"):  # of the former database: it must not be taken for this one's
        target.with_name(target.name + left).unlink(missing_ok=True)
    side_file.rename(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def bring_up_to_date(file: Path) -> None:
    """Migrate a copy to the tables of this version."""
    engine: Engine = writer_engine(_sqlite(file))
    try:
        with engine.connect() as connection:
            migrate(connection)
    finally:
        engine.dispose()
    settle_copy(file)


def _sqlite(file: Path) -> URL:
    return parse_url(f"sqlite:///{file}")


def _not_empty(where: str) -> NodeStopped:
    return NodeStopped(
        "folder_not_empty",
        what=N_("The database is not empty. Nothing was overwritten."),
        where="{place}",
        remedy=N_("Move it away and keep it, or name an empty database in node.toml. Then restore again."),
        place=where,
    )


def _said(error: sqlite3.Error | DBAPIError) -> str:
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return (str(original).strip() or type(original).__name__).splitlines()[0]
