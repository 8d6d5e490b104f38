"""Serving a recovering peer: a member that lost part of its log asks what this node holds of it.

A member that restored an old copy has lost entries that it had already proven to us: its receipts of our deliveries,
and its releases of what we received. Both are stored here with their proofs. It gets the messages again, with the very
entries it lost, page by page in their order.

It gets nothing that it did not have before: our deliveries were addressed to it, and its releases are its own. For a
message erased since, only the lost entry is returned.
"""

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import recovery_pb2
from paiza_domain.threads import thread
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryKind, DeliveryRow, ForeignProof, Outgoing, ProofKind
from paiza_node.core.exchange.proofs import foreign_proof
from paiza_node.core.exchange.rewrap import for_recipient, rewrap
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.send.certificates import certificates_of
from paiza_node.core.exchange.send.forwarded import pack
from paiza_node.core.exchange.send.peer_queue import MAX_BATCH_BYTES
from paiza_node.core.exchange.send.witnessed import Cosigned, has_left, witnessed_release
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import AttachmentsExpected, ErasuresPlanned, MessagesChanged
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageState
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.claims import consistency_claim
from paiza_node.core.rate_limit import RateLimit
from paiza_node.core.register.state import check_state
from paiza_node.core.storage import ReadConnection
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.recovery import store as recovery_store
from paiza_node.features.retention import store as retention_store
from paiza_register import Member
from paiza_wire import message as wire
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.merkle import MAX_TREE_SIZE

MAX_ITEMS: Final = 256  # of one page: they are written in one commit
MAX_TOLD_AGAIN: Final = 6  # times in a minute that one member is sent everything again: once a recovery is enough
MAX_CHECKPOINTS: Final = 64  # of the answer to ListHeldCheckpoints: one for each member of the largest federation

log = structlog.get_logger("paiza.recovery")


