"""The calls of RegisterService: files of the register and archived sets."""

import asyncio

from paiza.core.v1 import register_pb2
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.features.audit.service import MAX_PATH
from paiza_register import FetchMissing, RegisterReader
from paiza_wire.errors import Rejected


def register_behaviours(reader: RegisterReader) -> Handlers:
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
