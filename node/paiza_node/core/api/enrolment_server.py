"""The listener for persons who were invited and have no certificate yet. It is open only while somebody is expected.

TLS shows the node's certificate and asks for none. Everybody can connect, so all is small and bounded: connections,
their handshakes and lives, calls, and the bytes of a message. Connections that do nothing give their places up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final

import grpc
import structlog
from google.protobuf.message import DecodeError

from paiza.enrolment.v1 import enrolment_pb2
from paiza_node.core.access.officers import OfficersChanged
from paiza_node.core.api.connections import Connections
from paiza_node.core.api.grpc_server import GrpcServer
from paiza_node.core.api.key_exchange import check_key_exchange
from paiza_node.core.api.metrics import CALLS, ENROLMENT_OPEN
from paiza_node.core.api.status_codes import reason_of, refuse
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.changes import Change
from paiza_node.core.peers.channels import READ_BYTES
from paiza_node.core.peers.tls_identity import TlsIdentity, TlsKeys
from paiza_wire.errors import Rejected

MAX_CONNECTIONS: Final = 64
MAX_PER_ADDRESS: Final = 8  # of those; several invited persons may come through one address
MAX_CALLS: Final = 16
MAX_REQUEST_BYTES: Final = 16 * 1024
"""Two signing requests of at most 4 KiB, a digest and a secret."""

HANDSHAKE_SECONDS: Final = 5
CONNECTION_SECONDS: Final = 30
LOOK_SECONDS: Final = 60.0  # between two looks at the invitations without an announced change
CLOSING_SECONDS: Final = 5.0

_METHOD: Final = "/paiza.enrolment.v1.EnrolmentService/Enrol"
_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_SECONDS * 1000),
    ("grpc.max_connection_age_ms", CONNECTION_SECONDS * 1000),
    ("grpc.max_connection_age_grace_ms", CONNECTION_SECONDS * 1000),
    ("grpc.max_connection_idle_ms", HANDSHAKE_SECONDS * 1000),
    ("grpc.max_concurrent_streams", 2),
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_metadata_size", 4 * 1024),
    ("grpc.experimental.tcp_max_read_buffer_size", READ_BYTES),
    ("grpc.compression_enabled_algorithms_bitset", 1),  # none
    ("grpc.so_reuseport", 0),  # a second process on the same port must fail, not share the port
)

log = structlog.get_logger("paiza.enrolment")

Enrol = Callable[[enrolment_pb2.EnrolRequest, str], Awaitable[enrolment_pb2.EnrolResponse]]


class EnrolmentListener:
    """Opens and closes the address for enrolment. Belongs to one event loop."""

    def __init__(
        self,
        listen: str,
        enrol: Enrol,
        open_until: Callable[[], Awaitable[datetime | None]],
        identity: TlsIdentity,
        clock: Callable[[], datetime],
        connections: Connections,
    ) -> None:
        """Store what is asked at each look and at each opening.

        ``enrol`` answers a request and the caller's address; ``open_until`` returns until when somebody is expected,
        None if nobody is.
        """
        self._listen = listen
        self._enrol = enrol
        self._open_until = open_until
        self._identity = identity
        self._clock = clock
        self._connections = connections
        self._server: GrpcServer | None = None
        self.task = PeriodicTask(self._look, period=LOOK_SECONDS, failed="invitations_not_read")

    def notify(self, changes: Sequence[Change]) -> None:
        """Look at the invitations if officers changed."""
        if any(isinstance(change, OfficersChanged) for change in changes):
            self.task.wake()

    def catch_up(self) -> None:
        """Look at the invitations."""
        self.task.wake()

    async def close(self) -> None:
        """Close the address."""
        server, self._server = self._server, None
        if server is not None:
            ENROLMENT_OPEN.set(0)
            log.info("enrolment_closed", listen=self._listen)
            await server.stop(CLOSING_SECONDS)

    async def _look(self) -> float | None:
        until = await self._open_until()
        left = None if until is None else (until - self._clock()).total_seconds()
        if left is None or left <= 0:
            await self.close()
            return None
        if self._server is None:
            await self._open()
        return min(left, LOOK_SECONDS)

    async def _open(self) -> None:
        server = GrpcServer(_OPTIONS, max_calls=MAX_CALLS, connections=self._connections)
        service, method = _METHOD.strip("/").split("/")
        handler: Any = grpc.unary_unary_rpc_method_handler(self._answer)
        server.add_service(service, {method: handler})
        try:
            bound = server.add_secure_port(self._listen, self._credentials())
        except RuntimeError:
            bound = 0
        if not bound:
            # The node goes on: it is only enrolment that waits until the address is free.
            log.error("enrolment_not_opened", listen=self._listen, detail="the address cannot be listened on")
            return
        await server.start()
        self._server = server
        ENROLMENT_OPEN.set(1)
        log.info("enrolment_open", listen=self._listen)

    def _credentials(self) -> grpc.ServerCredentials:
        """Return what TLS is served with: the node's identity of each handshake, and no certificate asked for."""
        served_with: list[TlsKeys] = []

        def configuration() -> grpc.ServerCertificateConfiguration | None:
            keys = self._identity.keys
            if served_with == [keys]:
                return None
            served_with[:] = [keys]
            return grpc.ssl_server_certificate_configuration([(keys.private_key, keys.certificate)])

        initial = configuration()
        assert initial is not None
        return grpc.dynamic_ssl_server_credentials(
            initial,
            configuration,  # type: ignore[arg-type]  # None means "as before", which the stub does not know
            require_client_authentication=False,
        )

    async def _answer(self, data: bytes, context: Any) -> bytes | None:
        reason = "ok"
        try:
            check_key_exchange(context.auth_context())
            request = enrolment_pb2.EnrolRequest.FromString(data)
            return (await self._enrol(request, _address(context.peer()))).SerializeToString()
        except DecodeError:
            reason = "malformed"
            await refuse(context, Rejected(reason, "the request is no EnrolRequest"))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all end as a status; `refuse` logs what is not a refusal
            reason = reason_of(error)
            await refuse(context, error)
        finally:
            CALLS.labels(_METHOD, reason).inc()
        return None


def _address(peer: str) -> str:
    """Return the address of a caller without its port: gRPC writes ipv4:192.0.2.1:4711 or ipv6:[2001:db8::1]:4711."""
    return peer.rpartition(":")[0]
