"""The mutually authenticated channel: deadlines, bounded retries, and the node's statuses as our own errors."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import grpc

from paiza.enrolment.v1 import enrolment_pb2, enrolment_pb2_grpc
from paiza_officer.errors import NotProven, Refused, Unreachable
from paiza_officer.profiles import Credentials, Profile
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.identity import CertificateAuthority, CertificateVerifier, MemberAuthority, node_dns_name
from paiza_wire.reasons import REASONS

AHEAD_BYTES: Final = 4 * 1024 * 1024  # 20 MB/s over a line of 200 ms
MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024  # a page of 500 headers of at most 64 KiB
MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024  # a batch of the outbox
MAX_ROOT_BYTES: Final = 2 * 1024 * 1024  # the first root, with two certificates
MAX_PAGES: Final = 1000  # of one list
CALL_SECONDS: Final = 20.0  # a question about what is stored
SUBMIT_SECONDS: Final = 60.0  # 256 messages are verified and committed
HANDSHAKE_SECONDS: Final = 5.0  # looking at the certificate the node shows
ATTEMPTS: Final = 3  # of one call, where the node does not answer
FIRST_PAUSE_SECONDS: Final = 0.2  # doubled after every attempt, and scattered
MAX_PAUSE_SECONDS: Final = 5.0  # however long the node asks us to wait, a person sits here

REASON_KEY: Final = "paiza-reason"

Channel: TypeAlias = grpc.aio.Channel

_T = TypeVar("_T")

_TEMPORARY: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNKNOWN,
    }
)
# A server that stops answers CANCELLED to calls that reached it but no longer its program (seen with grpcio 1.85).
_NOT_TAKEN: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})


def open_channel(profile: Profile, credentials: Credentials, roots_pem: bytes) -> grpc.aio.Channel:
    """Dial the profile's node, believing nothing but these roots and the DNS name of the own member's node."""
    tls = grpc.ssl_channel_credentials(roots_pem, credentials.key_pem, credentials.certificate_pem)
    options: Sequence[tuple[str, str | int]] = (
        ("grpc.ssl_target_name_override", node_dns_name(profile.id.member, profile.id.federation)),
        ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
        ("grpc.max_send_message_length", MAX_REQUEST_BYTES),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
        # So many bytes of an attachment may have come that nobody has read yet: gRPC's own estimate has no such bound.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", AHEAD_BYTES),
    )
    return grpc.aio.secure_channel(profile.node, tls, options=options)


async def enrol(
    invitation: enrolment_pb2.Invitation, request: enrolment_pb2.EnrolRequest
) -> enrolment_pb2.EnrolResponse:
    """Use an invitation at its address, believing nothing but a certificate of its member's node, of its node CAs.

    Refused with the node's reason; Unreachable: for now.
    """
    shown = await shown_certificate(invitation.enrol_address)
    _check_invited_to(invitation, shown)
    tls = grpc.ssl_channel_credentials(shown)
    options = (
        ("grpc.ssl_target_name_override", node_dns_name(invitation.member, invitation.federation)),
        ("grpc.max_receive_message_length", MAX_ROOT_BYTES),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
    )
    async with grpc.aio.secure_channel(invitation.enrol_address, tls, options=options) as opened:
        stub = enrolment_pb2_grpc.EnrolmentServiceStub(opened)
        return await call(invitation.enrol_address, lambda: stub.Enrol(request, timeout=SUBMIT_SECONDS))


def _check_invited_to(invitation: enrolment_pb2.Invitation, pem: bytes) -> None:
    """Check a node's certificate as under a register, which is not known yet; Unreachable if it is refused."""
    member, cas = invitation.member, tuple(map(CertificateAuthority.of, invitation.node_cas))
    verifier = CertificateVerifier({member: MemberAuthority(member, invitation.federation, cas, ())})
    try:
        der = ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))
        verifier.node(der, expected_member=member, at=datetime.now(UTC))
    except Rejected as error:
        raise Unreachable("node_unreachable", invitation.enrol_address, error.detail) from error


async def shown_certificate(address: str) -> bytes:
    """Return the certificate (PEM) the node shows, unverified: enough to fetch the register, which proves itself."""
    host, _, port = address.rpartition(":")
    try:
        shown = await asyncio.to_thread(
            ssl.get_server_certificate, (host.strip("[]"), int(port)), timeout=HANDSHAKE_SECONDS
        )
    except (OSError, ValueError) as error:
        raise Unreachable("node_unreachable", address, type(error).__name__) from error
    return shown.encode()


class Call(Protocol):
    """`call` with the session's node: what the parts of a session make their calls with."""

    async def __call__(self, attempt: Callable[[], Awaitable[Any]], /) -> Any:
        """Await one call, again where the node does not answer."""


async def pages(call: Call, method: Callable[..., Any], request: Any) -> AsyncIterator[Any]:
    """Ask for one page of a list after another, to the last; NotProven where the pages have no end."""
    for _ in range(MAX_PAGES):
        answer = await call(lambda: method(request, timeout=CALL_SECONDS))
        yield answer
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token
    raise NotProven("unexpected_answer", "", f"a list of more than {MAX_PAGES} pages")


async def call(address: str, attempt: Callable[[], Awaitable[_T]], attempts: int = ATTEMPTS) -> _T:
    """Await one call; where the node does not answer, again after a scattered pause, a bounded number of times.

    Every call of the protocol may be repeated: a repeated Submit is answered with the releases of the first.
    """
    pause = FIRST_PAUSE_SECONDS
    for left in reversed(range(attempts)):
        try:
            return await attempt()
        except grpc.aio.AioRpcError as error:
            problem = translated(error, address)
            if not left or not isinstance(problem, Unreachable) or not _worth_repeating(error):
                raise problem from error
        await asyncio.sleep(min(pause, MAX_PAUSE_SECONDS) * random.uniform(0.5, 1.5))  # noqa: S311 - scatter, no secret
        pause *= 2
    raise AssertionError("the loop returns or raises")


def translated(error: grpc.aio.AioRpcError, address: str) -> PaizaError:
    """Turn a gRPC status into our families: the node's reason code where it gave one, else unreachable."""
    code, detail = error.code(), (error.details() or "")[:500]
    reason = next((_text(value) for key, value in error.trailing_metadata() or () if key == REASON_KEY), "")
    if reason and reason not in REASONS:
        detail, reason = f"{reason}: {detail}", "unexpected_answer"
    if reason:
        return Unreachable(reason, address, detail) if code in _TEMPORARY else Refused(reason, address, detail)
    if code in {*_NOT_TAKEN, grpc.StatusCode.DEADLINE_EXCEEDED}:
        return Unreachable("node_unreachable", address, code.name.lower())
    return Unreachable("unexpected_answer", address, f"{code.name.lower()}: {detail}")


def _worth_repeating(error: grpc.aio.AioRpcError) -> bool:
    # A call that ran into its deadline had its time; a refusal for want of resources asks for fewer calls, not more.
    return error.code() in _NOT_TAKEN


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
