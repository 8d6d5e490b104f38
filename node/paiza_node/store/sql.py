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

from sqlalchemy import Connection, Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError

from paiza_node.errors import NodeStopped
from paiza_node.model import (
    DeliveryRow,
    ForeignProof,
    Head,
    KnownLog,
    MessageRow,
    Officer,
    Opened,
    Postponement,
    Settlement,
)
from paiza_node.store import schema as s
from paiza_node.store.engine import WriterLock, parse_url, reader_engine, take_advisory_lock, writer_engine
from paiza_node.store.migrate import migrate
from paiza_node.store.reads import URGENT_FROM, SqlReads, to_micros
from paiza_wire.errors import Unavailable

MAX_DETAIL: Final = 500  # characters of a reason's detail that are kept


class SqlTransaction(SqlReads):
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
        self._upsert(s.log_tile, [{"level": level, "index": index, "hashes": hashes} for level, index, hashes in tiles])

    def add_entries(self, entries: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Append entries to the log: (index, entry, digest of the message concerned or empty)."""
        self._insert(
            s.log_entry, [{"index": i, "entry": entry, "digest": digest or None} for i, entry, digest in entries]
        )

    def add_texts(self, texts: Mapping[int, str]) -> None:
        """Keep free texts beside entries."""
        self._insert(s.log_text, [{"index": index, "text": text} for index, text in texts.items()])

    def add_messages(self, messages: Sequence[MessageRow]) -> None:
        """Store messages with their bodies."""
        self._insert(
            s.message,
            [
                {
                    "seq": m.seq,
                    "digest": m.digest,
                    "author": m.author,
                    "message_id": m.message_id,
                    "thread_id": m.thread_id,
                    "thread_name": m.thread_name,
                    "kind": m.kind,
                    "urgency": m.urgency,
                    "state": int(m.state),
                    "received": m.received,
                    "stored_time": to_micros(m.stored_time),
                    "source_row": m.source_row,
                    "header": m.header,
                }
                for m in messages
            ],
        )
        self._insert(s.message_body, [{"seq": m.seq, "signed": m.signed} for m in messages if m.signed is not None])

    def add_deliveries(self, deliveries: Sequence[DeliveryRow]) -> None:
        """Queue deliveries."""
        self._insert(
            s.delivery,
            [
                {
                    "id": d.id,
                    "message_seq": d.message_seq,
                    "digest": d.digest,
                    "recipient": d.recipient,
                    "urgency": d.urgency,
                    "urgent": d.urgency >= URGENT_FROM,
                    "released_index": d.released_index,
                    "released_time": to_micros(d.released_time),
                    "expires_time": to_micros(d.expires_time),
                    "next_attempt_time": to_micros(d.next_attempt_time),
                    "state": d.state,
                    "attempts": d.attempts,
                    "reason": d.reason,
                    "detail": d.detail,
                    "settled_time": None,
                }
                for d in deliveries
            ],
        )

    def settle(self, settlements: Sequence[Settlement], now: datetime) -> list[int]:
        """End deliveries that still wait; gives their ids. Those settled before are left as they are."""
        ids = [settlement.id for settlement in settlements]
        d = s.delivery.c
        waiting: set[int] = set()
        for first in range(0, len(ids), 500):
            rows = self._connection.execute(
                select(d.id).where(d.id.in_(ids[first : first + 500]), d.state == s.WAITING_LITERAL)
            )
            waiting.update(row[0] for row in rows)
        ended = [settlement for settlement in settlements if settlement.id in waiting]
        if ended:
            self._connection.execute(
                _SETTLE,
                [
                    {
                        "row": e.id,
                        "state": e.state,
                        "reason": e.reason,
                        "detail": e.detail[:MAX_DETAIL],
                        "settled": to_micros(now),
                    }
                    for e in ended
                ],
            )
        return [settlement.id for settlement in ended]

    def postpone(self, postponements: Sequence[Postponement]) -> None:
        """Plan another attempt for deliveries that wait."""
        if postponements:
            self._connection.execute(
                _POSTPONE,
                [
                    {
                        "row": p.id,
                        "next": to_micros(p.next_attempt_time),
                        "reason": p.reason,
                        "detail": p.detail[:MAX_DETAIL],
                    }
                    for p in postponements
                ],
            )

    def replace_signed(self, digest: bytes, signed: bytes) -> None:
        """Replace the body of a message, whose wraps were made anew."""
        message = self.message(digest)
        if message is not None:
            b = s.message_body
            self._connection.execute(update(b).where(b.c.seq == message.seq), {"signed": signed})

    def add_proofs(self, proofs: Sequence[ForeignProof]) -> None:
        """Keep proofs from other members' logs; one that is there already stays as it is."""
        notes = {sha256(proof.checkpoint).digest(): proof.checkpoint for proof in proofs}
        self._upsert(s.note, [{"digest": digest, "note": note} for digest, note in notes.items()])
        digests = {note: digest for digest, note in notes.items()}
        rows = [
            {
                "digest": p.digest,
                "member": p.member,
                "kind": int(p.kind),
                "entry": p.entry,
                "log_index": p.index,
                "hashes": p.hashes,
                "note_digest": digests[p.checkpoint],
                "register_version": p.register_version,
            }
            for p in proofs
        ]
        if rows:
            self._connection.execute(self._dialect_insert(s.proof).on_conflict_do_nothing(), rows)

    def add_answers(self, answers: Sequence[tuple[bytes, int]]) -> None:
        """Remember which entry answered which message."""
        self._insert(s.answer, [{"digest": digest, "log_index": index} for digest, index in answers])

    def put_known_log(self, known: KnownLog) -> None:
        """Store the largest accepted checkpoint of another member; a smaller one changes nothing."""
        row = self._connection.execute(
            select(s.known_log.c.size).where(s.known_log.c.member == known.member)
        ).scalar_one_or_none()
        if row is not None and row > known.size:
            return
        self._upsert(
            s.known_log,
            [
                {
                    "member": known.member,
                    "size": known.size,
                    "root": known.root,
                    "note": known.note,
                    "accepted_time": to_micros(known.accepted_time),
                }
            ],
        )

    def put_officer(self, officer: Officer) -> None:
        """Store an officer of the own member."""
        self._upsert(
            s.officer,
            [
                {
                    "id": officer.id,
                    "roles": " ".join(sorted(officer.roles)),
                    "unit": officer.unit,
                    "certificate_sha256": officer.certificate_sha256,
                    "suspended": officer.suspended,
                }
            ],
        )

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
        self._upsert(s.setting, [{"name": name, "value": value}])

    def counter(self, name: str) -> int:
        """Give the last number that was given out under a name; 0 where none was."""
        c = s.counter.c
        return self._connection.execute(select(c.value).where(c.name == name)).scalar_one_or_none() or 0

    def put_counter(self, name: str, value: int) -> None:
        """Remember the last number given out; undone with the transaction, so that numbers have no gaps."""
        self._upsert(s.counter, [{"name": name, "value": value}])

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(insert(table), rows)

    def _upsert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        statement = self._dialect_insert(table)
        keys = [column.name for column in table.primary_key]
        changed = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
        self._connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)

    def _dialect_insert(self, table: Table) -> Any:
        return postgresql.insert(table) if self._connection.dialect.name == "postgresql" else sqlite.insert(table)


