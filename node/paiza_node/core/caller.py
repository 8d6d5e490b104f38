"""The caller that the node works for at this moment: a peer, an officer, or the node itself.

`paiza_node.core.api.authentication` sets it once a call is admitted. What shares out the node's time reads it: the
ledger, the executors, the daily quotas. Tasks and threads that a call starts over asyncio inherit it.
"""

from contextvars import ContextVar
from typing import Final, Literal, NamedTuple


class CallerKey(NamedTuple):
    """A caller, as the key of its share. ``id``: a peer's member id, an officer's SPIFFE id.

    The node's own work is divided by purpose: "" or, for what is sent to a member, that member's id.
    """

    kind: Literal["peer", "officer", "node"]
    id: str


NODE: Final = CallerKey("node", "")
CALLER: Final[ContextVar[CallerKey]] = ContextVar("caller", default=NODE)
