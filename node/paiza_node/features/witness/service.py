"""RPCs of other members' nodes as witnesses of this node's log, and about this node's cosignatures."""

import asyncio

from paiza.peer.v1 import witness_pb2
from paiza_node.core.api.authentication import Caller, member_of
from paiza_node.core.api.services import Service
from paiza_node.features.witness.answer_exchange import AnswerExchange
from paiza_node.features.witness.prove import ProveEntries


class WitnessService(Service):
    """Handles requests of other members' nodes about witnessing."""

    service = witness_pb2.DESCRIPTOR.services_by_name["WitnessService"]

    def __init__(self, answer: AnswerExchange, prove: ProveEntries) -> None:
        self._answer = answer
        self._prove = prove

    async def exchange_checkpoints(
        self, caller: Caller, request: witness_pb2.ExchangeCheckpointsRequest
    ) -> witness_pb2.ExchangeCheckpointsResponse:
        return await self._answer(member_of(caller), request)

    async def prove_entries(
        self, _caller: Caller, request: witness_pb2.ProveEntriesRequest
    ) -> witness_pb2.ProveEntriesResponse:
        return await asyncio.to_thread(self._prove, request)
