"""Channels over gRPC to nodes on loopback: other endpoints, replaced channels, and calls that are cut off."""

import asyncio
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, Final, cast

import grpc
import pytest
from typing_extensions import override

from paiza.core.v1 import register_pb2
from paiza.peer.v1 import exchange_pb2, peer_audit_pb2
from paiza_node.core.peers.channels import CONNECT_MS, REASON_KEY, GrpcChannel
from paiza_node.core.peers.endpoints import Endpoints
from paiza_node.core.peers.rpcs import FETCH_ATTACHMENT, GET_FILE, HANDSHAKE, LIST_GRANTED_ENTRIES
from paiza_node.core.peers.shown_certificate import shown_certificate
from paiza_node.core.peers.tls_identity import TlsIdentity, TlsKeys
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import CertificateAuthority, CertificateVerifier, MemberAuthority, SpiffeId, certificates, keys
from tests import http2

FEDERATION: Final = "paiza.example"
MEMBER: Final = "tjk"
SECONDS: Final = 60.0  # for what takes none; a limit, not a measure
MORE_BYTES: Final = 256 * 1024
ENDLESS_BYTES: Final = 512 * 1024 * 1024
MOST_UNREAD_BYTES: Final = 4 * 1024 * 1024  # of one call: sent, and buffered on either side
UNREAD_SECONDS: Final = 1.0
REQUEST: Final = exchange_pb2.HandshakeRequest(protocol_version=1)
MIB: Final = 1024 * 1024
MEANINGLESS_BYTES: Final = 1024 * MIB
MOST_READ_BYTES: Final = 50 * MIB  # of memory, for the buffers of one connection and what they leave behind
CALLS_ONCE: Final = """
import asyncio, re, sys
from contextlib import suppress
from pathlib import Path

import grpc
from paiza_node.core.peers.channels import CHANNEL_OPTIONS


def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024


async def main():
    async with grpc.aio.insecure_channel(sys.argv[1], options=CHANNEL_OPTIONS) as channel:
        before = peak()
        with suppress(grpc.aio.AioRpcError):
            await channel.unary_unary("/paiza.peer.v1.ExchangeService/Handshake")(b"")
        print(peak() - before)


asyncio.run(main())
"""


class Node:
    """The node of tjk on a port of its own: its handshakes wait until a test lets them go on."""

    def __init__(self, key_pem: bytes, certificate_pem: bytes, host: str = "127.0.0.1", port: str = "0") -> None:
        self.called = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.refusal = ""
        self.detail = "no"
        self.said: bytes | None = None
        self.goes_on = False  # after its answer to a handshake, with more of them
        self.sent = 0
        self.callers: list[str] = []
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers([_Handlers(self)])
        credentials = grpc.ssl_server_credentials([(key_pem, certificate_pem)])
        self.endpoint = f"{host}:{self._server.add_secure_port(f'{host}:{port}', credentials)}"

    async def start(self) -> None:
        """Listen."""
        await self._server.start()

    async def stop(self) -> None:
        """Listen no more."""
        await self._server.stop(None)

    async def answer(self, _request: bytes, core: Any) -> bytes:
        """Answer a handshake with the port, or refuse."""
        self.callers.append(core.peer())
        self.called.set()
        await self.go_on.wait()
        if self.refusal:
            core.set_trailing_metadata(((REASON_KEY, self.refusal),))
            await core.abort(grpc.StatusCode.PERMISSION_DENIED, self.detail)
        if self.said is not None:
            return self.said
        return exchange_pb2.HandshakeResponse(own_checkpoint=self.endpoint.encode()).SerializeToString()

    async def stream(self, _request: bytes, _core: Any) -> AsyncIterator[bytes]:
        """Yield one piece, and the next one only when a test says so."""
        yield exchange_pb2.FetchAttachmentResponse(data=b"piece").SerializeToString()
        self.called.set()
        await self.go_on.wait()

    async def answers(self, _request: bytes, _core: Any) -> AsyncIterator[bytes]:
        """Answer a handshake, and go on with more than anybody asked for, as fast as it is taken."""
        for _ in range(ENDLESS_BYTES // MORE_BYTES):
            yield bytes(MORE_BYTES)
            self.sent += MORE_BYTES
            self.called.set()

    @property
    def handshake(self) -> Any:
        """The handler of handshakes."""
        if self.goes_on:
            return grpc.unary_stream_rpc_method_handler(cast("Any", self.answers))
        return grpc.unary_unary_rpc_method_handler(cast("Any", self.answer))


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, node: Node) -> None:
        self._node = node

    @override
    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method == FETCH_ATTACHMENT.path:
            return grpc.unary_stream_rpc_method_handler(cast("Any", self._node.stream))
        return self._node.handshake


