"""The search index: keyed blind tokens of stored messages, made shortly after they were stored.

Not in the commit path: a message is released and received first, and can be found a moment later. The tokens of
messages that were stored meanwhile ride on a later commit. The cursor is the number of the last indexed message; it is
committed with the tokens, so that a crash repeats a batch or nothing. A new key, or new folding rules, begin the index
anew. Messages that cannot be opened any more (an erased key) are skipped. A message that comes again may open
further than the copy before: its number is stored until it was read again.

What the index needs of a message is in memory when the message is stored: its parsed header, and of a received one its
content, which the receiver has opened to check it (`NewMessages`). Messages of which it is not are read and opened.
"""

import asyncio
import hmac
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from operator import itemgetter
from time import perf_counter
from typing import Any, Final

import structlog

from paiza.core.v1 import message_pb2
from paiza_domain import kinds
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import partial_time_start
from paiza_domain.schema.shapes import FieldType
from paiza_domain.terms.folding import RULES_VERSION
from paiza_domain.terms.index_terms import Term, terms
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.reactions import Reaction, ReceivedMessage, RedeliveredMessage, ReleasedMessage
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.changes import Change, MessagesChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import Opened, stored
from paiza_node.core.messages.model import LOGGED_DIGITS, MessageRow, MessageState
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.search import store as search_store
from paiza_node.features.search.model import IndexedMessage, SearchMatch
from paiza_node.features.search.store import TOKEN_BYTES
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage

BATCH: Final = 256  # messages of one commit
LEAST_BATCH: Final = 64  # the same while groups are short
BATCH_TOKENS: Final = 10_000  # after which a batch takes no more messages
HELD_BYTES: Final = 8 * 1024 * 1024  # of new messages in memory; further ones are read from the database
READ_BYTES: Final = 1024 * 1024  # of bodies read at once; a single one may have two megabytes
MAX_LINK_TOKENS: Final = 300  # identifiers of one message that are compared with older ones
REST: Final = 2.0  # pause after a batch, as a multiple of the time it took to read it, while there is traffic
FEW: Final = 32  # messages, a batch of which is followed by a longer pause while there is traffic
FEW_SECONDS: Final = 0.2  # after which what came meanwhile is indexed together
PATIENCE_SECONDS: Final = 30.0  # between checks without changes
CURSOR: Final = "indexed"
SETTING_KEY: Final = "index_key"
SETTING_AGAIN: Final = "index_again"  # the numbers of messages to read again
NUMBER_BYTES: Final = 8  # of one of them

log = structlog.get_logger("paiza.search")


class TokenKey:
    """Turns terms into tokens with the node's index key, the only secret of the index."""

    def __init__(self, key: bytes) -> None:
        """Store the key: 32 random bytes that never leave the node's key folder."""
        self._key = key

    @property
    def fingerprint(self) -> bytes:
        """Return an identifier of the key and the rules by which tokens are made."""
        return sha256(b"paiza index" + RULES_VERSION.to_bytes(4, "big") + self._key).digest()

    def token(self, term: Term) -> bytes:
        """Return the token of a term."""
        return hmac.digest(self._key, f"{term.field}\0{term.text}".encode(), "sha256")[:TOKEN_BYTES]


@dataclass(frozen=True, slots=True)
class MessagesReplaced(Change):
    """Stored messages have other parts than when they were stored."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that was stored a moment ago; ``signed`` is its serialized SignedMessage."""

    digest: bytes
    header: message_pb2.Header
    signed: bytes
    opened: Opened | None = None

    def message(self) -> VerifiedMessage:
        """Return the message, to open it."""
        return VerifiedMessage(self.digest, self.header, message_pb2.SignedMessage.FromString(self.signed), ())


