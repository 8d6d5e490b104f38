"""Arrivals: writing what another member's node delivered, and the log entry that answers it.

A message comes from its author (RELEASED), or another member forwards it (FORWARDED). The notice that a message of ours
was forwarded is an arrival without a message. All are written in the same way, in the ledger's transaction; the
reactions of the capabilities (`paiza_node.core.exchange.reactions`) then run once for the batch.

A refusal differs. A message that its author released to us is answered under its id: its refusal is logged as REFUSED,
answers every repeat, and occupies the id. A refused forwarded message is not stored and occupies nothing: the refusal
is logged as DENIED, once per entry of the forwarder's log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from paiza_domain.threads import thread
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.exchange import precedence
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.markings import is_recalled
from paiza_node.core.exchange.model import ForeignProof, ForwardingRow, ProofKind, ProvenCertificate
from paiza_node.core.exchange.reactions import (
    Reaction,
    ReceivedMessage,
    RedeliveredMessage,
    received,
    redelivered,
)
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import Opened
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_wire import log_entries, receipts
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage
from paiza_wire.receipts import VerifiedEntry

MAX_IN_THREAD: Final = 2048  # messages of one member in one thread: a thread is read whole to compute its state

Answer = StoredEntry | Rejected | Unavailable
"""The answer to one arrival: an entry of our log, or a refusal that is not logged under its id."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivered message or notice, after the checks that need no database.

    ``entry`` is the entry of the delivering node's log for it, proven by ``hashes``; ``release`` is the entry by which
    the author's log released it, to us or (``forwarded``) to another member. A notice that a message of ours was
    forwarded has neither ``message`` nor ``release``. ``refusal``: the reason for refusing it; None if it is received.
    ``certificates`` are the proofs of its signers' certificates that are new here. ``opened`` is its content, if it is
    at hand.
    """

    digest: bytes
    entry: VerifiedEntry
    hashes: bytes
    message: VerifiedMessage | None = None
    raw: bytes = b""
    release: VerifiedEntry | None = None
    release_hashes: bytes = b""
    forwarded: bool = False
    refusal: Rejected | None = None
    certificates: tuple[ProvenCertificate, ...] = ()
    opened: Opened | None = None

    @property
    def goes_first(self) -> bool:
        """Whether it goes ahead of all other work."""
        return self.message is not None and precedence.overtakes(self.message.header.kind)

    @property
    def is_flash(self) -> bool:
        """Whether it is FLASH, or overtakes even those."""
        return self.message is not None and precedence.is_flash(self.message.header)

    @property
    def thread(self) -> bytes:
        """The thread of the message; empty if there is no message."""
        return b"" if self.message is None else self.message.header.thread_id


Checked = Arrival | Rejected | Unavailable


class Arrivals:
    """Writes arrivals. Used in the ledger's transaction."""

    def __init__(self, *, node_id: str, unit_directory: UnitDirectory, reactions: Sequence[Reaction]) -> None:
        """Store ``unit_directory``, which assigns units, and the ``reactions`` to received messages."""
        self._node_id = node_id
        self._unit_directory = unit_directory
        self._reactions = reactions

    def __call__(self, tx: LogTransaction, source: str, checked: Sequence[Checked]) -> list[Answer]:
        """Write the batch that the node of ``source`` delivered: rows, proofs, and the entries that answer it.

        Forwarded messages come last: they are checked against those of the same batch that came from their author.
        """
        bounded = in_bounds(tx, source, checked)
        batch = _Batch(tx, self._node_id, source, [item for item in bounded if isinstance(item, Arrival)])
        answers: dict[int, Answer] = {}
        for place, item in enumerate(bounded):
            if not isinstance(item, Arrival):
                answers[place] = item
            elif not item.forwarded:
                answers[place] = batch.take(item)
        for place, item in enumerate(bounded):
            if place not in answers:
                assert isinstance(item, Arrival)
                answers[place] = batch.take_forwarded(item)
        batch.write(self._unit_directory, self._reactions)
        return [answers[place] for place in range(len(bounded))]


