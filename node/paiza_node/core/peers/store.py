"""What is known of other members' logs, and what was found against them."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    Row,
    SmallInteger,
    Table,
    Text,
    delete,
    select,
    update,
)

from paiza_node.core.peers.model import Finding, FindingKind, FindingState, PeerLogView
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import insertion, replacement
from paiza_node.core.storage.times import from_micros, to_micros

known_log_table = Table(
    "known_log",
    METADATA,
    Column("member", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("accepted_time", BigInteger, nullable=False),
)

# What was found against other members' logs, by the entry of our log that says so.
finding_table = Table(
    "finding",
    METADATA,
    Column("index", Number, primary_key=True, autoincrement=False),
    Column("member", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),  # `FindingKind`
    Column("proof", LargeBinary, nullable=False),
    Column("found_time", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),  # `FindingState`
    Column("ended_time", BigInteger, nullable=True),
    Column("ended_index", BigInteger, nullable=True),
    Column("reason_text", Text, nullable=False),
    Column("accepted_up_to", BigInteger, nullable=False),
)
Index("ix_finding_member", finding_table.c.member)

# The largest accepted checkpoints of logs that other members have since left behind.
former_known_log_table = Table(
    "former_known_log",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("member", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("accepted_time", BigInteger, nullable=False),
)


def findings(conn: ReadConnection, member: str = "") -> list[Finding]:
    """Give what was found against one member's log, or against any, oldest first; also what has ended."""
    f = finding_table.c
    statement = select(finding_table).order_by(f.index)
    rows = conn.execute(statement.where(f.member == member) if member else statement)
    return [_finding(row) for row in rows]


def add_finding(conn: WriteConnection, finding: Finding) -> None:
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
        finding.accepted_up_to,
    )
    _ADD.run(conn, [row])


def end_finding(
    conn: WriteConnection, index: int, now: datetime, ended_index: int, reason_text: str = "", accepted_up_to: int = 0
) -> None:
    """Note that a finding has ended, by which entry of our log, and why."""
    conn.execute(
        update(finding_table)
        .where(finding_table.c.index == index)
        .values(
            state=int(FindingState.ENDED),
            ended_time=to_micros(now),
            ended_index=ended_index,
            reason_text=reason_text,
            accepted_up_to=accepted_up_to,
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
        accepted_up_to=row.accepted_up_to,
    )


_ADD: Final = insertion(finding_table)


def known_logs(conn: ReadConnection) -> dict[str, PeerLogView]:
    """Give the largest accepted checkpoint of every other member."""
    rows = conn.execute(select(known_log_table))
    return {r.member: PeerLogView(r.member, r.size, r.root, r.note, from_micros(r.accepted_time)) for r in rows}


def put_known_log(conn: WriteConnection, known: PeerLogView) -> None:
    """Store the largest accepted checkpoint of another member's newest log; a smaller one changes nothing.

    Where the member has left the log behind that is stored, that one's stays beside.
    """
    k = known_log_table.c
    stored = conn.execute(select(known_log_table).where(k.member == known.member)).one_or_none()
    if stored is not None:
        if _origin_line(stored.note) == _origin_line(known.note):
            if stored.size > known.size:
                return
        else:
            time = from_micros(stored.accepted_time)
            former = PeerLogView(stored.member, stored.size, stored.root, stored.note, time)
            leave_known_log(conn, former, _origin_line(stored.note).decode())
    row = (known.member, known.size, known.root, known.note, to_micros(known.accepted_time))
    _PUT_KNOWN_LOG.run(conn, [row])


def drop_known_log(conn: WriteConnection, member: str) -> None:
    """Forget what is known of a member's log: a person decided that it begins anew."""
    conn.execute(delete(known_log_table).where(known_log_table.c.member == member))


_PUT_KNOWN_LOG: Final = replacement(known_log_table)


def _origin_line(note: bytes) -> bytes:
    return note.split(b"\n", 1)[0]


def former_known_logs(conn: ReadConnection, member: str) -> list[PeerLogView]:
    """Give the largest checkpoints accepted of logs that a member has left behind."""
    f = former_known_log_table.c
    rows = conn.execute(select(former_known_log_table).where(f.member == member).order_by(f.accepted_time))
    return [PeerLogView(r.member, r.size, r.root, r.note, from_micros(r.accepted_time)) for r in rows]


def leave_known_log(conn: WriteConnection, known: PeerLogView, origin: str) -> None:
    """Move the known log of a member, which is of this origin, to those left behind: it has a newer one.

    Proofs of its entries to cosigned notes are from now on named by the origin, for the indices begin anew; what
    was not cosigned yet is no more.
    """
    _ADD_FORMER.run(
        conn,
        [(origin, known.member, known.size, known.root, known.note, to_micros(known.accepted_time))],
    )
    conn.execute(delete(known_log_table).where(known_log_table.c.member == known.member))
    p, u = METADATA.tables["cosigned_proof"], METADATA.tables["uncosigned"]
    conn.execute(update(p).where(p.c.member == known.member).values(member=origin))
    conn.execute(delete(u).where(u.c.member == known.member))


_ADD_FORMER: Final = insertion(former_known_log_table, ignore_known=True)