_SETTLE: Final = (
    update(s.delivery)
    .where(s.delivery.c.id == bindparam("row"))
    .values(
        state=bindparam("state"),
        reason=bindparam("reason"),
        detail=bindparam("detail"),
        attempts=s.delivery.c.attempts + 1,
        settled_time=bindparam("settled"),
    )
)
_POSTPONE: Final = (
    update(s.delivery)
    .where(s.delivery.c.id == bindparam("row"))
    .values(
        next_attempt_time=bindparam("next"),
        reason=bindparam("reason"),
        detail=bindparam("detail"),
        attempts=s.delivery.c.attempts + 1,
    )
)


class SqlStore:
    """The database behind `paiza_node.ports.Store`."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """Open the database and, unless ``read_only``, take the writer's lock and bring the schema up to date."""
        self._url = parse_url(url)
        self._readers = reader_engine(self._url)
        self._lock: WriterLock | None = None
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
        try:
            connection = self._writer_engine.connect()
        except DBAPIError as error:
            raise Unavailable("database_unavailable", f"the database cannot be opened: {_said(error)}") from error
        if not take_advisory_lock(connection):
            connection.close()
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

    def signed(self, digest: bytes) -> bytes | None:
        """Give the serialized SignedMessage with this digest; None where there is none or it was erased."""
        joined = s.message_body.join(s.message, s.message.c.seq == s.message_body.c.seq)
        with self.reads() as reads:
            found: bytes | None = reads.scalar(
                select(s.message_body.c.signed).select_from(joined).where(s.message.c.digest == digest)
            )
            return found

    def describe(self) -> str:
        """Name the database and its version."""
        with self._readers.connect() as connection:
            version = ".".join(str(part) for part in (connection.dialect.server_version_info or ()))
            return f"{connection.dialect.name} {version}"

    def close(self) -> None:
        """Close every connection and give the writer's lock back."""
        if self._writer is not None:
            self._writer.close()
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
            what=f"The database cannot be opened: {_said(error)}",
            where=parse_url(url).render_as_string(hide_password=True),
            remedy="Check that the folder is writable, or that PostgreSQL runs and admits this user.",
        ) from error


def _said(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig is not None else type(error).__name__
