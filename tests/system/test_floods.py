"""One caller who floods the node is told to wait; everybody else is served meanwhile."""

import asyncio
import itertools
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
import pytest

from paiza.admin.v1 import admin_pb2
from paiza.core.v1 import message_pb2
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza.peer.v1 import exchange_pb2, exchange_pb2_grpc
from paiza_node.core.api.connections import PER_CALLER
from paiza_node.core.limits import Limits
from paiza_node.core.register.state import state_of
from paiza_register import Register
from tests import http2
from tests.federation import Federation, NodeProcess
from tests.integration.exchange.hostile import HostilePeer
from tests.officer import Officer
from tests.registers import read_register
from tests.system import ledgers
from tests.system.minting import Identity, Mint

CALLS: Final = 400
CONNECTIONS: Final = 8
FLOOD_SECONDS: Final = 300
STREAMS: Final = 64  # of one connection
HELD_SECONDS: Final = 3.0
DAY_SECONDS: Final = 86_400
QUOTA_SECONDS: Final = 120  # more than the test of a day's quota takes
SERVED_SECONDS: Final = 60.0  # an officer's Submit while others flood; a limit on shared machines, not a measure


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run the node that is flooded."""
    with Federation.create(tmp_path_factory.mktemp("floods") / "federation", ["kaz", "tjk"]) as made:
        made.start("kaz")
        yield made


@pytest.fixture(scope="module")
def folder(federation: Federation) -> Path:
    """Return the federation's folder."""
    return federation.folder


@pytest.fixture(scope="module")
def register(folder: Path) -> Register:
    """Return the federation's register."""
    return read_register(folder)


@pytest.fixture(autouse=True)
def unharmed(federation: Federation, register: Register) -> Iterator[None]:
    """The node runs after every flood, without an internal error, and its records verify."""
    yield
    node = federation.node("kaz")
    assert node.running
    assert "internal_error" not in node.log.read_text()
    ledgers.check_own(ledgers.read(node), register)


async def test_officer_who_floods_is_told_to_wait(federation: Federation, folder: Path, register: Register) -> None:
    """Some of an officer's hundreds of simultaneous Submits are accepted, the others delayed; a colleague is served."""
    liaison = Officer(folder, "kaz-liaison", register)
    request = officer_pb2.SubmitRequest(
        items=[officer_pb2.SubmitItem(message=liaison.compose(["tjk"])) for _ in range(64)]
    )
    async with _connections(federation, register, Mint(folder, register).officer("kaz-liaison")) as channels:
        stubs = [officer_pb2_grpc.OfficerServiceStub(channel) for channel in channels]
        flood = [stubs[at % len(stubs)].Submit(request, timeout=FLOOD_SECONDS) for at in range(CALLS)]
        said = await _served_meanwhile(folder, register, flood)
    assert said["released"] > 0
    assert said["busy"] > 0
    assert said["released"] + said["busy"] == CALLS, said


async def test_peer_that_floods_is_told_to_wait(federation: Federation, folder: Path, register: Register) -> None:
    """Some of a member's hundreds of simultaneous batches are accepted, the others delayed; officers are served."""
    peer = HostilePeer(folder, "tjk", federation.node("kaz"), register)
    author = Officer(folder, "tjk-liaison", register)
    batch = peer.dispatch_all([author.compose(["kaz"]) for _ in range(64)])
    async with peer.channel:
        await peer.deliver(*batch)
    request = exchange_pb2.DeliverRequest(
        consistency_claim=peer.consistency_claim(),
        register_state=state_of(register, datetime.now(UTC)),
        dispatches=batch,
    )
    async with _connections(federation, register, Mint(folder, register).node("tjk")) as channels:
        stubs = [exchange_pb2_grpc.ExchangeServiceStub(channel) for channel in channels]
        flood = [stubs[at % len(stubs)].Deliver(request, timeout=FLOOD_SECONDS) for at in range(CALLS)]
        said = await _served_meanwhile(folder, register, flood)
    assert said["answered"] > 0
    assert said["busy"] > 0
    assert said["answered"] + said["busy"] == CALLS, said