class Authority:
    """A member's node CA: its certificate (DER)."""

    def __init__(self, member: str) -> None:
        now = datetime.now(UTC)
        self._id = SpiffeId(member, FEDERATION, "node")
        self._life: Any = {"not_before": now - timedelta(days=1), "not_after": now + timedelta(days=1)}
        self._key = keys.generate_p256()
        self.certificate = certificates.issue_ca(member, FEDERATION, "node", self._key, **self._life)

    def node(self) -> tuple[bytes, bytes]:
        """Return a new key and its certificate, PEM."""
        key = keys.generate_p256()
        csr = certificates.create_csr(self._id, key)
        made = certificates.issue_node(csr, self.certificate, self._key, spiffe_id=self._id, **self._life)
        return keys.private_key_to_pem(key), ssl.DER_cert_to_PEM_cert(made).encode()


class Scene:
    """Two nodes of tjk, and the register that lists their endpoints."""

    def __init__(self) -> None:
        self.authority = Authority(MEMBER)
        pem = self.pem = self.authority.node()
        self.first, self.second = Node(*pem), Node(*pem)
        self.member = SimpleNamespace(
            endpoints=(self.first.endpoint, self.second.endpoint),
            authority=MemberAuthority(MEMBER, FEDERATION, (CertificateAuthority.of(self.authority.certificate),), ()),
        )
        self.expired = False
        self._register: Any = SimpleNamespace(
            federation=FEDERATION,
            version=b"first",
            active_member=self._active,
            described_member=lambda _member: self.member,
            certificate_verifier=lambda: CertificateVerifier({MEMBER: self.member.authority}),
        )
        self.identity = TlsIdentity(TlsKeys(pem[1], pem[0]))
        self.channel = self.new_channel()

    def _active(self, _member: str) -> Any:
        if self.expired:
            raise Rejected("member_unusable", "its role has expired")
        return self.member

    def revoke(self) -> None:
        """Revoke the certificate of the nodes."""
        digest = sha256(ssl.PEM_cert_to_DER_cert(self.pem[1].decode())).digest()
        self.member.authority = replace(self.member.authority, revoked=frozenset({digest}))

    def new_channel(self, look: Any = shown_certificate) -> GrpcChannel:
        """Return a channel to tjk's nodes that has not dialled yet."""
        return GrpcChannel(MEMBER, self.identity, lambda: self._register, Endpoints(), look=look)

    async def shake(self) -> str:
        """Shake hands; gives the endpoint that answered, or the reason why none did."""
        try:
            return (await self.channel.call(HANDSHAKE, REQUEST)).own_checkpoint.decode()
        except Unavailable as error:
            return error.reason


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Both nodes listen."""
    made = Scene()
    async with AsyncExitStack() as stack:
        for node in (made.first, made.second):
            await node.start()
            stack.push_async_callback(node.stop)
        stack.push_async_callback(made.channel.close)
        async with asyncio.timeout(SECONDS):
            yield made


async def test_the_next_endpoint_is_dialled_when_one_fails(scene: Scene) -> None:
    """The failed call is the caller's to repeat; the channel keeps to the endpoint that answers."""
    assert await scene.shake() == scene.first.endpoint
    await scene.first.stop()
    assert await scene.shake() == "peer_unreachable"
    assert [await scene.shake(), await scene.shake()] == [scene.second.endpoint] * 2
    assert scene.channel.endpoint == scene.second.endpoint


async def test_a_member_whose_role_has_expired_is_called_about_the_register_alone(scene: Scene) -> None:
    """It may hold its role renewed; no other call reaches it."""
    scene.expired = True
    assert await scene.shake() == scene.first.endpoint
    scene.first.called.clear()
    with pytest.raises(Rejected, match="member_unusable"):
        await scene.channel.call(LIST_GRANTED_ENTRIES, peer_audit_pb2.ListGrantedEntriesRequest())
    with pytest.raises(Rejected, match="member_unusable"):
        await anext(scene.channel.stream(FETCH_ATTACHMENT, exchange_pb2.FetchAttachmentRequest()))
    assert not scene.first.called.is_set()


