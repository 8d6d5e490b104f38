"""The standard gRPC health service, behind the same authentication as every other service.

The ready-made servicer would answer every caller that completes a TLS handshake, also a revoked or suspended one, and
would allow streams without limit.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Final

from grpc_health.v1 import health_pb2

from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.services import HEALTH
from paiza_wire.errors import Rejected

PREFIX: Final = f"/{HEALTH.full_name}/"

_Response = health_pb2.HealthCheckResponse


class Health:
    """The health status of the node ("") and of each service by name. Belongs to one event loop."""

    def __init__(self, services: Collection[str]) -> None:
        """Store the names of the services; they are not serving until `serve` is called."""
        self._services = frozenset(("", *services))
        self._status = _Response.NOT_SERVING
        self._stopped = False
        self._changed = asyncio.Event()

    async def serve(self) -> None:
        """Set the status to serving."""
        self._change(_Response.SERVING)

    async def pause(self) -> None:
        """Set the status to not serving until `serve` is called again; watches go on."""
        self._change(_Response.NOT_SERVING)

    async def stop(self) -> None:
        """Set the status to not serving, so that callers go elsewhere or wait; end all watches."""
        self._stopped = True
        self._change(_Response.NOT_SERVING)

    async def check(self, _caller: Caller, request: health_pb2.HealthCheckRequest) -> health_pb2.HealthCheckResponse:
        """Return the status of one service; Rejected("unknown_id") if there is none of that name."""
        if request.service not in self._services:
            raise Rejected("unknown_id", "there is no service of that name")
        return _Response(status=self._status)

    async def check_all(self, _caller: Caller, _request: health_pb2.HealthListRequest) -> health_pb2.HealthListResponse:
        """Return the status of all services."""
        return health_pb2.HealthListResponse(
            statuses={service: _Response(status=self._status) for service in self._services}
        )

    async def watch(
        self, _caller: Caller, request: health_pb2.HealthCheckRequest
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Stream the status of one service as it changes, until the node stops."""
        known = request.service in self._services
        while True:
            changed = self._changed
            yield _Response(status=self._status if known else _Response.SERVICE_UNKNOWN)
            if self._stopped:
                return
            await changed.wait()

    def _change(self, status: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
        self._status = _Response.NOT_SERVING if self._stopped else status
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
