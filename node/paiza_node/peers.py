"""Channels to other members' nodes: gRPC over TLS 1.3, each with that one member's node CA as its only root.

Python gRPC does not show a dialler the server's certificate. So the CA is the pin: whoever holds a certificate of that
member's node CA for that member's DNS name is that member's node, and no other CA counts on the channel.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from ssl import DER_cert_to_PEM_cert
from typing import Any, Final

import grpc

from paiza.v1 import (
    exchange_pb2,
    exchange_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    recovery_pb2,
    recovery_pb2_grpc,
    register_pb2,
    register_pb2_grpc,
    witness_pb2,
    witness_pb2_grpc,
)
from paiza_register import FetchMissing, Register
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.identity import node_dns_name
from paiza_wire.reasons import REASONS

DELIVER_SECONDS: Final = 60.0  # a batch of 256 takes about a second on two busy cores
SHORT_SECONDS: Final = 10.0  # everything else
PIECE_SECONDS: Final = 30.0  # for the next piece of an attachment: 256 KiB over a slow line
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024  # bytes of one call, either way
REASON_KEY: Final = "paiza-reason"  # trailing metadata of a refused call

CHANNEL_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.min_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 10_000),
    ("grpc.enable_retries", 0),  # retrying is the courier's, which knows what was answered
)
Options = tuple[tuple[str, Any], ...]
ATTACHMENT_AHEAD_BYTES: Final = 4 * 1024 * 1024  # 20 MB/s over a line of 200 ms
# Attachments come over a connection of their own, so that no message waits behind one; and no more of one than a piece
# is taken at once, whoever sends it.
ATTACHMENT_OPTIONS: Final[Options] = (
    *(option for option in CHANNEL_OPTIONS if option[0] != "grpc.max_receive_message_length"),
    ("grpc.max_receive_message_length", 1024 * 1024),
    ("grpc.use_local_subchannel_pool", 1),
    # So many bytes may have come that nobody has read yet: gRPC's own estimate has no such bound.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", ATTACHMENT_AHEAD_BYTES),
)

# Statuses of refusals: the same call would be refused again.
_FINAL: Final = frozenset({
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChannelKeys:
    """This node's own certificate and key, PEM."""

    certificate: bytes
    private_key: bytes


