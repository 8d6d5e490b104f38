"""What officers bring and take of attachments, and what peers fetch."""

from collections.abc import AsyncIterator

from paiza.officer.v1 import attachment_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.features.attachments.serve import AttachmentServer
from paiza_node.features.attachments.upload import Upload

PREFIX = "/paiza.officer.v1.AttachmentService/"


def attachment_behaviours(upload: Upload, hand_out: AttachmentServer) -> Handlers:
    """Give the behaviour of every RPC about attachments."""

    async def start(caller: Caller, request: attachment_pb2.StartUploadRequest) -> attachment_pb2.StartUploadResponse:
        return await upload.start(_officer(caller), request)

    async def bring(
        caller: Caller, requests: AsyncIterator[attachment_pb2.UploadRequest]
    ) -> attachment_pb2.UploadResponse:
        return await upload.receive(_officer(caller), requests)

    def download(
        caller: Caller, request: attachment_pb2.DownloadRequest
    ) -> AsyncIterator[attachment_pb2.DownloadResponse]:
        return hand_out.to_officer(_officer(caller), request)

    def fetch(
        caller: Caller, request: exchange_pb2.FetchAttachmentRequest
    ) -> AsyncIterator[exchange_pb2.FetchAttachmentResponse]:
        assert caller.member is not None, "the gate admits only nodes here"
        return hand_out.to_peer(caller.member, request)

    return {
        PREFIX + "StartUpload": start,
        PREFIX + "Upload": bring,
        PREFIX + "Download": download,
        "/paiza.peer.v1.ExchangeService/FetchAttachment": fetch,
    }


def _officer(caller: Caller) -> Officer:
    assert caller.officer is not None, "the gate admits only officers here"
    return caller.officer
