"""Whatever a hostile caller sends, or leaves unread, a node's memory stays within bounds and falls back."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_node.core.api import services
from paiza_node.core.api.authentication import UNREAD_SECONDS
from paiza_node.core.api.services import access_of, method_name
from paiza_node.ops.admin.client import AdminClient
from paiza_register import Register
from tests import http2
from tests.bench.admitted import admit
from tests.federation import Federation, NodeProcess
from tests.officer import SUBJECT, Officer
from tests.registers import read_register
from tests.system.minting import Identity, Mint

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB: Final = 1024 * 1024
MOST: Final = 8 * MIB - 64  # bytes of a request: more is refused by gRPC itself
AT_ONCE: Final = 4
FLOOD: Final = 32
UNREAD: Final = 48
LARGE_MESSAGES: Final = 200
REFUSED_BATCHES: Final = 40
SILENT: Final = 96
WATCHED_TOGETHER: Final = 16
TEXT: Final = "Nothing of this is real. " * 400
FLOODS: Final = 8  # connections, whose frames come faster than the node parses them
FLOOD_BYTES: Final = 256 * MIB  # of frames on each
WARM_CALLS: Final = 50
MOST_ABOVE_IDLE: Final = 150 * MIB
LEFT_ABOVE_IDLE: Final = 50 * MIB
SETTLED_SECONDS: Final = 60.0
POLL_SECONDS: Final = 1.0
CALL_SECONDS: Final = 120.0


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run the node that is attacked."""
    with Federation.create(tmp_path_factory.mktemp("memory") / "federation", ["kaz", "tjk"]) as made:
        made.start("kaz")
        yield made