@pytest.mark.parametrize("said", [b"\x0a\0" * 3_000_000, b"\x0a\xff", bytes(9 * 1024 * 1024)])
async def test_an_answer_that_would_grow_when_parsed_is_refused(scene: Scene, said: bytes) -> None:
    """Like one that is not of the protocol, or too long; the peer is asked again."""
    scene.first.said = said
    with pytest.raises(Unavailable):
        await scene.channel.call(LIST_GRANTED_ENTRIES, peer_audit_pb2.ListGrantedEntriesRequest())
    scene.first.said = None
    assert await scene.shake() == scene.first.endpoint


async def test_a_short_answer_is_short(scene: Scene) -> None:
    """What needs few bytes is not taken with more."""
    scene.first.said = exchange_pb2.HandshakeResponse(own_checkpoint=bytes(2 * 1024 * 1024)).SerializeToString()
    assert await scene.shake() == "peer_unreachable"


async def test_what_follows_an_answer_is_left_with_its_sender(scene: Scene) -> None:
    """A node that goes on sending after its answer is not taken more from than a bound, however often it is called."""
    scene.first.goes_on = True
    for _ in range(2):
        scene.first.sent = 0
        scene.first.called.clear()
        calling = asyncio.create_task(scene.shake())
        await scene.first.called.wait()
        await asyncio.wait([calling], timeout=UNREAD_SECONDS)
        assert 0 < scene.first.sent < MOST_UNREAD_BYTES
        calling.cancel()
        await asyncio.wait([calling])


