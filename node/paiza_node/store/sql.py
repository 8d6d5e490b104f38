"""The store: one writing connection for the ledger, a small pool for everybody else.

What a crash leaves: a transaction is whole or absent. `SqlStore.transaction` commits when its block ends; where the
answer to
a COMMIT is lost, the ledger looks the batch up by its id (`Head.batch`) and does not repeat it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.sql.dml import UpdateBase

from paiza_node.errors import N_, NodeStopped
from paiza_node.model import (
    DeliveryRow,
    ForeignProof,
    Head,
    KnownLog,
    MessageRow,
    MessageState,
    Officer,
    Opened,
    Postponement,
    Settlement,
)
from paiza_node.store import schema as s
from paiza_node.store.approvals import ApprovalWrites
from paiza_node.store.attachments import AttachmentWrites
from paiza_node.store.desks import DeskWrites
from paiza_node.store.engine import WriterLock, parse_url, purge, reader_engine, take_advisory_lock, writer_engine
from paiza_node.store.erasures import ErasureWrites
from paiza_node.store.findings import FindingWrites
from paiza_node.store.lawful import LawfulWrites
from paiza_node.store.migrate import migrate
from paiza_node.store.oversight import OversightWrites
from paiza_node.store.parents import ParentWrites
from paiza_node.store.passing import PassingWrites
from paiza_node.store.reads import URGENT_FROM, SqlReads
from paiza_node.store.recovery import RecoveryWrites
from paiza_node.store.retiring import RetiringWrites
from paiza_node.store.rows import from_micros, to_micros
from paiza_node.store.search import SearchWrites
from paiza_node.store.statements import Statement, insertion, replacement
from paiza_node.store.witness import WitnessWrites
from paiza_wire.errors import Unavailable

MAX_DETAIL: Final = 500  # characters of a reason's detail that are kept


class SqlTransaction(
    ApprovalWrites,
    AttachmentWrites,
    DeskWrites,
    ErasureWrites,
    LawfulWrites,
    RetiringWrites,
    SearchWrites,
    FindingWrites,
    OversightWrites,
    ParentWrites,
    PassingWrites,
    RecoveryWrites,
    WitnessWrites,
    SqlReads,
):
    """The writes of `paiza_node.ports.Transaction`, in the one transaction of one connection."""

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what the block wrote if it raises, and nothing else."""
        try:
            with self._connection.begin_nested():
                yield
        except OperationalError as error:
            raise Unavailable("database_unavailable", f"the database failed: {_said(error)}") from error

    def set_head(self, head: Head) -> None:
        """Advance the head of the log."""
        values = {
            "size": head.size,
            "root": head.root,
            "messages": head.messages,
            "deliveries": head.deliveries,
            "last_time": to_micros(head.last_time),
            "batch": head.batch,
        }
        if self._connection.execute(update(s.log_head).where(s.log_head.c.id == 1), values).rowcount == 0:
            self._connection.execute(insert(s.log_head), {"id": 1, **values})

    def put_tiles(self, tiles: Sequence[tuple[int, int, bytes]]) -> None:
        """Store tiles; a longer one replaces a shorter."""
        _PUT_TILE.run(self._connection, tiles)

    def add_entries(self, entries: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Append entries to the log: (index, entry, digest of the message concerned or empty)."""
        _ADD_ENTRY.run(self._connection, [(index, entry, digest or None) for index, entry, digest in entries])

    def add_texts(self, texts: Mapping[int, str]) -> None:
        """Keep free texts beside entries."""
        self._insert(s.log_text, [{"index": index, "text": text} for index, text in texts.items()])

    def add_messages(self, messages: Sequence[MessageRow]) -> None:
        """Store messages with their bodies."""
        rows = [
            (
                m.seq,
                m.digest,
                m.author,
                m.message_id,
                m.thread_id,
                m.thread_name,
                m.kind,
                m.urgency,
                int(m.state),
                m.received,
                to_micros(m.stored_time),
                m.source_row,
                m.header,
                m.unit,
            )
            for m in messages
        ]
        _ADD_MESSAGE.run(self._connection, rows)
        _ADD_BODY.run(self._connection, [(m.seq, m.signed) for m in messages if m.signed is not None])
        self.add_parents([m for m in messages if m.state is not MessageState.REFUSED])

    def add_deliveries(self, deliveries: Sequence[DeliveryRow]) -> None:
        """Queue deliveries."""
        rows = [
            (
                d.id,
                d.message_seq,
                d.digest,
                d.recipient,
                d.urgency,
                d.urgency >= URGENT_FROM,
                d.released_index,
                to_micros(d.released_time),
                to_micros(d.expires_time),
                to_micros(d.next_attempt_time),
                d.state,
                d.attempts,
                d.reason,
                d.detail,
                None,
                int(d.passing),
            )
            for d in deliveries
        ]
        _ADD_DELIVERY.run(self._connection, rows)

    def settle(self, settlements: Sequence[Settlement], now: datetime) -> list[int]:
        """End deliveries that still wait; gives their ids. Those settled before are left as they are."""
        waiting = self.waiting([settlement.id for settlement in settlements])
        ended = [settlement for settlement in settlements if settlement.id in waiting]
        micros = to_micros(now)
        _SETTLE.run(self._connection, [(e.state, e.reason, e.detail[:MAX_DETAIL], micros, e.id) for e in ended])
        return [settlement.id for settlement in ended]

    def postpone(self, postponements: Sequence[Postponement]) -> None:
        """Plan another attempt for deliveries that wait."""
        rows = [(to_micros(p.next_attempt_time), p.reason, p.detail[:MAX_DETAIL], p.id) for p in postponements]
        _POSTPONE.run(self._connection, rows)

    def replace_signed(self, digest: bytes, signed: bytes) -> None:
        """Replace the body of a message, whose wraps were made anew."""
        message = self.message(digest)
        if message is not None:
            b = s.message_body
            self._connection.execute(update(b).where(b.c.seq == message.seq), {"signed": signed})

    def add_proofs(self, proofs: Sequence[ForeignProof]) -> None:
        """Keep proofs from other members' logs; one that is there already stays as it is."""
        notes = {proof.checkpoint: sha256(proof.checkpoint).digest() for proof in proofs}
        _ADD_NOTE.run(self._connection, [(digest, note) for note, digest in notes.items()])
        rows = [
            (p.digest, p.member, int(p.kind), p.entry, p.index, p.hashes, notes[p.checkpoint], p.register_version)
            for p in proofs
        ]
        _ADD_PROOF.run(self._connection, rows)

    def add_answers(self, answers: Sequence[tuple[bytes, int]]) -> None:
        """Remember which entry answered which message."""
        _ADD_ANSWER.run(self._connection, answers)

    def put_known_log(self, known: KnownLog) -> None:
        """Store the largest accepted checkpoint of another member's newest log; a smaller one changes nothing.

        Where the member has left the log behind that is stored, that one's stays beside.
        """
        k = s.known_log.c
        stored = self._connection.execute(select(s.known_log).where(k.member == known.member)).one_or_none()
        if stored is not None:
            if _origin_line(stored.note) == _origin_line(known.note):
                if stored.size > known.size:
                    return
            else:
                time = from_micros(stored.accepted_time)
                former = KnownLog(stored.member, stored.size, stored.root, stored.note, time)
                self.leave_known_log(former, _origin_line(stored.note).decode())
        row = (known.member, known.size, known.root, known.note, to_micros(known.accepted_time))
        _PUT_KNOWN_LOG.run(self._connection, [row])

    def drop_known_log(self, member: str) -> None:
        """Forget what is known of a member's log: a person decided that it begins anew."""
        self._connection.execute(delete(s.known_log).where(s.known_log.c.member == member))

    def put_officer(self, officer: Officer) -> None:
        """Store an officer of the own member."""
        roles = " ".join(sorted(officer.roles))
        row = (officer.id, roles, officer.unit, officer.certificate_sha256, officer.suspended)
        _PUT_OFFICER.run(self._connection, [row])

    def add_opened(self, opened: Opened) -> None:
        """Remember that a part was handed to an officer."""
        self._insert(
            s.opened,
            [
                {
                    "log_index": opened.log_index,
                    "digest": opened.digest,
                    "part_number": opened.part_number,
                    "officer": opened.officer,
                }
            ],
        )

    def put_setting(self, name: str, value: bytes) -> None:
        """Remember a value across restarts."""
        _PUT_SETTING.run(self._connection, [(name, value)])

    def put_counter(self, name: str, value: int) -> None:
        """Remember the last number given out; undone with the transaction, so that numbers have no gaps."""
        _PUT_COUNTER.run(self._connection, [(name, value)])

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(insert(table), rows)


_ADD_ENTRY: Final = insertion(s.log_entry)
_ADD_MESSAGE: Final = insertion(s.message)
_ADD_BODY: Final = insertion(s.message_body)
_ADD_DELIVERY: Final = insertion(s.delivery)
_ADD_NOTE: Final = insertion(s.note, ignore_known=True)
_ADD_PROOF: Final = insertion(s.proof, ignore_known=True)
_ADD_ANSWER: Final = insertion(s.answer)
_PUT_TILE: Final = replacement(s.log_tile)
_PUT_KNOWN_LOG: Final = replacement(s.known_log)
_PUT_OFFICER: Final = replacement(s.officer)
_PUT_SETTING: Final = replacement(s.setting)
_PUT_COUNTER: Final = replacement(s.counter)


def _origin_line(note: bytes) -> bytes:
    return note.split(b"\n", 1)[0]


def _attempted(**changes: ColumnElement[Any]) -> UpdateBase:
    d = s.delivery.c
    changed = {d[name]: value for name, value in changes.items()}
    counted = {d.reason: bindparam("why"), d.detail: bindparam("what"), d.attempts: d.attempts + literal_column("1")}
    return update(s.delivery).where(d.id == bindparam("row")).values({**changed, **counted})


_SETTLE: Final = Statement(
    lambda _: _attempted(state=bindparam("new_state"), settled_time=bindparam("settled")),
    ("new_state", "why", "what", "settled", "row"),
)
_POSTPONE: Final = Statement(lambda _: _attempted(next_attempt_time=bindparam("next")), ("next", "why", "what", "row"))


class SqlStore:
    """The database behind `paiza_node.ports.Store`."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """Open the database and, unless ``read_only``, take the writer's lock and bring the schema up to date."""
        self._url = parse_url(url)
        self._readers = reader_engine(self._url)
        self._lock: WriterLock | None = None
        self._writer_engine: Engine | None = None
        self._writer: Connection | None = None
        if not read_only:
            self._lock = WriterLock(self._url)
            self._writer_engine = writer_engine(self._url)
            try:
                self._reconnect()
                migrate(self._connected())
            except BaseException:
                self.close()
                raise

    def _connected(self) -> Connection:
        if self._writer is None:
            self._reconnect()
        assert self._writer is not None
        return self._writer

    def _reconnect(self) -> None:
        """Open the writing connection and take the database's lock; Unavailable where another process holds it."""
        assert self._writer_engine is not None, "a store that is only read has no writer"
        try:
            connection = self._writer_engine.connect()
            taken = take_advisory_lock(connection)
        except DBAPIError as error:
            raise Unavailable("database_unavailable", f"the database cannot be opened: {_said(error)}") from error
        if not taken:
            connection.close()
            self._writer_engine.dispose()  # a session that waits holds no connection
            raise Unavailable("standby", "another node process is the writer of this database")
        self._writer = connection

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Run the block in one transaction and commit it; Unavailable("database_unavailable") where that failed.

        After a failure it is not known whether the commit took place: compare `Head.batch`.
        """
        connection = self._connected()
        try:
            with connection.begin():
                yield SqlTransaction(connection)
        except DBAPIError as error:
            # The connection is not trusted after a failed commit: the next one begins with a new one, and its lock.
            self._drop_writer()
            if isinstance(error, OperationalError) or error.connection_invalidated:
                raise Unavailable("database_unavailable", f"the database failed: {_said(error)}") from error
            raise

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.invalidate()
            self._writer.close()
            self._writer = None

    @contextmanager
    def reads(self) -> Iterator[SqlReads]:
        """Ask questions over one connection of the pool, all of one moment."""
        try:
            with self._readers.connect() as connection, connection.begin():
                yield SqlReads(connection)
        except OperationalError as error:
            raise Unavailable("database_unavailable", f"the database failed: {_said(error)}") from error
        except PoolTimeout as error:
            raise Unavailable("busy", "too many questions to the database at once", 1.0) from error

    def signed(self, digest: bytes) -> bytes | None:
        """Give the serialized SignedMessage with this digest; None where there is none or it was erased."""
        joined = s.message_body.join(s.message, s.message.c.seq == s.message_body.c.seq)
        with self.reads() as reads:
            found: bytes | None = reads.scalar(
                select(s.message_body.c.signed).select_from(joined).where(s.message.c.digest == digest)
            )
            return found

    def purge(self) -> None:
        """Empty what the database keeps of what was deleted from its tables; Unavailable("busy") where it cannot now.

        SQLite: the write-ahead log is folded in and cut to nothing; pages were overwritten when rows were deleted.
        PostgreSQL: dead rows are taken away. What it wrote ahead, and the blocks of a disk, are beyond its reach: that
        is why disks are encrypted.
        """
        try:
            with self._readers.connect() as connection:
                purge(connection)
        except OperationalError as error:
            raise Unavailable("database_unavailable", f"the database failed: {_said(error)}") from error
        except PoolTimeout as error:
            raise Unavailable("busy", "too many questions to the database at once", 1.0) from error

    def describe(self) -> str:
        """Name the database and its version."""
        with self._readers.connect() as connection:
            version = ".".join(str(part) for part in (connection.dialect.server_version_info or ()))
            return f"{connection.dialect.name} {version}"

    def close(self) -> None:
        """Close every connection and give the writer's lock back."""
        if self._writer is not None:
            self._writer.close()
        if self._writer_engine is not None:
            self._writer_engine.dispose()
        self._readers.dispose()
        if self._lock is not None:
            self._lock.release()


def open_store(url: str, *, read_only: bool = False) -> SqlStore:
    """Open the store at a database URL; NodeStopped with the remedy where that cannot be."""
    try:
        return SqlStore(url, read_only=read_only)
    except OperationalError as error:
        raise NodeStopped(
            "database_unavailable",
            what=N_("The database cannot be opened: {error}."),
            where="{url}",
            remedy=N_("Check that the folder is writable, or that PostgreSQL runs and admits this user."),
            error=_said(error),
            url=parse_url(url).render_as_string(hide_password=True),
        ) from error


def _said(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig is not None else type(error).__name__