@pytest.mark.parametrize("method", ["/paiza.peer.v1.ExchangeService/Deliver", "/grpc.health.v1.Health/Watch"])
async def test_calls_that_are_held_open_take_up_only_their_callers_share(
    federation: Federation, folder: Path, register: Register, method: str
) -> None:
    """Hundreds of calls that never send a request, or never end, do not keep others out."""
    async with _connections(federation, register, Mint(folder, register).node("tjk")) as channels:
        held = []
        for at in range(CALLS):
            opened: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channels[at % len(channels)].stream_stream(
                method
            )
            call = opened(timeout=FLOOD_SECONDS)
            if method.endswith("Watch"):
                with suppress(grpc.aio.AioRpcError):  # refused already: that is what the flooder is to get
                    await call.write(b"")
            held.append(call)
        try:
            await asyncio.gather(*(channel.channel_ready() for channel in channels))
            await _served_meanwhile(folder, register, [])
        finally:
            for call in held:
                call.cancel()


async def test_connections_that_say_nothing_keep_nobody_out(
    federation: Federation, folder: Path, register: Register
) -> None:
    """Hundreds of connections that are silent, or stop in the middle of a handshake, do not keep others out."""
    host, _, port = federation.node("kaz").address.rpartition(":")
    with ExitStack() as connections:
        for at in range(CALLS):
            silent = connections.enter_context(socket.create_connection((host, int(port))))
            if at % 2:
                silent.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # a ClientHello that never ends
        await _served_meanwhile(folder, register, [])


async def test_answers_that_nobody_takes_leave_room_for_everyone(
    federation: Federation, folder: Path, register: Register
) -> None:
    """Calls whose answers find no window are counted until they end: their officer waits, and nobody else does."""
    node, mint = federation.node("kaz"), Mint(folder, register)
    session = b"/paiza.officer.v1.OfficerService/GetSession"
    with ExitStack() as connections:
        for profile in ("kaz-liaison", "kaz-auditor"):
            for _ in range(PER_CALLER):
                held = connections.enter_context(mint.officer(profile).http2(node.address))
                held.sendall(http2.PREFACE + http2.NO_WINDOW)
                held.sendall(b"".join(http2.call(session, stream=stream) for stream in range(1, 2 * STREAMS, 2)))
        await asyncio.to_thread(time.sleep, HELD_SECONDS)  # until the node has met them all: none is answered
        await _served_meanwhile(folder, register, [])
        deadline = time.monotonic() + FLOOD_SECONDS
        while (most := _most(node, "calls_officers")).used < Limits().calls_per_officer:
            assert time.monotonic() < deadline, f"{most.used} calls are counted"
            await asyncio.sleep(0.1)
        assert most.used == Limits().calls_per_officer
        flooder = f"kaz-{most.caller.rpartition('/')[2]}"  # the calls of the other one may be counted a moment later
        async with mint.officer(flooder).channel(node.address, "kaz", register) as channel:
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            assert await _told(stub.GetSession(officer_pb2.GetSessionRequest(), timeout=SERVED_SECONDS)) == "busy"


async def test_watches_of_one_officer_leave_room_for_everyone(
    federation: Federation, folder: Path, register: Register
) -> None:
    """An officer holds as many watches as the limit says; their own calls, colleagues and peers have places left."""
    async with _connections(federation, register, Mint(folder, register).officer("kaz-liaison")) as channels:
        stubs = [officer_pb2_grpc.OfficerServiceStub(channel) for channel in channels]
        watches = [stubs[at % len(stubs)].Watch(officer_pb2.WatchRequest(), timeout=FLOOD_SECONDS) for at in range(40)]
        ends = [asyncio.ensure_future(_told(watch.read())) for watch in watches]
        try:
            beyond = len(watches) - Limits().watches_per_officer
            assert {await end for end in itertools.islice(asyncio.as_completed(ends), beyond)} == {"busy"}
            await stubs[0].GetSession(officer_pb2.GetSessionRequest(), timeout=SERVED_SECONDS)
            await _served_meanwhile(folder, register, [])
            peer = HostilePeer(folder, "tjk", federation.node("kaz"), register)
            async with peer.channel:
                await peer.deliver(*peer.dispatch_all([Officer(folder, "tjk-liaison", register).compose(["kaz"])]))
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*ends, return_exceptions=True)


