"""Who sees which message, and who works on it until when."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, literal_column, or_, select, union_all, update

from paiza_node.model import MessageQuery, Viewer, WorkRow
from paiza_node.store import schema as s
from paiza_node.store.rows import from_micros, to_micros
from paiza_node.store.statements import blocks, insertion

# Literals, so that the databases see that the partial indexes apply.
_OPEN: Final = s.work.c.state < literal_column("3")
_NEW: Final = s.work.c.state == literal_column("1")


class DeskReads:
    """Questions about desks, asked over one connection."""

    _connection: Connection

    def visible(self, seqs: Collection[int], viewer: Viewer) -> set[int]:
        """Give those of these messages that a viewer sees."""
        if viewer.units is None:
            return set(seqs)
        found: set[int] = set()
        wanted = list(seqs)
        for block in blocks(wanted):
            rows = self._connection.execute(select(s.message.c.seq).where(s.message.c.seq.in_(block), seen_by(viewer)))
            found.update(row[0] for row in rows)
        return found

    def unit_of(self, digests: Collection[bytes]) -> str:
        """Give the unit to which the first known of these messages belongs; empty where none is known."""
        m = s.message.c
        found = select(m.unit).where(m.digest.in_(list(digests)), m.unit.is_not(None)).order_by(m.seq).limit(1)
        return self._connection.execute(found).scalar_one_or_none() or ""

    def work(self, digests: Collection[bytes]) -> dict[bytes, WorkRow]:
        """Give the work on these messages."""
        found: dict[bytes, WorkRow] = {}
        wanted = list(digests)
        for block in blocks(wanted):
            for row in self._connection.execute(select(s.work).where(s.work.c.digest.in_(block))):
                found[row.digest] = _work(row)
        return found

    def open_work(self, units: Collection[str] | None, officer: str, limit: int) -> list[WorkRow]:
        """Give what is not done: of these units (None: of all), or given to an officer; what is due first ahead."""
        w = s.work.c
        order = (w.due_time.asc().nulls_last(), w.seq)
        if units is None:
            rows = self._connection.execute(select(s.work).where(_OPEN).order_by(*order).limit(limit))
            return [_work(row) for row in rows]
        branches = [select(s.work).where(_OPEN, w.unit == unit).order_by(*order).limit(limit) for unit in units]
        branches.append(select(s.work).where(_OPEN, w.assignee == officer).order_by(*order).limit(limit))
        found: dict[int, WorkRow] = {}
        for branch in branches:
            found.update((row.seq, _work(row)) for row in self._connection.execute(branch))
        return sorted(found.values(), key=lambda row: (row.due_time is None, row.due_time, row.seq))[:limit]

    def unacknowledged(self, now: datetime, limit: int) -> list[WorkRow]:
        """Give work that should have been acknowledged by now."""
        w = s.work.c
        query = select(s.work).where(_NEW, w.acknowledge_time <= to_micros(now)).order_by(w.acknowledge_time)
        return [_work(row) for row in self._connection.execute(query.limit(limit))]

    def page_seqs(self, query: MessageQuery, conditions: Sequence[ColumnElement[bool]]) -> Any:
        """Give a subquery of the numbers of a page that a viewer sees: each unit's newest, from an index of its own."""
        assert query.seen_by is not None
        assert query.seen_by.units is not None
        m, r = s.message.c, s.reader.c
        boxes = [query.received] if query.received is not None else [True, False]
        branches = []
        for unit in query.seen_by.units:
            for received in boxes:
                order = m.seq.asc() if query.oldest_first else m.seq.desc()
                page = select(m.seq).where(m.unit == unit, m.received == received, *conditions)
                branches.append(select(page.order_by(order).limit(query.limit).subquery().c.seq))
        joined = select(r.seq).join(s.message, m.seq == r.seq).where(r.officer == query.seen_by.officer, *conditions)
        order = r.seq.asc() if query.oldest_first else r.seq.desc()
        branches.append(select(joined.order_by(order).limit(query.limit).subquery().c.seq))
        return union_all(*branches)


class DeskWrites:
    """Writes about desks, in the one transaction of one connection."""

    _connection: Connection

    def add_readers(self, readers: Sequence[tuple[str, int]]) -> None:
        """Let officers see messages, whatever unit these belong to."""
        _ADD_READER.run(self._connection, list(readers))

    def add_work(self, work: Sequence[WorkRow]) -> None:
        """Begin work."""
        rows = [
            (
                each.seq,
                each.digest,
                each.unit,
                each.assignee,
                each.state,
                None if each.acknowledge_time is None else to_micros(each.acknowledge_time),
                None if each.due_time is None else to_micros(each.due_time),
                each.escalations,
            )
            for each in work
        ]
        _ADD_WORK.run(self._connection, rows)

    def put_work(self, work: WorkRow) -> None:
        """Say how work stands now."""
        values = {
            "unit": work.unit,
            "assignee": work.assignee,
            "state": work.state,
            "acknowledge_time": None if work.acknowledge_time is None else to_micros(work.acknowledge_time),
            "escalations": work.escalations,
        }
        self._connection.execute(update(s.work).where(s.work.c.seq == work.seq), values)

    def put_unit(self, seq: int, unit: str) -> None:
        """Say to which unit a message belongs now."""
        self._connection.execute(update(s.message).where(s.message.c.seq == seq), {"unit": unit})


_ADD_READER: Final = insertion(s.reader, ignore_known=True)
_ADD_WORK: Final = insertion(s.work, ignore_known=True)


def seen_by(viewer: Viewer) -> ColumnElement[bool]:
    """Give the condition that a viewer sees a message; for questions that another condition narrows already."""
    assert viewer.units is not None
    r = s.reader.c
    given = exists().where(and_(r.officer == viewer.officer, r.seq == s.message.c.seq))
    return or_(s.message.c.unit.in_(viewer.units), given)


def _work(row: Row[Any]) -> WorkRow:
    return WorkRow(
        seq=row.seq,
        digest=row.digest,
        unit=row.unit,
        assignee=row.assignee,
        state=row.state,
        acknowledge_time=None if row.acknowledge_time is None else from_micros(row.acknowledge_time),
        due_time=None if row.due_time is None else from_micros(row.due_time),
        escalations=row.escalations,
    )
