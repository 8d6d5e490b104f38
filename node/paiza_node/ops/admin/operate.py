"""Operations of the operator on the queue, and the node's status. Changes are logged with the operator's name."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from paiza.admin.v1 import admin_pb2
from paiza.core.v1 import delivery_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.held import effective_officers, held
from paiza_node.core.access.model import OfficerState
from paiza_node.core.access.operator import operator
from paiza_node.core.api import paging
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.model import DeliveryRow, Postponement, QueueSummary, Settlement
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.send.queue import OutboundQueues
from paiza_node.core.limits import LimitUse
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import DeliveriesQueued, MessagesChanged
from paiza_node.core.log.model import MAX_REASON, Head
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.peers.blocks import REASON, PeerBlocks
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.model import PeerBlock
from paiza_node.core.storage import ReadConnection
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.attached import attachment_status
from paiza_node.features.attachments.disk_room import DiskRoom
from paiza_node.features.attachments.model import AttachmentRow
from paiza_node.features.ceremonies import store as ceremonies_store
from paiza_node.features.ceremonies.model import waiting_for
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.exchange import CheckpointExchange
from paiza_node.features.witness.model import WitnessedNote
from paiza_node.features.witness.unwitnessed import unwitnessed
from paiza_wire import log_entries
from paiza_wire.errors import Rejected

MAX_QUEUE: Final = 1000
_ATTACHMENT_PLACE: Final = re.compile(
    r"([0-9]{1,18})\.([0-9a-f]{64})\.([0-9]{1,9})\.([a-z0-9-]{1,16})\.([a-z0-9-]{0,16})"
)


log = structlog.get_logger("paiza.operate")


class Operate:
    """Handles requests of the operator about status and queue."""

    def __init__(
        self,
        core: Core,
        *,
        version: str,
        peers: PeerDirectory,
        blocks: PeerBlocks,
        queues: OutboundQueues,
        checkpoint_exchange: CheckpointExchange,
        misbehaviour: Callable[[str], list[str]],
        room: DiskRoom,
        recovering_from: Callable[[], Collection[str]] = tuple,
        calls: Callable[[], Sequence[LimitUse]] = tuple,
    ) -> None:
        """Store the collaborators; ``room`` is that of attachments on the disk.

        ``misbehaviour`` returns the reason codes recorded against a member's log, and ``recovering_from`` the members
        from which lost entries are still expected. ``calls`` returns how much of the budgets of calls is used.
        """
        self._misbehaviour = misbehaviour
        self._room = room
        self._recovering_from = recovering_from
        self._calls = calls
        self._member = core.member
        self._version = version
        self._register_cache = core.register_cache
        self._ledger = core.ledger
        self._store = core.store
        self._logs = core.logs
        self._peers = peers
        self._blocks = blocks
        self._queues = queues
        self._checkpoint_exchange = checkpoint_exchange
        self._clock = core.clock
        self._started = core.clock()

    async def status(self, _request: admin_pb2.GetStatusRequest) -> admin_pb2.GetStatusResponse:
        """Return the node's status."""
        head, queue, uncosigned, proposals, officers, witnessed, since = await asyncio.to_thread(self._standing)
        response = admin_pb2.GetStatusResponse(
            member=self._member,
            version=self._version,
            checkpoint=self._ledger.checkpoint.note,
            register_version=self._register_cache.version,
            messages=head.messages,
            waiting=sum(summary.waiting for summary in queue.values()),
            database=self._store.describe(),
            recovering_from=sorted(self._recovering_from()),
            officers=officers,
            limits=[
                admin_pb2.LimitUse(name=each.name, used=each.used, limit=each.limit, caller=each.caller)
                for each in (*self._calls(), *self._ledger.quotas.uses(self._clock().date()))
            ],
            attachment_bytes_granted=self._room.granted,
            attachment_bytes_free=self._room.free,
        )
        response.proposals_waiting, response.proposals_for_own = proposals
        response.started_time.FromDatetime(self._started)
        response.register_expiry_time.FromDatetime(self._register_cache.expiry_time)
        if witnessed is not None:
            response.witnessed_size = witnessed.size
            response.witnessed_time.FromDatetime(witnessed.time)
        if since is not None:
            response.unwitnessed_since_time.FromDatetime(since)
        if self._ledger.is_slow:
            response.commit_age.FromTimedelta(timedelta(seconds=self._ledger.commit_age))
            response.commit_waits_for = await asyncio.to_thread(self._store.commit_waits_for)
        sessions, blocks, clocks = self._peers.sessions, self._blocks.all, self._peers.clocks()
        response.clock_sources = len(clocks.ahead)
        if clocks.own is not None:
            response.clock_offset.FromTimedelta(clocks.own)
        for member in sorted(sessions.keys() | blocks.keys()):
            peer = response.peers.add(
                member=member,
                known_log_size=self._logs.size(member),
                not_cosigned_reason=self._checkpoint_exchange.reasons.get(member, ""),
                uncosigned_proofs=uncosigned.get(member, 0),
                misbehaviour=self._misbehaviour(member),
            )
            if (seen := self._checkpoint_exchange.rounds.seen.get(member)) is not None:
                peer.cosigned_size = seen.size
                peer.cosigned_time.FromDatetime(seen.time)
            if member in sessions:
                session, health = sessions[member], sessions[member].health
                peer.reachable, peer.endpoint, peer.last_error = health.reachable, session.endpoint, health.last_error
                peer.timestamp_version = health.timestamp_version
                if health.last_seen is not None:
                    peer.last_seen_time.FromDatetime(health.last_seen)
            if member in clocks.ahead:
                peer.clock_offset.FromTimedelta(clocks.ahead[member])
            if member in blocks:
                peer.last_error = peer.not_cosigned_reason = REASON
                peer.block.CopyFrom(shown_block(blocks[member]))
            if member in queue:
                peer.waiting = queue[member].waiting
                if (oldest := queue[member].oldest_time) is not None:
                    peer.oldest_waiting_time.FromDatetime(oldest)
        return response

    def _standing(
        self,
    ) -> tuple[
        Head,
        dict[str, QueueSummary],
        dict[str, int],
        tuple[int, int],
        admin_pb2.OfficerCounts,
        WitnessedNote | None,
        datetime | None,
    ]:
        with self._store.reads() as reads:
            queue = {summary.recipient: summary for summary in deliveries_store.queue_summary(reads)}
            return (
                log_store.head(reads),
                queue,
                witness_store.uncosigned_counts(reads),
                waiting_for(ceremonies_store.proposals(reads), self._member),
                officer_counts(reads, self._clock()),
                *unwitnessed(reads, self._ledger.checkpoint.size),
            )

    async def list_queue(self, request: admin_pb2.ListQueueRequest) -> admin_pb2.ListQueueResponse:
        """Return waiting and failed deliveries, oldest first."""
        size = paging.page_size(request, MAX_QUEUE)
        after = paging.numbers_of(request, 1)
        with self._store.reads() as reads:
            rows = deliveries_store.queue(reads, request.recipient, size + 1, after[0] if after else 0)
        return admin_pb2.ListQueueResponse(
            deliveries=map(queued, rows[:size]),
            next_page_token=paging.token_of(rows[size - 1].id) if len(rows) > size else "",
        )

    async def list_queued_attachments(
        self, request: admin_pb2.ListQueuedAttachmentsRequest
    ) -> admin_pb2.ListQueuedAttachmentsResponse:
        """Return pending and failed attachments, oldest first."""
        size = paging.page_size(request, MAX_QUEUE)
        after = _attachment_place(request.page_token)
        with self._store.reads() as reads:
            rows = attachments_store.attachment_queue(reads, request.member, size + 1, after)
        return admin_pb2.ListQueuedAttachmentsResponse(
            attachments=map(queued_attachment, rows[:size]),
            next_page_token=_attachment_token(rows[size - 1]) if len(rows) > size else "",
        )

    async def retry(self, request: admin_pb2.RetryDeliveryRequest) -> admin_pb2.RetryDeliveryResponse:
        """Try a delivery again now."""
        row = self._waiting(request.delivery_id)
        self._blocks.check_called(row.recipient)

        def work(tx: LogTransaction) -> None:
            deliveries_store.postpone(tx.conn, [Postponement(row.id, tx.now, row.reason, row.detail)])
            tx.announce(DeliveriesQueued(frozenset({row.recipient})))

        await self._ledger.commit(work)
        log.info("delivery_retried", operator=operator(), delivery=row.id)
        return admin_pb2.RetryDeliveryResponse()

    async def drop(self, request: admin_pb2.DropDeliveryRequest) -> admin_pb2.DropDeliveryResponse:
        """Drop a delivery; its officers see it, and the log records the operator and the reason."""
        row = self._waiting(request.delivery_id)
        text = request.reason_text.strip()
        if not text or len(text) > MAX_REASON:
            raise Rejected("opening_reason_missing", f"say why, in 1 to {MAX_REASON} characters")

        def work(tx: LogTransaction) -> None:
            settlement = Settlement(row.id, delivery_pb2.DELIVERY_STATE_DROPPED, "delivery_dropped", text)
            if not deliveries_store.settle(tx.conn, [settlement], tx.now):
                raise Rejected("unknown_id", "the delivery was settled in the meantime")
            tx.append(
                log_entries.expired(
                    actor=operator(), recipient=row.recipient, digest=row.digest, reason="delivery_dropped"
                ),
                text=text,
            )
            tx.announce(MessagesChanged((row.digest,)))

        await self._ledger.commit(work)
        return admin_pb2.DropDeliveryResponse()

    async def block(self, request: admin_pb2.BlockPeerRequest) -> admin_pb2.BlockPeerResponse:
        """Stop all exchange with a member of the register, active or not."""
        member = self._other(request.member)
        block = await self._blocks.block(self._ledger, member, request.reason_text, operator())
        return admin_pb2.BlockPeerResponse(block=shown_block(block))

    async def unblock(self, request: admin_pb2.UnblockPeerRequest) -> admin_pb2.UnblockPeerResponse:
        """Resume the exchange with a member."""
        await self._blocks.unblock(self._ledger, request.member, request.reason_text, operator())
        return admin_pb2.UnblockPeerResponse()

    def _other(self, member: str) -> str:
        """Return the id of another member of the register, also if the register has expired."""
        if member == self._member:
            raise Rejected("wrong_member", "a member does not block itself")
        register = self._register_cache.last
        if member not in register.members and member not in register.unusable:
            raise Rejected("unknown_member", f"the register has no member {member!r}")
        return member

    def _waiting(self, delivery_id: int) -> DeliveryRow:
        with self._store.reads() as reads:
            row = deliveries_store.delivery(reads, delivery_id)
        if row is None or row.state != delivery_pb2.DELIVERY_STATE_WAITING:
            raise Rejected("unknown_id", f"no delivery {delivery_id} waits")
        return row