class _Batch:
    """One batch of one member's node: what is known of its messages, and the rows to write."""

    def __init__(self, tx: LogTransaction, node_id: str, source: str, items: Sequence[Arrival]) -> None:
        self._tx = tx
        self._node_id = node_id
        self._source = source
        direct = [item.message for item in items if item.message is not None and not item.forwarded]
        self._answers = exchange_store.answers(tx.conn, [message.digest for message in direct])
        self._claimed = messages_store.claimed(tx.conn, source, [message.header.message_id for message in direct])
        self._threads = dict(messages_store.thread_names(tx.conn, _unnamed(items)))
        self._rows: dict[bytes, MessageRow] = {}
        self._messages: dict[bytes, VerifiedMessage] = {}
        self._opened: dict[bytes, Opened | None] = {}
        self._redelivered: list[RedeliveredMessage] = []
        self._answered: list[tuple[bytes, int]] = []
        self._forwardings: dict[int, ForwardingRow] = {}
        self._proofs: list[ForeignProof] = []
        self._certificates = {each: item.digest for item in items for each in item.certificates}

    def take(self, item: Arrival) -> Answer:
        """Log a message delivered by its author; a repeat gets the same entry at the same index.

        One beyond the peer's quota of the day, or the room on the disk, has to wait, unless nothing may hold it up.
        """
        assert item.message is not None
        digest, message_id = item.digest, item.message.header.message_id
        if digest in self._answers:
            return self._answers[digest]
        waits = self._tx.count_message(len(item.raw), unhindered=precedence.unhindered(item.message.header))
        if waits is not None:
            return waits
        held = self._claimed.get(message_id)
        refusal = item.refusal
        if held == digest:  # it was forwarded to us before: a stored, valid message is not refused
            if refusal is None:  # the forwarder may have left out the annex, and keys of attachments
                messages_store.replace_signed(self._tx.conn, digest, item.raw)
            refusal = None
            for row in messages_store.messages_of(self._tx.conn, [digest]):
                self._redelivered.append(RedeliveredMessage(row, item.message.header, self._source))
        elif held is not None:
            refusal = Rejected("conflict", "this message id was used for other content")
        entry = self._log(item, refusal)
        self._answers[digest] = entry
        self._answered.append((digest, entry.index))
        if held is None:
            self._claimed[message_id] = digest
            self._add(item, item.message, refusal)
        self._prove(item, item.message, ProofKind.RELEASED)
        return entry

    def take_forwarded(self, item: Arrival) -> Answer:
        """Log a message that another member forwarded, once per entry of its log."""
        index = item.entry.index
        earlier = self._forwardings.get(index) or exchange_store.forwarding(self._tx.conn, self._source, index)
        if earlier is not None and earlier.denied:
            return item.refusal or Rejected("policy_denied", "this was refused before; it is to be passed on anew")
        if earlier is not None:
            return _entry_at(self._tx, earlier.log_index)
        row = self._rows.get(item.digest) or messages_store.message(self._tx.conn, item.digest)
        refusal = item.refusal or self._conflict(item, row)
        if refusal is not None and refusal.reason in ("unknown_id", "conflict"):
            return refusal
        unhindered = item.message is None or precedence.unhindered(item.message.header)
        if (waits := self._tx.count_message(len(item.raw), unhindered=unhindered)) is not None:
            return waits
        entry = self._log(item, refusal)
        held = item.message is not None and row is None and refusal is None
        self._forwardings[index] = ForwardingRow(
            forwarder=self._source,
            index=index,
            digest=item.digest,
            holder=item.entry.entry.counterpart,
            entry=item.entry.raw,
            hashes=item.hashes,
            checkpoint=item.entry.checkpoint.note,
            register_version=self._tx.register_version,
            log_index=entry.index,
            denied=refusal is not None,
            held=held,
        )
        if held:
            assert item.message is not None
            self._add(item, item.message, None)
            self._prove(item, item.message, ProofKind.ORIGIN)
        return refusal or entry

    def write(self, unit_directory: UnitDirectory, reactions: Sequence[Reaction]) -> None:
        """Write the rows of the batch, and run the reactions to the received messages."""
        conn = self._tx.conn
        placed = unit_directory.received(
            conn, [(row, self._messages[digest].header) for digest, row in self._rows.items()]
        )
        messages_store.add_messages(conn, [row for row, _assignee in placed])
        exchange_store.add_answers(conn, self._answered)
        exchange_store.add_forwardings(conn, list(self._forwardings.values()))
        exchange_store.add_proofs(conn, self._proofs)
        exchange_store.add_certificates(conn, self._certificates, self._tx.register_version)
        written = [
            ReceivedMessage(row, self._messages[row.digest].header, self._source, assignee, self._opened[row.digest])
            for row, assignee in placed
            if row.state is MessageState.RECEIVED
        ]
        received(reactions, self._tx, written)
        redelivered(reactions, self._tx, self._redelivered)

    def _conflict(self, item: Arrival, row: MessageRow | None) -> Rejected | None:
        """Return the conflict between a forwarded message and what is stored here, if any."""
        if item.message is None:
            if row is None or row.state is not MessageState.RELEASED:
                return Rejected("unknown_id", "there is no such message of ours")
            return None
        if row is not None:
            refused = row.state is MessageState.REFUSED
            return Rejected("policy_denied", "we refused this message when its author sent it") if refused else None
        author, message_id = item.message.header.author, item.message.header.message_id
        claimed = messages_store.claimed(self._tx.conn, author, [message_id]).get(message_id)
        claims = [each.digest for each in self._rows.values() if (each.author, each.message_id) == (author, message_id)]
        if any(digest not in (None, item.digest) for digest in (claimed, *claims)):
            return Rejected("conflict", "this message id was used for other content")
        if is_recalled(self._tx.conn, item.digest, author) or self._recalls(item.digest, author):
            return Rejected("policy_denied", "passing-recalled")
        return None

    def _recalls(self, digest: bytes, author: str) -> bool:
        """Return whether this batch contains the author's recall of a message."""
        return any(
            row.kind == thread.RECALL
            and row.author == author
            and row.state is MessageState.RECEIVED
            and digest in row.parents
            for row in self._rows.values()
        )

    def _log(self, item: Arrival, refusal: Rejected | None) -> StoredEntry:
        dispatch = receipts.evidence_digest(item.entry.raw, item.entry.checkpoint.note)
        if refusal is None:
            return self._tx.append(
                log_entries.received(
                    actor=self._node_id, source=self._source, digest=item.digest, dispatch_sha256=dispatch
                )
            )
        if item.forwarded:
            entry = log_entries.forwarding_denied(
                actor=item.entry.entry.actor,
                forwarder=self._source,
                digest=item.digest,
                reason=refusal.reason,
                dispatch_sha256=dispatch,
            )
        else:
            entry = log_entries.refused(
                actor=self._node_id,
                source=self._source,
                digest=item.digest,
                reason=refusal.reason,
                dispatch_sha256=dispatch,
            )
        return self._tx.append(entry, text=refusal.detail)

    def _add(self, item: Arrival, message: VerifiedMessage, refusal: Rejected | None) -> None:
        """Add a message to store; of a refused one only the header."""
        assert item.release is not None
        header = message.header
        thread_name = item.release.entry.released.thread_name or self._threads.get(header.thread_id, "")
        self._threads[header.thread_id] = thread_name
        self._messages[item.digest] = message
        self._opened[item.digest] = item.opened
        self._rows[item.digest] = MessageRow(
            seq=self._tx.next_message_seq(),
            digest=item.digest,
            author=header.author,
            message_id=header.message_id,
            thread_id=header.thread_id,
            thread_name=thread_name,
            kind=header.kind,
            urgency=header.urgency,
            state=MessageState.REFUSED if refusal else MessageState.RECEIVED,
            header=message.signed.header,
            stored_time=self._tx.now,
            signed=None if refusal else item.raw,
            parents=tuple(header.parent_digests),
        )

    def _prove(self, item: Arrival, message: VerifiedMessage, kind: ProofKind) -> None:
        """Add the author's release, as evidence."""
        assert item.release is not None
        self._proofs.append(
            ForeignProof(
                digest=item.digest,
                member=message.header.author,
                kind=kind,
                entry=item.release.raw,
                index=item.release.index,
                hashes=item.release_hashes,
                checkpoint=item.release.checkpoint.note,
                register_version=self._tx.register_version,
            )
        )


