"""A peer that asks for messages gets its own, and nothing of others."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import grpc
import pytest
import pytest_asyncio

from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza.peer.v1 import exchange_pb2, exchange_pb2_grpc
from paiza_register import Register
from paiza_wire import message as wire
from paiza_wire import receipts
from tests.integration.exchange.hostile import HostilePeer
from tests.officer import Officer

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS: Final = 60
DIGEST: Final = bytes(range(32))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(peer: HostilePeer) -> "AsyncIterator[exchange_pb2_grpc.ExchangeServiceAsyncStub]":
    """Call the node of kaz as the node of tjk."""
    yield exchange_pb2_grpc.ExchangeServiceStub(peer.channel)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def liaison(folder: Path, register: Register) -> AsyncIterator[tuple[Officer, grpc.aio.Channel]]:
    """Return the liaison officer of kaz, and their channel."""
    officer = Officer(folder, "kaz-liaison", register)
    async with officer.channel() as channel:
        yield officer, channel


async def _release(liaison: tuple[Officer, grpc.aio.Channel], recipients: list[str]) -> bytes:
    officer, channel = liaison
    items = [officer_pb2.SubmitItem(message=officer.compose(recipients))]
    submit = officer_pb2_grpc.OfficerServiceStub(channel).Submit
    response = await submit(officer_pb2.SubmitRequest(items=items), timeout=SECONDS)
    return bytes(response.results[0].released.message_digest)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (exchange_pb2.FetchMessagesRequest(message_digests=[bytes([i]) * 32 for i in range(65)]), "too_large"),
        (exchange_pb2.FetchMessagesRequest(message_digests=[DIGEST, DIGEST[:31]]), "malformed"),
        (exchange_pb2.FetchMessagesRequest(message_digests=[b""]), "malformed"),
        (exchange_pb2.FetchMessagesRequest(known_size=1 << 40), "consistency_mismatch"),
    ],
)
async def test_unbounded_and_malformed_questions_are_refused(
    stub: "exchange_pb2_grpc.ExchangeServiceAsyncStub", request_: exchange_pb2.FetchMessagesRequest, reason: str
) -> None:
    """Too many digests, one that is none, or knowledge of a log that is not there: refused whole, with the reason."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.FetchMessages(request_, timeout=SECONDS)
    assert dict(refused.value.trailing_metadata() or ())["paiza-reason"] == reason


async def test_only_what_was_addressed_to_the_caller_is_given(
    stub: "exchange_pb2_grpc.ExchangeServiceAsyncStub",
    liaison: tuple[Officer, grpc.aio.Channel],
    register: Register,
) -> None:
    """A peer gets its own messages with the proven release; others and unknown ones are not mentioned."""
    ours = await _release(liaison, ["tjk", "uzb"])
    foreign = await _release(liaison, ["uzb"])
    asked = exchange_pb2.FetchMessagesRequest(message_digests=[foreign, DIGEST, ours, ours])
    response = await stub.FetchMessages(asked, timeout=SECONDS)
    (dispatch,) = response.dispatches
    assert list(response.forwarded_digests) == []
    kaz = register.member("kaz")
    proven_to = kaz.checkpoint(response.consistency_claim.checkpoint, kaz.origin)
    entry = receipts.verify_entry(dispatch.release.released, proven_to).entry
    assert (entry.event, entry.counterpart, entry.message_digest) == (log_pb2.LOG_EVENT_RELEASED, "tjk", ours)
    signed = wire.parse_strictly(message_pb2.SignedMessage, dispatch.release.message, "the message")
    assert wire.message_digest(signed.header) == ours