class NewMessages:
    """The messages stored since the index read last, as far as there is room. Thread-safe.

    They are added before their commit: one whose commit failed is dropped once a later message has its number.
    """

    def __init__(self, most_bytes: int = HELD_BYTES) -> None:
        """Begin without messages; hold at most ``most_bytes`` of them."""
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._by_seq: dict[int, NewMessage] = {}
        self._bytes = 0
        self.reaction: Final = Reaction(self._received, self._released, self._replaced)
        """Adds every message that is stored, and has those that come anew indexed again."""

    def find(self, seq: int, digest: bytes) -> NewMessage | None:
        """Return the message with this number and digest if it is here."""
        with self._lock:
            found = self._by_seq.get(seq)
        return found if found is not None and found.digest == digest else None

    def forget(self, last: int) -> None:
        """Forget the messages with numbers up to ``last``."""
        with self._lock:
            for seq in [each for each in self._by_seq if each <= last]:
                self._drop(seq)

    def _drop(self, seq: int) -> None:
        found = self._by_seq.pop(seq, None)
        if found is not None:
            self._bytes -= len(found.signed)

    def _received(self, _tx: LogTransaction, messages: Sequence[ReceivedMessage]) -> None:
        for each in messages:
            self._add(each.row, each.header, each.opened)

    def _released(self, _tx: LogTransaction, messages: Sequence[ReleasedMessage]) -> None:
        for each in messages:
            self._add(each.row, each.header, None)

    def _replaced(self, tx: LogTransaction, messages: Sequence[RedeliveredMessage]) -> None:
        with self._lock:
            for each in messages:
                self._drop(each.row.seq)
        _put_again(tx, {*_again(tx.conn), *(each.row.seq for each in messages)})
        tx.announce(MessagesReplaced())

    def _add(self, row: MessageRow, header: message_pb2.Header, opened: Opened | None) -> None:
        if row.signed is None:
            return
        with self._lock:
            self._drop(row.seq)
            if self._bytes + len(row.signed) <= self._most_bytes:
                self._by_seq[row.seq] = NewMessage(row.digest, header, row.signed, opened)
                self._bytes += len(row.signed)


Comparison = Callable[[int, message_pb2.Header, IndexedMessage], tuple[SearchMatch, ...]]
"""Returns the saved searches that a message meets, by its number, header and tokens."""

Compare = Callable[[ReadConnection], Comparison]
"""Begins a comparison of some messages with the saved searches of this moment."""

StoreMatches = Callable[[LogTransaction, Sequence[SearchMatch]], None]
"""Stores matches."""


def _no_searches(_reads: ReadConnection) -> Comparison:
    return lambda _seq, _header, _message: ()


def _no_matches(_tx: LogTransaction, _matches: Sequence[SearchMatch]) -> None:
    pass