def in_bounds(tx: LogTransaction, source: str, checked: Sequence[Checked]) -> list[Checked]:
    """Refuse messages that were retired here, and those beyond a member's limit in one thread.

    Nothing of them is stored, not even the refusal.
    """
    items = [item for item in checked if isinstance(item, Arrival) and item.message is not None]
    followed = [item for item in items if not item.forwarded and item.message and item.message.header.parent_digests]
    sizes = messages_store.thread_sizes(tx.conn, source, {item.thread for item in followed})
    known = exchange_store.answers(tx.conn, [item.digest for item in followed])
    retired = messages_store.retired_messages(tx.conn, [item.digest for item in items])
    bounded: list[Checked] = []
    for item in checked:
        if isinstance(item, Arrival) and item.digest in retired:
            bounded.append(Rejected("conflict", "this message was here, and its retention has ended"))
            continue
        if isinstance(item, Arrival) and not item.forwarded and item.thread in sizes and item.digest not in known:
            sizes[item.thread] += 1
            if sizes[item.thread] > MAX_IN_THREAD:
                detail = f"a thread holds at most {MAX_IN_THREAD} messages of one member"
                bounded.append(Rejected("too_large", detail))
                continue
        bounded.append(item)
    return bounded


def _unnamed(items: Sequence[Arrival]) -> set[bytes]:
    """Return the threads that have no name in the arrivals themselves."""
    return {
        item.message.header.thread_id
        for item in items
        if item.message is not None and (item.message.header.parent_digests or item.forwarded)
    }


def _entry_at(tx: LogTransaction, index: int) -> StoredEntry:
    """Return an entry of the own log, possibly one of this commit."""
    stored = log_store.entries_at(tx.conn, [index])
    return stored[0] if stored else tx.appended(index)
