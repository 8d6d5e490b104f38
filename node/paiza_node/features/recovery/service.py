"""What another member that lost part of its log asks for."""

from typing import Any, Final

from paiza.peer.v1 import recovery_pb2
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.features.recovery.serve_peer import ServePeer
from paiza_register import Member

PREFIX: Final = "/paiza.peer.v1.RecoveryService/"


def recovery_behaviours(give_back: ServePeer) -> Handlers:
    """Give the behaviour of every RPC of RecoveryService."""

    async def standing(caller: Caller, request: recovery_pb2.ListHeldCheckpointsRequest) -> Any:
        return await give_back.standing(_member(caller), request)

    async def page(caller: Caller, request: recovery_pb2.ListLostEntriesRequest) -> Any:
        return await give_back(_member(caller), request)

    return {PREFIX + "ListHeldCheckpoints": standing, PREFIX + "ListLostEntries": page}


def _member(caller: Caller) -> Member:
    assert caller.member is not None, "the gate admits only nodes here"
    return caller.member
