"""What other members' nodes ask as witnesses of this node's log, and of this node as a witness of theirs."""

import asyncio
from typing import Final

from paiza.peer.v1 import witness_pb2
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.features.witness.answer_exchange import AnswerExchange
from paiza_node.features.witness.prove import ProveEntries
from paiza_register import Member

PREFIX: Final = "/paiza.peer.v1.WitnessService/"


def witness_behaviours(answer: AnswerExchange, prove: ProveEntries) -> Handlers:
    """Give the behaviour of every RPC of WitnessService."""

    async def exchange(
        caller: Caller, request: witness_pb2.ExchangeCheckpointsRequest
    ) -> witness_pb2.ExchangeCheckpointsResponse:
        return await answer(_member(caller), request)

    async def prove_entries(
        _caller: Caller, request: witness_pb2.ProveEntriesRequest
    ) -> witness_pb2.ProveEntriesResponse:
        return await asyncio.to_thread(prove, request)

    return {PREFIX + "ExchangeCheckpoints": exchange, PREFIX + "ProveEntries": prove_entries}


def _member(caller: Caller) -> Member:
    assert caller.member is not None, "the gate admits only nodes here"
    return caller.member