@pytest.fixture(scope="module")
def register(federation: Federation) -> Register:
    """Return the federation's register."""
    return read_register(federation.folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idle(federation: Federation, register: Register) -> int:
    """Return the memory of the node before any attack, once it has done its ordinary work for a while."""
    liaison = Officer(federation.folder, "kaz-liaison", register)
    async with liaison.channel() as channel:
        for _ in range(WARM_CALLS):
            await _submit(channel, [liaison.compose(["tjk"]) for _ in range(4)])
    return _resident(federation.node("kaz"))


@pytest.mark.timeout(900)
async def test_requests_that_grow_when_parsed(federation: Federation, register: Register, idle: int) -> None:
    """Requests of every RPC, as large as they may be and made to grow when parsed, leave the memory within bounds."""
    node = federation.node("kaz")
    _forget_peak(node)
    async with _attackers(federation, register) as channels:
        for method in _methods():
            for request in _requests(method.input_type):
                callers = [channels[who] for who in _callers(method)]
                await asyncio.gather(*(_refused(each, method, request) for each in callers for _ in range(AT_ONCE)))
        await _check(node, idle)


async def test_requests_on_the_operators_socket(federation: Federation, idle: int) -> None:
    """They are refused like those of others, and the socket answers afterwards."""
    node = federation.node("kaz")
    _forget_peak(node)
    async with grpc.aio.insecure_channel(f"unix:{node.admin_socket}") as channel:
        for method in (method for service in services.for_operator() for method in service.methods):
            for request in _requests(method.input_type):
                cut = request[: MOST // 2 - 64]  # the library's own limit; the refusal comes before the parsing
                await asyncio.gather(*(_refused(channel, method, cut) for _ in range(AT_ONCE)))
    assert node.status().member == "kaz"
    await _check(node, idle)


async def test_many_large_requests_at_once(federation: Federation, register: Register, idle: int) -> None:
    """Dozens of the largest requests at once, of an officer, an auditor and a peer, leave the memory within bounds."""
    node = federation.node("kaz")
    _forget_peak(node)
    large = {"Submit", "Deliver", "Search", "FetchMessages", "ExchangeCheckpoints", "GetTrail", "Upload"}
    calls: list[Any] = []
    async with _attackers(federation, register) as channels:
        for method in _methods():
            if method.name in large:
                request = max(_requests(method.input_type), key=len)
                for who in _callers(method):
                    calls += [_refused(channels[who], method, request) for _ in range(FLOOD)]
        await asyncio.gather(*calls)
        await _check(node, idle)


async def test_frames_that_mean_nothing(federation: Federation, register: Register, idle: int) -> None:
    """Frames that no window holds back, as many as fit on the way, do not make the buffers for reading grow."""
    node, officer = federation.node("kaz"), Mint(federation.folder, register).officer("kaz-liaison")
    _forget_peak(node)
    await asyncio.gather(*(asyncio.to_thread(_flood, officer, node.address) for _ in range(FLOODS)))
    await _check(node, idle)


async def test_batches_that_are_refused(federation: Federation, register: Register, idle: int) -> None:
    """Well-formed messages that are refused one by one, in batch after batch, leave nothing behind."""
    node, duty = federation.node("kaz"), Officer(federation.folder, "kaz-duty", register)
    batch = officer_pb2.SubmitRequest()
    for _ in range(LARGE_MESSAGES):
        batch.items.add(message=_large(duty, role="liaison"))  # which this officer is not
    _forget_peak(node)
    async with duty.channel() as channel:
        stub = officer_pb2_grpc.OfficerServiceStub(channel)
        for _ in range(REFUSED_BATCHES):
            response = await stub.Submit(batch, timeout=CALL_SECONDS)
            assert {result.rejection.reason for result in response.results} == {"policy_denied"}
    await _check(node, idle)


async def test_answers_that_nobody_reads(federation: Federation, register: Register, idle: int) -> None:
    """An officer who asks for large answers again and again, and reads none, is soon told to wait."""
    node, duty = federation.node("kaz"), Officer(federation.folder, "kaz-duty", register)
    async with duty.channel() as channel:
        digests = await _submit(channel, [duty.compose(["tjk"], TEXT, role="duty") for _ in range(LARGE_MESSAGES)])
        request = officer_pb2.OpenMessagesRequest(message_digests=digests, reason_text="exercise")
        _forget_peak(node)
        opened: Any = channel.stream_stream("/paiza.officer.v1.OfficerService/OpenMessages")
        calls = [opened(timeout=CALL_SECONDS) for _ in range(UNREAD)]
        for call in calls:
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await call.write(request.SerializeToString())
                await call.done_writing()
        codes = [asyncio.ensure_future(call.code()) for call in calls]
        first = [await code for code in islice(asyncio.as_completed(codes), UNREAD // 2)]
        assert set(first) == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        for call in calls:
            call.cancel()
        await asyncio.gather(*codes)
        await _check(node, idle)


async def test_watches_that_nobody_reads(federation: Federation, register: Register) -> None:
    """Whatever officers leave unread of their watches, the backlog and the news, is bounded for all of them."""
    node = federation.node("kaz")
    duty = Officer(federation.folder, "kaz-duty", register)  # the others have sent what makes a caller wait
    identities = await asyncio.to_thread(admit, federation, "kaz", [_unit(federation)] * SILENT)
    async with AsyncExitStack() as stack:
        sender = await stack.enter_async_context(duty.channel())
        await _submit(sender, [_large(duty) for _ in range(LARGE_MESSAGES)])
        idle = _resident(node)
        _forget_peak(node)
        calls = []
        for begun, identity in enumerate(identities, 1):
            channel = await stack.enter_async_context(identity.channel(node.address, "kaz", register))
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            calls.append(stub.Watch(officer_pb2.WatchRequest(after_sequence=0)))
            if begun % WATCHED_TOGETHER == 0:  # of one address only so many may wait for their first call
                await asyncio.gather(*(call.initial_metadata() for call in calls))
        await _submit(sender, [_large(duty) for _ in range(LARGE_MESSAGES)])
        ended = await asyncio.gather(*(call.code() for call in calls))  # by the node: nobody hangs up
        assert set(ended) == {grpc.StatusCode.UNAVAILABLE}
        await _check(node, idle)


async def test_a_suspended_officer_who_reads_nothing(federation: Federation, register: Register) -> None:
    """Their watch, blocked by what they leave unread, ends all the same, and not only for being unread."""
    node, duty = federation.node("kaz"), Officer(federation.folder, "kaz-duty", register)
    async with duty.channel() as sender:
        await _submit(sender, [_large(duty) for _ in range(LARGE_MESSAGES)])
    (identity,) = await asyncio.to_thread(admit, federation, "kaz", [_unit(federation)], "duty")
    # Less than a response may come ahead of the reading: with the first one the watch is blocked.
    async with identity.channel(node.address, "kaz", register, ("grpc.http2.lookahead_bytes", 1024)) as channel:
        call = officer_pb2_grpc.OfficerServiceStub(channel).Watch(officer_pb2.WatchRequest(after_sequence=0))
        await call.initial_metadata()
        await asyncio.to_thread(_suspend, node, f"spiffe://kaz.{register.federation}/officer/duty000")
        async with asyncio.timeout(UNREAD_SECONDS / 2):
            assert await call.code() is grpc.StatusCode.UNAVAILABLE


def _flood(identity: Identity, address: str) -> None:
    """Send frames of an unknown kind, which are to be ignored (RFC 9113 §5.5)."""
    ignored = http2.frame(http2.UNKNOWN, 0, b"", 0) * (MIB // http2.FRAME_HEADER)
    with identity.http2(address) as connection:
        connection.settimeout(CALL_SECONDS)
        connection.sendall(http2.PREFACE + http2.frame(http2.SETTINGS, 0, b"", 0))
        for _ in range(FLOOD_BYTES // len(ignored)):
            connection.sendall(ignored)


def _suspend(node: NodeProcess, officer: str) -> None:
    with AdminClient(node.admin_socket) as client:
        client.suspend_officer(officer, "exercise", stolen=False)


def _unit(federation: Federation) -> str:
    """Return the unit of the officer on duty of kaz."""
    officers = json.loads((federation.node("kaz").folder / "officers.json").read_bytes())
    return next(str(each["unit"]) for each in officers if each["id"].endswith("/duty"))


def _large(officer: Officer, role: str = "duty") -> bytes:
    """Compose a message with the largest marks: 8 KB of its header."""
    header = officer.header(["tjk"], role=role)
    header.handling.code, header.handling.code_text = "H3", "\N{HONEYBEE}" * 2000
    return officer.seal(header, FreeMessage(subject=SUBJECT, text="Nothing of this is real.").SerializeToString())


def _methods() -> list[MethodDescriptor]:
    return [method for service in services.public() for method in service.methods]


def _callers(method: MethodDescriptor) -> list[str]:
    """Return who may call an RPC."""
    who = access_of(method).who
    return {"node": ["peer"], "officer": ["officer", "auditor"], "either": ["officer", "peer"]}[who]


def _requests(kind: Descriptor) -> Iterator[bytes]:
    """Yield requests as large as may be, each full of the elements of one of its lists, or of one of its texts."""
    yield from (_filled(field) for field in kind.fields)
    for field in kind.fields:
        if field.message_type is not None:
            for inner in field.message_type.fields:
                if inner.is_repeated:
                    data = _filled(inner, MOST - 16)
                    yield _tag(field) + _varint(len(data)) + data


def _filled(field: FieldDescriptor, size: int = MOST) -> bytes:
    if field.is_repeated and field.cpp_type in {FieldDescriptor.CPPTYPE_MESSAGE, FieldDescriptor.CPPTYPE_STRING}:
        return (_tag(field) + b"\0") * (size // (len(_tag(field)) + 1))
    return _tag(field) + _varint(size - 16) + bytes(size - 16)


def _tag(field: FieldDescriptor) -> bytes:
    return _varint(field.number << 3 | 2)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


@asynccontextmanager
async def _attackers(federation: Federation, register: Register) -> AsyncIterator[dict[str, grpc.aio.Channel]]:
    mint, node = Mint(federation.folder, register), federation.node("kaz")
    identities = {
        "officer": mint.officer("kaz-liaison"),
        "auditor": mint.officer("kaz-auditor"),
        "peer": mint.node("tjk"),
    }
    async with AsyncExitStack() as stack:
        yield {
            who: await stack.enter_async_context(identity.channel(node.address, "kaz", register))
            for who, identity in identities.items()
        }


async def _refused(channel: grpc.aio.Channel, method: MethodDescriptor, request: bytes) -> None:
    """Call with one request, and read what comes; it may be refused in any way."""
    opened: Any = channel.stream_stream(method_name(method))
    call = opened(timeout=CALL_SECONDS)
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        await call.write(request)
        await call.done_writing()
        await call.read()
    call.cancel()


async def _submit(channel: grpc.aio.Channel, messages: list[bytes]) -> list[bytes]:
    """Submit messages, which the node takes; return their digests."""
    items = [officer_pb2.SubmitItem(message=message) for message in messages]
    stub = officer_pb2_grpc.OfficerServiceStub(channel)
    response = await stub.Submit(officer_pb2.SubmitRequest(items=items), timeout=CALL_SECONDS)
    assert all(result.HasField("released") for result in response.results), response.results[0]
    return [result.released.message_digest for result in response.results]


async def _check(node: NodeProcess, idle: int) -> None:
    peak = _peak(node)
    until = time.monotonic() + SETTLED_SECONDS
    while _resident(node) > idle + LEFT_ABOVE_IDLE and time.monotonic() < until:
        await asyncio.to_thread(time.sleep, POLL_SECONDS)  # the kernel announces nothing
    left, seconds = _resident(node), SETTLED_SECONDS - (until - time.monotonic())
    print(
        f"\nidle {idle / MIB:.0f} MiB, peak {(peak - idle) / MIB:+.0f}, "
        f"after {seconds:.0f} s {(left - idle) / MIB:+.0f}"
    )
    assert node.running
    assert peak <= idle + MOST_ABOVE_IDLE
    assert left <= idle + LEFT_ABOVE_IDLE


def _resident(node: NodeProcess) -> int:
    return _status(node, "VmRSS")


def _peak(node: NodeProcess) -> int:
    return _status(node, "VmHWM")


def _forget_peak(node: NodeProcess) -> None:
    Path(f"/proc/{node.pid}/clear_refs").write_text("5")


def _status(node: NodeProcess, name: str) -> int:
    """Return a size from /proc in bytes."""
    lines = Path(f"/proc/{node.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
