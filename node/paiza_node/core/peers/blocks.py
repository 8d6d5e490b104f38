"""Blocks: an operator stops all exchange with one member, at once and without anybody else.

The calls of a blocked member are refused, those under way are cut, and no call goes to it; deliveries to it wait. It is
still answered where silence would harm the others and no message is concerned: files of the register, which everyone
verifies, and the checkpoints held of its logs, without which a restored member could sign a second history.

A block is in force before it is committed, so that nothing of the member is received after PEER_BLOCKED, and ends only
after the end is committed. Answers to our deliveries that had come before are still recorded. What a crash leaves: the
committed state, which the next start reads.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import structlog

from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.model import MAX_REASON
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.model import PeerBlock
from paiza_node.core.peers.rpcs import GET_FILE, LIST_HELD_CHECKPOINTS, LIST_PROOFS
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable

REASON: Final = "member_blocked"
ANSWERED: Final = frozenset(rpc.path for rpc in (GET_FILE, LIST_PROOFS, LIST_HELD_CHECKPOINTS))
"""RPCs that a blocked member's node may call."""

log = structlog.get_logger("paiza.peers")


class PeerBlocks:
    """The blocked members. Belongs to one event loop."""

    def __init__(self, blocks: Mapping[str, PeerBlock] | None = None) -> None:
        """Begin with the stored blocks, by member."""
        self._blocks: Mapping[str, PeerBlock] = dict(blocks or {})
        self._followers: list[Callable[[], None]] = []
        self._one = asyncio.Lock()

    @property
    def all(self) -> Mapping[str, PeerBlock]:
        """The block of each blocked member; replaced, never changed."""
        return self._blocks

    def follow(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` at once whenever a member is blocked or unblocked."""
        self._followers.append(changed)

    def check_caller(self, member: str, method: str) -> None:
        """Raise Rejected("member_blocked") for a call of a blocked member's node, except of `ANSWERED`."""
        if member in self._blocks and method not in ANSWERED:
            raise Rejected(REASON, f"the operator of this node blocked {member}")

    def check_called(self, member: str) -> None:
        """Raise Unavailable("member_blocked") if no call may go to a member's node."""
        if member in self._blocks:
            raise Unavailable(REASON, f"the operator of this node blocked {member}")

    async def block(self, ledger: Ledger, member: str, reason_text: str, actor: str) -> PeerBlock:
        """Block a member; the actor and the reason are logged. A second block replaces the reason.

        Rejected("reason_missing") without a reason.
        """
        text = _stated(reason_text)

        def work(tx: LogTransaction) -> PeerBlock:
            index = tx.append(log_entries.peer_blocked(actor=actor, member=member), text=text).index
            block = PeerBlock(member, actor, tx.now, text, index)
            peers_store.put_peer_block(tx.conn, block)
            return block

        async with self._one:
            before = self._blocks
            self._put({**before, member: PeerBlock(member, actor, datetime.now(UTC), text, -1)})
            try:
                block = (await ledger.commit(work)).result
            except Exception as error:
                if not (isinstance(error, Unavailable) and error.reason == "database_slow"):  # it may yet be stored
                    self._put(before)
                raise
            self._put({**before, member: block})
        log.warning("peer_blocked", peer=member, actor=actor)
        return block

    async def unblock(self, ledger: Ledger, member: str, reason_text: str, actor: str) -> None:
        """End the block of a member; the actor and the reason are logged.

        Rejected("unknown_id") if it is not blocked, Rejected("reason_missing") without a reason.
        """
        text = _stated(reason_text)

        def work(tx: LogTransaction) -> None:
            tx.append(log_entries.peer_unblocked(actor=actor, member=member), text=text)
            peers_store.drop_peer_block(tx.conn, member)

        async with self._one:
            if member not in self._blocks:
                raise Rejected("unknown_id", f"{member} is not blocked")
            await ledger.commit(work)
            self._put({each: block for each, block in self._blocks.items() if each != member})
        log.warning("peer_unblocked", peer=member, actor=actor)

    def _put(self, blocks: Mapping[str, PeerBlock]) -> None:
        self._blocks = blocks
        for changed in self._followers:
            changed()


def _stated(reason_text: str) -> str:
    text = reason_text.strip()
    if not text or len(text) > MAX_REASON:
        raise Rejected("reason_missing", f"say why, in 1 to {MAX_REASON} characters")
    return text