def test_frames_that_no_window_holds_back_take_no_memory() -> None:
    """A node that sends such frames as fast as it can does not make the buffers of its caller grow."""
    ignored = http2.frame(http2.UNKNOWN, 0, b"", 0) * (MIB // http2.FRAME_HEADER)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        command = [sys.executable, "-c", CALLS_ONCE, address]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(http2.frame(http2.SETTINGS, 0, b"", 0))
                for _ in range(MEANINGLESS_BYTES // len(ignored)):
                    connection.sendall(ignored)
            said, _ = program.communicate(timeout=SECONDS)
    assert int(said) < MOST_READ_BYTES


async def test_a_caller_that_does_not_call_again_has_every_endpoint_tried(scene: Scene) -> None:
    """One node that answers is enough."""
    await scene.first.stop()
    answer = await scene.channel.call_any(HANDSHAKE, REQUEST)
    assert answer.own_checkpoint.decode() == scene.second.endpoint
    await scene.second.stop()
    with pytest.raises(Unavailable, match="peer_unreachable"):
        await scene.channel.call_any(HANDSHAKE, REQUEST)


@asynccontextmanager
async def listening(accepted: Any, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Listen for TCP connections; gives the endpoint."""
    server = await asyncio.start_server(accepted, host, port)
    try:
        yield f"{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def stay_silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept a connection, and never send a byte."""
    try:
        await asyncio.sleep(SECONDS)
    finally:
        writer.transport.abort()


async def test_an_endpoint_that_accepts_and_is_silent_is_left(scene: Scene) -> None:
    """Its first call fails within the time for a connection; the next goes to the other endpoint, and stays there."""
    async with listening(stay_silent) as silent, asyncio.timeout(4 * CONNECT_MS / 1000):
        scene.member.endpoints = (silent, scene.second.endpoint)
        assert await scene.shake() == "peer_unreachable"
        assert [await scene.shake(), await scene.shake()] == [scene.second.endpoint] * 2


async def test_an_endpoint_with_the_certificate_of_another_member_is_left(scene: Scene) -> None:
    """Nothing is sent to it, not even where it bears the name of the member that is called."""
    for pem in (Authority("uzb").node(), Authority(MEMBER).node()):
        other = Node(pem[0], pem[1])
        await other.start()
        scene.member.endpoints = (other.endpoint, scene.second.endpoint)
        channel = scene.new_channel()
        with pytest.raises(Unavailable, match=r"bad_certificate|wrong_member"):
            await channel.call(HANDSHAKE, REQUEST)
        assert (await channel.call(HANDSHAKE, REQUEST)).own_checkpoint.decode() == scene.second.endpoint
        assert not other.called.is_set()
        await channel.close()
        await other.stop()


async def test_two_endpoints_behind_a_slow_line_are_reached_at_the_first_call(scene: Scene) -> None:
    """A line of 400 ms there and back is no failure: no endpoint is left for another that is as slow."""
    delay, tasks = 0.2, set[asyncio.Task[None]]()

    def behind(target: str) -> Any:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            host, _, port = target.rpartition(":")
            there, back = await asyncio.open_connection(host, int(port))
            tasks.update({asyncio.create_task(carry(reader, back)), asyncio.create_task(carry(there, writer))})

        return accepted

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await asyncio.sleep(delay)
                writer.write(data)
        finally:
            writer.transport.abort()

    async with (
        listening(behind(scene.first.endpoint)) as first,
        listening(behind(scene.second.endpoint)) as second,
    ):
        scene.member.endpoints = (first, second)
        assert await scene.shake() == scene.first.endpoint
        assert scene.channel.endpoint == first
        await scene.channel.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_ipv6_address_is_dialled(scene: Scene) -> None:
    """As the register writes it, in brackets."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    node = Node(*scene.pem, host="[::1]")
    await node.start()
    scene.member.endpoints = (scene.second.endpoint, node.endpoint)
    await scene.second.stop()
    assert await scene.shake() == "peer_unreachable"
    assert await scene.shake() == node.endpoint
    await scene.channel.close()
    await node.stop()


class Names(asyncio.DatagramProtocol):
    """A name server: every name has these IPv4 addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    @override
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    @override
    def datagram_received(self, data: bytes, addr: Any) -> None:
        end = data.index(b"\0", 12) + 5
        asked_for_ipv4 = data[end - 4 : end - 2] == b"\0\1"
        records = [
            struct.pack(">HHHIH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton(address))
            for address in self._addresses
            if asked_for_ipv4
        ]
        head = data[:2] + struct.pack(">HHHHH", 0x8580, 1, len(records), 0, 0)
        self._transport.sendto(head + data[12:end] + b"".join(records), addr)


async def test_every_address_of_a_name_is_dialled(scene: Scene) -> None:
    """One that is silent, and one where nobody listens, do not keep the channel from the third."""
    port = int(scene.first.endpoint.rpartition(":")[2])
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Names("127.0.0.2", "127.0.0.3", "127.0.0.1"), local_addr=("127.0.0.1", 0)
    )
    server = transport.get_extra_info("sockname")[1]
    async with listening(stay_silent, "127.0.0.2", port), asyncio.timeout(4 * CONNECT_MS / 1000):
        scene.member.endpoints = (f"dns://127.0.0.1:{server}/node.example:{port}",)
        channel = scene.new_channel(look=lambda _endpoint, seconds: shown_certificate(scene.first.endpoint, seconds))
        assert (await channel.call(HANDSHAKE, REQUEST)).own_checkpoint.decode() == scene.first.endpoint
        await channel.close()
    transport.close()


async def test_text_of_a_refusal_is_stored_and_shown_without_harm(scene: Scene) -> None:
    """NUL, which PostgreSQL does not store, and what changes a terminal are replaced; the text is bounded."""
    scene.first.refusal = "policy_denied"
    scene.first.detail = "no\0\x1b[31m" + "x" * 1000
    with pytest.raises(Unavailable, match="policy_denied") as refused:
        await scene.channel.call(HANDSHAKE, REQUEST)
    assert refused.value.detail.isprintable()
    assert len(refused.value.detail) < 600


async def test_a_refusal_is_an_answer_of_that_endpoint(scene: Scene) -> None:
    """A refusal dials no other endpoint; it is final only for the caller behind the query."""
    scene.first.refusal = "policy_denied"
    assert await scene.shake() == "policy_denied"
    with pytest.raises(Rejected, match="policy_denied"):
        await scene.channel.call(LIST_GRANTED_ENTRIES, peer_audit_pb2.ListGrantedEntriesRequest())
    with pytest.raises(Unavailable, match="policy_denied"):
        await scene.channel.call_any(HANDSHAKE, REQUEST)
    assert scene.channel.endpoint == scene.first.endpoint


async def test_calls_under_way_outlive_a_change_of_the_register(scene: Scene) -> None:
    """The next call goes to the new endpoint; the one under way ends where it began, and is not cancelled."""
    scene.first.go_on.clear()
    under_way = asyncio.create_task(scene.shake())
    await scene.first.called.wait()
    scene.member.endpoints = (scene.second.endpoint,)
    assert await scene.shake() == scene.second.endpoint
    scene.first.go_on.set()
    assert await under_way == scene.first.endpoint


async def test_calls_under_way_outlive_a_new_certificate_of_our_own(scene: Scene) -> None:
    """The next call shows the new certificate on a connection of its own; the one under way ends on the former."""
    assert await scene.shake() == scene.first.endpoint
    scene.first.go_on.clear()
    under_way = asyncio.create_task(scene.shake())
    await scene.first.called.wait()
    key, certificate = Authority("kaz").node()
    scene.identity.replace(TlsKeys(certificate, key))
    scene.first.go_on.set()
    assert await scene.shake() == scene.first.endpoint
    assert await under_way == scene.first.endpoint
    assert len(set(scene.first.callers)) == 2


async def test_a_revoked_certificate_cuts_the_calls_under_way(scene: Scene) -> None:
    """Its answers count no more, nothing further is sent to its holder, and files of the register are still fetched."""
    scene.first.go_on.clear()
    scene.member.endpoints = (scene.first.endpoint,)
    under_way = asyncio.create_task(scene.shake())
    await scene.first.called.wait()
    scene.revoke()
    assert await scene.shake() == "certificate_revoked"
    assert await under_way == "certificate_revoked"
    scene.first.go_on.set()
    assert len(scene.first.callers) == 1
    await scene.channel.call(GET_FILE, register_pb2.GetFileRequest(path="metadata/timestamp.json"))
    assert len(scene.first.callers) == 2


@pytest.mark.parametrize("drains", [False, True], ids=["in use", "being closed"])
async def test_a_register_that_revokes_cuts_the_calls_under_way_at_once(
    scene: Scene,
    drains: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Before an answer or another call: a node whose key was stolen may be silent for long."""
    scene.first.go_on.clear()
    under_way = asyncio.create_task(scene.shake())
    stream = scene.channel.stream(FETCH_ATTACHMENT, exchange_pb2.FetchAttachmentRequest())
    await anext(stream)
    await scene.first.called.wait()
    if drains:
        scene.member.endpoints = (scene.second.endpoint,)
        assert await scene.shake() == scene.second.endpoint
    scene.channel.check_trusted()
    assert not under_way.done()
    scene.revoke()
    scene.channel.check_trusted()
    assert await under_way == "certificate_revoked"
    with pytest.raises(Unavailable, match="certificate_revoked"):
        await anext(stream)


async def test_an_answer_that_comes_after_the_revocation_counts_no_more(scene: Scene) -> None:
    """It is judged by the register of the moment at which it comes."""
    scene.first.go_on.clear()
    under_way = asyncio.create_task(scene.shake())
    await scene.first.called.wait()
    scene.revoke()
    scene.first.go_on.set()
    assert await under_way == "certificate_revoked"


async def test_a_node_that_shows_another_certificate_is_looked_at_again(scene: Scene) -> None:
    """Its connection broke, as at a restart; one call fails, and the next one reaches it."""
    scene.member.endpoints = (scene.first.endpoint,)
    assert await scene.shake() == scene.first.endpoint
    await scene.first.stop()
    again = Node(*scene.authority.node(), port=scene.first.endpoint.rpartition(":")[2])
    await again.start()
    assert {await scene.shake() for _ in range(2)} >= {again.endpoint}
    await again.stop()


async def test_calls_under_way_fail_when_the_channel_is_closed(scene: Scene) -> None:
    """Their tasks are not cancelled by it, and no call after it dials again."""
    scene.first.go_on.clear()
    under_way = asyncio.create_task(scene.shake())
    await scene.first.called.wait()
    await scene.channel.close()
    assert await under_way == "peer_unreachable"
    assert await scene.shake() == "peer_unreachable"


async def test_a_call_that_is_cancelled_by_its_caller_is_cancelled(scene: Scene) -> None:
    """Cancelling a task ends it as cancelled."""
    scene.first.go_on.clear()
    under_way = asyncio.create_task(scene.shake())
    await scene.first.called.wait()
    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way


async def test_a_stream_under_way_fails_when_the_channel_is_closed(scene: Scene) -> None:
    """The received part is kept; then the stream ends as if the peer had broken it off."""
    scene.first.go_on.clear()
    pieces = scene.channel.stream(FETCH_ATTACHMENT, exchange_pb2.FetchAttachmentRequest())
    assert (await anext(pieces)).data == b"piece"
    rest = asyncio.ensure_future(anext(pieces))
    await scene.first.called.wait()
    await scene.channel.close()
    with pytest.raises(Unavailable, match="peer_unreachable"):
        await rest
