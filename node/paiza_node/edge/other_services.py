"""What peers, auditors, readers of the register and the operator ask."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from paiza.admin.v1 import admin_pb2
from paiza.core.v1 import register_pb2
from paiza.officer.v1 import audit_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.audit import Audit
from paiza_node.edge.gate import Caller
from paiza_node.edge.server import Behaviours
from paiza_node.operate import Operate
from paiza_node.oversight.grants import AuditGrants
from paiza_node.receive import Receive
from paiza_node.store.access_model import Officer
from paiza_node.workflows.ancestors import Give
from paiza_register import FetchMissing, Member, RegisterReader
from paiza_wire.errors import Rejected

MAX_PATH = 256  # characters of a file's path in the register


def exchange_behaviours(receive: Receive, give: Give) -> Behaviours:
    """Give the behaviour of every RPC of ExchangeService but for attachments."""

    async def handshake(caller: Caller, request: exchange_pb2.HandshakeRequest) -> exchange_pb2.HandshakeResponse:
        return await receive.handshake(_member(caller), request)

    async def deliver(caller: Caller, request: exchange_pb2.DeliverRequest) -> exchange_pb2.DeliverResponse:
        return await receive(_member(caller), request)

    async def prove_growth(
        caller: Caller, request: exchange_pb2.ProveGrowthRequest
    ) -> exchange_pb2.ProveGrowthResponse:
        return await receive.prove_growth(_member(caller), request)

    async def fetch(caller: Caller, request: exchange_pb2.FetchMessagesRequest) -> exchange_pb2.FetchMessagesResponse:
        return await give(_member(caller), request)

    prefix = "/paiza.peer.v1.ExchangeService/"
    return {
        prefix + "Handshake": handshake,
        prefix + "Deliver": deliver,
        prefix + "ProveGrowth": prove_growth,
        prefix + "FetchMessages": fetch,
    }


def admin_behaviours(
    operate: Operate, grants: AuditGrants, note_backup: Callable[[], Awaitable[bool]]
) -> Mapping[str, Any]:
    """Give the behaviour of every RPC of AdminService, which is served on the operator's socket alone."""

    async def backed_up(_request: admin_pb2.NoteBackupRequest) -> admin_pb2.NoteBackupResponse:
        return admin_pb2.NoteBackupResponse(logged=await note_backup())

    prefix = "/paiza.admin.v1.AdminService/"
    return {
        prefix + "GetStatus": operate.status,
        prefix + "ListQueue": operate.list_queue,
        prefix + "RetryDelivery": operate.retry,
        prefix + "DropDelivery": operate.drop,
        prefix + "NoteBackup": backed_up,
        prefix + "GrantAudit": grants.grant,
        prefix + "ListAuditGrants": grants.list_grants,
        prefix + "WithdrawAudit": grants.withdraw,
    }


Consulted = Callable[[Officer, str, bytes], Awaitable[Any]]
"""Logs that an officer consulted the log: what he asked, and of which message."""


def audit_behaviours(audit: Audit, consulted: Consulted) -> Behaviours:
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


def register_behaviours(reader: RegisterReader) -> Behaviours:
    """Give the behaviour of every RPC of RegisterService; who asks verifies what he gets."""

    async def get_file(_caller: Caller, request: register_pb2.GetFileRequest) -> register_pb2.GetFileResponse:
        if len(request.path) > MAX_PATH:
            raise Rejected("unknown_file", "the register has no file of such a path")
        try:
            data = await asyncio.to_thread(reader.file, request.path)
        except FetchMissing:
            raise Rejected("unknown_file", "the register has no file of such a path") from None
        return register_pb2.GetFileResponse(data=data)

    async def get_set(
        _caller: Caller, request: register_pb2.GetArchivedSetRequest
    ) -> register_pb2.GetArchivedSetResponse:
        files = await asyncio.to_thread(reader.archived_files, request.register_version)
        return register_pb2.GetArchivedSetResponse(
            files=[register_pb2.RegisterFile(path=path, data=data) for path, data in sorted(files.items())]
        )

    prefix = "/paiza.core.v1.RegisterService/"
    return {prefix + "GetFile": get_file, prefix + "GetArchivedSet": get_set}


def _officer(caller: Caller) -> Officer:
    assert caller.officer is not None, "the gate admits only officers here"
    return caller.officer


def _member(caller: Caller) -> Member:
    assert caller.member is not None, "the gate admits only nodes here"
    return caller.member
