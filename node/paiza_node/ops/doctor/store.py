"""The doctor's queries of the database itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.engine import parse_url, reader_engine
from paiza_node.core.storage.migrate import NEWEST, revision
from paiza_node.core.storage.replication import Replication, replication
from paiza_node.core.storage.server_disk import server_folder
from paiza_wire.errors import Unavailable

PG_SETTINGS: Final = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """Kind and version, revision of the schema and whether it is the newest, size in bytes, durability settings.

    ``replication`` is that of PostgreSQL, ``folder`` where its server keeps its files, if that can be seen.
    """

    kind: str
    version: str
    revision: str | None
    newest: bool
    size: int
    settings: dict[str, str]
    replication: Replication | None
    folder: Path | None = None


def is_empty(url: str) -> bool:
    """Return whether a database has no tables at all; Unavailable("database_unavailable") on failure."""
    engine = reader_engine(parse_url(url))
    try:
        with engine.connect() as connection:
            return not inspect(connection).get_table_names()
    except DBAPIError as error:
        raise Unavailable("database_unavailable", f"the database failed: {error.orig}") from error
    finally:
        engine.dispose()


def database_facts(url: str) -> DatabaseFacts:
    """Read the facts of a database without changing it; Unavailable("database_unavailable") on failure."""
    engine = reader_engine(parse_url(url))
    try:
        with engine.connect() as connection:
            found = revision(connection)
            kind = connection.dialect.name
            version = ".".join(str(part) for part in (connection.dialect.server_version_info or ()))
            size, settings = _sqlite(connection) if kind == "sqlite" else _postgresql(connection)
            standbys = None if kind == "sqlite" else replication(ReadConnection(connection))
            folder = server_folder(ReadConnection(connection))
    except DBAPIError as error:
        raise Unavailable("database_unavailable", f"the database failed: {error.orig}") from error
    finally:
        engine.dispose()
    return DatabaseFacts(kind, version, found, found == NEWEST, size, settings, standbys, folder)


def _sqlite(connection: Connection) -> tuple[int, dict[str, str]]:
    values = {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size")}
    journal = str(connection.execute(text("PRAGMA journal_mode")).scalar_one())
    return values["page_count"] * values["page_size"], {"journal_mode": journal}


def _postgresql(connection: Connection) -> tuple[int, dict[str, str]]:
    size = int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    # The server's default for sessions; the node sets synchronous_commit = on for its own.
    ask = text("SELECT name, reset_val FROM pg_settings WHERE name = ANY(:names)")
    return size, {row[0]: row[1] for row in connection.execute(ask, {"names": list(PG_SETTINGS)})}