async def test_garbage_makes_its_sender_wait_and_urgent_messages_pass(
    federation: Federation, folder: Path, register: Register
) -> None:
    """An officer who sends garbage is told to wait; a FLASH message of theirs, and their colleagues, are served."""
    liaison = Officer(folder, "kaz-liaison", register)
    garbage = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=b"garbage")] * 128)
    async with _connections(federation, register, Mint(folder, register).officer("kaz-liaison")) as channels:
        stubs = [officer_pb2_grpc.OfficerServiceStub(channel) for channel in channels]
        flood = [stubs[at % len(stubs)].Submit(garbage, timeout=FLOOD_SECONDS) for at in range(100)]
        said = await _served_meanwhile(folder, register, flood)
        assert said["busy"] > 0, said
        flash = liaison.compose(["tjk"], urgency=message_pb2.URGENCY_FLASH, urgency_reason="It moves.")
        request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=flash)])
        (result,) = (await stubs[0].Submit(request, timeout=SERVED_SECONDS)).results
        assert result.WhichOneof("result") == "released"


async def test_quota_of_a_day_survives_a_restart_and_holds_up_nothing_urgent(
    federation: Federation, folder: Path, register: Register
) -> None:
    """Beyond their quota an officer is told when it is free, also after a restart; FLASH messages are released."""
    node = federation.node("kaz")
    if (left := DAY_SECONDS - time.time() % DAY_SECONDS) < QUOTA_SECONDS:
        await asyncio.sleep(left)  # a day is one of UTC: the next one begins with a quota of its own
    most = 100
    node.configure(limits={"officer_messages_per_day": most})
    duty = Officer(folder, "kaz-duty", register)
    items = [officer_pb2.SubmitItem(message=duty.compose(["tjk"], role="duty")) for _ in range(most + 1)]
    flash = duty.compose(["tjk"], role="duty", urgency=message_pb2.URGENCY_FLASH, urgency_reason="It moves.")
    results: Sequence[officer_pb2.SubmitResult] = ()
    for batch in (items, [items[-1], officer_pb2.SubmitItem(message=flash)]):
        node.stop()
        node.start()
        async with duty.channel(("grpc.use_local_subchannel_pool", 1)) as channel:
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            response = await stub.Submit(officer_pb2.SubmitRequest(items=batch), timeout=SERVED_SECONDS)
        results = response.results
        held = [each.retry for each in results if each.HasField("retry")]
        assert {each.reason for each in held} == {"daily_quota"}
        assert all(0 < each.retry_after.seconds <= 86_400 for each in held)
    assert [each.WhichOneof("result") for each in results] == ["retry", "released"]
    (use,) = [each for each in node.status().limits if each.name == "officer_messages_per_day"]
    assert (use.caller, use.limit) == (duty.id, most)
    assert use.used > most


def _most(node: NodeProcess, limit: str) -> admin_pb2.LimitUse:
    """Return what whoever has most of a limit uses of it."""
    found = (each for each in node.status().limits if each.name == limit)
    return max(found, key=lambda each: each.used, default=admin_pb2.LimitUse())


@asynccontextmanager
async def _connections(
    federation: Federation, register: Register, identity: Identity
) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Open several connections of one caller."""
    async with AsyncExitStack() as stack:
        node = federation.node("kaz")
        yield [
            await stack.enter_async_context(identity.channel(node.address, "kaz", register)) for _ in range(CONNECTIONS)
        ]


async def _served_meanwhile(folder: Path, register: Register, flood: Sequence[Awaitable[object]]) -> Counter[str]:
    """Submit as a duty officer during the flood; return the answers to the flood."""
    duty = Officer(folder, "kaz-duty", register)
    waiting = [asyncio.ensure_future(_told(call)) for call in flood]
    async with duty.channel(("grpc.use_local_subchannel_pool", 1)) as channel:
        stub = officer_pb2_grpc.OfficerServiceStub(channel)
        for _ in range(5):
            item = officer_pb2.SubmitItem(message=duty.compose(["tjk"], role="duty"))
            began = time.monotonic()
            response = await stub.Submit(officer_pb2.SubmitRequest(items=[item]), timeout=SERVED_SECONDS)
            assert response.results[0].WhichOneof("result") == "released"
            assert time.monotonic() - began < SERVED_SECONDS
    return Counter(await asyncio.gather(*waiting))


async def _told(call: Awaitable[object]) -> str:
    try:
        response = await call
    except grpc.aio.AioRpcError as error:
        metadata = dict(error.trailing_metadata() or ())
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and int(metadata.get("paiza-retry-after-ms", 0)) > 0:
            return str(metadata["paiza-reason"])
        return f"{error.code().name}: {error.details()}"
    return "released" if isinstance(response, officer_pb2.SubmitResponse) else "answered"
