"""The store: one writing connection for the ledger, a small pool of reading ones.

What a crash leaves: a transaction is whole or absent. `Store.transaction` commits when its block ends; if the answer to
a COMMIT is lost, the ledger finds the batch by its id (`Head.batch`) and does not repeat it.
"""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, Engine, Table, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from paiza_node.core.blocking import may_block
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.storage.connection import ReadConnection, WriteConnection, said
from paiza_node.core.storage.engine import (
    WriterLock,
    parse_url,
    purge,
    reader_engine,
    take_advisory_lock,
    warnings_of,
    writer_engine,
)
from paiza_node.core.storage.migrate import migrate
from paiza_node.core.storage.replication import Replication, commit_waits_for, replication
from paiza_wire.errors import Unavailable


class Store:
    """The database. One process at a time writes; `transaction` is called by the ledger's thread only."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """Open the database and, unless ``read_only``, take the writer's lock and bring the schema up to date."""
        self._url = parse_url(url)
        self._readers = reader_engine(self._url)
        # One who reads and asks for a proof holds a connection of the pool: were tiles read over the pool as well, as
        # many such callers as it has connections would wait for each other, and the ledger for them.
        self._tile_readers = reader_engine(self._url, connections=1)
        self._lock: WriterLock | None = None
        self._writer_engine: Engine | None = None
        self._writer: Connection | None = None
        if not read_only:
            self._lock = WriterLock(self._url)
            self._writer_engine = writer_engine(self._url)
            try:
                self._reconnect()
                migrate(self._connected())
            except BaseException:
                self.close()
                raise

    def _connected(self) -> Connection:
        if self._writer is None:
            self._reconnect()
        assert self._writer is not None
        return self._writer

    def _reconnect(self) -> None:
        """Open the writing connection and take the database's lock; Unavailable if another process holds it."""
        assert self._writer_engine is not None, "a store that is only read has no writer"
        try:
            connection = self._writer_engine.connect()
            taken = take_advisory_lock(connection)
        except DBAPIError as error:
            raise Unavailable("database_unavailable", f"the database cannot be opened: {said(error)}") from error
        if not taken:
            connection.close()
            self._writer_engine.dispose()  # a waiting session holds no connection
            raise Unavailable("standby", "another node process is the writer of this database")
        self._writer = connection

    @contextmanager
    def transaction(self) -> Iterator[WriteConnection]:
        """Run the block in one transaction and commit it; Unavailable("database_unavailable") on failure.

        After a failure the result of the commit is unknown: compare `Head.batch`. Unavailable("database_slow"): it is
        committed, but a synchronous standby may lack it until a later commit succeeds.
        """
        connection = self._connected()
        try:
            with connection.begin():
                warnings = warnings_of(connection)
                yield WriteConnection(connection)
                warnings.clear()
        except DBAPIError as error:
            # The connection is not reused after a failed commit: the next transaction opens a new one, with a new lock.
            self._drop_writer()
            if isinstance(error, OperationalError) or error.connection_invalidated:
                raise Unavailable("database_unavailable", f"the database failed: {said(error)}") from error
            raise
        if warnings:
            # Somebody cancelled the wait for the synchronous standby: it is committed here, and perhaps not there.
            raise Unavailable("database_slow", f"the database warned: {warnings[0]}")

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.invalidate()
            self._writer.close()
            self._writer = None

    def reads(self) -> AbstractContextManager[ReadConnection]:
        """Ask questions over one connection of the pool, all of one moment (`reader_engine`)."""
        may_block()
        return _reads(self._readers)

    def tile_reads(self) -> AbstractContextManager[ReadConnection]:
        """Ask for the log's tiles, one caller at a time; the caller may hold a connection of `reads`."""
        may_block()
        return _reads(self._tile_readers)

    def purge(self, tables: Collection[Table]) -> None:
        """Remove what the database keeps of rows deleted from these tables; Unavailable("busy") if it cannot now.

        SQLite: the write-ahead log is checkpointed and truncated; pages were overwritten when rows were deleted.
        PostgreSQL: dead rows are vacuumed. Its write-ahead log, and the blocks of a disk, cannot be cleaned from here:
        disks are therefore encrypted.
        """
        try:
            with self._readers.connect() as connection:
                purge(connection, tables)
        except OperationalError as error:
            raise Unavailable("database_unavailable", f"the database failed: {said(error)}") from error
        except PoolTimeout as error:
            raise Unavailable("busy", "too many questions to the database at once", 1.0) from error

    def replication(self) -> Replication | None:
        """Return the replication of a PostgreSQL database; None for SQLite. Unavailable on failure."""
        with _reads(self._readers) as reads:
            return replication(reads) if reads.database == "postgresql" else None

    def commit_waits_for(self) -> str:
        """Return what the running commit waits for: "synchronous_standby", or empty if the database does not say it."""
        try:
            with _reads(self._readers) as reads:
                return commit_waits_for(reads)
        except Unavailable:
            return ""

    def describe(self) -> str:
        """Return the name of the database and its version."""
        with self._readers.connect() as connection:
            version = ".".join(str(part) for part in (connection.dialect.server_version_info or ()))
            return f"{connection.dialect.name} {version}"

    def close(self) -> None:
        """Close every connection and release the writer's lock; one that a thread still reads by, once it ends."""
        if self._writer is not None:
            self._writer.close()
        if self._writer_engine is not None:
            self._writer_engine.dispose()
        for readers in (self._readers, self._tile_readers):
            # One that is given back later would wait in the pool for a read that nobody begins any more.
            event.listen(readers.pool, "checkin", lambda _connection, entry: entry.close())
            readers.dispose()
        if self._lock is not None:
            self._lock.release()


@contextmanager
def _reads(readers: Engine) -> Iterator[ReadConnection]:
    try:
        with readers.connect() as connection, connection.begin():
            yield ReadConnection(connection)
    except OperationalError as error:
        raise Unavailable("database_unavailable", f"the database failed: {said(error)}") from error
    except PoolTimeout as error:
        raise Unavailable("busy", "too many questions to the database at once", 1.0) from error


def open_store(url: str, *, read_only: bool = False) -> Store:
    """Open the store at a database URL; NodeStopped with the remedy if that fails."""
    try:
        return Store(url, read_only=read_only)
    except OperationalError as error:
        raise NodeStopped(
            "database_unavailable",
            what=N_("The database cannot be opened: {error}."),
            where="{url}",
            remedy=N_("Check that the folder is writable, or that PostgreSQL runs and admits this user."),
            error=said(error),
            url=parse_url(url).render_as_string(hide_password=True),
        ) from error
