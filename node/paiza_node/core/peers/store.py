"""The known state of other members' logs, the findings against them, and the members that are blocked."""

from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    bindparam,
    delete,
    select,
    update,
)

from paiza_node.core.log.model import origin_of
from paiza_node.core.peers.model import Finding, FindingKind, FindingState, PeerBlock, PeerLogView
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Lifecycle
from paiza_node.core.storage.records import TIME, Kept, Records
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import Query, insertion
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

# Findings against other members' logs, by the entry of our log that records each.
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

# The largest accepted checkpoints of former logs of other members.
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
    """Return the findings against one member's log, or against any, oldest first; including ended ones."""
    f = finding_table.c
    statement = select(finding_table).order_by(f.index)
    return _FINDINGS.find(conn, statement.where(f.member == member) if member else statement)


def add_finding(conn: WriteConnection, finding: Finding) -> None:
    """Store a new finding."""
    _FINDINGS.add(conn, [finding])


def end_finding(
    conn: WriteConnection, index: int, now: datetime, ended_index: int, reason_text: str = "", accepted_up_to: int = 0
) -> None:
    """Store the end of a finding: the entry of our log that ends it, and the reason."""
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


_FINDINGS: Final = Records(
    finding_table,
    Finding,
    kind=Kept(int, FindingKind),
    found_time=TIME,
    state=Kept(int, FindingState),
    ended_time=TIME,
)


def known_logs(conn: ReadConnection) -> dict[str, PeerLogView]:
    """Return the largest accepted checkpoint of every other member."""
    return {known.member: known for known in _KNOWN_LOGS.find(conn, select(known_log_table))}


def put_known_log(conn: WriteConnection, known: PeerLogView) -> None:
    """Store the largest accepted checkpoint of another member's newest log; a smaller one changes nothing.

    If the stored one is of a former log of the member, it is kept as such.
    """
    for stored in map(_KNOWN_LOGS.read, _KNOWN_LOG.run(conn, known.member)):
        if origin_of(stored.note) == origin_of(known.note):
            if stored.size > known.size:
                return
        else:
            time = to_micros(stored.accepted_time)
            former = (origin_of(stored.note), stored.member, stored.size, stored.root, stored.note, time)
            _ADD_FORMER.run(conn, [former])
    _KNOWN_LOGS.put(conn, [known])


def drop_known_log(conn: WriteConnection, member: str) -> None:
    """Forget the known state of a member's log: trust was restored and it begins anew."""
    conn.execute(delete(known_log_table).where(known_log_table.c.member == member))


_KNOWN_LOG: Final = Query(
    select(known_log_table).where(known_log_table.c.member == bindparam("member", type_=Text)), "member"
)
_KNOWN_LOGS: Final = Records(known_log_table, PeerLogView, accepted_time=TIME)


def former_known_logs(conn: ReadConnection, member: str) -> list[PeerLogView]:
    """Return the largest checkpoints accepted of former logs of a member."""
    f = former_known_log_table.c
    rows = conn.execute(select(former_known_log_table).where(f.member == member).order_by(f.accepted_time))
    return [PeerLogView(r.member, r.size, r.root, r.note, from_micros(r.accepted_time)) for r in rows]


_ADD_FORMER: Final = insertion(former_known_log_table, ignore_known=True)


# Members with which nothing is exchanged now; the log has the blocks that ended.
peer_block_table = Table(
    "peer_block",
    METADATA,
    Column("member", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("blocked_time", BigInteger, nullable=False),
    Column("reason_text", Text, nullable=False),
    Column("index", BigInteger, nullable=False),
)


def peer_blocks(conn: ReadConnection) -> dict[str, PeerBlock]:
    """Return the block of every blocked member."""
    return {block.member: block for block in _PEER_BLOCKS.find(conn, select(peer_block_table))}


def put_peer_block(conn: WriteConnection, block: PeerBlock) -> None:
    """Store the block of a member; it replaces an earlier one."""
    _PEER_BLOCKS.put(conn, [block])


def drop_peer_block(conn: WriteConnection, member: str) -> None:
    """Delete the block of a member."""
    conn.execute(delete(peer_block_table).where(peer_block_table.c.member == member))


_PEER_BLOCKS: Final = Records(peer_block_table, PeerBlock, blocked_time=TIME)


LIFECYCLES: Final = (
    Lifecycle(known_log_table),
    Lifecycle(former_known_log_table),
    Lifecycle(finding_table),
    Lifecycle(peer_block_table),
)
