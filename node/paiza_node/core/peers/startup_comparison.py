"""The comparison at start-up: before anything is signed for a member, it is asked what it holds of our log.

A node with an unnoticed old database (a restored backup, disk or machine) would sign a second history, and members that
hold the first one could prove it. The checkpoint file shows this if it was not restored together with the database; the
other members show it otherwise. Data with a checkpoint of ours is therefore sent to a member only once that member's
answer was compared with our log: the same root at the size it holds, or the node stops (`peers.agreement`). A member
that knows nothing of our log has nothing that could contradict, and is not asked.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.rpcs import (
    FETCH_ATTACHMENT,
    GET_FILE,
    GET_PROPOSAL,
    HANDSHAKE,
    LIST_HELD_CHECKPOINTS,
    LIST_PROOFS,
    LIST_PROPOSALS,
)
from paiza_node.core.peers.session import ASK_SECONDS
from paiza_wire.errors import Unavailable

# RPCs that another member's node may call before the comparison: their answers contain nothing that we sign.
UNSIGNED: Final = frozenset(
    rpc.path
    for rpc in (
        HANDSHAKE,
        FETCH_ATTACHMENT,
        LIST_HELD_CHECKPOINTS,
        GET_FILE,
        LIST_PROPOSALS,
        LIST_PROOFS,
        GET_PROPOSAL,
    )
)


class StartupComparison:
    """Admits calls of members that were compared since the start. Belongs to one event loop."""

    def __init__(self, peers: PeerDirectory) -> None:
        """Store the peers to compare with."""
        self._peers = peers

    async def check_compared(self, member: str, method: str, request: Any, own_size: int) -> None:
        """Admit a call of a member's node once that member was compared; else raise Unavailable("not_compared").

        A caller that claims to know more of our log than exists is admitted as well: every handler refuses that and
        requests a comparison.
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
    """Return the size of our log that the caller of a request knows; None if the request does not state it."""
    names = request.DESCRIPTOR.fields_by_name
    if "consistency_claim" in names:
        return int(request.consistency_claim.known_size)
    if "known_size" in names:
        return int(request.known_size)
    if "sizes" in names:
        return max(request.sizes, default=0)
    return None
