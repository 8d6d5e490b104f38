"""Engines for the database: committed data is on disk, and one process at a time writes."""

import fcntl
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, Table, create_engine, event, make_url
from sqlalchemy.engine import URL, Connection
from sqlalchemy.pool import QueuePool

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.storage.arrays import register_arrays
from paiza_wire.errors import Unavailable

# libpq's form, which the parser of URLs does not know (PostgreSQL's manual, "Specifying Multiple Hosts").
_SEVERAL_HOSTS: Final = re.compile(
    r"(?P<scheme>postgres(?:ql)?(?:\+psycopg)?://)(?P<user>[^@/?]*@)?(?P<hosts>[^/?]*,[^/?]*)(?P<rest>[/?].*)?"
)
_HOST: Final = re.compile(r"(?:\[(?P<bracketed>[^\]]*)\]|(?P<name>[^:]*))(?::(?P<port>\d*))?")

READ_CONNECTIONS: Final = 6  # reads are short, the machine has few cores, and one caller occupies two (`app.serve`)
SQLITE_CACHE_KIB: Final = 16 * 1024  # page cache of the writer; the memory target under load is 250 MB
SQLITE_READ_CACHE_KIB: Final = 4 * 1024  # page cache of each reader
SQLITE_WAL_PAGES: Final = 4000  # checkpoint the WAL at about 16 MiB
BUSY_SECONDS: Final = 30  # a reader of another process (status, verify) may hold the file for a moment
PURGE_WAIT_MILLISECONDS: Final = 500  # wait for readers to end before the write-ahead log is truncated
_WARNINGS: Final = "paiza warnings"  # place of a connection's warnings in its `info`
ADVISORY_LOCK: Final = 0x7061697A61  # "paiza": one writer per PostgreSQL database


def parse_url(text: str) -> URL:
    """Parse a database URL; PostgreSQL means psycopg 3. Several hosts are written as in libpq: h1:5432,h2:5432."""
    several = _SEVERAL_HOSTS.fullmatch(text)
    if several is not None:
        url = make_url(several["scheme"] + (several["user"] or "") + (several["rest"] or ""))
        hosts = [_HOST.fullmatch(each) for each in several["hosts"].split(",")]
        names = ",".join((each["bracketed"] or each["name"] or "") if each else "" for each in hosts)
        ports = ",".join((each["port"] or "") if each else "" for each in hosts)
        url = url.update_query_dict({"host": names, **({"port": ports} if ports.strip(",") else {})})
    else:
        url = make_url(text)
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    return url


def hosts_of(text: str) -> list[str]:
    """Return the hosts of a PostgreSQL database's URL; one of a socket's folder is its path."""
    url = parse_url(text)
    named = url.query.get("host") or url.host or ""
    return (named if isinstance(named, str) else ",".join(named)).split(",")


def writer_engine(url: URL) -> Engine:
    """Return the engine of the one connection that writes."""
    engine = create_engine(url, poolclass=QueuePool, pool_size=1, max_overflow=0, hide_parameters=True)
    if url.get_backend_name() == "sqlite":
        _prepare_sqlite(engine, SQLITE_CACHE_KIB, read_only=False)
    else:
        _prepare_postgresql(engine)
    return engine


def reader_engine(url: URL, connections: int = READ_CONNECTIONS) -> Engine:
    """Open a small read-only pool; each transaction reads a snapshot in both databases.

    PostgreSQL: REPEATABLE READ sees the snapshot of the transaction's first statement, whatever is committed since
    (its manual, §13.2.2). SQLite in WAL mode: a read transaction sees the database as it was at its first statement
    (its manual, "Isolation In SQLite").
    """
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,  # an error of a statement must not bring headers and reasons into the program's log
        pool_pre_ping=url.get_backend_name() != "sqlite",
        **({} if url.get_backend_name() == "sqlite" else {"isolation_level": "REPEATABLE READ"}),
    )
    if url.get_backend_name() == "sqlite":
        _prepare_sqlite(engine, SQLITE_READ_CACHE_KIB, read_only=True)
    else:
        _prepare_postgresql(engine)
    return engine


def _prepare_sqlite(engine: Engine, cache_kib: int, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver must not open transactions by itself: this code issues BEGIN (SQLAlchemy, "pysqlite" notes).
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        # FULL: the WAL is fsynced at every commit, so a committed message survives loss of power.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA cache_size = -{cache_kib}")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {SQLITE_WAL_PAGES}")
        cursor.execute("PRAGMA temp_store = MEMORY")
        # Deleted data is overwritten with zeros: an erased ciphertext must not stay in a free page.
        cursor.execute("PRAGMA secure_delete = ON")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _prepare_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        warnings = record.info[_WARNINGS] = []

        def note(diagnostic: Any) -> None:
            if diagnostic.severity_nonlocalized == "WARNING":
                warnings.append(diagnostic.message_primary)

        connection.add_notice_handler(note)
        register_arrays(connection)
        # A commit is answered only when it is on disk (and, with a synchronous standby, on its disk too).
        connection.autocommit = True
        connection.execute("SET synchronous_commit = on")
        connection.execute("SET idle_in_transaction_session_timeout = '60s'")
        connection.autocommit = False


def warnings_of(connection: Connection) -> list[str]:
    """Return the warnings that the database gave over this connection; the caller clears them."""
    found: list[str] = connection.info.setdefault(_WARNINGS, [])
    return found


def purge(connection: Connection, tables: Collection[Table]) -> None:
    """Remove what the database keeps of rows deleted from these tables; Unavailable("busy") if it is being read.

    The connection must be in no transaction.
    """
    if connection.dialect.name == "sqlite":
        _cut_wal(connection)
        return
    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    connection.exec_driver_sql(f"VACUUM {', '.join(table.name for table in tables)}")


def _cut_wal(connection: Connection) -> None:
    raw = connection.connection.dbapi_connection
    assert raw is not None
    cursor = raw.cursor()
    try:
        # While it waits for readers nothing can be written: a short wait, it is tried again.
        cursor.execute(f"PRAGMA busy_timeout = {PURGE_WAIT_MILLISECONDS}")
        busy, _pages, _moved = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        cursor.close()
    if busy:
        raise Unavailable("busy", "somebody reads the database, so its write-ahead log cannot be cut", 1.0)


class WriterLock:
    """The lock of the one process that writes: a lock file beside SQLite, an advisory lock in PostgreSQL.

    Both end with the process, however it ends.
    """

    def __init__(self, url: URL) -> None:
        """Acquire the lock of the SQLite file; `take_advisory_lock` acquires PostgreSQL's."""
        self._file: int | None = None
        if url.get_backend_name() != "sqlite":
            return
        path = Path(f"{url.database}.lock")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            self._file = None
            raise NodeStopped(
                "database_locked",
                what=N_("Another process writes to this database."),
                where="{path}",
                remedy=N_("Stop the other node process, or point this one to its own data folder."),
                path=path,
            ) from error

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def take_advisory_lock(connection: Connection) -> bool:
    """Try to become the writer of a PostgreSQL database; False while another session is."""
    if connection.dialect.name != "postgresql":
        return True
    taken = connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({ADVISORY_LOCK})").scalar_one()
    connection.commit()
    return bool(taken)
