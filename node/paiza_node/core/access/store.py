"""Officers of the own member with their certificates and invitations, what they may see, and what they opened."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    union_all,
)

from paiza_node.core.access.model import (
    CertificateState,
    Deputy,
    Invitation,
    InvitationAlarm,
    InvitationState,
    MessageQuery,
    Officer,
    OfficerCertificate,
    OfficerState,
    Opened,
    Viewer,
)
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState, ThreadRow
from paiza_node.core.messages.store import message_row, message_table
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Key, Lifecycle
from paiza_node.core.storage.records import TIME, Kept, Records
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import Lookup, blocks, insertion, replacement
from paiza_node.core.storage.times import to_micros
from paiza_wire.identity import CertificateUse

officer_table = Table(
    "officer",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("roles", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)

# All certificates ever issued to the officers: a member has hundreds of them after ten years.
officer_certificate_table = Table(
    "officer_certificate",
    METADATA,
    Column("certificate_sha256", LargeBinary, primary_key=True),
    Column("officer", Text, nullable=False),
    Column("use", Text, nullable=False),
    Column("der", LargeBinary, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("invitation_sha256", LargeBinary, nullable=False),
    Column("to_revoke", Boolean, nullable=False),
    Column("confirmed_index", BigInteger, nullable=True),
)
Index("ix_officer_certificate_officer", officer_certificate_table.c.officer)

invitation_table = Table(
    "invitation",
    METADATA,
    Column("invitation_sha256", LargeBinary, primary_key=True),
    Column("officer", Text, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("expiry_time", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("keys_sha256", LargeBinary, nullable=False),
    Column("guesses", Integer, nullable=False),
    Column("alarm", Text, nullable=False),
    Column("administrator_signature", LargeBinary, nullable=False),
)
Index("ix_invitation_officer", invitation_table.c.officer)
Index("ix_invitation_state", invitation_table.c.state)

# Every appointment of a deputy: some in a year for each officer.
deputy_table = Table(
    "deputy",
    METADATA,
    Column("log_index", Number, primary_key=True, autoincrement=False),
    Column("officer", Text, nullable=False),
    Column("deputy", Text, nullable=False),
    Column("end_time", BigInteger, nullable=False),
    Column("ended_index", BigInteger, nullable=True),
)
_WHERE_NOT_ENDED: Final = text("ended_index IS NULL")
Index("ix_deputy_officer", deputy_table.c.officer, sqlite_where=_WHERE_NOT_ENDED, postgresql_where=_WHERE_NOT_ENDED)
Index("ix_deputy_deputy", deputy_table.c.deputy)

opened_table = Table(
    "opened",
    METADATA,
    Column("log_index", Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("part_number", Integer, nullable=False),
    Column("officer", Text, nullable=False),
)
Index("ix_opened_digest_officer", opened_table.c.digest, opened_table.c.officer)

# Number of messages that each officer opened together on the last day they did so.
opened_together_table = Table(
    "opened_together",
    METADATA,
    Column("officer", Text, primary_key=True),
    Column("day", Integer, nullable=False),  # days since 1970, UTC
    Column("count", Integer, nullable=False),
)

# Officers who see a message in addition to those of its unit: those it was assigned to, and its signers.
reader_table = Table(
    "reader",
    METADATA,
    Column("officer", Text, primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
Index("ix_reader_seq", reader_table.c.seq)  # for retirement


def officers(conn: ReadConnection) -> dict[str, Officer]:
    """Return the officers of the own member, by id."""
    return {officer.id: officer for officer in _OFFICERS.find(conn, select(officer_table))}


def officer(conn: ReadConnection, officer_id: str) -> Officer | None:
    """Return an officer of the own member."""
    return _OFFICERS.first(conn, select(officer_table).where(officer_table.c.id == officer_id))


def put_officer(conn: WriteConnection, officer: Officer) -> None:
    """Store an officer of the own member."""
    _OFFICERS.put(conn, [officer])


def officer_certificates(conn: ReadConnection, officer_id: str | None = None) -> list[OfficerCertificate]:
    """Return the certificates of one officer, or of all, in the order of their entries."""
    c = officer_certificate_table.c
    found = select(officer_certificate_table).order_by(c.log_index, c.use)
    return _CERTIFICATES.find(conn, found if officer_id is None else found.where(c.officer == officer_id))


def certified_indices(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, int]:
    """Return the index of the OFFICER_CERTIFIED entry of each of these signing certificates that is known."""
    c = officer_certificate_table.c
    rows = conn.execute(select(c.certificate_sha256, c.log_index).where(c.certificate_sha256.in_(list(digests))))
    return {row[0]: row[1] for row in rows}


def put_officer_certificates(conn: WriteConnection, certificates: Collection[OfficerCertificate]) -> None:
    """Store certificates of officers."""
    _CERTIFICATES.put(conn, certificates)


def newest_signing(conn: ReadConnection, officer_id: str) -> bytes:
    """Return SHA-256 of an officer's newest signing certificate, which entries about them name; empty without one."""
    signing = [each for each in officer_certificates(conn, officer_id) if each.use == "signing"]
    return signing[-1].certificate_sha256 if signing else b""


