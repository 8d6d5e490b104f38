"""Unannounced ciphertexts and forbidden uploads are refused, and the node is unharmed."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from paiza.core.v1 import delivery_pb2
from paiza.officer.v1 import attachment_pb2, attachment_pb2_grpc
from paiza.peer.v1 import exchange_pb2, exchange_pb2_grpc
from paiza_wire.message import MAX_CIPHERTEXT_BYTES
from tests.attaching import CALL_SECONDS, FIRST_PART, bring, requests, seal, settled, signed, submit, workflow_states
from tests.integration.attachments.conftest import Line
from tests.officer import Officer
from tests.registers import read_register
from tests.system.minting import Mint

MIB: Final = 1024 * 1024
PIECE: Final = bytes(256 * 1024)
PENDING: Final = delivery_pb2.ATTACHMENT_STATE_PENDING
REFUSED: Final = delivery_pb2.ATTACHMENT_STATE_REFUSED
METHOD: Final = "/paiza.peer.v1.ExchangeService/FetchAttachment"

Pieces = Callable[[exchange_pb2.FetchAttachmentRequest, int], AsyncIterator[bytes]]


@asynccontextmanager
async def impostor(line: Line, size: int, pieces: Pieces) -> AsyncIterator[list[int]]:
    """Run a program under the keys of kaz's node that serves the bytes a test chooses; return the requested offsets."""
    asked: list[int] = []

    async def fetch(request: exchange_pb2.FetchAttachmentRequest, _context: Any) -> AsyncIterator[bytes]:
        asked.append(request.offset)
        async for piece in pieces(request, size):
            yield exchange_pb2.FetchAttachmentResponse(data=piece).SerializeToString()

    node = line.federation.node("kaz")
    keys = node.folder / "keys"
    server = grpc.aio.server()
    handler: Any = grpc.unary_stream_rpc_method_handler(
        fetch, request_deserializer=exchange_pb2.FetchAttachmentRequest.FromString
    )
    service, _, method = METHOD[1:].partition("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    pair = ((keys / "tls.key").read_bytes(), (keys / "tls.crt").read_bytes())
    server.add_secure_port(node.address, grpc.ssl_server_credentials([pair]))
    await server.start()
    try:
        yield asked
    finally:
        await server.stop(0)


async def announced(line: Line, size: int) -> tuple[bytes, int]:
    """Deliver to tjk a message whose attachment is not served yet, and stop kaz's node; return digest and size."""
    line.proxy.cut()
    digest, sealed = await line.send(size)
    await line.until(lambda: workflow_states(line.receiving, digest))
    line.federation.node("kaz").kill()
    line.proxy.mend()
    return digest, sealed.said.ciphertext_size


async def endless(_request: exchange_pb2.FetchAttachmentRequest, _size: int) -> AsyncIterator[bytes]:
    """Never end."""
    while True:
        yield PIECE


async def another(_request: exchange_pb2.FetchAttachmentRequest, size: int) -> AsyncIterator[bytes]:
    """Yield as many bytes as were announced, but others."""
    yield bytes(size - _request.offset)


async def one_more(request: exchange_pb2.FetchAttachmentRequest, size: int) -> AsyncIterator[bytes]:
    """Yield one byte too many."""
    yield bytes(size - request.offset + 1)


async def nothing(_request: exchange_pb2.FetchAttachmentRequest, _size: int) -> AsyncIterator[bytes]:
    """End at once."""
    for piece in list[bytes]():
        yield piece


@pytest.mark.parametrize("hostile", [endless, another, one_more])
async def test_what_was_not_announced_is_refused(line: Line, hostile: Pieces) -> None:
    """Bytes without end, other bytes, or one too many end as REFUSED for that part, and none of them stays."""
    digest, size = await announced(line, MIB // 2)
    async with impostor(line, size, hostile) as asked:
        (found,) = await settled(line.receiving, digest)
    assert (found.state, found.reason) == (REFUSED, "part_digest_mismatch")
    assert asked == [0, 0, 0]
    assert list((line.federation.node("tjk").data / "attachments").iterdir()) == []


async def test_who_hands_over_nothing_is_asked_again(line: Line) -> None:
    """A stream that ends early decides nothing: the attachment stays pending, and is asked for again."""
    digest, size = await announced(line, MIB // 2)
    async with impostor(line, size, nothing) as asked:
        await line.until(lambda: asyncio.sleep(0, asked[2:]))
        (found,) = await workflow_states(line.receiving, digest)
    assert (found.state, found.reason) == (PENDING, "attachment_incomplete")


async def test_bytes_damaged_here_are_fetched_anew(line: Line) -> None:
    """Wrong bytes in what was fetched so far, as a power cut may leave them, cost a second fetch and no refusal."""
    line.proxy.cut()
    digest, sealed = await line.send(MIB)
    folder = line.federation.node("tjk").data / "attachments"
    await line.until(lambda: workflow_states(line.receiving, digest))
    (folder / f"{sealed.said.ciphertext_sha256.hex()}.kaz.part").write_bytes(os.urandom(MIB // 2))
    line.proxy.mend()
    (found,) = await settled(line.receiving, digest)
    assert found.state == delivery_pb2.ATTACHMENT_STATE_RECEIVED
    assert line.held("tjk", sealed)


def zeros(size: int) -> Iterator[bytes]:
    """Yield so many wrong bytes, in pieces that a request may have."""
    for at in range(0, size, MIB // 2):
        yield bytes(min(MIB // 2, size - at))


async def test_an_officer_cannot_spoil_what_a_peer_hands_over(line: Line) -> None:
    """Other bytes under the digest of a pending attachment are refused, and it still arrives.

    Otherwise it would be refused finally, and the log would blame its sender.
    """
    line.proxy.cut()
    digest, sealed = await line.send(MIB)
    await line.until(lambda: workflow_states(line.receiving, digest))
    stub = attachment_pb2_grpc.AttachmentServiceStub(line.receiving)
    name, size = sealed.said.ciphertext_sha256, sealed.said.ciphertext_size
    for _ in range(4):
        await stub.StartUpload(sealed.start, timeout=CALL_SECONDS)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Upload(requests(name, 0, zeros(size)), timeout=CALL_SECONDS)
        assert _reason(refused.value) == "part_digest_mismatch"
    line.proxy.mend()
    (found,) = await settled(line.receiving, digest)
    assert found.state == delivery_pb2.ATTACHMENT_STATE_RECEIVED
    assert line.held("tjk", sealed)


async def test_only_members_a_message_went_to_fetch_its_attachments(line: Line) -> None:
    """The node of another member gets unknown_id for any digest it knows."""
    digest, _ = await line.send(1000)
    await settled(line.receiving, digest)
    register = read_register(line.federation.folder)
    mint = Mint(line.federation.folder, register)
    async with mint.node("tjk").channel(line.federation.node("kaz").address, "kaz", register) as channel:
        stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
        request = exchange_pb2.FetchAttachmentRequest(message_digest=digest, part_number=FIRST_PART)
        assert len(b"".join([each.data async for each in stub.FetchAttachment(request)])) > 1000
        for wrong in ({"message_digest": bytes(32)}, {"part_number": 0}, {"part_number": 9}, {"offset": 10**9}):
            changed = exchange_pb2.FetchAttachmentRequest()
            changed.CopyFrom(request)
            for field, value in wrong.items():
                setattr(changed, field, value)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                [each async for each in stub.FetchAttachment(changed)]
            assert _reason(refused.value) in {"unknown_id", "part_missing", "malformed"}


async def test_a_message_goes_only_with_all_its_attachments(line: Line, tmp_path: Path) -> None:
    """Submitted before its attachment was brought whole, a message is not released; after that it is, once."""
    header = line.sender.header(["tjk"])
    sealed = seal(tmp_path, header, MIB)
    data = signed(line.sender, header, [sealed.said])
    early = await submit(line.sending, data)
    assert early.retry.reason == "attachment_incomplete"
    stub = attachment_pb2_grpc.AttachmentServiceStub(line.sending)
    await stub.StartUpload(sealed.start, timeout=CALL_SECONDS)
    first = next(sealed.pieces())
    answer = await stub.Upload(requests(sealed.said.ciphertext_sha256, 0, iter([first])), timeout=CALL_SECONDS)
    assert (answer.offset, answer.whole) == (len(first), False)
    assert (await submit(line.sending, data)).retry.reason == "attachment_incomplete"
    assert (await bring(line.sending, sealed)).whole
    assert (await submit(line.sending, data)).WhichOneof("result") == "released"
    assert (await submit(line.sending, data)).released.repeated_submission


async def test_an_officer_brings_only_what_he_announced(line: Line, tmp_path: Path) -> None:
    """Other bytes, more bytes, a wrong offset, another or impossible sizes are refused; colleagues are undisturbed."""
    header = line.sender.header(["tjk"])
    sealed = seal(tmp_path, header, MIB)
    stub = attachment_pb2_grpc.AttachmentServiceStub(line.sending)
    digest, size = sealed.said.ciphertext_sha256, sealed.said.ciphertext_size
    assert (await stub.StartUpload(sealed.start, timeout=CALL_SECONDS)).offset == 0

    async def refusal(offset: int, *pieces: bytes, name: bytes = digest) -> str:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Upload(requests(name, offset, iter(pieces)), timeout=CALL_SECONDS)
        return _reason(refused.value)

    assert await refusal(0, *zeros(size)) == "part_digest_mismatch"
    assert await refusal(0, *zeros(size), b"x") == "part_digest_mismatch"
    assert (await stub.StartUpload(sealed.start, timeout=CALL_SECONDS)).offset == 0
    assert await refusal(7, b"x") == "attachment_incomplete"
    assert await refusal(0, b"x", name=sha256(b"never announced").digest()) == "unknown_id"
    colleague = Officer(line.federation.folder, "kaz-duty")
    colleague.node = line.federation.node("kaz").address
    async with colleague.channel() as other:
        colleagues = attachment_pb2_grpc.AttachmentServiceStub(other)
        assert (await colleagues.StartUpload(sealed.start, timeout=CALL_SECONDS)).offset == 0
    request = attachment_pb2.StartUploadRequest(ciphertext_sha256=digest, ciphertext_size=size + 1)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.StartUpload(request, timeout=CALL_SECONDS)
    assert _reason(refused.value) == "conflict"
    for wrong in (0, MAX_CIPHERTEXT_BYTES + 1):
        request = attachment_pb2.StartUploadRequest(ciphertext_sha256=digest, ciphertext_size=wrong)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.StartUpload(request, timeout=CALL_SECONDS)
        assert _reason(refused.value) == "too_large"
    assert (await bring(line.sending, sealed)).whole


def _reason(error: grpc.aio.AioRpcError) -> str:
    return str(dict(error.trailing_metadata() or ()).get("paiza-reason", ""))
