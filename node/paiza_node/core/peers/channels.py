"""Channels to other members' nodes: gRPC over TLS 1.3, each to the holder of one certificate.

1. The certificate that the node shows is looked at (`shown_certificate`).
2. It is verified as a caller's is: issued by a node CA of that member, of the exact profile, not revoked, valid now.
3. The channel believes this certificate and no other: its holder is that member's node.
4. With every answer, and when another register is in force, it is verified again: it may be revoked, or its CA ended.

A node whose certificate is refused is still asked for the register's files, which prove themselves: its member may have
replaced its CA while this node was off. Nothing else is sent to it.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ssl import DER_cert_to_PEM_cert
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError, Message

from paiza_node.core.errors import foreign_text
from paiza_node.core.peers.endpoints import Endpoints
from paiza_node.core.peers.rpcs import (
    ABOUT_REGISTER,
    BATCH_SECONDS,
    FILES,
    SMALL_ANSWER_BYTES,
    SMALL_ANSWERS,
    RequestT,
    ResponseT,
    Rpc,
)
from paiza_node.core.peers.shown_certificate import shown_certificate
from paiza_node.core.peers.tls_identity import TlsIdentity, TlsKeys
from paiza_register import Register
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.field_count import check_fields
from paiza_wire.identity import node_dns_name
from paiza_wire.reasons import REASONS

MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024  # bytes of one call, either way
# Read from one connection at a time. gRPC's buffer grows with what comes while it reads, by itself without bound; and
# frames other than DATA come without any window.
READ_BYTES: Final = 256 * 1024
REASON_KEY: Final = "paiza-reason"  # trailing metadata of a refused call
DRAIN_SECONDS: Final = BATCH_SECONDS  # longest duration of calls in flight on a channel that was replaced

# Over a satellite TCP and TLS take 2.5 s. An endpoint that accepts connections and then is silent costs this time once.
CONNECT_MS: Final = 5000

ANSWER_AHEAD_BYTES: Final = 1024 * 1024  # 5 MB/s over a line of 200 ms

_SMALL_ANSWERS: Final = [
    dict(zip(("service", "method"), rpc.path.removeprefix("/").split("/"), strict=True)) for rpc in SMALL_ANSWERS
]
CHANNEL_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    (
        "grpc.service_config",
        json.dumps({"methodConfig": [{"name": _SMALL_ANSWERS, "maxResponseMessageBytes": SMALL_ANSWER_BYTES}]}),
    ),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.min_reconnect_backoff_ms", CONNECT_MS),  # in spite of its name, the time for one connection
    ("grpc.max_reconnect_backoff_ms", 10_000),
    ("grpc.enable_retries", 0),  # the outbound queue retries: it knows what was answered
    # The most unread bytes of one call besides its answer, which a node may go on sending after: gRPC's own estimate is
    # unbounded, and follows what the node sends.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", ANSWER_AHEAD_BYTES),
    ("grpc.experimental.tcp_max_read_buffer_size", READ_BYTES),
)
Options = tuple[tuple[str, Any], ...]
ATTACHMENT_AHEAD_BYTES: Final = 4 * 1024 * 1024  # 20 MB/s over a line of 200 ms
_OTHER_FOR_ATTACHMENTS: Final = frozenset({"grpc.max_receive_message_length", "grpc.http2.lookahead_bytes"})
# Attachments have a connection of their own, so that no message waits behind one; and at most one piece of one is
# buffered, regardless of the sender.
ATTACHMENT_OPTIONS: Final[Options] = (
    *(option for option in CHANNEL_OPTIONS if option[0] not in _OTHER_FOR_ATTACHMENTS),
    ("grpc.max_receive_message_length", 1024 * 1024),
    ("grpc.http2.lookahead_bytes", ATTACHMENT_AHEAD_BYTES),
    ("grpc.use_local_subchannel_pool", 1),
)

# Statuses of refusals: the same call would be refused again.
_FINAL: Final = frozenset({
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
})  # fmt: skip

# Statuses that gRPC itself sets if no node answers at an endpoint; a node that answers adds a reason to them.
_NO_ANSWER: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})

# Reasons for which the certificate of a node is refused.
_REFUSED_CERTIFICATE: Final = frozenset({
    "bad_certificate",
    "wrong_member",
    "certificate_revoked",
    "certificate_expired",
})  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Connection:
    """A channel, and what it depends on: the endpoint, the own keys, the certificate (DER) that it believes.

    ``until`` is the end of its validity as known when it was dialled; ``register_version`` is of the register then.
    ``calls`` are under way: gRPC cuts none on a channel that is being closed already.
    """

    channel: grpc.aio.Channel
    endpoint: str
    keys: TlsKeys
    certificate: bytes
    until: datetime | None
    register_version: bytes
    calls: set[Any] = field(default_factory=set)


class GrpcChannel:
    """The gRPC channel to one member's node.

    It dials another endpoint when one fails, and anew when the register names other ones, when the own certificate was
    replaced, or when that of the node has ended. Calls in flight end on the connection on which they began; they are
    cut if the certificate of the node was revoked or its CA ended before its time.
    """

    def __init__(
        self,
        member: str,
        identity: TlsIdentity,
        register: Callable[[], Register],
        endpoints: Endpoints,
        options: Options = CHANNEL_OPTIONS,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        look: Callable[[str, float], Awaitable[bytes]] = shown_certificate,
    ) -> None:
        """Connect with the first call; ``register`` returns the register with the member's endpoints and CAs."""
        self.member = member
        self._endpoints = endpoints
        self._options = options
        self._identity = identity
        self._register = register
        self._clock = clock
        self._look = look
        self._trusted: _Connection | None = None
        self._unverified: _Connection | None = None  # for files of the register alone
        self._dialling = asyncio.Lock()
        self._draining: dict[asyncio.Task[None], _Connection] = {}
        self._closed = False

    async def call(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> ResponseT:
        """Call once and wait for the answer."""
        connection = await self._open(rpc.path)
        # Bytes: an answer is looked at before it is parsed.
        method: Any = connection.channel.unary_unary(rpc.path, request_serializer=_serialised)
        answer: bytes
        call = method(request, timeout=rpc.seconds)
        connection.calls.add(call)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            raise self._failure(error, connection, refusal_is_answer=rpc.refusal_is_answer) from error
        except asyncio.CancelledError:
            if _task_is_cancelled():
                raise
            raise self._cut_off(connection) from None
        finally:
            connection.calls.discard(call)
        self._check_trusted(connection)
        self._endpoints.answered(connection.endpoint)
        return self._parsed(rpc, answer)

    async def stream(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> AsyncGenerator[ResponseT]:
        """Yield the responses of a stream; Unavailable if it breaks off or stalls."""
        connection = await self._open(rpc.path)
        method: Any = connection.channel.unary_stream(rpc.path, request_serializer=_serialised)
        call: Any = method(request)
        connection.calls.add(call)
        try:
            while True:
                async with asyncio.timeout(rpc.seconds):
                    response = await call.read()
                if response is grpc.aio.EOF:
                    return
                self._check_trusted(connection)
                yield self._parsed(rpc, response)
        except grpc.aio.AioRpcError as error:
            raise self._failure(error, connection) from error
        except asyncio.CancelledError:
            if _task_is_cancelled():
                raise
            raise self._cut_off(connection) from None
        except TimeoutError:
            self._endpoints.failed(connection.endpoint)
            raise Unavailable("peer_unreachable", f"{self.member}: nothing came for {rpc.seconds:.0f} s") from None
        finally:
            call.cancel()
            connection.calls.discard(call)

    async def call_any(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> ResponseT:
        """Call at one endpoint after another until a node answers: for callers that do not call again."""
        endpoints = self._register().active_member(self.member).endpoints
        for _ in endpoints[1:]:
            try:
                return await self.call(rpc, request)
            except Unavailable as error:
                if error.reason not in {"peer_unreachable", "standby", *_REFUSED_CERTIFICATE}:
                    raise
        return await self.call(rpc, request)

    @property
    def endpoint(self) -> str:
        """The endpoint dialled last; empty before the first call."""
        return self._endpoints.dialled

    def check_trusted(self) -> None:
        """Cut the calls under way if the certificate of the node is refused under the register now in force."""
        for connection in {self._trusted, *self._draining.values()}:
            if connection is not None:
                with suppress(Unavailable):
                    self._check_trusted(connection)

    async def close(self) -> None:
        """Close the channel for good; calls under way fail."""
        self._closed = True
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        for connection in (self._trusted, self._unverified):
            if connection is not None:
                await connection.channel.close()
        self._trusted = self._unverified = None

    async def _open(self, method: str) -> _Connection:
        """Return the connection for a method.

        Unavailable with the reason of the refusal if the certificate of the node is refused.
        """
        endpoint = self._endpoint(method)
        if (current := self._current(method, endpoint)) is not None:
            return current
        async with self._dialling:
            endpoint = self._endpoint(method)
            if (current := self._current(method, endpoint)) is not None:  # dialled while this call waited
                return current
            # 1.
            try:
                certificate = await self._look(endpoint, CONNECT_MS / 1000)
            except Unavailable:
                self._endpoints.failed(endpoint)
                raise
            self._check_open()
            # 2.
            try:
                until = self._verify(certificate)
            except Rejected as error:
                if method in FILES:
                    self._give_up(self._unverified)
                    self._unverified = self._dial(endpoint, certificate, None)
                    return self._unverified
                self._endpoints.failed(endpoint)
                detail = f"{self.member}: the certificate of its node is refused: {error.detail}"
                raise Unavailable(error.reason, detail) from error
            # 3.
            self._give_up(self._trusted)
            self._give_up(self._unverified)
            self._trusted = self._dial(endpoint, certificate, until)
            return self._trusted

    def _endpoint(self, method: str) -> str:
        """Return the endpoint to dial for a method.

        A member whose role has expired is called about the register alone: it may hold the role renewed.
        """
        self._check_open()
        register = self._register()
        if method in ABOUT_REGISTER:
            member = register.described_member(self.member)
        else:
            member = register.active_member(self.member)
        if not member.endpoints:
            raise Unavailable("peer_unreachable", f"{self.member} has no endpoint in the register")
        return self._endpoints.choose(member.endpoints)

    def _current(self, method: str, endpoint: str) -> _Connection | None:
        """Return the connection if it may be used as it is."""
        trusted, keys = self._trusted, self._identity.keys
        if trusted is not None:
            with suppress(Unavailable):
                self._check_trusted(trusted)
                if (trusted.endpoint, trusted.keys) == (endpoint, keys):
                    return trusted
        unverified = self._unverified
        if method in FILES and unverified is not None:
            made_of = (unverified.endpoint, unverified.keys, unverified.register_version)
            if made_of == (endpoint, keys, self._register().version):
                return unverified
        return None

    def _check_trusted(self, connection: _Connection) -> None:
        """Raise Unavailable, and give the connection up, if its certificate is refused now (4.)."""
        if connection.until is None:
            return
        try:
            self._verify(connection.certificate)
        except Rejected as error:
            # Calls on one that ended as it was announced may end: its node has shown another one for long.
            self._give_up(connection, cut=self._clock() <= connection.until)
            raise Unavailable(error.reason, f"{self.member}: {error.detail}") from error

    def _verify(self, certificate: bytes) -> datetime:
        """Return until when the certificate of the member's node is valid; Rejected if it is refused."""
        verifier = self._register().certificate_verifier()
        return verifier.node(certificate, expected_member=self.member, at=self._clock()).not_after

    def _dial(self, endpoint: str, certificate: bytes, until: datetime | None) -> _Connection:
        keys, register = self._identity.keys, self._register()
        credentials = grpc.ssl_channel_credentials(
            root_certificates=DER_cert_to_PEM_cert(certificate).encode(),
            private_key=keys.private_key,
            certificate_chain=keys.certificate,
        )
        name = node_dns_name(self.member, register.federation)
        options = (*self._options, ("grpc.ssl_target_name_override", name), ("grpc.default_authority", name))
        channel = grpc.aio.secure_channel(endpoint, credentials, options=options)
        return _Connection(channel, endpoint, keys, certificate, until, register.version)

    def _give_up(self, connection: _Connection | None, *, cut: bool = False) -> None:
        """Close a connection if it is in use: once its calls in flight have ended, or at once."""
        if connection is None:
            return
        for call in tuple(connection.calls) if cut else ():
            call.cancel()
        if connection is self._trusted:
            self._trusted = None
        elif connection is self._unverified:
            self._unverified = None
        else:  # it is being closed already
            return
        if not self._closed:
            task = asyncio.create_task(connection.channel.close(None if cut else DRAIN_SECONDS))
            self._draining[task] = connection
            task.add_done_callback(self._draining.pop)

    def _parsed(self, rpc: Rpc[RequestT, ResponseT], answer: bytes) -> ResponseT:
        """Return an answer; Unavailable("unexpected_answer") if it is not of the protocol, or has too many fields."""
        try:
            check_fields(rpc.response, answer)
            return rpc.response.FromString(answer)
        except (DecodeError, Rejected):
            raise Unavailable("unexpected_answer", f"{self.member}: the answer is not of the protocol") from None

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("peer_unreachable", f"the channel to {self.member} is closed")

    def _cut_off(self, connection: _Connection) -> Unavailable:
        try:
            self._check_trusted(connection)
        except Unavailable as error:
            return error
        return Unavailable("peer_unreachable", f"the channel to {self.member} was closed")

    def _failure(
        self, error: grpc.aio.AioRpcError, connection: _Connection, *, refusal_is_answer: bool = False
    ) -> Rejected | Unavailable:
        """Return the error for a failed call. The call is retried unless the refusal is the answer."""
        reason = dict(error.trailing_metadata() or ()).get(REASON_KEY, "")
        if isinstance(reason, bytes):
            reason = reason.decode("ascii", "replace")
        detail = f"{self.member}: {error.code().name}: {foreign_text(error.details() or '')}"
        if (not reason and error.code() in _NO_ANSWER) or reason == "standby":
            self._endpoints.failed(connection.endpoint)
            # The node may show another certificate now: the next call looks.
            self._give_up(connection)
        else:
            self._endpoints.answered(connection.endpoint)
        if reason not in REASONS or reason == "peer_unreachable":
            return Unavailable("peer_unreachable", detail)
        return Rejected(reason, detail) if refusal_is_answer and error.code() in _FINAL else Unavailable(reason, detail)


def _task_is_cancelled() -> bool:
    """Return whether the running task is being cancelled; otherwise CancelledError of a call means a closed channel."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _serialised(message: Message) -> bytes:
    return message.SerializeToString()
