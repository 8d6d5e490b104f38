"""RPCs of the operator, on the operator's socket only."""

from paiza.admin.v1 import admin_pb2
from paiza_node.core.api.services import Service
from paiza_node.features.peer_audit.grants import AuditGrants
from paiza_node.ops.admin.operate import Operate
from paiza_node.ops.backup.begin import BeginBackup


class AdminService(Service):
    """Handles requests of the operator about the queue, blocks, grants and backups."""

    service = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]

    def __init__(self, operate: Operate, grants: AuditGrants, backup: BeginBackup) -> None:
        self._operate = operate
        self._grants = grants
        self._backup = backup

    async def get_status(self, request: admin_pb2.GetStatusRequest) -> admin_pb2.GetStatusResponse:
        return await self._operate.status(request)

    async def list_queue(self, request: admin_pb2.ListQueueRequest) -> admin_pb2.ListQueueResponse:
        return await self._operate.list_queue(request)

    async def list_queued_attachments(
        self, request: admin_pb2.ListQueuedAttachmentsRequest
    ) -> admin_pb2.ListQueuedAttachmentsResponse:
        return await self._operate.list_queued_attachments(request)

    async def retry_delivery(self, request: admin_pb2.RetryDeliveryRequest) -> admin_pb2.RetryDeliveryResponse:
        return await self._operate.retry(request)

    async def drop_delivery(self, request: admin_pb2.DropDeliveryRequest) -> admin_pb2.DropDeliveryResponse:
        return await self._operate.drop(request)

    async def block_peer(self, request: admin_pb2.BlockPeerRequest) -> admin_pb2.BlockPeerResponse:
        return await self._operate.block(request)

    async def unblock_peer(self, request: admin_pb2.UnblockPeerRequest) -> admin_pb2.UnblockPeerResponse:
        return await self._operate.unblock(request)

    async def begin_backup(self, request: admin_pb2.BeginBackupRequest) -> admin_pb2.BeginBackupResponse:
        return admin_pb2.BeginBackupResponse(witnessed=await self._backup.begin(request.backup_id))

    async def grant_audit(self, request: admin_pb2.GrantAuditRequest) -> admin_pb2.GrantAuditResponse:
        return await self._grants.grant(request)

    async def list_audit_grants(self, request: admin_pb2.ListAuditGrantsRequest) -> admin_pb2.ListAuditGrantsResponse:
        return await self._grants.list_grants(request)

    async def withdraw_audit(self, request: admin_pb2.WithdrawAuditRequest) -> admin_pb2.WithdrawAuditResponse:
        return await self._grants.withdraw(request)
