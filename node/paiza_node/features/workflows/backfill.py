"""Backfill: steps that others name and this node lacks are fetched, and served to members that ask.

The sender of the naming step is asked first, then the other participants. Its own steps are checked as if delivered;
steps of other authors arrive as forwarded messages (`forwarding`).
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.receive.receive import Receive
from paiza_node.core.exchange.send.certificates import certificates_of
from paiza_node.core.exchange.send.peer_queue import MAX_BATCH_BYTES
from paiza_node.core.exchange.send.witnessed import Cosigned, has_left, witnessed_release
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.peers.claims import consistency_claim
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import ReadConnection
from paiza_node.features.workflows.deadlines import Share
from paiza_node.features.workflows.legality import WorkflowStates
from paiza_register import Member
from paiza_wire import message as wire
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_ASKED: Final = 64  # digests of one request: more than a delivery has steps


log = structlog.get_logger("paiza.workflows")


class BackfillServe:
    """Serves messages that a peer lacks."""

    def __init__(
        self,
        core: Core,
        *,
        workflow_states: WorkflowStates,
        share: Share,
        cosigned: Cosigned,
    ) -> None:
        self._cosigned = cosigned
        self._node_id = core.node_id
        self._register_cache = core.register_cache
        self._ledger = core.ledger
        self._store = core.store
        self._logs = core.logs
        self._workflow_states = workflow_states
        self._share = share

    async def __call__(
        self, member: Member, request: exchange_pb2.FetchMessagesRequest
    ) -> exchange_pb2.FetchMessagesResponse:
        """Answer a peer that lacks messages. It does not learn whether messages it may not have are here.

        1. The request is bounded and well formed, and names no larger size of our log than exists.
        2. Our own messages that are addressed to the caller are returned as they were released to it.
        3. Other messages are forwarded if the caller takes part in the workflow of their thread.
        """
        # 1.
        digests = list(dict.fromkeys(request.message_digests))
        if len(digests) > MAX_ASKED:
            raise Rejected("too_large", f"at most {MAX_ASKED} messages are asked for at once")
        if any(len(digest) != wire.DIGEST_SIZE for digest in digests):
            raise Rejected("malformed", "a digest is not 32 bytes long")
        checkpoint = self._ledger.checkpoint
        if request.known_size > checkpoint.size:
            raise Rejected("consistency_mismatch", "the caller claims to know more of our log than there is")
        self._register_cache.note_state(member.id, request.register_state)
        # 2. and 3.
        given, shared = await asyncio.to_thread(self._choose, member.id, digests, checkpoint)
        if shared:
            await self._share(shared, member.id, self._node_id)
        log.info("backfill_served", peer=member.id, asked=len(digests), given=len(given), forwarded=len(shared))
        claim = await asyncio.to_thread(
            consistency_claim, self._ledger, checkpoint, request.known_size, self._logs.size(member.id)
        )
        return exchange_pb2.FetchMessagesResponse(
            consistency_claim=claim,
            dispatches=given,
            forwarded_digests=shared,
        )

    def _choose(
        self, caller: str, digests: Sequence[bytes], checkpoint: VerifiedCheckpoint
    ) -> tuple[list[exchange_pb2.Dispatch], list[bytes]]:
        given: list[exchange_pb2.Dispatch] = []
        certified: set[bytes] = set()
        shared: list[bytes] = []
        room = MAX_BATCH_BYTES
        with self._store.reads() as reads:
            for digest in digests:
                row = messages_store.message(reads, digest)
                if row is None or row.state is MessageState.REFUSED:
                    continue
                dispatch = self._dispatch(reads, row, caller, checkpoint, certified)
                if dispatch is not None:
                    room -= len(dispatch.release.message)
                    if room >= 0 or not given:
                        given.append(dispatch)
                elif caller != row.author and self._takes_part(reads, row, caller):
                    shared.append(digest)
        return given, shared

    def _dispatch(
        self,
        reads: ReadConnection,
        row: MessageRow,
        caller: str,
        checkpoint: VerifiedCheckpoint,
        certified: set[bytes],
    ) -> exchange_pb2.Dispatch | None:
        """Return a message of our own as it was released to the caller; None if it was not.

        ``certified`` are the certificates that the answer proves already; those of this message are added.
        """
        size = checkpoint.size
        if row.state is not MessageState.RELEASED:
            return None
        released = {
            entry.index: entry
            for entry in log_store.entries_of(reads, row.digest)
            if entry.index < size and _releases_to(entry.entry, caller)
        }
        body = messages_store.body(reads, row.seq)
        if not released or body is None:
            return None
        index = min(released)
        (hashes,) = self._ledger.prove([index], size)
        proven = log_pb2.ProvenEntry(entry=released[index].entry, index=index, inclusion_hashes=hashes)
        dispatch = exchange_pb2.Dispatch(
            release=exchange_pb2.Release(
                message=body,
                released=proven,
                certificates=certificates_of(reads, self._ledger, released[index].entry, checkpoint, certified),
            )
        )
        if has_left(self._register_cache.last, body):
            found = witnessed_release(reads, self._cosigned, proven, checkpoint)
            if found is not None:
                dispatch.release.witnessed.CopyFrom(found)
        return dispatch

    def _takes_part(self, reads: ReadConnection, row: MessageRow, caller: str) -> bool:
        workflow_state = self._workflow_states.of(reads, row.thread_id)
        return workflow_state is not None and caller in workflow_state.view.participants


class BackfillFetch:
    """Fetches messages that we lack."""

    def __init__(self, *, register_cache: RegisterCache, peers: PeerDirectory, receive: Receive) -> None:
        self._register_cache = register_cache
        self._peers = peers
        self._receive = receive

    async def __call__(self, member: str, digests: Sequence[bytes]) -> None:
        """Fetch from one member's node; returned messages are received as if delivered. A failure changes nothing."""
        session = self._peers.sessions.get(member)
        if session is None:
            return
        try:
            response, checkpoint = await session.fetch_messages(digests[:MAX_ASKED])
            if response.dispatches:
                peer = self._register_cache.current.active_member(member)
                await self._receive.take(peer, response.dispatches[:MAX_ASKED], checkpoint)
        except PaizaError as error:
            log.warning("not_given", peer=member, reason=error.reason, detail=error.detail)


def _releases_to(entry: bytes, recipient: str) -> bool:
    parsed = log_pb2.LogEntry.FromString(entry)
    return parsed.event == log_pb2.LOG_EVENT_RELEASED and parsed.counterpart == recipient