def deputies(conn: ReadConnection) -> list[Deputy]:
    """Return the appointments that were not ended, in the order of the officers; the time of some may be over."""
    c = deputy_table.c
    return _DEPUTIES.find(conn, select(deputy_table).where(c.ended_index.is_(None)).order_by(c.officer))


def all_deputies(conn: ReadConnection) -> list[Deputy]:
    """Return every appointment ever made, in the order of their entries."""
    return _DEPUTIES.find(conn, select(deputy_table).order_by(deputy_table.c.log_index))


def appointments_of(conn: ReadConnection, deputy: str) -> list[Deputy]:
    """Return every appointment of an officer as a deputy, also those that ended."""
    return _DEPUTIES.find(conn, select(deputy_table).where(deputy_table.c.deputy == deputy))


def put_deputy(conn: WriteConnection, deputy: Deputy) -> None:
    """Store an appointment, or that it ended."""
    _DEPUTIES.put(conn, [deputy])


def invitation(conn: ReadConnection, invitation_sha256: bytes) -> Invitation | None:
    """Return an invitation."""
    c = invitation_table.c
    return _INVITATIONS.first(conn, select(invitation_table).where(c.invitation_sha256 == invitation_sha256))


def invitations(conn: ReadConnection, officer_id: str) -> list[Invitation]:
    """Return every invitation of a person, in the order of their entries."""
    c = invitation_table.c
    found = select(invitation_table).where(c.officer == officer_id).order_by(c.log_index)
    return _INVITATIONS.find(conn, found)


def all_invitations(conn: ReadConnection) -> list[Invitation]:
    """Return every invitation ever made, in the order of their entries."""
    return _INVITATIONS.find(conn, select(invitation_table).order_by(invitation_table.c.log_index))


def open_invitations(conn: ReadConnection) -> list[Invitation]:
    """Return the invitations that are neither used nor void, also those whose time is over."""
    c = invitation_table.c
    found = select(invitation_table).where(c.state == InvitationState.OPEN.value).order_by(c.log_index)
    return _INVITATIONS.find(conn, found)


def invitations_in_time(conn: ReadConnection, now: datetime) -> list[Invitation]:
    """Return the invitations that are open or used, and whose time is not over."""
    c = invitation_table.c
    states = [InvitationState.OPEN.value, InvitationState.USED.value]
    found = select(invitation_table).where(c.state.in_(states), c.expiry_time > to_micros(now))
    return _INVITATIONS.find(conn, found.order_by(c.log_index))


def alarms(conn: ReadConnection) -> list[Invitation]:
    """Return the invitations with an alarm, each unless the officer was invited anew since."""
    c = invitation_table.c
    newer = invitation_table.alias()
    since = exists().where(newer.c.officer == c.officer, newer.c.log_index > c.log_index)
    found = select(invitation_table).where(c.alarm != InvitationAlarm.NONE.value, ~since).order_by(c.log_index)
    return _INVITATIONS.find(conn, found)


def put_invitation(conn: WriteConnection, invitation: Invitation) -> None:
    """Store an invitation."""
    _INVITATIONS.put(conn, [invitation])


def openers(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, set[str]]:
    """Return the officers who opened the main part of each of these messages."""
    found: dict[bytes, set[str]] = {}
    for digest, officer in _OPENERS.run(conn, digests):
        found.setdefault(digest, set()).add(officer)
    return found


_OPENERS: Final = Lookup(
    select(opened_table.c.digest, opened_table.c.officer)
    .where(opened_table.c.part_number == literal_column("0"))
    .distinct(),
    opened_table.c.digest,
)


def add_opened(conn: WriteConnection, opened: Opened) -> None:
    """Store that an officer opened a part."""
    _OPENED.add(conn, [opened])