class Index:
    """Maintains the index. One per node."""

    def __init__(
        self,
        core: Core,
        *,
        token_key: TokenKey,
        new_messages: NewMessages | None = None,
        compare: Compare = _no_searches,
        store_matches: StoreMatches = _no_matches,
    ) -> None:
        """Store the core; ``new_messages`` are those that need not be read from the database.

        ``compare`` finds the saved searches that messages meet, and ``store_matches`` stores them.
        """
        self._compare = compare
        self._store_matches = store_matches
        self._store = core.store
        self._ledger = core.ledger
        self._token_key = token_key
        self._decryption_keys = core.decryption_keys
        self._new_messages = new_messages or NewMessages()
        self._begun = False  # whether the key and the rules of the index were compared with ours
        self._indexed_seq = -1  # the number of the last message that is indexed; -1 if it was not read yet
        self._replaced, self._read_again = 1, 0  # how often messages were replaced, and up to when they were read again
        self.task = PeriodicTask(self._round, period=PATIENCE_SECONDS, failed="not_indexed")

    def notify(self, changes: Sequence[Change]) -> None:
        """Wake when messages changed: some may be new."""
        self._replaced += any(isinstance(change, MessagesReplaced) for change in changes)
        if any(isinstance(change, MessagesChanged | MessagesReplaced) for change in changes):
            self.task.wake()

    def catch_up(self) -> None:
        """Wake to check for messages that are not indexed."""
        self._replaced += 1
        self.task.wake()

    async def _round(self) -> None:
        if not self._begun:
            await self._ledger.commit(self._begin)
            self._begun = True
        await self.index_stored()

    async def index_stored(self) -> None:
        """Index all waiting messages."""
        while self._indexed_seq < (last := self._ledger.last_seq) or self._read_again < self._replaced:
            began, replaced = perf_counter(), self._replaced
            batch = await asyncio.to_thread(self._read)
            if not batch:
                self._indexed_seq, self._read_again = last, replaced
                return
            seconds = perf_counter() - began
            work = partial(_store, batch=batch, store_matches=self._store_matches)
            await self._ledger.commit(work, rides=True, items=len(batch))
            self._indexed_seq = max(self._indexed_seq, batch[-1][1].seq)
            if self._ledger.has_traffic:
                # A batch for each message would cost more than the message.
                await asyncio.sleep(max(seconds * REST, 0.0 if len(batch) > FEW else FEW_SECONDS))

    def _begin(self, tx: LogTransaction) -> None:
        if settings_store.setting(tx.conn, SETTING_KEY) != self._token_key.fingerprint:
            search_store.clear_index(tx.conn)
            settings_store.put_counter(tx.conn, CURSOR, 0)
            settings_store.put_setting(tx.conn, SETTING_KEY, self._token_key.fingerprint)

    def _read(self) -> list[tuple[bytes, IndexedMessage]]:
        """Return the next messages, each with its digest: first those to read again."""
        # Groups are short in a flood of urgent work, where the index rides seldom: it must keep up all the same.
        limit = min(BATCH, max(LEAST_BATCH, self._ledger.group_items))
        found: list[tuple[bytes, IndexedMessage, Collection[bytes]]] = []
        tokens = 0
        with self._store.reads() as reads:
            cursor = settings_store.counter(reads, CURSOR)
            waiting = messages_store.unindexed(reads, cursor, limit)
            if self._read_again < self._replaced:
                again = sorted(seq for seq in _again(reads) if seq <= cursor)[:FEW]
                rows = messages_store.messages_at(reads, again)
                waiting = [*((row.seq, row.digest, row.state) for row in reversed(rows)), *waiting]
            if not waiting:
                return []
            held = {seq: self._new_messages.find(seq, digest) for seq, digest, _ in waiting}
            absent = [seq for seq, _, state in waiting if held[seq] is None and state is not MessageState.REFUSED]
            bodies, compare = _bodies(reads, absent), self._compare(reads)
            for seq, digest, state in waiting:
                if state is MessageState.REFUSED:
                    found.append((digest, IndexedMessage(seq, None, (), linked=False), ()))
                    continue
                new = held[seq]
                body = next(bodies) if new is None else None
                message, links = self._indexed(compare, seq, digest, new, body)
                if seq <= cursor:
                    message, links = _added(reads, message, links)
                found.append((digest, message, links))
                tokens += len(message.tokens)
                if tokens >= BATCH_TOKENS:
                    break
            known = search_store.known(reads, {token for *_, links in found for token in links})
        self._new_messages.forget(found[-1][1].seq)
        batch: list[tuple[bytes, IndexedMessage]] = []
        for digest, message, links in found:
            batch.append((digest, message if known.isdisjoint(links) else replace(message, linked=True)))
            known.update(links)
        return batch

    def _indexed(
        self, compare: Comparison, seq: int, digest: bytes, new: NewMessage | None, body: bytes | None
    ) -> tuple[IndexedMessage, Collection[bytes]]:
        """Return a message as it is indexed, and those of its tokens that link; none if it cannot be opened.

        ``body``: its serialized SignedMessage if it is not ``new``; None if it was erased. What the database fails at
        is not caught: the message is read again later.
        """
        try:
            if new is not None:
                header, opened = new.header, new.opened or self._opened(new.message())
            elif body is not None:
                message = stored(body)
                header, opened = message.header, self._opened(message)
            else:
                return IndexedMessage(seq, None, (), linked=False), ()
            indexed, links = self._read_terms(seq, header, opened)
        except Rejected as error:
            log.warning("not_opened", message=digest.hex()[:LOGGED_DIGITS], reason=error.reason)
        except Unavailable:
            raise
        except Exception:  # content made by an officer's client must not stop the index, and with it the node
            log.exception("not_indexed", message=digest.hex()[:LOGGED_DIGITS])
        else:
            matches = compare(seq, header, indexed)
            return replace(indexed, matches=matches) if matches else indexed, links
        return IndexedMessage(seq, None, (), linked=False), ()

    def _opened(self, message: VerifiedMessage) -> Opened:
        kind = kinds.get(message.header.kind, message.header.kind_version)
        return Opened(self._decryption_keys.content(message, kind), self._decryption_keys.annex(message, kind))

    def _read_terms(
        self, seq: int, header: message_pb2.Header, opened: Opened
    ) -> tuple[IndexedMessage, Collection[bytes]]:
        kind = kinds.get(header.kind, header.kind_version)
        open_terms = terms(kind, opened.content, None)
        annex_terms = frozenset[Term]()
        if opened.annex is not None:
            annex_terms = terms(kind, opened.content, opened.annex) - open_terms
        found = [(self._token_key.token(each), each, False) for each in open_terms]
        found += [(self._token_key.token(each), each, True) for each in annex_terms]
        found.sort(key=itemgetter(0))
        links = [token for token, each, annex in sorted(found, key=itemgetter(2)) if each.links][:MAX_LINK_TOKENS]
        tokens = tuple((token, each.field, annex) for token, each, annex in found)
        return IndexedMessage(seq, _event_time(kind, opened.content), tokens, linked=False), links


