"""RPCs of officers about the own log."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from paiza.officer.v1 import audit_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.services import Service
from paiza_node.features.audit.trail import Audit

Consulted = Callable[[Officer, str, bytes], Awaitable[Any]]
"""Logs that an officer consulted the log: what was queried, and of which message."""


class AuditService(Service):
    """Handles requests about the own log; the store is read in a thread, and every query is logged."""

    service = audit_pb2.DESCRIPTOR.services_by_name["AuditService"]

    def __init__(self, audit: Audit, consulted: Consulted) -> None:
        self._audit = audit
        self._consulted = consulted

    async def get_trail(self, caller: Caller, request: audit_pb2.GetTrailRequest) -> Any:
        await self._audit.check_known(officer_of(caller), request.message_digest)
        await self._consulted(officer_of(caller), "trail", request.message_digest)
        return await asyncio.to_thread(self._audit.trail, officer_of(caller), request)

    async def get_evidence(self, caller: Caller, request: audit_pb2.GetEvidenceRequest) -> Any:
        await self._audit.check_known(officer_of(caller), request.message_digest)
        await self._consulted(officer_of(caller), "evidence", request.message_digest)
        return await asyncio.to_thread(
            self._audit.evidence, officer_of(caller), request.message_digest, with_openings=request.with_openings
        )

    async def get_log_status(self, caller: Caller, _request: audit_pb2.GetLogStatusRequest) -> Any:
        return await asyncio.to_thread(self._audit.status, with_officers="coordinator" in officer_of(caller).roles)
