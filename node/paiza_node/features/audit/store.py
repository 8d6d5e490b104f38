"""The log index in the database."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Boolean, Column, Index, SmallInteger, Table, Text, select, text, union

from paiza_node.core.log.store import log_entry_table, log_listed_table
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.lifecycle import Key, Lifecycle
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import Lookup, insertion
from paiza_node.features.audit.model import LogIndexRow, LogQuery

# Names in the log, each once; and the queried attributes of every entry. Derived from the log, a little behind it,
# so that no commit waits for it.
log_name_table = Table(
    "log_name",
    METADATA,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
)
log_index_table = Table(
    "log_fact",
    METADATA,
    Column("index", Number, primary_key=True, autoincrement=False),
    Column("event", SmallInteger, nullable=False),
    Column("actor", Number, nullable=False),
    Column("counterpart", Number, nullable=False),
    Column("needless", Boolean, nullable=False),  # an opening without need
)
Index("ix_log_fact_event", log_index_table.c.event, log_index_table.c.index)
Index("ix_log_fact_actor", log_index_table.c.actor, log_index_table.c.event, log_index_table.c.index)
Index("ix_log_fact_counterpart", log_index_table.c.counterpart, log_index_table.c.event, log_index_table.c.index)
_WHERE_NEEDLESS: Final = text("needless")
Index("ix_log_fact_needless", log_index_table.c.index, sqlite_where=_WHERE_NEEDLESS, postgresql_where=_WHERE_NEEDLESS)


NAMES: Final = "log_names"  # counter of the numbered names


_F: Final = log_index_table.c


def find_entries(conn: ReadConnection, query: LogQuery) -> list[int]:
    """Return the indices of entries that match a query, in order."""
    statement = select(_F.index).where(_F.index >= query.first, _F.index < query.end)
    if query.events:
        statement = statement.where(_F.event.in_(query.events))
    if query.actor:
        names = select(log_name_table.c.id).where(log_name_table.c.name.contains(query.actor, autoescape=True))
        statement = statement.where(_F.actor.in_(names))
    if query.counterpart:
        statement = statement.where(
            _F.counterpart.in_(select(log_name_table.c.id).where(log_name_table.c.name == query.counterpart))
        )
    if query.digests:
        alone = select(log_entry_table.c.index).where(log_entry_table.c.digest.in_(query.digests))
        listed = select(log_listed_table.c.index).where(log_listed_table.c.digest.in_(query.digests))
        statement = statement.where(_F.index.in_(union(alone, listed)))
    if query.needless:
        statement = statement.where(_F.needless)
    return list(conn.execute(statement.order_by(_F.index).limit(query.limit)).scalars())


def add_facts(conn: WriteConnection, facts: Sequence[LogIndexRow]) -> None:
    """Store attributes of entries; those stored already are unchanged."""
    numbers = _names(conn, {name for fact in facts for name in (fact.actor, fact.counterpart)})
    _ADD_FACT.run(
        conn,
        [(fact.index, fact.event, numbers[fact.actor], numbers[fact.counterpart], fact.needless) for fact in facts],
    )


def _names(conn: WriteConnection, names: Collection[str]) -> dict[str, int]:
    """Return the numbers of names; new ones are numbered."""
    known = {name: number for number, name in _NAMES.run(conn, sorted(names))}
    fresh = sorted(set(names) - set(known))
    if fresh:
        last = settings_store.counter(conn, NAMES)
        numbered = [(number, name) for number, name in enumerate(fresh, last + 1)]
        _ADD_NAME.run(conn, numbered)
        settings_store.put_counter(conn, NAMES, last + len(fresh))
        known.update((name, number) for number, name in numbered)
    return known


_ADD_FACT: Final = insertion(log_index_table, ignore_known=True)

_NAMES: Final = Lookup(select(log_name_table), log_name_table.c.name)

_ADD_NAME: Final = insertion(log_name_table)

LIFECYCLES: Final = (Lifecycle(log_name_table), Lifecycle(log_index_table, Key.ENTRY, log_index_table.c.index))