class GrpcPeer:
    """Another member's node over gRPC; redials when the register gives it another CA or endpoint."""

    def __init__(
        self, member: str, keys: ChannelKeys, register: Callable[[], Register], options: Options = CHANNEL_OPTIONS
    ) -> None:
        """Take the member; the channel is opened with the first call."""
        self._options = options
        self.member = member
        self._keys = keys
        self._register = register
        self._dialled: tuple[str, bytes] | None = None
        self._channel: grpc.aio.Channel | None = None

    async def handshake(self, request: exchange_pb2.HandshakeRequest) -> exchange_pb2.HandshakeResponse:
        """Compare what each side knows of the other."""
        stub = exchange_pb2_grpc.ExchangeServiceStub(await self._open())
        response: exchange_pb2.HandshakeResponse = await _call(
            stub.Handshake(request, timeout=SHORT_SECONDS), self.member
        )
        return response

    async def deliver(self, request: exchange_pb2.DeliverRequest) -> exchange_pb2.DeliverResponse:
        """Hand over a batch."""
        stub = exchange_pb2_grpc.ExchangeServiceStub(await self._open())
        response: exchange_pb2.DeliverResponse = await _call(
            stub.Deliver(request, timeout=DELIVER_SECONDS), self.member
        )
        return response

    async def prove_growth(self, request: exchange_pb2.ProveGrowthRequest) -> exchange_pb2.ProveGrowthResponse:
        """Have the peer prove that its log grew."""
        stub = exchange_pb2_grpc.ExchangeServiceStub(await self._open())
        response: exchange_pb2.ProveGrowthResponse = await _call(
            stub.ProveGrowth(request, timeout=SHORT_SECONDS), self.member
        )
        return response

    async def fetch_messages(self, request: exchange_pb2.FetchMessagesRequest) -> exchange_pb2.FetchMessagesResponse:
        """Ask for messages by their digests."""
        stub = exchange_pb2_grpc.ExchangeServiceStub(await self._open())
        response: exchange_pb2.FetchMessagesResponse = await _call(
            stub.FetchMessages(request, timeout=DELIVER_SECONDS), self.member
        )
        return response

    async def exchange_checkpoints(
        self, request: witness_pb2.ExchangeCheckpointsRequest
    ) -> witness_pb2.ExchangeCheckpointsResponse:
        """Show our checkpoint and take the peer's."""
        stub = witness_pb2_grpc.WitnessServiceStub(await self._open())
        response: witness_pb2.ExchangeCheckpointsResponse = await _call(
            stub.ExchangeCheckpoints(request, timeout=SHORT_SECONDS), self.member
        )
        return response

    async def prove_entries(self, request: witness_pb2.ProveEntriesRequest) -> witness_pb2.ProveEntriesResponse:
        """Have entries of the peer's log proven to checkpoints that a quorum cosigned."""
        stub = witness_pb2_grpc.WitnessServiceStub(await self._open())
        response: witness_pb2.ProveEntriesResponse = await _call(
            stub.ProveEntries(request, timeout=SHORT_SECONDS), self.member
        )
        return response

    async def get_standing(self, request: recovery_pb2.GetStandingRequest) -> recovery_pb2.GetStandingResponse:
        """Ask which checkpoints the peer holds, of our logs and of the others'."""
        stub = recovery_pb2_grpc.RecoveryServiceStub(await self._open())
        response: recovery_pb2.GetStandingResponse = await _call(
            stub.GetStanding(request, timeout=SHORT_SECONDS), self.member
        )
        return response

    async def give_back(self, request: recovery_pb2.GiveBackRequest) -> recovery_pb2.GiveBackResponse:
        """Ask for a page of what our lost log was about."""
        stub = recovery_pb2_grpc.RecoveryServiceStub(await self._open())
        response: recovery_pb2.GiveBackResponse = await _call(
            stub.GiveBack(request, timeout=DELIVER_SECONDS), self.member
        )
        return response

    async def fetch_attachment(self, request: exchange_pb2.FetchAttachmentRequest) -> AsyncGenerator[bytes]:
        """Give the ciphertext of an attachment from an offset on; Unavailable where it breaks off or stands still."""
        stub = exchange_pb2_grpc.ExchangeServiceStub(await self._open())
        call: Any = stub.FetchAttachment(request)
        try:
            while True:
                async with asyncio.timeout(PIECE_SECONDS):
                    response = await call.read()
                if response is grpc.aio.EOF:
                    return
                if response is None:
                    raise Unavailable("unexpected_answer", f"{self.member}: the answer is not of the protocol")
                yield bytes(response.data)
        except grpc.aio.AioRpcError as error:
            raise _unavailable(error, self.member) from error
        except TimeoutError:
            raise Unavailable("peer_unreachable", f"{self.member}: nothing came for {PIECE_SECONDS:.0f} s") from None
        finally:
            call.cancel()

    async def list_granted_entries(
        self, request: oversight_pb2.ListGrantedEntriesRequest
    ) -> oversight_pb2.ListGrantedEntriesResponse:
        """Ask for entries of the peer's log."""
        stub = oversight_pb2_grpc.OversightServiceStub(await self._open())
        response: oversight_pb2.ListGrantedEntriesResponse = await _asked(
            stub.ListGrantedEntries(request, timeout=SHORT_SECONDS), self.member
        )
        return response

    async def count_granted_messages(
        self, request: oversight_pb2.CountGrantedMessagesRequest
    ) -> oversight_pb2.CountGrantedMessagesResponse:
        """Ask how many messages the peer exchanged."""
        stub = oversight_pb2_grpc.OversightServiceStub(await self._open())
        response: oversight_pb2.CountGrantedMessagesResponse = await _asked(
            stub.CountGrantedMessages(request, timeout=SHORT_SECONDS), self.member
        )
        return response

    async def agree_period(self, request: oversight_pb2.AgreePeriodRequest) -> oversight_pb2.AgreePeriodResponse:
        """Propose that a period be closed."""
        stub = oversight_pb2_grpc.OversightServiceStub(await self._open())
        response: oversight_pb2.AgreePeriodResponse = await _asked(
            stub.AgreePeriod(request, timeout=DELIVER_SECONDS), self.member
        )
        return response

    async def get_file(self, path: str) -> bytes:
        """Fetch one file of the register; FetchMissing where the peer has none of that path."""
        stub = register_pb2_grpc.RegisterServiceStub(await self._open())
        try:
            response = await stub.GetFile(register_pb2.GetFileRequest(path=path), timeout=SHORT_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise FetchMissing(path) from error
            raise _unavailable(error, self.member) from error
        return bytes(response.data)

    async def get_archived_set(self, version: bytes) -> dict[str, bytes]:
        """Fetch a whole set of the register by its version; Unavailable where the peer has none."""
        stub = register_pb2_grpc.RegisterServiceStub(await self._open())
        request = register_pb2.GetArchivedSetRequest(register_version=version)
        response: register_pb2.GetArchivedSetResponse = await _call(
            stub.GetArchivedSet(request, timeout=SHORT_SECONDS), self.member
        )
        return {file.path: bytes(file.data) for file in response.files}

    async def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    async def _open(self) -> grpc.aio.Channel:
        register = self._register()
        member = register.active_member(self.member)
        if not member.endpoints:
            raise Unavailable("peer_unreachable", f"{self.member} has no endpoint in the register")
        wanted = (member.endpoints[0], member.authority.node_ca)
        if self._channel is None or wanted != self._dialled:
            await self.close()
            self._channel = self._dial(*wanted, node_dns_name(self.member, register.federation))
            self._dialled = wanted
        return self._channel

    def _dial(self, endpoint: str, node_ca: bytes, name: str) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=DER_cert_to_PEM_cert(node_ca).encode(),
            private_key=self._keys.private_key,
            certificate_chain=self._keys.certificate,
        )
        options = (*self._options, ("grpc.ssl_target_name_override", name), ("grpc.default_authority", name))
        return grpc.aio.secure_channel(endpoint, credentials, options=options)


