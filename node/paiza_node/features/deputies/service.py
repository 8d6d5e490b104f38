"""RPCs of officers about deputies."""

from paiza.officer.v1 import deputy_pb2
from paiza_node.core.access.model import Deputy
from paiza_node.core.api import paging
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.services import Service
from paiza_node.features.deputies.deputies import Deputies


class DeputyService(Service):
    """Handles requests about deputies."""

    service = deputy_pb2.DESCRIPTOR.services_by_name["DeputyService"]

    def __init__(self, deputies: Deputies) -> None:
        self._deputies = deputies

    async def appoint_deputy(
        self, caller: Caller, request: deputy_pb2.AppointDeputyRequest
    ) -> deputy_pb2.AppointDeputyResponse:
        appointed = await self._deputies.appoint(officer_of(caller), request)
        return deputy_pb2.AppointDeputyResponse(deputy=_shown(appointed))

    async def end_deputy(self, caller: Caller, request: deputy_pb2.EndDeputyRequest) -> deputy_pb2.EndDeputyResponse:
        return deputy_pb2.EndDeputyResponse(deputy=_shown(await self._deputies.end(officer_of(caller), request)))

    async def list_deputies(
        self, _caller: Caller, request: deputy_pb2.ListDeputiesRequest
    ) -> deputy_pb2.ListDeputiesResponse:
        page, more = paging.page_of(await self._deputies.in_force(), lambda each: each.officer, request)
        return deputy_pb2.ListDeputiesResponse(deputies=[_shown(each) for each in page], next_page_token=more)


def _shown(appointed: Deputy) -> deputy_pb2.Deputy:
    shown = deputy_pb2.Deputy(officer=appointed.officer, deputy=appointed.deputy)
    shown.end_time.FromDatetime(appointed.end_time)
    return shown
