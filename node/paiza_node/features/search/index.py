"""The search index: keyed blind tokens of stored messages, made shortly after they were stored.

Not in the commit path: a message is released and received first, and can be found a moment later. The cursor is the
number of the last indexed message; it is committed with the tokens, so that a crash repeats a batch or nothing. A new
key, or new folding rules, begin the index anew. Messages that cannot be opened any more (an erased key) are skipped.
"""

import asyncio
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from time import perf_counter
from typing import Any, Final

import structlog

from paiza_domain import kinds
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import partial_time_start
from paiza_domain.schema.shapes import FieldType
from paiza_domain.terms.folding import RULES_VERSION
from paiza_domain.terms.index_terms import Term, terms
from paiza_node.core.dependencies import Core
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.changes import Change, MessagesChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import stored
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.search import store as search_store
from paiza_node.features.search.model import IndexedMessage
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage

BATCH: Final = 64  # messages of one commit
TOKEN_BYTES: Final = 16  # of HMAC-SHA256: a chance hit among a billion tokens is one in 10^20
MAX_LINK_TOKENS: Final = 300  # identifiers of one message that are compared with older ones
REST: Final = 2.0  # pause after a batch, as a multiple of its duration, if more waits: traffic goes first
PATIENCE_SECONDS: Final = 30.0  # between checks without changes
CURSOR: Final = "indexed"
SETTING_KEY: Final = "index_key"

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


class Index:
    """Maintains the index. One per node."""

    def __init__(
        self,
        core: Core,
        *,
        token_key: TokenKey,
    ) -> None:
        self._store = core.store
        self._ledger = core.ledger
        self._token_key = token_key
        self._decryption_keys = core.decryption_keys
        self._begun = False  # whether the key and the rules of the index were compared with ours
        self.task = PeriodicTask(self._round, period=PATIENCE_SECONDS, failed="not_indexed")

    def notify(self, changes: Sequence[Change]) -> None:
        """Wake when messages changed: some may be new."""
        if any(isinstance(change, MessagesChanged) for change in changes):
            self.task.wake()

    def catch_up(self) -> None:
        """Wake to check for messages that are not indexed."""
        self.task.wake()

    async def _round(self) -> None:
        if not self._begun:
            await self._ledger.commit(self._begin)
            self._begun = True
        await self.index_stored()

    async def index_stored(self) -> None:
        """Index all waiting messages."""
        while True:
            began = perf_counter()
            batch = await asyncio.to_thread(self._read)
            if not batch:
                return
            last = batch[-1].seq
            linked = await asyncio.to_thread(self._linked, batch)
            await self._ledger.commit(partial(_store, batch=batch, last=last, linked=linked))
            if len(batch) == BATCH:
                await asyncio.sleep((perf_counter() - began) * REST)

    def _begin(self, tx: LogTransaction) -> None:
        if settings_store.setting(tx.conn, SETTING_KEY) != self._token_key.fingerprint:
            search_store.clear_index(tx.conn)
            settings_store.put_counter(tx.conn, CURSOR, 0)
            settings_store.put_setting(tx.conn, SETTING_KEY, self._token_key.fingerprint)

    def _read(self) -> list[IndexedMessage]:
        with self._store.reads() as reads:
            rows = messages_store.unindexed(reads, settings_store.counter(reads, CURSOR), BATCH)
        return [self._indexed(row) for row in rows]

    def _indexed(self, row: MessageRow) -> IndexedMessage:
        try:
            signed = (
                messages_store.read_signed(self._store, row.digest) if row.state is not MessageState.REFUSED else None
            )
            if signed is not None:
                return self._read_terms(row, stored(signed))
        except Rejected as error:
            log.warning("not_opened", message=row.digest.hex()[:16], reason=error.reason)
        except Unavailable:
            raise
        except Exception:  # content made by an officer's client must not stop the index, and with it the node
            log.exception("not_indexed", message=row.digest.hex()[:16])
        return IndexedMessage(row.seq, None, (), linked=False)

    def _read_terms(self, row: MessageRow, message: VerifiedMessage) -> IndexedMessage:
        kind = kinds.get(message.header.kind, message.header.kind_version)
        content, annex = self._decryption_keys.content(message, kind), self._decryption_keys.annex(message, kind)
        open_terms = terms(kind, content, None)
        tokens = [(self._token_key.token(each), each.field, False) for each in sorted(open_terms)]
        sealed_apart = sorted(terms(kind, content, annex) - open_terms)
        tokens += [(self._token_key.token(each), each.field, True) for each in sealed_apart]
        links = [self._token_key.token(each) for each in (*sorted(open_terms), *sealed_apart) if each.links]
        with self._store.reads() as reads:
            linked = bool(links and search_store.sharing(reads, links[:MAX_LINK_TOKENS], before_seq=row.seq, limit=1))
        return IndexedMessage(row.seq, _event_time(kind, content), tuple(tokens), linked)

    def _linked(self, batch: Iterable[IndexedMessage]) -> list[bytes]:
        seqs = [message.seq for message in batch if message.linked]
        if not seqs:
            return []
        with self._store.reads() as reads:
            return [row.digest for row in messages_store.messages_at(reads, seqs)]


def _store(tx: LogTransaction, *, batch: Sequence[IndexedMessage], last: int, linked: Sequence[bytes]) -> None:
    erased = messages_store.erased_seqs(tx.conn, [each.seq for each in batch])  # after it was read, and before this
    search_store.add_indexed(
        tx.conn, [replace(each, event_time=None, tokens=()) if each.seq in erased else each for each in batch]
    )
    settings_store.put_counter(tx.conn, CURSOR, last)
    if linked:
        tx.announce(MessagesChanged(tuple(linked)))


def _event_time(kind: Kind, content: Any) -> datetime | None:
    """Return the time of the event that a message reports: its first moment; None if it states none."""
    for field in kind.shape.fields:
        if field.value_type is FieldType.PARTIAL_TIME and content.HasField(field.name):
            return partial_time_start(getattr(content, field.name))
    return None