_OFFICERS: Final = Records(
    officer_table,
    Officer,
    roles=Kept(lambda roles: " ".join(sorted(roles)), lambda text: frozenset(text.split())),
    state=Kept(str, OfficerState),
)
_CERTIFICATES: Final = Records(
    officer_certificate_table,
    OfficerCertificate,
    use=Kept(str, {each: each for each in get_args(CertificateUse)}.__getitem__),
    not_before=TIME,
    not_after=TIME,
    state=Kept(str, CertificateState),
    to_revoke=Kept(bool, bool),
)
_DEPUTIES: Final = Records(deputy_table, Deputy, end_time=TIME)
_INVITATIONS: Final = Records(
    invitation_table, Invitation, expiry_time=TIME, state=Kept(str, InvitationState), alarm=Kept(str, InvitationAlarm)
)
_OPENED: Final = Records(opened_table, Opened)


def visible(conn: ReadConnection, seqs: Collection[int], viewer: Viewer) -> set[int]:
    """Return those of these messages that a viewer sees."""
    if viewer.units is None:
        return set(seqs)
    found: set[int] = set()
    wanted = list(seqs)
    for block in blocks(wanted):
        rows = conn.execute(select(message_table.c.seq).where(message_table.c.seq.in_(block), seen_by(viewer)))
        found.update(row[0] for row in rows)
    return found


def add_readers(conn: WriteConnection, readers: Sequence[tuple[str, int]]) -> None:
    """Allow officers to see messages regardless of the messages' unit."""
    _ADD_READER.run(conn, list(readers))


def readers_of(conn: ReadConnection, seqs: Collection[int]) -> dict[int, set[str]]:
    """Return the officers who see these messages regardless of unit, by the number of the message."""
    r = reader_table.c
    found: dict[int, set[str]] = {}
    for block in blocks(list(seqs)):
        for officer_id, seq in conn.execute(select(r.officer, r.seq).where(r.seq.in_(block))):
            found.setdefault(seq, set()).add(officer_id)
    return found


_ADD_READER: Final = insertion(reader_table, ignore_known=True)


def readers(conn: ReadConnection, seqs: Collection[int]) -> dict[int, set[str]]:
    """Return the officers who see these messages regardless of the messages' unit, by the number of the message."""
    found: dict[int, set[str]] = {}
    for seq, officer in _READERS.run(conn, seqs):
        found.setdefault(seq, set()).add(officer)
    return found


_READERS: Final = Lookup(select(reader_table.c.seq, reader_table.c.officer), reader_table.c.seq)


