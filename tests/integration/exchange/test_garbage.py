"""Bytes that are no request, to every RPC there is."""

import random
from typing import Final

import grpc
import pytest

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_node.core.api.services import accesses
from paiza_register import Register
from tests import http2
from tests.federation import Federation
from tests.system.minting import Mint

SECONDS: Final = 60
OK: Final = 0
SESSION: Final = b"/paiza.officer.v1.OfficerService/GetSession"
COMPRESSED: Final = b"\1\0\0\0\1a"  # gRPC's prefix: compressed, one byte
MALFORMED: Final = {
    "header of no base64": http2.call(SESSION, more=[(b"x-bin", b"!!!")]),
    "deadline": http2.call(SESSION, more=[(b"grpc-timeout", b"zz")]),
    "te": http2.call(SESSION, more=[(b"te", b"gzip")]),
    "unknown compression": http2.call(SESSION, COMPRESSED, [(b"grpc-encoding", b"br")]),
    "gzip": http2.call(SESSION, COMPRESSED, [(b"grpc-encoding", b"gzip")]),
    "compressed without a name": http2.call(SESSION, COMPRESSED),
    "oversize": http2.call(SESSION, b"\0\x7f\0\0\0a"),
    "method GET": http2.call(SESSION, more=[(b":method", b"GET")]),
    "fields of no HPACK": http2.frame(http2.HEADERS, http2.END_HEADERS, b"\xff" * 6),
    "large header": http2.call(SESSION, more=[(b"x-large", b"a" * 126)] * 400),
}
STREAMS: Final = frozenset({"/paiza.officer.v1.OfficerService/Watch", "/grpc.health.v1.Health/Watch"})
GARBAGE: Final = (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 64, random.Random(1).randbytes(4096))


@pytest.mark.parametrize(("number", "method"), list(enumerate(accesses())))
async def test_garbage_is_malformed(federation: Federation, register: Register, number: int, method: str) -> None:
    """Every RPC answers unparsable bytes of any caller with malformed, and the node runs on.

    One kind for each: a caller who sends more than a programmer's mistake has to wait (`admission`).
    """
    mint = Mint(federation.folder, register)
    others = {"review": "kaz-duty", "ceremony": "kaz-custodian", "publish_directory": "kaz-data"}
    officer = others.get(accesses()[method].action, "kaz-coordinator")
    caller = mint.node("tjk") if accesses()[method].who == "node" else mint.officer(officer)
    node = federation.node("kaz")
    async with caller.channel(node.address, "kaz", register) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _call(channel, method, GARBAGE[number % len(GARBAGE)])
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert ("paiza-reason", "malformed") in list(refused.value.trailing_metadata() or ())
    async with mint.officer("kaz-liaison").channel(node.address, "kaz", register) as channel:
        session = await officer_pb2_grpc.OfficerServiceStub(channel).GetSession(
            officer_pb2.GetSessionRequest(), timeout=SECONDS
        )
        assert session.officer_id.endswith("/officer/liaison")
    assert "internal_error" not in node.log.read_text()


async def test_unknown_rpc_is_unimplemented(federation: Federation, register: Register) -> None:
    """RPCs outside the list do not exist."""
    node = federation.node("kaz")
    async with (
        Mint(federation.folder, register).officer("kaz-liaison").channel(node.address, "kaz", register) as channel
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _call(channel, "/paiza.admin.v1.AdminService/GetStatus", b"")
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("path", [b"/paiza.officer.v1.OfficerService/\xff\xfe", b"\x80\x81", b"/"])
def test_name_that_is_no_text_is_unimplemented(federation: Federation, register: Register, path: bytes) -> None:
    """A call whose name is not UTF-8 ends alone: the next call on another connection is served."""
    node, caller = federation.node("kaz"), Mint(federation.folder, register).officer("kaz-liaison")
    for _ in range(2):
        with caller.http2(node.address) as connection:
            assert http2.answer(connection, http2.call(path))[0] == grpc.StatusCode.UNIMPLEMENTED.value[0]
    with caller.http2(node.address) as connection:
        assert http2.answer(connection, http2.call(b"/grpc.health.v1.Health/Check"))[0] == grpc.StatusCode.OK.value[0]


@pytest.mark.parametrize("sent", MALFORMED)
def test_malformed_frames_have_a_status_with_a_text(federation: Federation, register: Register, sent: str) -> None:
    """Frames that no gRPC library sends end their call with a status of the library, or the connection; no other."""
    node, caller = federation.node("kaz"), Mint(federation.folder, register).officer("kaz-liaison")
    with caller.http2(node.address) as connection:
        status, text = http2.answer(connection, MALFORMED[sent])
    assert status not in {OK, grpc.StatusCode.UNKNOWN.value[0]}
    assert text
    assert "Traceback" not in text
    with caller.http2(node.address) as connection:
        assert http2.answer(connection, http2.call(SESSION))[0] == OK


def test_deadline_that_is_over_ends_the_call(federation: Federation, register: Register) -> None:
    """A call whose time is up ends with that, or is answered: the library's timer runs beside the handler."""
    node, caller = federation.node("kaz"), Mint(federation.folder, register).officer("kaz-liaison")
    with caller.http2(node.address) as connection:
        status, text = http2.answer(connection, http2.call(SESSION, more=[(b"grpc-timeout", b"0n")]))
    assert status in {OK, None, grpc.StatusCode.DEADLINE_EXCEEDED.value[0], grpc.StatusCode.CANCELLED.value[0]}
    assert "Traceback" not in text
    with caller.http2(node.address) as connection:
        assert http2.answer(connection, http2.call(SESSION))[0] == OK


async def _call(channel: grpc.aio.Channel, method: str, data: bytes) -> None:
    if method in STREAMS:
        stream: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(method)
        await stream(data, timeout=SECONDS).read()
    else:
        unary: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
        await unary(data, timeout=SECONDS)
