"""The comparison at start-up: before anything is signed for a member, it was asked what it holds of our log.

A node whose database is older than it knows (a backup, a disk or a machine put back) would sign a second history, and
whoever holds the first one could prove it. The checkpoint file tells where it was not put back with the database;
the other members tell where it was. So whatever carries a checkpoint of ours goes to a member only once that member's
answer was compared with our log: the same root at the size it holds, or the node stops (`peer.agreement`). A member
that knows nothing of our log saw nothing that could contradict, and need not be asked.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.rpcs import FETCH_ATTACHMENT, GET_ARCHIVED_SET, GET_FILE, HANDSHAKE, LIST_HELD_CHECKPOINTS
from paiza_node.core.peers.session import ASK_SECONDS
from paiza_wire.errors import Unavailable

# What another member's node may call without having been asked: nothing of ours that is signed stands in the answers.
UNSIGNED: Final = frozenset(
    rpc.path for rpc in (HANDSHAKE, FETCH_ATTACHMENT, LIST_HELD_CHECKPOINTS, GET_FILE, GET_ARCHIVED_SET)
)


class StartupComparison:
    """Lets calls of members through that were asked since the start. Belongs to one event loop."""

    def __init__(self, peers: PeerDirectory) -> None:
        """Have these peers asked."""
        self._peers = peers

    async def check_compared(self, member: str, method: str, request: Any, own_size: int) -> None:
        """Let a call of a member's node through once that member was asked; "not_compared" where it does not answer.

        A caller that claims to know more of our log than there is gets through as well: every verb refuses that, and
        has it asked.
        """
        session = self._peers.sessions.get(member)
        if method in UNSIGNED or (session is not None and session.compared.is_set()):
            return
        known = claimed_size(request)
        if known == 0:
            if session is not None:
                session.compared.set()
            return
        if known is not None and known > own_size:
            return
        if session is not None:
            session.ask()
            with suppress(TimeoutError):
                await asyncio.wait_for(session.compared.wait(), ASK_SECONDS)
                return
        detail = f"{member} was not reached since the start, to compare what it holds of our log"
        raise Unavailable("not_compared", detail, ASK_SECONDS)


def claimed_size(request: Any) -> int | None:
    """Return how much of our log the caller of a request knows; None where it does not say."""
    names = request.DESCRIPTOR.fields_by_name
    if "consistency_claim" in names:
        return int(request.consistency_claim.known_size)
    if "known_size" in names:
        return int(request.known_size)
    if "sizes" in names:
        return max(request.sizes, default=0)
    return None
