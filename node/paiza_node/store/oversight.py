"""What other members may see of the log, periods agreed on with them, and how many messages were exchanged.

Counts need no scan of wide rows: totals come from an index that holds nothing but whom a message went to and its
number, and what is not settled or was refused stands in partial indexes. Numbers grow with time, so that a period is
a range of numbers.
"""

from collections.abc import Collection
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Column, Connection, Integer, Row, Table, exists, func, literal_column, select, update

from paiza.core.v1 import delivery_pb2
from paiza_node.model import (
    AuditGrant,
    ForeignProof,
    MessageState,
    Passing,
    Possession,
    ProofKind,
    ReconciledPeriod,
    Tally,
)
from paiza_node.store import schema as s
from paiza_node.store.rows import from_micros, to_micros
from paiza_node.store.statements import blocks, insertion, replacement

_OWN: Final[Any] = literal_column(str(int(Passing.OWN)), Integer())
_REFUSED_HERE: Final[Any] = literal_column(str(int(MessageState.REFUSED)), Integer())
_REFUSED_THERE: Final = (delivery_pb2.DELIVERY_STATE_REFUSED, delivery_pb2.DELIVERY_STATE_REJECTED)


class OversightReads:
    """Questions of oversight, asked over one connection."""

    _connection: Connection

    def audit_grants(self, member: str = "") -> list[AuditGrant]:
        """Give the grants to one member, or all, oldest first; also those that ended."""
        g = s.audit_grant.c
        statement = select(s.audit_grant).order_by(g.id)
        rows = self._connection.execute(statement.where(g.member == member) if member else statement)
        return [_grant(row) for row in rows]

    def reconciled_period(self, counterpart: str, since: datetime, until: datetime) -> ReconciledPeriod | None:
        """Give what was agreed with a member on exactly this period."""
        r = s.reconciled_period.c
        row = self._connection.execute(
            select(s.reconciled_period, s.note.c.note)
            .outerjoin(s.note, s.note.c.digest == r.note_digest)
            .where(r.counterpart == counterpart, r.since_time == to_micros(since), r.until_time == to_micros(until))
        ).one_or_none()
        if row is None:
            return None
        theirs = None
        if row.entry is not None:
            theirs = ForeignProof(
                b"",
                counterpart,
                ProofKind.ANSWER,
                row.entry,
                row.entry_index,
                row.hashes,
                row.note,
                row.register_version,
            )
        return ReconciledPeriod(counterpart, since, until, row.digest, row.log_index, theirs)

    def held_proofs(self, digests: Collection[bytes], member: str) -> dict[bytes, list[ForeignProof]]:
        """Give the proofs kept of one member's log about these messages: that it released, passed on or answered."""
        p, o = s.proof.c, s.passed_on.c
        found: dict[bytes, list[ForeignProof]] = {}
        for block in blocks(list(digests)):
            kept = self._connection.execute(
                select(s.proof, s.note.c.note)
                .join(s.note, s.note.c.digest == p.note_digest)
                .where(p.digest.in_(block), p.member == member, p.kind != int(ProofKind.ORIGIN))
            )
            for r in kept:
                found.setdefault(r.digest, []).append(
                    ForeignProof(
                        r.digest, member, ProofKind(r.kind), r.entry, r.log_index, r.hashes, r.note, r.register_version
                    )
                )
            passed = self._connection.execute(
                select(s.passed_on, s.note.c.note)
                .join(s.note, s.note.c.digest == o.note_digest)
                .where(o.digest.in_(block), o.forwarder == member)
            )
            for r in passed:
                found.setdefault(r.digest, []).append(
                    ForeignProof(
                        r.digest,
                        member,
                        ProofKind.RELEASED,
                        r.entry,
                        r.entry_index,
                        r.hashes,
                        r.note,
                        r.register_version,
                    )
                )
        return found

    def possessions(self, digests: Collection[bytes]) -> dict[bytes, Possession]:
        """Give the headers of these messages, as far as they are there, and whether their ciphertexts are."""
        m = s.message.c
        body = exists().where(s.message_body.c.seq == m.seq)
        found: dict[bytes, Possession] = {}
        for block in blocks(list(digests)):
            rows = self._connection.execute(select(m.digest, m.author, m.header, body).where(m.digest.in_(block)))
            found.update((row[0], Possession(row[1], row[2], bool(row[3]))) for row in rows)
        return found

    def retired_end(self) -> int:
        """Give the index below which audit retention took entries; 0 where it took none."""
        last = self._connection.execute(select(func.max(s.retired.c.index))).scalar_one()
        return 0 if last is None else int(last) + 1

    def tallies(
        self, members: Collection[str], since: datetime | None, until: datetime | None, overdue_before: datetime
    ) -> list[Tally]:
        """Count what was exchanged with these members in a period, and what has no answer since before a time."""
        d, m = s.delivery.c, s.message.c
        first = 0 if since is None else self._number_at(d.id, d.released_time, since)
        last = None if until is None else self._number_at(d.id, d.released_time, until)
        overdue = self._number_at(d.id, d.released_time, overdue_before)
        overdue = overdue if last is None else min(overdue, last)
        first_seq = 0 if since is None else self._number_at(m.seq, m.stored_time, since)
        last_seq = None if until is None else self._number_at(m.seq, m.stored_time, until)
        sent_span = [d.id >= first, *([d.id < last] if last is not None else [])]
        seq_span = [m.seq >= first_seq, *([m.seq < last_seq] if last_seq is not None else [])]
        failed: dict[tuple[str, bool], int] = {}
        rows = self._connection.execute(
            select(d.recipient, d.state, func.count())
            .where(d.state > literal_column("2", Integer()), d.passing == _OWN, *sent_span)
            .group_by(d.recipient, d.state)
        )
        for recipient, state, count in rows:
            key = (recipient, state in _REFUSED_THERE)
            failed[key] = failed.get(key, 0) + count
        passed = self._passed_on_held(seq_span)
        return [
            tally
            for member in sorted(members)
            if (tally := self._tally(member, sent_span, overdue, seq_span, failed, passed.get(member, 0))) is not None
        ]

    def _tally(
        self,
        member: str,
        sent_span: list[Any],
        overdue: int,
        seq_span: list[Any],
        failed: dict[tuple[str, bool], int],
        passed: int,
    ) -> Tally | None:
        d, m = s.delivery.c, s.message.c
        sent = self._count(s.delivery, d.recipient == member, d.passing == _OWN, *sent_span)
        waits = [d.state == s.WAITING_LITERAL, d.recipient == member, d.passing == _OWN, *sent_span]
        waiting = self._count(s.delivery, *waits)
        late = self._count(s.delivery, *waits, d.id < overdue) if waiting else 0
        refused, given_up = failed.get((member, True), 0), failed.get((member, False), 0)
        refused_here = self._count(s.message, m.state == _REFUSED_HERE, m.author == member, *seq_span)
        received = self._count(s.message, m.author == member, *seq_span) - refused_here - passed
        if not (sent or received or refused_here):
            return None
        return Tally(
            member, sent, sent - waiting - refused - given_up, refused, late + given_up, received, refused_here
        )

    def _passed_on_held(self, span: list[Any]) -> dict[str, int]:
        """Count the messages that are here only because somebody passed them on, by author."""
        m, o = s.message.c, s.passed_on.c
        joined = s.passed_on.join(s.message, m.digest == o.digest)
        rows = self._connection.execute(
            select(m.author, func.count(m.seq.distinct()))
            .select_from(joined)
            .where(o.held.is_(True), *span)
            .group_by(m.author)
        )
        return {row[0]: row[1] for row in rows}

    def _count(self, table: Table, *conditions: Any) -> int:
        return int(self._connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())

    def _number_at(self, number: Column[Any], time: Column[Any], moment: datetime) -> int:
        """Give the first number whose row is of this moment or later, by halving: times never decrease with numbers."""
        wanted = to_micros(moment)
        low = 0
        high = (self._connection.execute(select(func.max(number))).scalar_one() or 0) + 1
        at = select(number, time).order_by(number).limit(1)
        while low < high:
            middle = (low + high) // 2
            row = self._connection.execute(at.where(number >= middle)).one_or_none()
            if row is None or row[1] >= wanted:
                high = middle
            else:
                low = row[0] + 1
        return low


