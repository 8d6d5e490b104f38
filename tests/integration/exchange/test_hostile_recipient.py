"""Hostile answers from a node with valid keys delay its own messages, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
import pytest_asyncio

from paiza.core.v1 import log_pb2, outcome_pb2
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza.peer.v1 import exchange_pb2
from paiza_register import Register
from paiza_wire.identity import keys
from paiza_wire.tlog import checkpoint
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.merkle import EMPTY_ROOT
from paiza_wire.tlog.notes import SignerKey
from tests.federation import Federation
from tests.officer import Officer
from tests.registers import read_register
from tests.system.minting import Mint

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS: Final = 60
CANCELLED: Final = 2**63  # a from_size that stands for the status CANCELLED

Answer = Callable[[exchange_pb2.DeliverRequest], exchange_pb2.DeliverResponse | bytes]


class HostileRecipient:
    """The node of tjk as an attacker would run it: accepts every call and answers as a test sets."""

    def __init__(self, folder: Path, register: Register) -> None:
        private = keys.private_key_from_pem((folder / "nodes/tjk/keys/log.key").read_bytes())
        self.key = SignerKey.from_ed25519(f"tjk.{register.federation}/log/1", private)  # type: ignore[arg-type]
        self.answers: list[Answer] = []
        self.asked: asyncio.Queue[exchange_pb2.DeliverRequest] = asyncio.Queue()
        self._identity = Mint(folder, register).node("tjk")

    async def serve(self, address: str) -> grpc.aio.Server:
        """Listen where the register says that tjk does."""
        server = grpc.aio.server()
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Handshake": grpc.unary_unary_rpc_method_handler(self._handshake),
            "Deliver": grpc.unary_unary_rpc_method_handler(self._deliver),
        }
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("paiza.peer.v1.ExchangeService", handlers),)
        )
        server.add_secure_port(
            address, grpc.ssl_server_credentials([(self._identity.key_pem, self._identity.certificate_pem)])
        )
        await server.start()
        return server

    def response(self, *results: exchange_pb2.DeliverResult) -> exchange_pb2.DeliverResponse:
        """Answer with an honest growth of an empty log, and these results."""
        note = checkpoint.sign(Checkpoint(self.key.verifier_key.name, 0, EMPTY_ROOT), self.key)
        return exchange_pb2.DeliverResponse(
            consistency_claim=log_pb2.ConsistencyClaim(checkpoint=note), results=results
        )

    def later(self, request: exchange_pb2.DeliverRequest, **retry: Any) -> exchange_pb2.DeliverResponse:
        """Ask to have every message again."""
        result = exchange_pb2.DeliverResult(retry=outcome_pb2.Retry(**{"reason": "busy", **retry}))
        return self.response(*[result] * len(request.dispatches))

    async def _handshake(self, _request: bytes, _core: Any) -> bytes:
        return exchange_pb2.HandshakeResponse(protocol_version=1).SerializeToString()

    async def _deliver(self, request: bytes, core: Any) -> bytes:
        parsed = exchange_pb2.DeliverRequest.FromString(request)
        self.asked.put_nowait(parsed)
        answer = self.answers.pop(0) if self.answers else self.later
        given = answer(parsed)
        if isinstance(given, bytes):
            return given
        if given.consistency_claim.from_size == CANCELLED:
            await core.abort(grpc.StatusCode.CANCELLED, "no more")
        return given.SerializeToString()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run the node of kaz; tjk's place is the attacker's."""
    with Federation.create(tmp_path_factory.mktemp("recipient") / "federation", ["kaz", "tjk"]) as made:
        made.start("kaz")
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recipient(pair: Federation) -> AsyncIterator[HostileRecipient]:
    """Return the hostile node of tjk, listening."""
    hostile = HostileRecipient(pair.folder, read_register(pair.folder))
    server = await hostile.serve(pair.node("tjk").address)
    yield hostile
    await server.stop(None)


def _far_retry(recipient: HostileRecipient) -> Answer:
    def answer(request: exchange_pb2.DeliverRequest) -> exchange_pb2.DeliverResponse:
        response = recipient.later(request)
        for result in response.results:
            result.retry.retry_after.seconds = 2**62
        return response

    return answer


LIES: Final[dict[str, Callable[[HostileRecipient], Answer]]] = {
    "retry after more seconds than a time can hold": _far_retry,
    "bytes that are no response": lambda _: lambda _request: b"\xff" * 64,
    "the status CANCELLED": lambda _: (
        lambda _request: exchange_pb2.DeliverResponse(consistency_claim=log_pb2.ConsistencyClaim(from_size=CANCELLED))
    ),
    "a detail with NUL, longer than any column": lambda recipient: (
        lambda request: recipient.later(request, detail="\0\x1b[2J" * 100_000)
    ),
    "no result for any message": lambda recipient: lambda _request: recipient.response(),
    "results without content": lambda recipient: (
        lambda request: recipient.response(*[exchange_pb2.DeliverResult()] * len(request.dispatches))
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_an_answer_against_the_protocol_harms_no_one_else(
    pair: Federation, recipient: HostileRecipient, lie: Callable[[HostileRecipient], Answer]
) -> None:
    """The node survives every answer of a recipient, and later messages are still delivered."""
    officer = Officer(pair.folder, "kaz-liaison")
    recipient.answers.append(lie(recipient))
    async with officer.channel() as channel:
        stub: officer_pb2_grpc.OfficerServiceAsyncStub = officer_pb2_grpc.OfficerServiceStub(channel)
        for _ in range(2):
            signed = officer.compose(["tjk"])
            await stub.Submit(
                officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=signed)]), timeout=SECONDS
            )
            async with asyncio.timeout(SECONDS):
                while signed not in {one.release.message for one in (await recipient.asked.get()).dispatches}:
                    pass
            assert not recipient.answers
    assert pair.node("kaz").running
