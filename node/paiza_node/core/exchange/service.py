"""The calls of ExchangeService that other members' nodes make, except for attachments."""

from paiza.peer.v1 import exchange_pb2
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.core.exchange.receive.write import Receive
from paiza_node.features.workflows.backfill import BackfillServe
from paiza_register import Member


def exchange_behaviours(receive: Receive, give: BackfillServe) -> Handlers:
    """Give the behaviour of every RPC of ExchangeService but for attachments."""

    async def handshake(caller: Caller, request: exchange_pb2.HandshakeRequest) -> exchange_pb2.HandshakeResponse:
        return await receive.handshake(_member(caller), request)

    async def deliver(caller: Caller, request: exchange_pb2.DeliverRequest) -> exchange_pb2.DeliverResponse:
        return await receive(_member(caller), request)

    async def prove_consistency(
        caller: Caller, request: exchange_pb2.ProveConsistencyRequest
    ) -> exchange_pb2.ProveConsistencyResponse:
        return await receive.prove_consistency(_member(caller), request)

    async def fetch(caller: Caller, request: exchange_pb2.FetchMessagesRequest) -> exchange_pb2.FetchMessagesResponse:
        return await give(_member(caller), request)

    prefix = "/paiza.peer.v1.ExchangeService/"
    return {
        prefix + "Handshake": handshake,
        prefix + "Deliver": deliver,
        prefix + "ProveConsistency": prove_consistency,
        prefix + "FetchMessages": fetch,
    }


def _member(caller: Caller) -> Member:
    assert caller.member is not None, "the gate admits only nodes here"
    return caller.member
