"""RPCs of data officers about the own member's directory."""

from paiza.officer.v1 import directory_pb2
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.services import Service
from paiza_node.features.directory.publish import PublishDirectory


class DirectoryService(Service):
    """Handles requests of data officers."""

    service = directory_pb2.DESCRIPTOR.services_by_name["DirectoryService"]

    def __init__(self, publish: PublishDirectory) -> None:
        self._publish = publish

    async def publish_directory(
        self, caller: Caller, request: directory_pb2.PublishDirectoryRequest
    ) -> directory_pb2.PublishDirectoryResponse:
        version = await self._publish.publish(officer_of(caller).id, request.file, request.base_sha256)
        return directory_pb2.PublishDirectoryResponse(register_version=version)
