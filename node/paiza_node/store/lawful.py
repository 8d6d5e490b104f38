"""What entries of the own log say that is asked about, and when messages are to be reviewed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, select, true

from paiza_node.model import LogFact, LogQuery, ReviewRow, Viewer
from paiza_node.store import schema as s
from paiza_node.store.desks import seen_by
from paiza_node.store.rows import from_micros, message_row, to_micros
from paiza_node.store.statements import blocks, insertion, replacement

NAMES: Final = "log_names"  # counter of the names given numbers

_F: Final = s.log_fact.c


class LawfulReads:
    """Questions of the lawfulness log, asked over one connection."""

    _connection: Connection

    def find_entries(self, query: LogQuery) -> list[int]:
        """Give the indices of entries that meet a query, in order."""
        statement = select(_F.index).where(_F.index >= query.first, _F.index < query.end)
        if query.events:
            statement = statement.where(_F.event.in_(query.events))
        if query.actor:
            names = select(s.log_name.c.id).where(s.log_name.c.name.contains(query.actor, autoescape=True))
            statement = statement.where(_F.actor.in_(names))
        if query.counterpart:
            statement = statement.where(
                _F.counterpart.in_(select(s.log_name.c.id).where(s.log_name.c.name == query.counterpart))
            )
        if query.digests:
            about = select(s.log_entry.c.index).where(s.log_entry.c.digest.in_(query.digests))
            statement = statement.where(_F.index.in_(about))
        if query.needless:
            statement = statement.where(_F.needless)
        return list(self._connection.execute(statement.order_by(_F.index).limit(query.limit)).scalars())

    def reviews(self, before: datetime, viewer: Viewer, limit: int) -> list[ReviewRow]:
        """Give the messages to be reviewed before a time that a viewer sees, the most overdue first."""
        seen = true() if viewer.units is None else seen_by(viewer)
        rows = self._connection.execute(
            _REVIEWS.where(s.review.c.review_time < to_micros(before), seen)
            .order_by(s.review.c.review_time, s.review.c.seq)
            .limit(limit)
        )
        return [ReviewRow(message_row(row), from_micros(row.review_time)) for row in rows]

    def reviews_between(self, since: datetime, until: datetime, limit: int) -> list[ReviewRow]:
        """Give the messages whose review date lies from one time on and before another."""
        r = s.review.c
        dated = _REVIEWS.where(r.review_time >= to_micros(since), r.review_time < to_micros(until))
        rows = self._connection.execute(dated.order_by(r.review_time, r.seq).limit(limit))
        return [ReviewRow(message_row(row), from_micros(row.review_time)) for row in rows]

    def review(self, seq: int) -> datetime | None:
        """Give when a message is to be reviewed; None where it is not."""
        found = self._connection.execute(select(s.review.c.review_time).where(s.review.c.seq == seq))
        micros = found.scalar_one_or_none()
        return None if micros is None else from_micros(micros)


class LawfulWrites(LawfulReads):
    """The writes of it, in the one transaction of one connection."""

    def add_facts(self, facts: Sequence[LogFact]) -> None:
        """Note what entries say; what was noted before stays as it is."""
        numbers = self._names({name for fact in facts for name in (fact.actor, fact.counterpart)})
        _ADD_FACT.run(
            self._connection,
            [(fact.index, fact.event, numbers[fact.actor], numbers[fact.counterpart], fact.needless) for fact in facts],
        )

    def put_reviews(self, reviews: Sequence[tuple[int, datetime]]) -> None:
        """Say when messages are to be reviewed, by their numbers."""
        _PUT_REVIEW.run(self._connection, [(seq, to_micros(time)) for seq, time in reviews])

    def drop_review(self, seq: int) -> None:
        """Say that a message is not to be reviewed any more."""
        self._connection.execute(delete(s.review).where(s.review.c.seq == seq))

    def _names(self, names: Collection[str]) -> dict[str, int]:
        """Give the numbers of names, numbering those that are new."""
        n = s.log_name.c
        known: dict[str, int] = {}
        for block in blocks(sorted(names)):
            rows = self._connection.execute(select(s.log_name).where(n.name.in_(block)))
            known.update((row.name, row.id) for row in rows)
        fresh = sorted(set(names) - set(known))
        if fresh:
            c = s.counter.c
            last = self._connection.execute(select(c.value).where(c.name == NAMES)).scalar_one_or_none() or 0
            numbered = [(number, name) for number, name in enumerate(fresh, last + 1)]
            _ADD_NAME.run(self._connection, numbered)
            _PUT_COUNTER.run(self._connection, [(NAMES, last + len(fresh))])
            known.update((name, number) for number, name in numbered)
        return known


_REVIEWS: Final[Select[Any]] = select(s.message, s.review.c.review_time).join(
    s.review, s.review.c.seq == s.message.c.seq
)
_ADD_FACT: Final = insertion(s.log_fact, ignore_known=True)
_ADD_NAME: Final = insertion(s.log_name)
_PUT_REVIEW: Final = replacement(s.review)
_PUT_COUNTER: Final = replacement(s.counter)
