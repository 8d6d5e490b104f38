"""RPCs of other members' nodes about messages."""

from paiza.peer.v1 import exchange_pb2
from paiza_node.core.api.authentication import Caller, member_of
from paiza_node.core.api.services import Service
from paiza_node.core.exchange.receive.receive import Receive
from paiza_node.core.peers.log_answers import LogAnswers


class ExchangeService(Service):
    """Handles requests of other members' nodes about messages; features serve the data that is fetched."""

    service = exchange_pb2.DESCRIPTOR.services_by_name["ExchangeService"]

    def __init__(self, receive: Receive, log_answers: LogAnswers) -> None:
        self._receive = receive
        self._log_answers = log_answers

    async def handshake(self, caller: Caller, request: exchange_pb2.HandshakeRequest) -> exchange_pb2.HandshakeResponse:
        return await self._log_answers.handshake(member_of(caller), request)

    async def deliver(self, caller: Caller, request: exchange_pb2.DeliverRequest) -> exchange_pb2.DeliverResponse:
        return await self._receive(member_of(caller), request)

    async def prove_consistency(
        self, caller: Caller, request: exchange_pb2.ProveConsistencyRequest
    ) -> exchange_pb2.ProveConsistencyResponse:
        return await self._log_answers.prove_consistency(member_of(caller), request)