class OversightWrites(OversightReads):
    """The writes of it, in the one transaction of one connection."""

    def add_audit_grant(self, grant: AuditGrant) -> None:
        """Keep a new grant."""
        row = (
            grant.id,
            grant.member,
            " ".join(str(event) for event in sorted(grant.events)),
            None if grant.since_time is None else to_micros(grant.since_time),
            to_micros(grant.until_time),
            grant.headers,
            to_micros(grant.granted_time),
            None,
        )
        _ADD_GRANT.run(self._connection, [row])

    def end_audit_grant(self, grant_id: int, now: datetime) -> None:
        """Note that a grant was withdrawn."""
        g = s.audit_grant
        self._connection.execute(update(g).where(g.c.id == grant_id).values(withdrawn_time=to_micros(now)))

    def put_reconciled(self, period: ReconciledPeriod) -> None:
        """Keep what was agreed on a period, and the other side's proof as soon as there is one."""
        theirs = period.theirs
        note = None
        if theirs is not None:
            note = sha256(theirs.checkpoint).digest()
            _ADD_NOTE.run(self._connection, [(note, theirs.checkpoint)])
        row = (
            period.counterpart,
            to_micros(period.since_time),
            to_micros(period.until_time),
            period.digest,
            period.log_index,
            None if theirs is None else theirs.entry,
            None if theirs is None else theirs.index,
            None if theirs is None else theirs.hashes,
            note,
            None if theirs is None else theirs.register_version,
        )
        _PUT_PERIOD.run(self._connection, [row])


_ADD_GRANT: Final = insertion(s.audit_grant)
_PUT_PERIOD: Final = replacement(s.reconciled_period)
_ADD_NOTE: Final = insertion(s.note, ignore_known=True)


def _grant(row: Row[Any]) -> AuditGrant:
    def moment(micros: int | None) -> datetime | None:
        return None if micros is None else from_micros(micros)

    return AuditGrant(
        id=row.id,
        member=row.member,
        events=frozenset(int(event) for event in row.events.split()),
        since_time=moment(row.since_time),
        until_time=from_micros(row.until_time),
        headers=row.headers,
        granted_time=from_micros(row.granted_time),
        withdrawn_time=moment(row.withdrawn_time),
    )
