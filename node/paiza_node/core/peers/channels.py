"""Channels to other members' nodes: gRPC over TLS 1.3, each with that one member's node CA as its only root.

Python gRPC does not show the server's certificate to a client. The CA is therefore the pin: a holder of a certificate
of that member's node CA for that member's DNS name is that member's node, and no other CA is trusted on the channel.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from ssl import DER_cert_to_PEM_cert
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from paiza_node.core.peers.endpoints import Endpoints
from paiza_node.core.peers.rpcs import ABOUT_REGISTER, BATCH_SECONDS, RequestT, ResponseT, Rpc
from paiza_node.core.peers.tls_identity import TlsIdentity, TlsKeys
from paiza_register import Register
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import node_dns_name
from paiza_wire.reasons import REASONS

MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024  # bytes of one call, either way
REASON_KEY: Final = "paiza-reason"  # trailing metadata of a refused call
DRAIN_SECONDS: Final = BATCH_SECONDS  # longest duration of calls in flight on a channel that was replaced

# Over a satellite TCP and TLS take 2.5 s. An endpoint that accepts connections and then is silent costs this time once.
CONNECT_MS: Final = 5000

CHANNEL_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.min_reconnect_backoff_ms", CONNECT_MS),  # in spite of its name, the time for one connection
    ("grpc.max_reconnect_backoff_ms", 10_000),
    ("grpc.enable_retries", 0),  # the outbound queue retries: it knows what was answered
)
Options = tuple[tuple[str, Any], ...]
ATTACHMENT_AHEAD_BYTES: Final = 4 * 1024 * 1024  # 20 MB/s over a line of 200 ms
# Attachments have a connection of their own, so that no message waits behind one; and at most one piece of one is
# buffered, regardless of the sender.
ATTACHMENT_OPTIONS: Final[Options] = (
    *(option for option in CHANNEL_OPTIONS if option[0] != "grpc.max_receive_message_length"),
    ("grpc.max_receive_message_length", 1024 * 1024),
    ("grpc.use_local_subchannel_pool", 1),
    # The most unread bytes: gRPC's own estimate is unbounded.
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

# Statuses that gRPC itself sets if no node answers at an endpoint; a node that answers adds a reason to them.
_NO_ANSWER: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


@dataclass(frozen=True, slots=True)
class _Dialled:
    """What a connection depends on: the endpoint, the node CAs of the member (DER), and the own certificate and key."""

    endpoint: str
    node_cas: tuple[bytes, ...]
    keys: TlsKeys


class GrpcChannel:
    """The gRPC channel to one member's node.

    It dials another endpoint when one fails, and anew when the register names other ones or other CAs, or when the own
    certificate was replaced. Calls in flight end on the connection on which they began.
    """

    def __init__(
        self,
        member: str,
        identity: TlsIdentity,
        register: Callable[[], Register],
        endpoints: Endpoints,
        options: Options = CHANNEL_OPTIONS,
    ) -> None:
        """Connect with the first call; ``register`` returns the register with the member's endpoints and CA."""
        self.member = member
        self._endpoints = endpoints
        self._options = options
        self._identity = identity
        self._register = register
        self._dialled: _Dialled | None = None
        self._channel: grpc.aio.Channel | None = None
        self._draining: set[asyncio.Task[None]] = set()
        self._closed = False

    async def call(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> ResponseT:
        """Call once and wait for the answer."""
        channel, endpoint = self._open(rpc.path)
        method: Any = channel.unary_unary(
            rpc.path, request_serializer=_serialised, response_deserializer=rpc.response.FromString
        )
        answer: ResponseT | None
        try:
            answer = await method(request, timeout=rpc.seconds)
        except grpc.aio.AioRpcError as error:
            raise self._failure(error, endpoint, refusal_is_answer=rpc.refusal_is_answer) from error
        except asyncio.CancelledError:
            if _task_is_cancelled():
                raise
            raise self._cut_off() from None
        self._endpoints.answered(endpoint)
        if answer is None:  # gRPC's status for bytes that do not parse
            raise Unavailable("unexpected_answer", f"{self.member}: the answer is not of the protocol")
        return answer

    async def stream(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> AsyncGenerator[ResponseT]:
        """Yield the responses of a stream; Unavailable if it breaks off or stalls."""
        channel, endpoint = self._open(rpc.path)
        method: Any = channel.unary_stream(
            rpc.path, request_serializer=_serialised, response_deserializer=rpc.response.FromString
        )
        call: Any = method(request)
        try:
            while True:
                async with asyncio.timeout(rpc.seconds):
                    response = await call.read()
                if response is grpc.aio.EOF:
                    return
                if response is None:
                    raise Unavailable("unexpected_answer", f"{self.member}: the answer is not of the protocol")
                yield response
        except grpc.aio.AioRpcError as error:
            raise self._failure(error, endpoint) from error
        except asyncio.CancelledError:
            if _task_is_cancelled():
                raise
            raise self._cut_off() from None
        except TimeoutError:
            self._endpoints.failed(endpoint)
            raise Unavailable("peer_unreachable", f"{self.member}: nothing came for {rpc.seconds:.0f} s") from None
        finally:
            call.cancel()

    async def call_any(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> ResponseT:
        """Call at one endpoint after another until a node answers: for callers that do not call again."""
        endpoints = self._register().active_member(self.member).endpoints
        for _ in endpoints[1:]:
            try:
                return await self.call(rpc, request)
            except Unavailable as error:
                if error.reason != "peer_unreachable":
                    raise
        return await self.call(rpc, request)

    @property
    def endpoint(self) -> str:
        """The endpoint dialled last; empty before the first call."""
        return self._endpoints.dialled

    async def close(self) -> None:
        """Close the channel for good; calls under way fail."""
        self._closed = True
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    def _open(self, method: str) -> tuple[grpc.aio.Channel, str]:
        """Return the channel for a method and the endpoint it leads to.

        A member whose role has expired is called about the register alone: it may hold the role renewed.
        """
        if self._closed:
            raise Unavailable("peer_unreachable", f"the channel to {self.member} is closed")
        register = self._register()
        if method in ABOUT_REGISTER:
            member = register.described_member(self.member)
        else:
            member = register.active_member(self.member)
        if not member.endpoints:
            raise Unavailable("peer_unreachable", f"{self.member} has no endpoint in the register")
        roots = tuple(ca.certificate for ca in member.authority.node_cas)
        wanted = _Dialled(self._endpoints.choose(member.endpoints), roots, self._identity.keys)
        if self._channel is None or wanted != self._dialled:
            self._drain()
            self._channel = self._dial(wanted, node_dns_name(self.member, register.federation))
            self._dialled = wanted
        return self._channel, wanted.endpoint

    def _dial(self, wanted: _Dialled, name: str) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(
            root_certificates="".join(DER_cert_to_PEM_cert(each) for each in wanted.node_cas).encode(),
            private_key=wanted.keys.private_key,
            certificate_chain=wanted.keys.certificate,
        )
        options = (*self._options, ("grpc.ssl_target_name_override", name), ("grpc.default_authority", name))
        return grpc.aio.secure_channel(wanted.endpoint, credentials, options=options)

    def _drain(self) -> None:
        """Close the replaced channel once its calls in flight have ended."""
        if self._channel is not None:
            task = asyncio.create_task(self._channel.close(DRAIN_SECONDS))
            self._draining.add(task)
            task.add_done_callback(self._draining.discard)

    def _cut_off(self) -> Unavailable:
        return Unavailable("peer_unreachable", f"the channel to {self.member} was closed")

    def _failure(
        self, error: grpc.aio.AioRpcError, endpoint: str, *, refusal_is_answer: bool = False
    ) -> Rejected | Unavailable:
        """Return the error for a failed call at an endpoint. The call is retried unless the refusal is the answer."""
        reason = dict(error.trailing_metadata() or ()).get(REASON_KEY, "")
        if isinstance(reason, bytes):
            reason = reason.decode("ascii", "replace")
        detail = f"{self.member}: {error.code().name}: {error.details()}"
        if not reason and error.code() in _NO_ANSWER:
            self._endpoints.failed(endpoint)
        else:
            self._endpoints.answered(endpoint)
        if reason not in REASONS or reason == "peer_unreachable":
            return Unavailable("peer_unreachable", detail)
        return Rejected(reason, detail) if refusal_is_answer and error.code() in _FINAL else Unavailable(reason, detail)


def _task_is_cancelled() -> bool:
    """Return whether the running task is being cancelled; otherwise CancelledError of a call means a closed channel."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _serialised(message: Message) -> bytes:
    return message.SerializeToString()
