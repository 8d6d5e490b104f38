"""Replication of a PostgreSQL database: its standbys as the server sees them, and what a commit waits for."""

from dataclasses import dataclass
from typing import Final

from paiza_node.core.storage.connection import ReadConnection
from paiza_node.core.storage.engine import ADVISORY_LOCK

SYNCHRONOUS: Final = frozenset({"sync", "quorum"})
"""The states of standbys that commits wait for."""

# A role without `pg_read_all_stats` sees that there are standbys, and neither their state nor how far they are.
_STANDBYS: Final = """
    SELECT coalesce(application_name, ''), state, sync_state,
           CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn) END
    FROM pg_stat_replication ORDER BY 1
"""
_NAMED: Final = "SELECT current_setting('synchronous_standby_names'), current_user"
_WAITS: Final = """
    SELECT wait_event FROM pg_stat_activity JOIN pg_locks USING (pid)
    WHERE locktype = 'advisory' AND (classid::bigint << 32 | objid::bigint) = %s AND wait_event = 'SyncRep'
        AND datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Standby:
    """A standby of the database: its name, the state of its copy, and how many bytes of the log it lacks on its disk.

    ``state`` and ``synchronous`` are None where the role may not see them, ``lacks`` also where that is not known.
    """

    name: str
    state: str | None
    synchronous: str | None
    lacks: int | None

    @property
    def confirms(self) -> bool:
        """Whether commits wait for it, and it follows."""
        return self.state == "streaming" and self.synchronous in SYNCHRONOUS


@dataclass(frozen=True, slots=True)
class Replication:
    """What the server says of its standbys: ``named`` are its synchronous ones, ``role`` is who asks."""

    named: str
    role: str
    standbys: tuple[Standby, ...]

    @property
    def is_hidden(self) -> bool:
        """Whether the role may not see the state of the standbys."""
        return any(each.state is None for each in self.standbys)


def replication(conn: ReadConnection) -> Replication:
    """Return the replication of a PostgreSQL database."""
    (settings,) = conn.run(_NAMED)
    found = conn.run(_STANDBYS)
    standbys = (Standby(row[0], row[1], row[2], None if row[3] is None else max(0, int(row[3]))) for row in found)
    return Replication(settings[0], settings[1], tuple(standbys))


def commit_waits_for(conn: ReadConnection) -> str:
    """Return what the writer's commit waits for: "synchronous_standby", or empty if that is not known."""
    if conn.database != "postgresql":
        return ""
    found = conn.run(_WAITS, (ADVISORY_LOCK,))
    return "synchronous_standby" if found else ""