def _bodies(reads: ReadConnection, seqs: Sequence[int]) -> Iterator[bytes | None]:
    """Yield the serialized SignedMessages of messages in their order, None for one that was erased."""
    sizes = messages_store.body_sizes(reads, seqs)
    at = 0
    while at < len(seqs):
        begin, room = at, READ_BYTES
        while at < len(seqs) and (at == begin or sizes.get(seqs[at], 0) <= room):
            room -= sizes.get(seqs[at], 0)
            at += 1
        found = messages_store.bodies(reads, seqs[begin:at])
        yield from (found.get(seq) for seq in seqs[begin:at])


def _added(
    reads: ReadConnection, message: IndexedMessage, links: Collection[bytes]
) -> tuple[IndexedMessage, Collection[bytes]]:
    """Return a message that is indexed again with its new matches alone, and those of its links that are new.

    All that it may have more than before is its annex: searches that its other parts meet were told of it. They are not
    told of one of ours that did not open before.
    """
    known = search_store.tokens_at(reads, message.seq)
    is_linked = bool(search_store.linked(reads, [message.seq]))
    is_same = known.issuperset(token for token, _field, _annex in message.tokens)
    matches = () if is_same else tuple(each for each in message.matches if each.annex)
    return replace(message, linked=is_linked, matches=matches), [each for each in links if each not in known]


def _again(conn: ReadConnection) -> set[int]:
    """Return the numbers of the messages to read again."""
    return set(read_again(settings_store.setting(conn, SETTING_AGAIN)))


def read_again(value: bytes | None) -> list[int]:
    """Return the numbers of the messages that a value of `SETTING_AGAIN` names."""
    data = value or b""
    return [int.from_bytes(data[at : at + NUMBER_BYTES], "big") for at in range(0, len(data), NUMBER_BYTES)]


def _put_again(tx: LogTransaction, seqs: Collection[int]) -> None:
    settings_store.put_setting(tx.conn, SETTING_AGAIN, b"".join(map(_number, sorted(seqs))))


def _number(seq: int) -> bytes:
    return seq.to_bytes(NUMBER_BYTES, "big")


def _store(tx: LogTransaction, *, batch: Sequence[tuple[bytes, IndexedMessage]], store_matches: "StoreMatches") -> None:
    messages = [message for _digest, message in batch]
    cursor = settings_store.counter(tx.conn, CURSOR)
    if again := {each.seq for each in messages if each.seq <= cursor}:
        _put_again(tx, _again(tx.conn) - again)
        for seq in again:
            search_store.drop_indexed(tx.conn, seq)
    erased = messages_store.erased_seqs(tx.conn, [each.seq for each in messages])  # after it was read, and before this
    search_store.add_indexed(
        tx.conn, [replace(each, event_time=None, tokens=()) if each.seq in erased else each for each in messages]
    )
    settings_store.put_counter(tx.conn, CURSOR, max(cursor, messages[-1].seq))
    if matches := [match for each in messages if each.seq not in erased for match in each.matches]:
        store_matches(tx, matches)
    if linked := tuple(digest for digest, message in batch if message.linked):
        tx.announce(MessagesChanged(linked))


def _event_time(kind: Kind, content: Any) -> datetime | None:
    """Return the time of the event that a message reports: its first moment; None if it states none."""
    for field in kind.shape.fields:
        if field.value_type is FieldType.PARTIAL_TIME and content.HasField(field.name):
            return partial_time_start(getattr(content, field.name))
    return None
