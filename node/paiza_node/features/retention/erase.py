"""Erase: messages that are to be erased here are deleted, and then the requester is informed.

A message's content is its body (ciphertexts and wraps), its attachments' files, its search tokens and the texts beside
the log that mention it. Its header, its signatures, its entries and every proof of it stay. The log states ERASED only
when no content is left. What a crash leaves:

- before the first commit: a row that says it is to be erased; the next start begins;
- after it, while files are removed or the database is purged: no body any more, and a row that says files may remain;
  the next start removes them again, which changes nothing if they are gone;
- before the second commit: nothing is left, and the log does not state it yet; the next start logs it;
- after it, before the requester was informed: a row that says so; the requester is informed after the next start.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog

from paiza.core.v1 import delivery_pb2, log_pb2, message_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.model import DeliveryKind, Settlement
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import Change, ErasuresPlanned, MessagesChanged
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import LOGGED_DIGITS, MessageRow, MessageState
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.storage.lifecycle import Lifecycle
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.attached import refuse_pending
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.model import ErasureRow, ErasureStep
from paiza_node.features.retention.requests import settle
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.message.attachment import part_numbers

BATCH: Final = 32  # messages erased in one commit
TOLD_AT_ONCE: Final = 128  # answers processed together; a Deliver takes 256
LEAST_PAUSE_SECONDS: Final = 0.2  # between checks: changes come in bursts
IDLE_SECONDS: Final = 30.0  # query the store at least this often
FIRST_TELL_SECONDS: Final = 2.0  # until a failed attempt to inform a requester is repeated; grows with the answer's age
LONGEST_TELL_SECONDS: Final = 600.0

# Reasons for opening, forwarding and denying belong to the audit record; other texts may repeat erased content.
KEPT_TEXTS: Final = frozenset({
    log_pb2.LOG_EVENT_RELEASED,
    log_pb2.LOG_EVENT_OPENED,
    log_pb2.LOG_EVENT_EXPORTED,
    log_pb2.LOG_EVENT_FORWARDED,
    log_pb2.LOG_EVENT_CONSULTED,
    log_pb2.LOG_EVENT_DENIED,
    log_pb2.LOG_EVENT_HELD,
    log_pb2.LOG_EVENT_HOLD_RELEASED,
    log_pb2.LOG_EVENT_REVIEW_KEPT,
    log_pb2.LOG_EVENT_REVIEW_ERASED,
})  # fmt: skip

Forget = Callable[[bytes], Awaitable[None]]
"""Stops all downloads of a message."""

log = structlog.get_logger("paiza.retention")


class Erase:
    """Erases messages. Belongs to one event loop."""

    def __init__(
        self,
        core: Core,
        files: AttachmentFiles,
        *,
        lifecycles: Sequence[Lifecycle],
        peers: PeerDirectory,
        forget: Forget,
    ) -> None:
        self._core = core
        self._files = files
        self._lifecycles = lifecycles
        self._peers = peers
        self._forget = forget
        self.task = PeriodicTask(self._round, period=IDLE_SECONDS, failed="not_erased_yet")

    def notify(self, changes: Sequence[Change]) -> None:
        """Wake when something may be due."""
        if any(isinstance(change, ErasuresPlanned) for change in changes):
            self.task.wake()

    def catch_up(self) -> None:
        """Wake to check what is due."""
        self.task.wake()

    async def _round(self) -> float:
        """Erase what is due; return how long until something else is."""
        await self.erase_due()
        seconds = await self._tell_all()
        await asyncio.sleep(LEAST_PAUSE_SECONDS)
        return seconds

    async def erase_due(self) -> None:
        """Erase all that is due; Unavailable if something prevents it for now."""
        core = self._core
        while due := await asyncio.to_thread(self._due):
            await core.ledger.commit(lambda tx, due=due: self._delete(tx, due))  # type: ignore[misc]
            # If we crash here or below, the rows say GONE, and all of this is done again.
            for row in due:
                await self._forget(row.digest)  # now, after which no new download begins
                await asyncio.to_thread(self._remove_files, row.digest)
            await asyncio.to_thread(retention_store.purge, core.store, self._lifecycles)
            finished = (await core.ledger.commit(lambda tx, due=due: self._finish(tx, due))).result  # type: ignore[misc]
            if finished:
                log.info("erased", messages=[digest.hex()[:LOGGED_DIGITS] for digest in finished])

    def _due(self) -> list[ErasureRow]:
        with self._core.store.reads() as reads:
            return retention_store.erasures_due(reads, BATCH)

    def _delete(self, tx: LogTransaction, due: Sequence[ErasureRow]) -> None:
        """Delete due content in the database, as far as it is still due; runs in the transaction."""
        core = self._core
        for each in due:
            row = retention_store.erasure(tx.conn, each.digest, each.request)
            if row is None or row.step is not ErasureStep.ASKED:
                continue
            message = messages_store.message(tx.conn, row.digest)
            if message is None or message.state is MessageState.REFUSED:
                settle(tx, core.member, core.node_id, row, ErasureStep.NOT_HELD)
                continue
            if retention_store.holds(tx.conn, [row.digest]):
                settle(tx, core.member, core.node_id, row, ErasureStep.HELD)
                continue
            self._give_up_deliveries(tx, message)
            body = messages_store.body(tx.conn, message.seq)
            if body is not None:
                refuse_pending(tx, row.digest, core.node_id)
                retention_store.erase_body(tx.conn, self._lifecycles, message, _remains(body), tx.now)
            log_store.drop_texts(tx.conn, _texts_of(tx, row.digest))
            retention_store.put_erasures(
                tx.conn, [ErasureRow(row.digest, row.request, row.requester, ErasureStep.GONE, row.asked_time)]
            )

    def _give_up_deliveries(self, tx: LogTransaction, message: MessageRow) -> None:
        """Drop waiting deliveries of a message; a notice of forwarding still goes to its author."""
        given_up = {
            delivery: recipient
            for delivery, recipient, delivery_kind in deliveries_store.waiting_deliveries(tx.conn, message.seq)
            if delivery_kind != DeliveryKind.NOTICE
        }
        settlements = [Settlement(delivery, delivery_pb2.DELIVERY_STATE_DROPPED, "erased") for delivery in given_up]
        for delivery in deliveries_store.settle(tx.conn, settlements, tx.now):
            tx.append(
                log_entries.expired(
                    actor=self._core.node_id, recipient=given_up[delivery], digest=message.digest, reason="erased"
                )
            )

    def _remove_files(self, digest: bytes) -> None:
        with self._core.store.reads() as reads:
            row = messages_store.message(reads, digest)
            if row is None or not messages_store.erased(reads, [digest]):
                return
            header = wire.parse_header(row.header)
            named = [header.parts[number].ciphertext_sha256 for number in part_numbers(header)]
            sole = attachments_store.sole_ciphertexts(reads, digest, named) if named else set()
        for ciphertext in sole:
            self._files.remove(ciphertext)
        if sole:
            self._files.sync()

    def _finish(self, tx: LogTransaction, due: Sequence[ErasureRow]) -> set[bytes]:
        """Log completed erasures; runs in the transaction."""
        finished: set[bytes] = set()
        for each in due:
            row = retention_store.erasure(tx.conn, each.digest, each.request)
            if row is not None and row.step is ErasureStep.GONE:
                settle(tx, self._core.member, self._core.node_id, row, ErasureStep.ERASED)
                finished.add(row.digest)
        if finished:
            tx.announce(MessagesChanged(tuple(finished)))
        return finished

    async def _tell_all(self) -> float:
        """Inform requesters that are due; return the longest time until another is."""
        core = self._core
        now, provable = core.clock(), core.ledger.checkpoint.size
        waiting = await asyncio.to_thread(self._untold)
        due: dict[str, list[ErasureRow]] = {}
        seconds = IDLE_SECONDS
        for row in waiting:
            if row.log_index is None or row.tell_time is None:
                continue
            if row.tell_time > now or row.log_index >= provable:
                seconds = min(seconds, max(LEAST_PAUSE_SECONDS, (row.tell_time - now).total_seconds()))
                continue
            due.setdefault(row.requester, []).append(row)
        for pause in await asyncio.gather(*(self._tell(requester, rows) for requester, rows in due.items())):
            seconds = min(seconds, pause)
        return seconds

    def _untold(self) -> list[ErasureRow]:
        with self._core.store.reads() as reads:
            return retention_store.erasures_to_tell(reads, TOLD_AT_ONCE)

    async def _tell(self, requester: str, rows: Sequence[ErasureRow]) -> float:
        """Inform one requester; return after how many seconds to check again."""
        core = self._core
        pause = IDLE_SECONDS
        again = None
        try:
            entries = await asyncio.to_thread(
                self._entries, [row.log_index for row in rows if row.log_index is not None]
            )
            await self._peers.session(requester).send_erasure_answers(entries)
        except (Rejected, Unavailable) as error:
            log.warning("erasure_answers_wait", peer=requester, reason=error.reason, detail=error.detail)
            age = (core.clock() - min(row.asked_time for row in rows)).total_seconds()
            pause = min(max(FIRST_TELL_SECONDS, age / 8), LONGEST_TELL_SECONDS)
            again = core.clock() + timedelta(seconds=pause)

        def plan(tx: LogTransaction) -> None:
            for row in rows:
                found = retention_store.erasure(tx.conn, row.digest, row.request)
                if found is not None and found.log_index == row.log_index:
                    retention_store.put_erasures(
                        tx.conn,
                        [
                            ErasureRow(
                                found.digest,
                                found.request,
                                found.requester,
                                found.step,
                                found.asked_time,
                                found.log_index,
                                again,
                            )
                        ],
                    )

        try:
            await core.ledger.commit(plan)
        except PaizaError as error:
            log.warning("erasure_answers_wait", peer=requester, reason=error.reason, detail=error.detail)
        return min(pause, IDLE_SECONDS)

    def _entries(self, indices: Sequence[int]) -> list[StoredEntry]:
        with self._core.store.reads() as reads:
            return log_store.entries_at(reads, indices)


def _remains(body: bytes) -> bytes:
    """Return the remains of a message: the header as it was signed, and the signatures."""
    message = message_pb2.SignedMessage.FromString(body)
    kept = message_pb2.SignedMessage(header=message.header, signatures=message.signatures)
    return kept.SerializeToString(deterministic=True)


def _texts_of(tx: LogTransaction, digest: bytes) -> list[int]:
    """Return the entries about a message with a text that may repeat its content."""
    return [
        stored.index
        for stored in log_store.entries_of(tx.conn, digest)
        if log_pb2.LogEntry.FromString(stored.entry).event not in KEPT_TEXTS
    ]
