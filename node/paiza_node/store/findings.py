"""What was found against other members' logs, and how it ended."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from paiza_node.model import Finding, FindingKind, FindingState, ForeignProof, ProofKind
from paiza_node.store import schema as s
from paiza_node.store.rows import from_micros, to_micros
from paiza_node.store.statements import insertion


class FindingReads:
    """Questions about findings, asked over one connection."""

    _connection: Connection

    def findings(self, member: str = "") -> list[Finding]:
        """Give what was found against one member's log, or against any, oldest first; also what has ended."""
        f = s.finding.c
        statement = select(s.finding).order_by(f.index)
        rows = self._connection.execute(statement.where(f.member == member) if member else statement)
        return [_finding(row) for row in rows]

    def proofs_at(self, member: str, index: int) -> list[ForeignProof]:
        """Give the proofs kept of one entry of a member's log. Reads every proof there is: for rare suspicion alone."""
        p = s.proof.c
        rows = self._connection.execute(
            select(s.proof, s.note.c.note)
            .join(s.note, s.note.c.digest == p.note_digest)
            .where(p.member == member, p.log_index == index)
        )
        return [
            ForeignProof(r.digest, member, ProofKind(r.kind), r.entry, index, r.hashes, r.note, r.register_version)
            for r in rows
        ]


class FindingWrites(FindingReads):
    """The writes of it, in the one transaction of one connection."""

    def add_finding(self, finding: Finding) -> None:
        """Keep a new finding."""
        row = (
            finding.index,
            finding.member,
            finding.origin,
            int(finding.kind),
            finding.proof,
            to_micros(finding.found_time),
            int(finding.state),
            None if finding.ended_time is None else to_micros(finding.ended_time),
            finding.ended_index,
            finding.reason_text,
            finding.forgiven_size,
        )
        _ADD.run(self._connection, [row])

    def end_finding(
        self, index: int, now: datetime, ended_index: int, reason_text: str = "", forgiven_size: int = 0
    ) -> None:
        """Note that a finding has ended, by which entry of our log, and why."""
        self._connection.execute(
            update(s.finding)
            .where(s.finding.c.index == index)
            .values(
                state=int(FindingState.ENDED),
                ended_time=to_micros(now),
                ended_index=ended_index,
                reason_text=reason_text,
                forgiven_size=forgiven_size,
            )
        )


def _finding(row: Row[Any]) -> Finding:
    return Finding(
        # `Row.index` is the method of tuples.
        index=row._mapping["index"],  # noqa: SLF001 - SQLAlchemy's public name for it
        member=row.member,
        origin=row.origin,
        kind=FindingKind(row.kind),
        proof=row.proof,
        found_time=from_micros(row.found_time),
        state=FindingState(row.state),
        ended_time=None if row.ended_time is None else from_micros(row.ended_time),
        ended_index=row.ended_index,
        reason_text=row.reason_text,
        forgiven_size=row.forgiven_size,
    )


_ADD: Final = insertion(s.finding)
