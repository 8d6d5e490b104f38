"""What peers, auditors, readers of the register and the operator ask."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from paiza.officer.v1 import audit_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.features.audit.trail import Audit
from paiza_register import Member

MAX_PATH = 256  # characters of a file's path in the register


Consulted = Callable[[Officer, str, bytes], Awaitable[Any]]
"""Logs that an officer consulted the log: what he asked, and of which message."""


def audit_behaviours(audit: Audit, consulted: Consulted) -> Handlers:
    """Give the behaviour of every RPC of AuditService; the store is read in a thread. That it was read is logged."""

    async def trail(caller: Caller, request: audit_pb2.GetTrailRequest) -> Any:
        await audit.check_sees(_officer(caller), request.message_digest)
        await consulted(_officer(caller), "trail", request.message_digest)
        return await asyncio.to_thread(audit.trail, request.message_digest)

    async def evidence(caller: Caller, request: audit_pb2.GetEvidenceRequest) -> Any:
        await audit.check_sees(_officer(caller), request.message_digest)
        await consulted(_officer(caller), "evidence", request.message_digest)
        return await asyncio.to_thread(audit.evidence, request.message_digest, with_openings=request.with_openings)

    async def status(_caller: Caller, _request: audit_pb2.GetLogStatusRequest) -> Any:
        return await asyncio.to_thread(audit.status)

    prefix = "/paiza.officer.v1.AuditService/"
    return {
        prefix + "GetTrail": trail,
        prefix + "GetEvidence": evidence,
        prefix + "GetLogStatus": status,
    }


def _officer(caller: Caller) -> Officer:
    assert caller.officer is not None, "the gate admits only officers here"
    return caller.officer


def _member(caller: Caller) -> Member:
    assert caller.member is not None, "the gate admits only nodes here"
    return caller.member
