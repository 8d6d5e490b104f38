"""Downloads: attachments of received messages are fetched from the sender's node, verified whole, and acknowledged.

A message is received at once and its attachments follow: a stop never waits behind a film. Each is fetched over a
connection of its own, from the bytes that are on disk, few at a time and at a bounded rate, the smallest first, and the
members in turn. A member that serves nothing is asked again with growing pauses, however much is expected of it. Room
on the disk is granted a piece at a time: a member that sends slowly holds little of it. When all bytes are there the
digest is checked and the whole opened with the part's key, in memory, a piece at a time; only then does our log state
RECEIVED for that part. The sender's node is informed with a `Deliver`. What a crash leaves:

- while bytes come: some bytes on disk; the next start continues from there;
- before the commit: a whole file and a pending row; it is opened once more and committed;
- after the commit, before the sender was informed: a row that records this; it is done after the next start.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Final

import structlog

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import NodeStopped
from paiza_node.core.executors.periodic import backoff
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import AttachmentsExpected, Change, MessagesChanged
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import stored
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.acknowledge import MAX_ANSWERS
from paiza_node.features.attachments.attached import AttachmentsMoved
from paiza_node.features.attachments.disk_room import disk_full
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.attachments.model import AttachmentRow
from paiza_wire import log_entries
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.message import attachment

FETCHES: Final = 4  # concurrent, all peers together; each writes to the disk
FETCHES_PER_PEER: Final = 2  # a peer limits its concurrent transfers as well
BYTES_PER_SECOND: Final = 64 * 1024 * 1024  # of one transfer; the rest of the line and of the processor is for messages
PEER_BYTES_PER_DAY: Final = 64 * 1024**3  # bytes received from one peer in a day; further ones wait
QUOTA_PAUSE_SECONDS: Final = 3600.0
GRANT_BYTES: Final = 64 * 1024 * 1024  # of the disk, granted to one transfer at a time
PACE_SECONDS: Final = 60.0  # how often a transfer is checked for its least pace
PACE_BYTES: Final = 4 * 1024 * 60  # in these seconds, or it is broken off: 4 GiB then take 12 days, of a delivery's 14
LOOKED_AT: Final = 64  # rows of one peer processed together
FIRST_PAUSE_SECONDS: Final = 0.5  # after a failure that brought bytes, or the first of others
LONGEST_PAUSE_SECONDS: Final = 60.0  # a download finds within this time that a peer is back
IDLE_SECONDS: Final = 30.0  # query the store at least this often
MAX_MISMATCHES: Final = 3  # attempts whose bytes did not match the header, before the attachment is refused
EXPIRY_BATCH: Final = 256

PENDING: Final = delivery_pb2.ATTACHMENT_STATE_PENDING

log = structlog.get_logger("paiza.attachments")


_Part = tuple[bytes, int]


class AttachmentDownloads:
    """Downloads attachments. Belongs to one event loop."""

    def __init__(self, core: Core, files: AttachmentFiles, *, peers: PeerDirectory, life: timedelta) -> None:
        """Download from these peers into these files; what is not served within ``life`` is given up."""
        self._core = core
        self._folder = files
        self._by_source: dict[str, AttachmentFiles] = {}
        self._peers = peers
        self._life = life
        self._woken = asyncio.Event()
        self._fetching: dict[_Part, tuple[str, asyncio.Task[None]]] = {}
        self._begun_last: dict[str, int] = {}
        self._pauses: dict[str, tuple[int, datetime]] = {}  # failures in a row of a member's downloads, paused until
        self._turn = count()
        self._missing: dict[_Part, tuple[str, int]] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._mismatches: dict[_Part, int] = {}
        self._moved: list[AttachmentRow] = []
        self._counted: set[tuple[str, str]] = set()
        self.bytes_taken = 0

    def notify(self, changes: Sequence[Change]) -> None:
        """Wake when attachments may be due."""
        for change in changes:
            if isinstance(change, AttachmentsMoved):
                self._moved += change.rows
        if any(isinstance(change, AttachmentsExpected | AttachmentsMoved) for change in changes):
            self._woken.set()

    def catch_up(self) -> None:
        """Wake to check what is due."""
        self._woken.set()

    def pending(self) -> dict[tuple[str, str], int]:
        """Count pending attachments: ("here", member who serves it) or ("there", member to whom we serve it)."""
        with self._core.store.reads() as reads:
            found = attachments_store.pending_counts(reads)
        gone = dict.fromkeys(self._counted - set(found), 0)
        self._counted |= set(found)
        return {**gone, **found}

    async def run(self) -> None:
        """Download as long as the node runs. Cancelling it anywhere keeps the received bytes."""
        try:
            while True:
                self._woken.clear()
                try:
                    await self._leave_moved()
                    await self._give_up_expired()
                    seconds = await self._begin()
                except Unavailable as error:
                    log.warning("attachments_wait", reason=error.reason, detail=error.detail)
                    seconds = FIRST_PAUSE_SECONDS
                await self._wait(seconds)
        finally:
            tasks = [*(task for _, task in self._fetching.values()), *self._telling.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self, seconds: float) -> None:
        """Wait until something is due or ended, or a change was announced."""
        woken = asyncio.create_task(self._woken.wait())
        under_way = [*(task for _, task in self._fetching.values()), *self._telling.values()]
        await asyncio.wait([woken, *under_way], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()
        ended: list[asyncio.Task[None]] = []
        for part, (_, task) in list(self._fetching.items()):
            if task.done():
                ended.append(self._fetching.pop(part)[1])
        for source, task in list(self._telling.items()):
            if task.done():
                ended.append(self._telling.pop(source))
        for task in ended:
            if task.cancelled():  # its message was erased meanwhile
                continue
            try:
                task.result()
            except Unavailable as error:  # the disk or the database is unavailable: due attachments stay due
                log.warning("attachments_wait", reason=error.reason, detail=error.detail)
                await asyncio.sleep(FIRST_PAUSE_SECONDS)
            except NodeStopped:
                raise
            except Exception:  # no answer of one peer may end the node
                log.exception("attachment_not_planned")
                await asyncio.sleep(FIRST_PAUSE_SECONDS)

    async def _leave_moved(self) -> None:
        """Stop downloads of what the author serves now, and remove the bytes that came from the forwarder.

        A crash before this leaves those bytes until the message is erased; they count against the forwarder alone.
        """
        while self._moved:
            row = self._moved.pop()
            part = (row.digest, row.part_number)
            source, task = self._fetching.get(part, ("", None))
            if task is not None and source == row.source:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            self._mismatches.pop(part, None)
            await asyncio.to_thread(self._files(row.source).discard, row.ciphertext_sha256)

    async def _begin(self) -> float:
        """Begin due downloads within the limits; return the longest time until another is due."""
        now = self._core.clock()
        planned, later = await asyncio.to_thread(self._planned), list[datetime]()
        # The member that began a download longest ago comes first: slow ones do not keep all places.
        for source, due in sorted(planned.items(), key=lambda each: self._begun_last.get(each[0], -1)):
            if due > now:
                later.append(due)
                continue
            _failures, until = self._pauses.get(source, (0, now))
            if until > now:
                later.append(until)
            rows = await asyncio.to_thread(self._due, source)
            told = [row for row in rows if row.state != PENDING][:MAX_ANSWERS]
            if told and source not in self._telling:
                self._telling[source] = asyncio.create_task(self._tell(source, told))
            for row in rows:
                part = (row.digest, row.part_number)
                if row.state == PENDING and until <= now and part not in self._fetching and self._has_room(source):
                    self._fetching[part] = (source, asyncio.create_task(self._collect(row)))
                    self._begun_last[source] = next(self._turn)
        return min([IDLE_SECONDS, *((due - now).total_seconds() for due in later)])

    def _has_room(self, source: str) -> bool:
        own = sum(other == source for other, _ in self._fetching.values())
        return len(self._fetching) < FETCHES and own < FETCHES_PER_PEER

    def _planned(self) -> dict[str, datetime]:
        with self._core.store.reads() as reads:
            return attachments_store.attachment_sources(reads)

    def _due(self, source: str) -> list[AttachmentRow]:
        """Return what is due.

        Answers are due only if a signed checkpoint covers them: a commit is visible before it is signed.
        """
        provable = self._core.ledger.checkpoint.size
        with self._core.store.reads() as reads:
            found = attachments_store.attachments_due(reads, source, self._core.clock(), LOOKED_AT)
        return [row for row in found if row.log_index is None or row.log_index < provable]

    async def _collect(self, row: AttachmentRow) -> None:
        """Download, verify and acknowledge one attachment, or plan the next attempt."""
        before = await asyncio.to_thread(self._files(row.source).offset, row.ciphertext_sha256)
        try:
            await self._fetch(row)
            await asyncio.to_thread(self._open, row)
            self._pauses.pop(row.source, None)
            if not await self._settle(row, None):
                await asyncio.to_thread(self._remove_unnamed, row.ciphertext_sha256)
        except Rejected as error:
            await self._refuse(row, error)
        except Unavailable as error:
            after = await asyncio.to_thread(self._files(row.source).offset, row.ciphertext_sha256)
            came = after - before  # a few bytes are no progress: a member could hold a place with them for ever
            await self._again(row, error, progress=came >= PACE_BYTES or (came > 0 and after == row.size))
        except PaizaError:
            raise
        except Exception as error:  # no answer of one peer may end the node
            log.exception("attachment_failed", peer=row.source)
            await self._again(row, Unavailable("internal_error", type(error).__name__), progress=False)

    async def _fetch(self, row: AttachmentRow) -> None:
        """Download all bytes of an attachment to the disk."""
        ciphertext, size, files = row.ciphertext_sha256, row.size, self._files(row.source)
        if await asyncio.to_thread(files.holds, ciphertext, size):
            return
        await asyncio.to_thread(self._check_quota, row)
        offset = await asyncio.to_thread(files.offset, ciphertext)
        if offset > size:
            await asyncio.to_thread(files.discard, ciphertext)
            offset = 0
        if offset == size:
            return
        part = (row.digest, row.part_number)
        self._missing[part] = (row.source, size - offset)
        try:
            # All transfers of the member that are under way must fit: else none of them would come to its end.
            missing = sum(left for source, left in self._missing.values() if source == row.source)
            if missing > files.room.left_to(row.source):
                raise disk_full(size - offset)
            await self._receive(row, offset)
        finally:
            del self._missing[part]
            files.room.give_back((row.source, ciphertext))

    async def _receive(self, row: AttachmentRow, offset: int) -> None:
        """Append the bytes of an attachment from an offset on."""
        ciphertext, size, files = row.ciphertext_sha256, row.size, self._files(row.source)
        request = exchange_pb2.FetchAttachmentRequest(
            message_digest=row.digest, part_number=row.part_number, offset=offset
        )
        writer = await asyncio.to_thread(files.writer, ciphertext, offset, size, row.source)
        pace, granted = _Pace(), 0
        try:
            async with aclosing(self._peers.session(row.source).fetch_attachment(request)) as pieces:
                async for piece in pieces:
                    if granted < len(piece):
                        granted = max(len(piece), min(GRANT_BYTES, size - writer.offset))
                        # Not in a thread, which would go on when the transfer is cancelled, and grant it to nobody.
                        files.room.grant((row.source, ciphertext), granted)
                    await asyncio.to_thread(writer.write, piece)
                    granted -= len(piece)
                    self._missing[row.digest, row.part_number] = (row.source, size - writer.offset)
                    self.bytes_taken += len(piece)
                    await pace.keep(len(piece))
            await asyncio.to_thread(writer.sync)
        finally:
            files.release(ciphertext, writer)
        if writer.offset < size:
            raise Unavailable("attachment_incomplete", f"{row.source} broke off before the end")

    def _open(self, row: AttachmentRow) -> None:
        """Check digest and size, open the whole with the part's key, and mark the file as whole.

        The plaintext is not stored: an officer's program opens it again.
        """
        core, files = self._core, self._files(row.source)
        signed = messages_store.read_signed(core.store, row.digest)
        if signed is None:
            raise Rejected("unknown_id", "the message is gone")
        message = stored(signed)
        key = core.decryption_keys.part_key(message, row.part_number)
        open_scope = attachment.Opener(message.header, row.part_number, key)
        whole = files.holds(row.ciphertext_sha256, row.size)
        try:
            for piece in files.pieces(row.ciphertext_sha256):
                open_scope.update(piece)
            open_scope.finish()
        except Rejected:
            if not whole:
                # It is the sender's fault only if these are the bytes its header names: else they are downloaded anew.
                files.check(row.ciphertext_sha256)
            raise
        if not whole:
            files.complete(row.ciphertext_sha256)

    async def _settle(self, row: AttachmentRow, refusal: Rejected | None) -> bool:
        """Commit the result of an attachment; the sender is told next. False if it was erased or moved meanwhile."""
        core = self._core
        reason, detail = (refusal.reason, refusal.detail) if refusal else ("", "")

        def work(tx: LogTransaction) -> bool:
            found = attachments_store.attachment(tx.conn, row.digest, row.part_number, row.member, row.source)
            if found is None or found.state != PENDING:
                return False
            index = tx.append(_answer(row, core.node_id, reason), text=detail).index
            state = delivery_pb2.ATTACHMENT_STATE_REFUSED if refusal else delivery_pb2.ATTACHMENT_STATE_RECEIVED
            settled = replace(found, state=state, settled_time=tx.now, log_index=index, due_time=tx.now)
            attachments_store.put_attachments(tx.conn, [replace(settled, reason=reason, detail=detail)])
            tx.announce(MessagesChanged((row.digest,)))
            return True

        settled_now = (await core.ledger.commit(work)).result
        if settled_now:
            outcome = reason or "received"
            log.info("attachment_settled", peer=row.source, part=row.part_number, bytes=row.size, outcome=outcome)
        self._mismatches.pop((row.digest, row.part_number), None)
        return settled_now

    async def forget(self, digest: bytes) -> None:
        """Stop all downloads of a message; a file that a thread still writes is removed when it settles."""
        ending = [task for (message, _), (_, task) in self._fetching.items() if message == digest]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _remove_unnamed(self, ciphertext: bytes) -> None:
        with self._core.store.reads() as reads:
            named = attachments_store.named_ciphertexts(reads, [ciphertext])
        if not named:
            self._folder.remove(ciphertext)

    async def _refuse(self, row: AttachmentRow, error: Rejected) -> None:
        """Refuse an attachment that does not open. If its bytes do not match the header, it is downloaded anew."""
        part = (row.digest, row.part_number)
        await asyncio.to_thread(self._files(row.source).discard, row.ciphertext_sha256)
        self._mismatches[part] = self._mismatches.get(part, 0) + 1
        if error.reason == "part_digest_mismatch" and self._mismatches[part] < MAX_MISMATCHES:
            await self._again(row, Unavailable(error.reason, error.detail), progress=False)
            return
        await self._settle(row, error)

    async def _again(self, row: AttachmentRow, error: Unavailable, *, progress: bool) -> None:
        """Plan another attempt: soon if bytes came, else with growing, jittered pauses, of the member's others too."""
        if progress:
            self._pauses.pop(row.source, None)
        else:
            self._pause(row.source, error.retry_after_seconds or 0.0)
        pause = backoff(1 if progress else row.attempts + 1, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        pause = max(pause, error.retry_after_seconds or 0.0)
        due = self._core.clock() + timedelta(seconds=pause)
        attempts = 0 if progress else row.attempts + 1
        log.warning("attachment_waits", peer=row.source, part=row.part_number, reason=error.reason, detail=error.detail)
        await self._core.ledger.commit(
            lambda tx: attachments_store.plan_attachment(tx.conn, row, due, attempts, error.reason, error.detail)
        )

    def _pause(self, source: str, at_least_seconds: float) -> None:
        """Begin no download of a member for a time that grows with its failures in a row."""
        now = self._core.clock()
        failures, until = self._pauses.get(source, (0, now))
        if until > now:  # this download was under way when another one failed
            return
        pause = backoff(failures + 1, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        pause = max(pause, min(at_least_seconds, LONGEST_PAUSE_SECONDS))
        self._pauses[source] = failures + 1, now + timedelta(seconds=pause)

    async def _tell(self, source: str, rows: Sequence[AttachmentRow]) -> None:
        """Send a member our log's entries about attachments it served, until it has recorded them."""
        try:
            entries = await asyncio.to_thread(
                self._entries, [row.log_index for row in rows if row.log_index is not None]
            )
            await self._peers.session(source).send_attachment_answers(entries)
        except (Rejected, Unavailable) as error:
            log.warning("attachment_answers_wait", peer=source, reason=error.reason, detail=error.detail)
            pause = backoff(rows[0].attempts + 1, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            due = self._core.clock() + timedelta(seconds=pause)
            await self._core.ledger.commit(lambda tx: _plan(tx, rows, due))
            return
        await self._core.ledger.commit(lambda tx: _plan(tx, rows, None))

    def _entries(self, indices: Sequence[int]) -> list[StoredEntry]:
        with self._core.store.reads() as reads:
            return log_store.entries_at(reads, indices)

    def _check_quota(self, row: AttachmentRow) -> None:
        since = self._core.clock() - timedelta(days=1)
        with self._core.store.reads() as reads:
            taken = attachments_store.attachment_bytes_since(reads, row.source, since)
        files = self._files(row.source)  # its interrupted downloads are here too
        taken += max(0, files.unfinished_bytes() - files.offset(row.ciphertext_sha256))
        if taken + row.size > PEER_BYTES_PER_DAY:
            detail = f"{row.source} handed over {taken} bytes within a day"
            raise Unavailable("quota_exceeded", detail, QUOTA_PAUSE_SECONDS)

    def _files(self, source: str) -> AttachmentFiles:
        if source not in self._by_source:
            self._by_source[source] = self._folder.received_from(source)
        return self._by_source[source]

    async def _give_up_expired(self) -> None:
        """Expire attachments that were not served within the lifetime of a delivery, and log it."""
        before = self._core.clock() - self._life
        expired = await asyncio.to_thread(self._expired, before)
        if not expired:
            return

        def work(tx: LogTransaction) -> None:
            for row in expired:
                found = attachments_store.attachment(tx.conn, row.digest, row.part_number, row.member, row.source)
                if found is None or found.state != PENDING:  # it was erased or moved meanwhile
                    continue
                index = tx.append(
                    log_entries.expired(
                        actor=self._core.node_id,
                        recipient=row.source,
                        digest=row.digest,
                        reason="delivery_expired",
                        part_number=row.part_number,
                    )
                ).index
                state = delivery_pb2.ATTACHMENT_STATE_EXPIRED
                ended = replace(row, state=state, settled_time=tx.now, log_index=index, due_time=None)
                attachments_store.put_attachments(tx.conn, [replace(ended, reason="delivery_expired")])
            tx.announce(MessagesChanged(tuple({row.digest for row in expired})))

        await self._core.ledger.commit(work)
        for row in expired:
            await asyncio.to_thread(self._files(row.source).discard, row.ciphertext_sha256)

    def _expired(self, before: datetime) -> list[AttachmentRow]:
        with self._core.store.reads() as reads:
            found = attachments_store.attachments_expired(reads, before, EXPIRY_BATCH)
        return [row for row in found if (row.digest, row.part_number) not in self._fetching]


def _plan(tx: LogTransaction, rows: Sequence[AttachmentRow], due: datetime | None) -> None:
    """Plan when a member is informed again; never if it has recorded everything."""
    for row in rows:
        attachments_store.plan_attachment(tx.conn, row, due, row.attempts + (due is not None), row.reason, row.detail)


class _Pace:
    """Limits a download to an average number of bytes a second, and breaks it off below a least one."""

    def __init__(self) -> None:
        self._began = self._checked = asyncio.get_running_loop().time()
        self._bytes = self._bytes_checked = 0

    async def keep(self, size: int) -> None:
        """Count bytes; wait if there were too many, raise Unavailable("attachment_incomplete") if too few."""
        self._bytes += size
        now = asyncio.get_running_loop().time()
        if now - self._checked >= PACE_SECONDS:
            if self._bytes - self._bytes_checked < PACE_BYTES:
                detail = f"less than {PACE_BYTES} bytes came within {PACE_SECONDS:.0f} seconds"
                raise Unavailable("attachment_incomplete", detail)
            self._checked, self._bytes_checked = now, self._bytes
        ahead = self._bytes / BYTES_PER_SECOND - (now - self._began)
        if ahead > 0:
            await asyncio.sleep(ahead)


def _answer(row: AttachmentRow, node_id: str, reason: str) -> log_pb2.LogEntry:
    """Return the entry with the result of an attachment: received, or refused with a reason."""
    if not reason:
        return log_entries.attachment_received(
            actor=node_id,
            source=row.source,
            digest=row.digest,
            part_number=row.part_number,
            ciphertext_sha256=row.ciphertext_sha256,
        )
    return log_entries.attachment_refused(
        actor=node_id,
        source=row.source,
        digest=row.digest,
        part_number=row.part_number,
        reason=reason,
        ciphertext_sha256=row.ciphertext_sha256,
    )