class ServePeer:
    """Returns to members what is held of their logs."""

    def __init__(self, core: Core, cosigned: Cosigned) -> None:
        self._core = core
        self._cosigned = cosigned
        self._calls = RateLimit(MAX_TOLD_AGAIN)
        self._one = asyncio.Lock()  # a page reads a whole table: one at a time

    async def held_checkpoints(
        self, member: Member, request: recovery_pb2.ListHeldCheckpointsRequest
    ) -> recovery_pb2.ListHeldCheckpointsResponse:
        """Return the largest checkpoints held: of each of the member's logs, former ones first, and of the others'.

        If requested, the answers it lost are sent again, with `Deliver` as usual.
        """
        core = self._core
        check_state(request.register_state)
        core.register_cache.note_state(member.id, request.register_state)
        if request.tell_again:
            if not self._calls.take(member.id, monotonic()):
                raise Unavailable("busy", f"{MAX_TOLD_AGAIN} times in a minute {member.id} is told again", 10.0)
            await core.ledger.commit(lambda tx: _tell_again(tx, member.id))
        own, others = await asyncio.to_thread(self._held, member.id)
        return recovery_pb2.ListHeldCheckpointsResponse(
            register_state=core.register_cache.state,
            own_checkpoints=own,
            other_checkpoints=others[:MAX_CHECKPOINTS],
        )

    def _held(self, member: str) -> tuple[list[bytes], list[bytes]]:
        logs = self._core.logs
        with self._core.store.reads() as reads:
            own = [known.note for known in peers_store.former_known_logs(reads, member)]
            stored = peers_store.known_logs(reads)
        # The store may be behind memory, if nothing was committed since, and ahead of it, if the register names a
        # newer log than the known one.
        notes = {known.note for known in stored.values() if known.member == member} | {logs.largest_note(member)}
        own += sorted(notes - {b""} - set(own), key=fork_proofs.read_size)
        others = [logs.note(other) or known.note for other, known in sorted(stored.items()) if other != member]
        return own, others

    async def __call__(
        self, member: Member, request: recovery_pb2.ListLostEntriesRequest
    ) -> recovery_pb2.ListLostEntriesResponse:
        """Return a page.

        1. The query is well formed, names no larger size of our log than exists, and is about a former log of the
           caller's.
        2. The entries of that log from the index that the caller still has are returned in their order.
        """
        core = self._core
        # 1.
        checkpoint = core.ledger.checkpoint
        check_state(request.register_state)
        core.register_cache.note_state(member.id, request.register_state)
        if request.known_size > checkpoint.size:
            raise Rejected("consistency_mismatch", "the caller claims to know more of our log than there is")
        if request.side not in (recovery_pb2.LOST_ENTRY_SIDE_RECEIVED, recovery_pb2.LOST_ENTRY_SIDE_RELEASED):
            raise Rejected("malformed", "the side is not set")
        if max(request.own_size, request.from_index) > MAX_TREE_SIZE:
            raise Rejected("malformed", "no log has so many entries")
        if request.origin not in member.origins[:-1]:
            raise Rejected("unknown_log", f"{request.origin!r} is no log that {member.id} has left behind")
        # 2.
        async with self._one:
            items, next_index = await asyncio.to_thread(self._page, member, request, checkpoint)
        claim = await asyncio.to_thread(
            consistency_claim, core.ledger, checkpoint, request.known_size, core.logs.size(member.id)
        )
        log.info("lost_entries_served", peer=member.id, origin=request.origin, items=len(items))
        return recovery_pb2.ListLostEntriesResponse(
            consistency_claim=claim,
            items=items,
            next_index=next_index,
        )

    def _page(
        self, member: Member, request: recovery_pb2.ListLostEntriesRequest, checkpoint: VerifiedCheckpoint
    ) -> tuple[list[recovery_pb2.GivenBack], int]:
        received = request.side == recovery_pb2.LOST_ENTRY_SIDE_RECEIVED
        kind = ProofKind.ANSWER if received else ProofKind.RELEASED
        first = max(request.own_size, request.from_index)
        items: list[recovery_pb2.GivenBack] = []
        room = MAX_BATCH_BYTES
        with self._core.store.reads() as reads:
            lost = recovery_store.lost_entries(reads, member.id, kind, request.origin, first, MAX_ITEMS + 1)
            if received:
                given = self._received(reads, member.id, lost, checkpoint)
            else:
                own = self._core.member
                lost += recovery_store.lost_passings(reads, member.id, own, request.origin, first, MAX_ITEMS + 1)
                lost = sorted(lost, key=lambda proof: proof.index)[: MAX_ITEMS + 1]
                given = self._released(reads, member.id, lost, checkpoint)
            for proof, item in zip(lost[:MAX_ITEMS], given, strict=False):
                room -= item.ByteSize()
                if items and room < 0:
                    return items, proof.index
                items.append(item)
        return items, lost[MAX_ITEMS].index if len(lost) > MAX_ITEMS else 0

    def _received(
        self, reads: ReadConnection, caller: str, lost: Sequence[ForeignProof], checkpoint: VerifiedCheckpoint
    ) -> Iterator[recovery_pb2.GivenBack]:
        """Yield our deliveries to the caller, in their present form; with a request to erase, its answers."""
        certified: set[bytes] = set()
        for proof in lost:
            item = recovery_pb2.GivenBack(lost=foreign_proof(proof))
            row, deliveries = (
                messages_store.message(reads, proof.digest),
                deliveries_store.deliveries_of(reads, proof.digest),
            )
            body = None if row is None else messages_store.body(reads, row.seq)
            handed = [
                each for each in deliveries if each.recipient == caller and each.delivery_kind != DeliveryKind.NOTICE
            ]
            if body is not None and handed and handed[0].released_index < checkpoint.size:
                self._add_dispatch(item, handed[0], body, caller, reads, checkpoint, certified)
            if row is not None and row.kind == thread.ERASURE:
                said = [each for each in retention_store.erasure_answers(reads, [row.digest]) if each.member == caller]
                item.erasure_answers.extend(foreign_proof(each) for each in said[: wire.MAX_PARENTS])
            yield item

    def _add_dispatch(
        self,
        item: recovery_pb2.GivenBack,
        delivery: DeliveryRow,
        body: bytes,
        caller: str,
        reads: ReadConnection,
        checkpoint: VerifiedCheckpoint,
        certified: set[bytes],
    ) -> None:
        core = self._core
        entry = log_store.entry_at(reads, delivery.released_index)
        released = self._proven(entry, checkpoint.size)
        cosigned = self._cosigned if has_left(core.register_cache.last, body) else None
        if delivery.delivery_kind == DeliveryKind.FORWARDED:
            outgoing = Outgoing(delivery.id, delivery.digest, 0, body, entry.index, entry.entry, delivery.delivery_kind)
            item.dispatch.CopyFrom(pack(core, outgoing, released, caller, cosigned))
            return
        try:
            body = rewrap(
                body,
                caller,
                decryption_keys=core.decryption_keys,
                register=core.register_cache.current,
                now=core.clock(),
            )
        except PaizaError as error:  # its earlier wraps may still work
            log.warning("not_wrapped", peer=caller, reason=error.reason, detail=error.detail)
        item.dispatch.release.certificates.extend(
            certificates_of(reads, core.ledger, entry.entry, checkpoint, certified)
        )
        item.dispatch.release.message = for_recipient(body, core.member, caller)
        item.dispatch.release.released.CopyFrom(released)
        if cosigned is not None and (found := witnessed_release(reads, cosigned, released, checkpoint)) is not None:
            item.dispatch.release.witnessed.CopyFrom(found)

    def _released(
        self, reads: ReadConnection, caller: str, lost: Sequence[ForeignProof], checkpoint: VerifiedCheckpoint
    ) -> Iterator[recovery_pb2.GivenBack]:
        """Yield the caller's releases to us, with our answers; of what it forwarded, its FORWARDED entries."""
        answers = exchange_store.answers(reads, [proof.digest for proof in lost])
        for proof in lost:
            item = recovery_pb2.GivenBack(lost=foreign_proof(proof))
            row, answer = messages_store.message(reads, proof.digest), answers.get(proof.digest)
            if row is not None and row.state is MessageState.RECEIVED and row.author == caller:
                item.message = messages_store.body(reads, row.seq) or b""
            if answer is not None and answer.index < checkpoint.size:
                item.answer.CopyFrom(self._proven(answer, checkpoint.size))
            yield item

    def _proven(self, entry: StoredEntry, size: int) -> log_pb2.ProvenEntry:
        (hashes,) = self._core.ledger.prove([entry.index], size)
        return log_pb2.ProvenEntry(entry=entry.entry, index=entry.index, inclusion_hashes=hashes)


def _tell_again(tx: LogTransaction, member: str) -> None:
    """Plan to send a member again the answers it lost; runs in the transaction."""
    attachments_store.tell_again(tx.conn, member, tx.now)
    tx.announce(AttachmentsExpected())
    tx.announce(ErasuresPlanned())
    tx.announce(MessagesChanged(tuple(retention_store.tell_again(tx.conn, member, tx.now))))