def officer_counts(reads: ReadConnection, now: datetime) -> admin_pb2.OfficerCounts:
    """Return how many officers are in each state."""
    states = Counter(each.state for each in effective_officers(reads).values())
    return admin_pb2.OfficerCounts(
        active=states[OfficerState.ACTIVE],
        unconfirmed=states[OfficerState.UNCONFIRMED],
        suspended=states[OfficerState.SUSPENDED],
        invited=sum(each.expiry_time > now for each in access_store.open_invitations(reads)),
        on_hold=len(held(reads)),
    )


def shown_block(block: PeerBlock) -> admin_pb2.PeerBlock:
    """Return a block in the form sent to the operator."""
    shown = admin_pb2.PeerBlock(member=block.member, actor=block.actor, reason_text=block.reason_text)
    shown.blocked_time.FromDatetime(block.blocked_time)
    return shown


def queued(row: DeliveryRow) -> admin_pb2.QueuedDelivery:
    """Return a delivery in the form sent to the operator."""
    found = admin_pb2.QueuedDelivery(
        delivery_id=row.id,
        message_digest=row.digest,
        kind=row.kind,
        delivery=delivery_pb2.Delivery(
            recipient=row.recipient,
            state=row.state,  # type: ignore[arg-type]  # the number is that of the enum
            reason=row.reason,
            detail=row.detail,
            attempts=row.attempts,
        ),
    )
    found.released_time.FromDatetime(row.released_time)
    found.next_attempt_time.FromDatetime(row.next_attempt_time)
    if row.settled_time is not None:
        found.delivery.settled_time.FromDatetime(row.settled_time)
    return found


def queued_attachment(row: AttachmentRow) -> admin_pb2.QueuedAttachment:
    """Return an attachment in the form sent to the operator."""
    found = admin_pb2.QueuedAttachment(
        message_digest=row.digest,
        status=attachment_status(row),
        source=row.source,
        attempts=row.attempts,
        detail=row.detail,
    )
    if row.due_time is not None:
        found.next_attempt_time.FromDatetime(row.due_time)
    return found


def _attachment_token(row: AttachmentRow) -> str:
    since = paging.micros_of(row.pending_since_time)
    return f"{since}.{row.digest.hex()}.{row.part_number}.{row.member}.{row.source}"


def _attachment_place(token: str) -> tuple[datetime, bytes, int, str, str] | None:
    if not token:
        return None
    found = _ATTACHMENT_PLACE.fullmatch(token)
    if found is None:
        raise Rejected("malformed", "page_token is not one this node gave")
    return paging.time_of(int(found[1])), bytes.fromhex(found[2]), int(found[3]), found[4], found[5]
