"""RPCs of another member that lost part of its log."""

from typing import Any

from paiza.peer.v1 import recovery_pb2
from paiza_node.core.api.authentication import Caller, member_of
from paiza_node.core.api.services import Service
from paiza_node.features.recovery.serve_peer import ServePeer


class RecoveryService(Service):
    """Handles requests of a member that lost part of its log."""

    service = recovery_pb2.DESCRIPTOR.services_by_name["RecoveryService"]

    def __init__(self, serve_peer: ServePeer) -> None:
        self._serve_peer = serve_peer

    async def list_held_checkpoints(self, caller: Caller, request: recovery_pb2.ListHeldCheckpointsRequest) -> Any:
        return await self._serve_peer.held_checkpoints(member_of(caller), request)

    async def list_lost_entries(self, caller: Caller, request: recovery_pb2.ListLostEntriesRequest) -> Any:
        return await self._serve_peer(member_of(caller), request)
