"""RPCs about attachments: uploads and downloads of officers, and downloads of peers."""

from collections.abc import AsyncIterator

from paiza.officer.v1 import attachment_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.api.authentication import Caller, member_of, officer_of
from paiza_node.core.api.services import Service
from paiza_node.features.attachments.serve import AttachmentServer
from paiza_node.features.attachments.upload import Upload


class AttachmentService(Service):
    """Handles requests of officers about attachments."""

    service = attachment_pb2.DESCRIPTOR.services_by_name["AttachmentService"]

    def __init__(self, upload: Upload, hand_out: AttachmentServer) -> None:
        self._upload = upload
        self._hand_out = hand_out

    async def start_upload(
        self, caller: Caller, request: attachment_pb2.StartUploadRequest
    ) -> attachment_pb2.StartUploadResponse:
        return await self._upload.start(officer_of(caller), request)

    async def upload(
        self, caller: Caller, requests: AsyncIterator[attachment_pb2.UploadRequest]
    ) -> attachment_pb2.UploadResponse:
        return await self._upload.receive(officer_of(caller), requests)

    def download(
        self, caller: Caller, request: attachment_pb2.DownloadRequest
    ) -> AsyncIterator[attachment_pb2.DownloadResponse]:
        return self._hand_out.to_officer(officer_of(caller), request)


class AttachmentFetchService(Service):
    """Handles requests of other members' nodes for attachments."""

    service = exchange_pb2.DESCRIPTOR.services_by_name["ExchangeService"]

    def __init__(self, hand_out: AttachmentServer) -> None:
        self._hand_out = hand_out

    def fetch_attachment(
        self, caller: Caller, request: exchange_pb2.FetchAttachmentRequest
    ) -> AsyncIterator[exchange_pb2.FetchAttachmentResponse]:
        return self._hand_out.to_peer(member_of(caller), request)
