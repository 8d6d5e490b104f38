"""The node's part of enrolment behind its real listener: TLS, a port, and an event loop in a thread."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from types import TracebackType
from typing import Any, TypeVar

from typing_extensions import override

from paiza.enrolment.v1 import enrolment_pb2
from paiza_node.core.api.connections import Connections
from paiza_node.core.api.enrolment_server import EnrolmentListener
from paiza_node.core.peers.tls_identity import TlsIdentity, TlsKeys
from paiza_node.features.enrolment.expected import expected_until
from paiza_wire.identity import SpiffeId, certificates, invitations, keys
from tests.federation import free_ports
from tests.unit.paiza_node.features.enrolment.enrolment_room import FEDERATION, MEMBER, EnrolmentRoom

T = TypeVar("T")


class Desk(EnrolmentRoom):
    """A node that listens for invited persons. ``before`` and ``after`` run around each answer."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.clock.now = datetime.now(UTC)
        self.listen = self.enrol_address = f"127.0.0.1:{free_ports(1)}"
        self.before: Callable[[], Coroutine[Any, Any, None]] | None = None
        self.after: Callable[[], Coroutine[Any, Any, None]] | None = None
        self.identity = TlsIdentity(self.tls_keys())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.run(self._start())

    def tls_keys(self, starts: timedelta = timedelta(hours=-1), ends: timedelta = timedelta(days=1)) -> TlsKeys:
        """Return a certificate of the node that is valid between these times, from now, with its key."""
        key, now, node = keys.generate_p256(), datetime.now(UTC), SpiffeId(MEMBER, FEDERATION, "node")
        certificate = certificates.issue_node(
            certificates.create_csr(node, key),
            self.authorities.node,
            self.authorities.node_key,
            spiffe_id=node,
            not_before=now + starts,
            not_after=now + ends,
        )
        return TlsKeys(DER_cert_to_PEM_cert(certificate).encode(), keys.private_key_to_pem(key))

    async def _start(self) -> None:
        self.listener = EnrolmentListener(
            self.listen, self._enrol, self._until, self.identity, self.clock, Connections([])
        )
        self._task = asyncio.ensure_future(self.listener.task.run())

    async def _enrol(self, request: enrolment_pb2.EnrolRequest, address: str) -> enrolment_pb2.EnrolResponse:
        if self.before is not None:
            await self.before()
        answer = await self.enrol.enrol(request, address)
        if self.after is not None:
            await self.after()
        return answer

    async def _until(self) -> datetime | None:
        with self.core.store.reads() as reads:
            return expected_until(reads, self.clock())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the node's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def look(self) -> None:
        """Have the listener look at the invitations, and wait until it has."""
        self.run(self._look())

    async def _look(self) -> None:
        await self.listener._look()

    def is_open(self) -> bool:
        """Return whether somebody listens."""
        host, _, port = self.listen.rpartition(":")
        with socket.socket() as connection:
            return connection.connect_ex((host, int(port))) == 0

    def invited(self, name: str, folder: Path, life: timedelta = timedelta(hours=24)) -> Path:
        """Invite a person and write the file that they are handed."""
        invitation = self.invite(name, life)
        file = folder / f"{name}.invitation"
        file.write_text(invitations.to_text(invitation) + "\n")
        self.look()
        return file

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        super().__exit__(kind, error, trace)

    async def _stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self.listener.close()
