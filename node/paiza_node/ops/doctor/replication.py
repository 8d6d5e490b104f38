"""The doctor's check of a PostgreSQL database's standbys."""

from collections.abc import Iterator
from typing import Final

from paiza_node.core.errors import N_
from paiza_node.core.storage.engine import hosts_of
from paiza_node.core.storage.replication import Replication
from paiza_node.ops.config import Config
from paiza_node.ops.doctor.machine import Check, fail, ok, warn
from paiza_node.ops.doctor.store import database_facts
from paiza_node.ops.terminal import shown_bytes

MUCH_LACKING: Final = 64 * 1024 * 1024  # bytes; a standby that follows lacks some kilobytes


def check_replication(config: Config) -> Iterator[Check]:
    """Check that a PostgreSQL database has the standbys that it names, and that they follow it."""
    name = N_("replication")
    found = database_facts(config.database).replication
    if found is None:
        return
    following = [each.name for each in found.standbys if each.confirms]
    if found.is_hidden:
        yield warn(
            name,
            N_("The role {role} may not see the state of the standbys."),
            N_("As the database's administrator: GRANT pg_read_all_stats TO {role};"),
            role=found.role,
        )
    elif found.named and not following:
        yield fail(
            name,
            N_("No synchronous standby follows the database: every commit waits, and nothing is accepted."),
            N_("Start the standby, or name another one in synchronous_standby_names: {named}"),
            named=found.named,
        )
    elif found.named:
        yield from _standbys(name, found, following)
    elif found.standbys or len(hosts_of(config.database)) > 1:
        yield warn(
            name,
            N_("No synchronous standby is named: a failover may lose what was acknowledged to other members."),
            N_("Set synchronous_standby_names (node/README.md, PostgreSQL)."),
        )
    else:
        yield ok(name, N_("The database has no standby: one machine holds all data."))


def _standbys(name: str, found: Replication, following: list[str]) -> Iterator[Check]:
    behind = max((each for each in found.standbys if each.confirms), key=lambda each: each.lacks or 0)
    if (behind.lacks or 0) > MUCH_LACKING:
        yield warn(
            name,
            N_("The standby {standby} lacks {size} of the database's log."),
            N_("Look at its disk and network: commits may wait for it."),
            standby=behind.name,
            size=shown_bytes(behind.lacks or 0),
        )
    else:
        yield ok(name, N_("Commits wait for a synchronous standby: {names}."), names=", ".join(following))
