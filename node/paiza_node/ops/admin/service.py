"""The calls of AdminService, which is served on the operator's socket only."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from paiza.admin.v1 import admin_pb2
from paiza_node.features.peer_audit.grants import AuditGrants
from paiza_node.ops.admin.operate import Operate


def admin_behaviours(
    operate: Operate, grants: AuditGrants, note_backup: Callable[[], Awaitable[bool]]
) -> Mapping[str, Any]:
    """Give the behaviour of every RPC of AdminService, which is served on the operator's socket alone."""

    async def backed_up(_request: admin_pb2.RecordBackupRequest) -> admin_pb2.RecordBackupResponse:
        return admin_pb2.RecordBackupResponse(logged=await note_backup())

    prefix = "/paiza.admin.v1.AdminService/"
    return {
        prefix + "GetStatus": operate.status,
        prefix + "ListQueue": operate.list_queue,
        prefix + "ListQueuedAttachments": operate.list_queued_attachments,
        prefix + "RetryDelivery": operate.retry,
        prefix + "DropDelivery": operate.drop,
        prefix + "RecordBackup": backed_up,
        prefix + "GrantAudit": grants.grant,
        prefix + "ListAuditGrants": grants.list_grants,
        prefix + "WithdrawAudit": grants.withdraw,
    }
