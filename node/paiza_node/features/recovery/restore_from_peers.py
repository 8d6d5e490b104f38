"""Restoring from peers: a node restored from an old copy fetches its lost data from the others, until it has all.

From each other member, in this order, and each step again until it succeeds:

1. It returns the largest checkpoints it holds of the third members' logs. This node may have cosigned one that is
   larger than those known here: until that log has proven consistency with it, it is not cosigned
   (`witness.cosigning`), so that no witness ever cosigns two histories.
2. It returns the messages it delivered for which it has our receipts: they are received as if delivered now, with the
   same checks; but messages whose erasure we had DENIED are put under hold again first (`lost_entries`).
3. It returns the messages that we had released to it and it answered (`serve_peer`, `recovered_messages`).
4. It sends again its answers about attachments of ours, and about our requests to erase.

A message that an erasure request among them names is erased as usual, also if it comes back after the request. Every
page is committed with the progress of the recovery; after a crash in between the page is fetched once more, and what is
stored already is skipped.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from paiza.peer.v1 import recovery_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import NodeStopped
from paiza_node.core.exchange.receive.receive import MAX_DISPATCHES, Receive
from paiza_node.core.executors.periodic import backoff
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.model import LOGGED_DIGITS
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.session import PeerSession
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.recovery import lost_entries
from paiza_node.features.recovery.progress import SETTING, SIDES, Place, Progress, RecoveryHold
from paiza_node.features.recovery.recovered_messages import Lost, RecoveredMessages, Regained, recovered
from paiza_node.features.recovery.serve_peer import MAX_CHECKPOINTS
from paiza_register import Member, Register
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

FIRST_PAUSE_SECONDS: Final = 1.0  # between two rounds that left something open
LONGEST_PAUSE_SECONDS: Final = 5.0  # the recovery finds within this time that a member is back, or knows the new log
MAX_TRIES: Final = 100  # some minutes, of a page with something that cannot be checked yet: its register is fetched

log = structlog.get_logger("paiza.recovery")


class RestoreFromPeers:
    """The recovery of a restored node. Belongs to one event loop."""

    def __init__(
        self,
        core: Core,
        *,
        peers: PeerDirectory,
        receive: Receive,
        recovered_messages: RecoveredMessages,
        hold: RecoveryHold,
    ) -> None:
        """Begin with the stored progress; ``hold`` follows it."""
        self._core = core
        self._peers = peers
        self._receive = receive
        self._regains = recovered_messages
        self._hold = hold
        self._tries: Counter[tuple[str, Place]] = Counter()
        with core.store.reads() as reads:
            self.progress = Progress.from_bytes(settings_store.setting(reads, SETTING))
        self._hold.members = self.progress.held()

    async def run(self) -> None:
        """Run round after round until nothing is expected; without losses nothing happens."""
        is_unproven = 0  # rounds in a row
        while not self.progress.done:
            before = self.progress.to_bytes()
            await self._round()
            if self.progress.to_bytes() != before:
                is_unproven = 0
                continue
            is_unproven += 1
            await asyncio.sleep(backoff(is_unproven, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
        await asyncio.Event().wait()  # a background task runs as long as the node

    async def _round(self) -> None:
        with suppress(Unavailable):  # an expired register names nobody
            self.progress.keep_only(set(self._core.register_cache.current.active_ids))
        sessions = self._peers.sessions
        for member in sorted(self.progress.unanswered & sessions.keys()):
            await self._try(self._ask_checkpoints, sessions[member])
        for member in sorted(self.progress.unproven.keys() & sessions.keys()):
            await self._try(self._settle, sessions[member])
        for member in sorted(self.progress.pending.keys() & sessions.keys()):
            await self._try(self._fetch, sessions[member])
        self._hold.members = self.progress.held()
        if self.progress.done:
            log.info("recovered")

    async def _try(self, step: Callable[[PeerSession], Awaitable[None]], session: PeerSession) -> None:
        """Run a step; a failed one is tried again in the next round, since no member may end or block a recovery."""
        try:
            await step(session)
        except PaizaError as error:
            log.warning("recovery_waits", peer=session.member, reason=error.reason, detail=error.detail)
        except NodeStopped:
            raise
        except Exception:  # no answer of one peer may end the node
            log.exception("recovery_failed", peer=session.member)

    async def _ask_checkpoints(self, session: PeerSession) -> None:
        """Step 1: fetch the checkpoints that a member holds of third logs."""
        response = await session.list_held_checkpoints()
        core, unproven = self._core, {member: list(notes) for member, notes in self.progress.unproven.items()}
        owners = {each.origin: each for each in core.register_cache.current.members.values()}
        for note in response.other_checkpoints[:MAX_CHECKPOINTS]:
            try:
                owner = owners[fork_proofs.read_origin(note)]
                checkpoint = core.logs.verify(owner, note)
            except (PaizaError, KeyError):  # of a former log, or not signed by a key in use: nobody cosigns that
                continue
            if owner.id == core.member or checkpoint.size <= core.logs.size(owner.id):
                continue
            notes = unproven.setdefault(owner.id, [])
            if checkpoint.note not in notes:
                notes.append(checkpoint.note)
        self.progress.unproven = unproven
        self.progress.unanswered.discard(session.member)
        await self._core.ledger.commit(self._note)

    async def _settle(self, session: PeerSession) -> None:
        """Step 1: have a log prove consistency with every larger checkpoint others hold of it, one after the other."""
        core, owner = self._core, self._core.register_cache.current.active_member(session.member)
        for note in sorted(self.progress.unproven[session.member], key=fork_proofs.read_size):
            try:
                checkpoint = core.logs.verify(owner, note)
            except Unavailable:  # the log has abandoned the key meanwhile
                continue
            if checkpoint.size > core.logs.size(owner.id):
                try:
                    await session.prove_history(checkpoint)
                except Rejected as error:
                    if error.reason != "log_forked":
                        raise
                    break  # an administrator decides on a fork: that log is not cosigned any more
        del self.progress.unproven[session.member]
        known = core.logs.to_store(owner.id, core.logs.link(owner.id))

        def work(tx: LogTransaction) -> None:
            if known.note:
                peers_store.put_known_log(tx.conn, known)
            self._note(tx)

        await core.ledger.commit(work)

    async def _fetch(self, session: PeerSession) -> None:
        """Steps 2 to 4: fetch page after page of what a member returns."""
        member = session.member
        while not self.progress.gave_all(member):
            place = self.progress.pending[member]
            origin, own_size = self.progress.lost[place.log]
            request = recovery_pb2.ListLostEntriesRequest(
                side=place.side, own_size=own_size, from_index=place.from_index, origin=origin
            )
            page, checkpoint = await session.list_lost_entries(request)
            if page.next_index and page.next_index <= place.from_index:
                raise Unavailable("unexpected_answer", f"{member} gives the same page again")
            if len(page.items) > MAX_DISPATCHES:
                raise Unavailable("unexpected_answer", f"{member} gives more than a page")
            take = self._take_received if place.side == SIDES[0] else self._take_released
            count = await take(member, page.items, checkpoint, place, page.next_index)
            log.info("lost_entries_received", peer=member, side=int(place.side), items=len(page.items), new=count)
        # 4.
        await session.list_held_checkpoints(tell_again=True)
        del self.progress.pending[member]
        await self._core.ledger.commit(self._note)

    async def _take_received(
        self,
        peer: str,
        items: Sequence[recovery_pb2.GivenBack],
        checkpoint: VerifiedCheckpoint,
        place: Place,
        next_index: int,
    ) -> int:
        """Receive again messages that the peer had delivered, and store their lost receipts."""
        member = self._core.register_cache.current.active_member(peer)
        dispatches = [item.dispatch for item in items if item.HasField("dispatch")]
        given = [(item, found) for item in items if (found := self._lost(member, place, item)) is not None]
        own, logs = own_member(self._core), dict(self.progress.lost)
        answers = await asyncio.to_thread(lost_entries.erasure_answers, own, logs, peer, given, self._core.clock())
        if dispatches:
            restored: set[bytes] = set()

            def before(tx: LogTransaction) -> None:
                restored.update(lost_entries.put_back(tx, answers, self._core.node_id))

            committed = await self._receive.take(member, dispatches, checkpoint, before=before)
            if restored:
                log.warning("holds_restored", peer=peer, messages=[each.hex()[:LOGGED_DIGITS] for each in restored])
            for outcome in committed.result:
                if isinstance(outcome, Unavailable):
                    self._try_again(peer, place, outcome)
        lost = [*(found for _, found in given), *answers]
        return await self._commit(lost, [], peer, checkpoint, next_index)

    async def _take_released(
        self,
        peer: str,
        items: Sequence[recovery_pb2.GivenBack],
        checkpoint: VerifiedCheckpoint,
        place: Place,
        next_index: int,
    ) -> int:
        """Release again our messages that the peer answered, and settle them by its answer."""
        member = self._core.register_cache.current.active_member(peer)
        lost: list[Lost] = []
        regained: list[Regained] = []
        for item in items:
            found = self._lost(member, place, item)
            if found is None:
                continue
            lost.append(found)
            try:
                whole = await asyncio.to_thread(self._regains.check, item, found, peer, checkpoint)
            except Unavailable as error:
                self._try_again(peer, place, error)
                continue
            except PaizaError as error:
                log.warning("message_not_recovered", peer=peer, reason=error.reason, detail=error.detail)
                continue
            if whole is not None:
                regained.append(whole)
        return await self._commit(lost, regained, peer, checkpoint, next_index)

    def _try_again(self, peer: str, place: Place, error: Unavailable) -> None:
        """Fetch a page again if part of it cannot be checked yet; but not for ever."""
        self._tries[peer, place] += 1
        if self._tries[peer, place] <= MAX_TRIES:
            raise error
        log.error("given_up", peer=peer, reason=error.reason, detail=error.detail)

    def _lost(self, peer: Member, place: Place, item: recovery_pb2.GivenBack) -> Lost | None:
        """Check that a returned entry is one of our lost log about that member; None if it is not."""
        try:
            origin, own_size = self.progress.lost[place.log]
            return lost_entries.verified(
                own_member(self._core), origin, own_size, peer.id, item.lost, self._core.clock()
            )
        except PaizaError as error:
            log.warning("lost_entries_refused", peer=peer.id, reason=error.reason, detail=error.detail)
            return None

    async def _commit(
        self,
        lost: Sequence[Lost],
        regained: Sequence[Regained],
        peer: str,
        checkpoint: VerifiedCheckpoint,
        next_index: int,
    ) -> int:
        core = self._core
        known = core.logs.to_store(peer, checkpoint)
        after = Progress.from_bytes(self.progress.to_bytes())
        after.took(peer, next_index)

        def work(tx: LogTransaction) -> int:
            peers_store.put_known_log(tx.conn, known)
            self._regains.write(tx, regained, peer)
            count = recovered(tx, lost, core.node_id)
            settings_store.put_setting(tx.conn, SETTING, after.to_bytes())
            return count

        committed = await core.ledger.commit(work)
        self.progress = after
        return committed.result

    def _note(self, tx: LogTransaction) -> None:
        settings_store.put_setting(tx.conn, SETTING, self.progress.to_bytes())


def own_member(core: Core) -> Member:
    """Return our own member in the register."""
    register: Register = core.register_cache.current
    return register.member(core.member)