def seen_by(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that a viewer sees a message; for queries that another condition already narrows."""
    assert viewer.units is not None
    r = reader_table.c
    given = exists().where(and_(_is_one_of(r.officer, viewer.readers), r.seq == message_table.c.seq))
    return or_(message_table.c.unit.in_(viewer.units), given)


def _is_one_of(column: Any, values: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a column has one of these values; mostly there is but one."""
    return column == values[0] if len(values) == 1 else column.in_(values)  # type: ignore[no-any-return]  # Any


def find_messages(conn: ReadConnection, query: MessageQuery) -> list[MessageRow]:
    """Return the messages that match, newest first. The cost depends on the page size alone."""
    m = message_table.c
    order = m.seq.asc() if query.oldest_first else m.seq.desc()
    conditions = _conditions(query)
    if query.seen_by is not None and query.seen_by.units is not None:
        narrow = query.thread_id or query.thread_name or query.id_prefix
        conditions = [*conditions, seen_by(query.seen_by)] if narrow else [m.seq.in_(_page_seqs(query, conditions))]
    statement = select(message_table).where(*conditions).order_by(order).limit(query.limit)
    return [message_row(row) for row in conn.execute(statement)]


def seen_messages(conn: ReadConnection, digests: Collection[bytes], viewer: Viewer | None = None) -> list[MessageRow]:
    """Return those of these messages that ``viewer`` sees, in order of arrival."""
    if viewer is None or viewer.units is None:
        return messages_store.messages_of(conn, digests)
    found: list[MessageRow] = []
    for block in blocks(list(digests)):
        rows = conn.execute(select(message_table).where(message_table.c.digest.in_(block), seen_by(viewer)))
        found.extend(message_row(row) for row in rows)
    return sorted(found, key=lambda row: row.seq)


def sees_thread(conn: ReadConnection, thread_id: bytes, viewer: Viewer) -> bool:
    """Return whether a viewer sees any message of a thread; False for a thread of which none is stored."""
    m = message_table.c
    seen = [] if viewer.units is None else [seen_by(viewer)]
    found = select(m.seq).where(m.thread_id == thread_id, m.state != int(MessageState.REFUSED), *seen).limit(1)
    return conn.execute(found).first() is not None


def seen_threads(
    conn: ReadConnection, kinds: Collection[str], viewer: Viewer, *, before_seq: int | None = None, limit: int = 100
) -> list[ThreadRow]:
    """Return the threads with messages of these kinds of which a viewer sees a message, the last changed one first."""
    step, m = message_table.alias("step"), message_table.c
    last = func.max(step.c.seq)
    refused = int(MessageState.REFUSED)
    found = select(step.c.thread_id, func.max(step.c.thread_name), last)
    found = found.where(step.c.kind.in_(sorted(kinds)), step.c.state != refused)
    if viewer.units is not None:
        found = found.where(exists().where(m.thread_id == step.c.thread_id, m.state != refused, seen_by(viewer)))
    found = found.group_by(step.c.thread_id).order_by(last.desc()).limit(limit)
    if before_seq is not None:
        found = found.having(last < before_seq)
    return [ThreadRow(bytes(row[0]), row[1], row[2]) for row in conn.execute(found)]


def _conditions(query: MessageQuery) -> list[ColumnElement[bool]]:
    m = message_table.c
    conditions: list[ColumnElement[bool]] = []
    if query.received is not None:
        conditions.append(m.received == query.received)
        if query.received:
            conditions.append(m.state == int(MessageState.RECEIVED))
    if query.kind:
        conditions.append(m.kind == query.kind)
    if query.author:
        conditions.append(m.author == query.author)
    if query.since_time is not None:
        conditions.append(m.stored_time >= to_micros(query.since_time))
    if query.until_time is not None:
        conditions.append(m.stored_time < to_micros(query.until_time))
    if query.thread_id:
        conditions.append(m.thread_id == query.thread_id)
    if query.thread_name:
        conditions.append(m.thread_name == query.thread_name)
    if query.id_prefix:
        conditions.append(or_(*(_begins(column, query.id_prefix) for column in (m.digest, m.message_id))))
    if query.unread_by:
        o = opened_table.c
        conditions.append(~exists().where(and_(o.digest == m.digest, o.officer == query.unread_by, o.part_number == 0)))
    if query.before_seq is not None:
        conditions.append(m.seq < query.before_seq)
    if query.after_seq:
        conditions.append(m.seq > query.after_seq)
    return conditions


def _begins(column: Any, prefix: str) -> ColumnElement[bool]:
    """Return the condition that bytes begin with these hex digits, as a range that an index can serve."""
    low = bytes.fromhex(prefix + "0" * (len(prefix) % 2))
    high = bytes.fromhex(prefix + "f" * (len(prefix) % 2)) + b"\xff" * 32
    return and_(column >= low, column <= high)


def _page_seqs(query: MessageQuery, conditions: Sequence[ColumnElement[bool]]) -> Any:
    """Return a subquery of the numbers of a page that a viewer sees: the newest of each unit, through an index."""
    assert query.seen_by is not None
    assert query.seen_by.units is not None
    m, r = message_table.c, reader_table.c
    boxes = [query.received] if query.received is not None else [True, False]
    branches = []
    for unit in query.seen_by.units:
        for received in boxes:
            order = m.seq.asc() if query.oldest_first else m.seq.desc()
            page = select(m.seq).where(m.unit == unit, m.received == received, *conditions)
            branches.append(select(page.order_by(order).limit(query.limit).subquery().c.seq))
    for reader in query.seen_by.readers:
        joined = select(r.seq).join(message_table, m.seq == r.seq).where(r.officer == reader, *conditions)
        order = r.seq.asc() if query.oldest_first else r.seq.desc()
        branches.append(select(joined.order_by(order).limit(query.limit).subquery().c.seq))
    return union_all(*branches)


def opened_together(conn: ReadConnection, officer: str, day: int) -> int:
    """Return how many messages an officer opened together on a day."""
    t = opened_together_table.c
    return conn.execute(select(t.count).where(t.officer == officer, t.day == day)).scalar_one_or_none() or 0


def put_opened_together(conn: WriteConnection, officer: str, day: int, count: int) -> None:
    """Store how many messages an officer opened together on a day."""
    _PUT_OPENED_TOGETHER.run(conn, [(officer, day, count)])


_PUT_OPENED_TOGETHER: Final = replacement(opened_together_table)


LIFECYCLES: Final = (
    Lifecycle(officer_table),
    Lifecycle(officer_certificate_table),
    Lifecycle(invitation_table),
    Lifecycle(deputy_table),
    Lifecycle(opened_together_table),
    Lifecycle(opened_table, Key.DIGEST, opened_table.c.digest),
    Lifecycle(reader_table, Key.MESSAGE, reader_table.c.seq),
)
