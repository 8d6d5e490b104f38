"""The write access of a piece of work in the ledger: its connection, the entries it appends, what it counts."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import log_pb2
from paiza_node.core.caller import NODE, CallerKey
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import Change
from paiza_node.core.log.denial_share import DenialShare
from paiza_node.core.log.disk_reserve import DiskReserve
from paiza_node.core.log.model import Head, LogText, StoredEntry
from paiza_node.core.quotas.model import Used
from paiza_node.core.quotas.quotas import Quotas
from paiza_node.core.storage import WriteConnection
from paiza_wire import receipts
from paiza_wire.errors import Unavailable


class LogTransaction:
    """The write access of a piece of work. Valid only while the work runs."""

    def __init__(
        self,
        conn: WriteConnection,
        head: Head,
        now: datetime,
        register_version: bytes,
        denials: DenialShare | None = None,
        quotas: Quotas | None = None,
        reserve: DiskReserve | None = None,
    ) -> None:
        """Begin after ``head``; ``now`` is the time of every entry of this commit."""
        self._denials = denials or DenialShare()
        self._quotas = quotas
        self._reserve = reserve
        self._caller = NODE
        self._counted = self._bytes = 0  # messages of the work that is being done, and their bytes
        self._began = 0  # entries before it
        self.conn = conn
        self.now = now
        self.register_version = register_version
        self._stamp = Timestamp()
        self._stamp.FromDatetime(now)
        self._size = head.size
        self._messages = head.messages
        self._deliveries = head.deliveries
        self.entries: list[tuple[int, bytes, bytes]] = []
        self.changes: list[Change] = []

    @property
    def size(self) -> int:
        """Return the size of the log including the entries appended so far."""
        return self._size + len(self.entries)

    def append(self, entry: log_pb2.LogEntry, *, text: str = "") -> StoredEntry:
        """Append an entry, with salt, time, register version and the digest of ``text``; return it as stored."""
        index = self.size
        entry.salt = receipts.new_salt()
        entry.entry_time.CopyFrom(self._stamp)
        entry.register_version = self.register_version
        if text:
            stored = text.replace("\0", "\N{REPLACEMENT CHARACTER}")  # PostgreSQL stores no NUL
            beside = LogText(receipts.new_text_salt(), stored)
            entry.text_sha256 = receipts.text_digest(beside.salt, stored)
            log_store.add_texts(self.conn, {index: beside})
        data = entry.SerializeToString(deterministic=True)
        self.entries.append((index, data, entry.message_digest))
        return StoredEntry(index, data)

    def deny(self, entry: log_pb2.LogEntry, *, text: str) -> bool:
        """Append a DENIED entry if the share of its actor allows, and return whether it did.

        The officers of another member have one share together.
        """
        left_out = self._denials.take(entry.counterpart or entry.actor, self.now)
        if left_out is None:
            return False
        self.append(entry, text=f"{text}\n{left_out} denials before this one are not logged" if left_out else text)
        return True

    def begin_work(self, caller: CallerKey) -> None:
        """Begin the work of a caller: its messages and entries are counted for them."""
        self._caller, self._counted, self._bytes, self._began = caller, 0, 0, len(self.entries)

    def count_message(self, size: int = 0, *, unhindered: bool) -> Unavailable | None:
        """Count a message of the caller with its bytes, or return why it has to wait.

        The caller's quota of the day is used up, or the disk is nearly full. ``unhindered``: it is counted, and has to
        wait only if the disk is nearly full and the caller has used up a share of the reserve with such messages.
        """
        if (refusal := self._take(Used(1, 1, size), unhindered=unhindered)) is not None:
            return refusal
        self._counted += 1
        return None

    def take_room(self, size: int, *, unhindered: bool) -> Unavailable | None:
        """Count the bytes of a message of the caller that is held, or return why it has to wait (`count_message`)."""
        return self._take(Used(message_bytes=size), unhindered=unhindered)

    def _take(self, wanted: Used, *, unhindered: bool) -> Unavailable | None:
        size = wanted.message_bytes
        if not unhindered and self._quotas is not None:
            refusal = self._quotas.refusal(self._caller, self.now, wanted, self._caused)
            if refusal is not None:
                return refusal
        if self._reserve is not None:
            refusal = self._reserve.refusal(self._caller, size, unhindered=unhindered)
            if refusal is not None:
                return refusal
        self._bytes += size
        return None

    def end_work(self, *, counts_messages: bool) -> None:
        """Count what the work caused; Unavailable("daily_quota") if it made entries beyond the caller's quota.

        ``counts_messages``: it has asked for each of its messages (`count_message`), and is not refused as a whole.
        """
        if self._quotas is None:
            return
        caused = self._caused
        if caused.log_entries and not counts_messages:
            refusal = self._quotas.refusal(self._caller, self.now, Used(log_entries=1))
            if refusal is not None:
                raise refusal
        self._quotas.add(self._caller, caused)

    @property
    def _caused(self) -> Used:
        return Used(self._counted, len(self.entries) - self._began, self._bytes)

    def appended(self, index: int) -> StoredEntry:
        """Return an entry that was appended in this commit; LookupError if it is older."""
        if index < self._size:
            raise LookupError(index)
        return StoredEntry(index, self.entries[index - self._size][1])

    def announce(self, change: Change) -> None:
        """Publish a change once this commit is on disk; dropped if the work or the commit fails."""
        self.changes.append(change)

    @property
    def last_message_seq(self) -> int:
        """Return the number of the last message stored so far; 0 if there is none."""
        return self._messages

    def next_message_seq(self) -> int:
        """Return the next number of a stored message, counted from 1."""
        self._messages += 1
        return self._messages

    def next_delivery_id(self) -> int:
        """Return the next number of a delivery, counted from 1."""
        self._deliveries += 1
        return self._deliveries

    def savepoint(self) -> tuple[int, int, int, int]:
        """Return the present position, for `rollback_to`."""
        return len(self.entries), self._messages, self._deliveries, len(self.changes)

    def rollback_to(self, mark: tuple[int, int, int, int]) -> None:
        """Undo everything appended, counted and announced since the savepoint."""
        entries, self._messages, self._deliveries, changes = mark
        del self.entries[entries:]
        del self.changes[changes:]

    def head(self, root: bytes, batch: bytes) -> Head:
        """Return the head after this commit."""
        return Head(self.size, root, self._messages, self._deliveries, self.now, batch)
