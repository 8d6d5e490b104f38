"""The RPCs of RegisterService: files of the register, in force or archived, and proofs of misbehaviour."""

import asyncio
from typing import Final

from paiza.core.v1 import register_pb2
from paiza_node.core.api import paging
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.services import Service
from paiza_register import FetchMissing, RegisterReader
from paiza_wire.errors import Rejected

MAX_PATH: Final = 256  # characters of a file's path in the register


class RegisterService(Service):
    """Handles requests for files of the register; the caller verifies them."""

    service = register_pb2.DESCRIPTOR.services_by_name["RegisterService"]

    def __init__(self, reader: RegisterReader) -> None:
        self._reader = reader

    async def get_file(self, _caller: Caller, request: register_pb2.GetFileRequest) -> register_pb2.GetFileResponse:
        if len(request.path) > MAX_PATH:
            raise Rejected("unknown_file", "the register has no file of such a path")
        try:
            data = await asyncio.to_thread(self._reader.file, request.path, request.register_version)
        except FetchMissing:
            raise Rejected("unknown_file", "the register has no file of such a path") from None
        return register_pb2.GetFileResponse(data=data)

    async def list_proofs(
        self, _caller: Caller, request: register_pb2.ListProofsRequest
    ) -> register_pb2.ListProofsResponse:
        proofs = sorted((await asyncio.to_thread(self._reader.proofs)).items())
        page, more = paging.page_of(proofs, lambda each: each[0], request)
        return register_pb2.ListProofsResponse(
            proofs=[register_pb2.RegisterProof(first=first, second=second) for _name, (first, second) in page],
            next_page_token=more,
        )