async def _call(call: Any, member: str) -> Any:
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        raise _unavailable(error, member) from error
    if answer is None:  # what gRPC gives for bytes that do not parse
        raise Unavailable("unexpected_answer", f"{member}: the answer is not of the protocol")
    return answer


async def _asked(call: Any, member: str) -> Any:
    """Await a call of which a refusal is an answer: whoever had us ask is told it."""
    try:
        return await _call(call, member)
    except Unavailable as error:
        cause = error.__cause__
        if isinstance(cause, grpc.aio.AioRpcError) and cause.code() in _FINAL and error.reason != "peer_unreachable":
            raise Rejected(error.reason, error.detail) from cause
        raise


def _unavailable(error: grpc.aio.AioRpcError, member: str) -> Rejected | Unavailable:
    """Tell what a failed call means. Whatever a peer says of a whole call, the messages stay and are tried again."""
    reason = dict(error.trailing_metadata() or ()).get(REASON_KEY, "")
    if isinstance(reason, bytes):
        reason = reason.decode("ascii", "replace")
    if reason not in REASONS:
        reason = "peer_unreachable"
    return Unavailable(reason, f"{member}: {error.code().name}: {error.details()}")


class PeersFetch:
    """Fetches the register's files from the other members' nodes; for use in plain threads.

    All files of one refresh come from one peer, and the next refresh asks the next (`turn`): whoever answers with what
    is old or does not verify keeps nothing from us. Before `connect` (at the start of the process) there is nobody to
    ask: the last verified set is used.
    """

    def __init__(self, member: str, loop: asyncio.AbstractEventLoop) -> None:
        """Take our own member id and the loop the channels belong to."""
        self._member = member
        self._loop = loop
        self._peers: Callable[[], list[GrpcPeer]] | None = None
        self._turn = 0

    def turn(self) -> int:
        """Turn to the next peer; gives how many can be asked in turn, at least 1."""
        self._turn += 1
        return 1 if self._peers is None else max(1, len(self._peers()))

    def connect(self, register: Callable[[], Register], keys: ChannelKeys) -> None:
        """Say who can be asked: every other active member of the register in force."""
        channels: dict[str, GrpcPeer] = {}

        def peers() -> list[GrpcPeer]:
            members = [member.id for member in register().active_members() if member.id != self._member]
            return [channels.setdefault(member, GrpcPeer(member, keys, register)) for member in members]

        self._peers = peers

    def __call__(self, path: str, _max_bytes: int) -> bytes:
        """Fetch one file from the peer whose turn it is."""
        if self._peers is None:
            raise Unavailable("register_unavailable", "no peer can be asked yet")
        peers = self._peers()
        if not peers:
            raise Unavailable("register_unavailable", "the register names no other active member")
        peer = peers[self._turn % len(peers)]
        try:
            return asyncio.run_coroutine_threadsafe(peer.get_file(path), self._loop).result(2 * SHORT_SECONDS)
        except TimeoutError as error:
            raise Unavailable("register_unavailable", f"{peer.member} did not answer in time") from error


class PeersSets:
    """Fetches sets of the register that are no longer in force from the other members' nodes."""

    def __init__(self, member: str, keys: ChannelKeys, register: Callable[[], Register]) -> None:
        """Take our own member id and how to reach the others."""
        self._member = member
        self._keys = keys
        self._register = register

    async def __call__(self, version: bytes, learn: Callable[[Mapping[str, bytes]], None]) -> None:
        """Fetch one set from whoever has one that ``learn`` takes; the last failure where nobody has."""
        failure: PaizaError = Unavailable("register_unknown", "the register names no other active member")
        for member in self._register().active_members():
            if member.id == self._member:
                continue
            peer = GrpcPeer(member.id, self._keys, self._register)
            try:
                await asyncio.to_thread(learn, await peer.get_archived_set(version))
            except PaizaError as error:
                failure = error
            else:
                return
            finally:
                await peer.close()
        raise failure
