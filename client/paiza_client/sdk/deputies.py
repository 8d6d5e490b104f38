"""Deputies: who sees an officer's messages and tasks in their absence, and until when."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import grpc

from paiza.officer.v1 import deputy_pb2, deputy_pb2_grpc
from paiza_officer import channel

MAX_PAGE: Final = 500  # the most the node gives at once


@dataclass(frozen=True, slots=True)
class Deputy:
    """The deputy of an officer of the own member: both SPIFFE ids, and when it ends by itself."""

    officer: str
    deputy: str
    end_time: datetime


class Deputies:
    """The session's calls for deputies."""

    def __init__(self, connection: grpc.aio.Channel, call: channel.Call) -> None:
        self._stub = deputy_pb2_grpc.DeputyServiceStub(connection)
        self._call = call

    async def appoint(self, deputy: str, until: datetime, *, officer: str = "") -> Deputy:
        """Appoint a deputy until a time (aware), in the place of an earlier one; the node logs DEPUTY_APPOINTED.

        ``deputy`` and ``officer`` are names or ids; ``officer`` is empty for the caller, else the caller is their head:
        an authoriser of their unit. The deputy sees from now on what the officer sees by unit and assignment, and acts
        under their own name and roles. Refused("wrong_deputy"), ("unknown_officer") or ("policy_denied").
        """
        request = deputy_pb2.AppointDeputyRequest(officer=officer, deputy=deputy)
        request.end_time.FromDatetime(until.astimezone(UTC))
        answer: deputy_pb2.AppointDeputyResponse = await self._call(
            lambda: self._stub.AppointDeputy(request, timeout=channel.CALL_SECONDS)
        )
        return _deputy(answer.deputy)

    async def end(self, officer: str = "") -> Deputy:
        """End the appointment of an officer's deputy, or of the caller's; return it. The node logs DEPUTY_ENDED.

        The officer, their head and the deputy may. Refused("wrong_deputy") if the officer has none.
        """
        request = deputy_pb2.EndDeputyRequest(officer=officer)
        answer: deputy_pb2.EndDeputyResponse = await self._call(
            lambda: self._stub.EndDeputy(request, timeout=channel.CALL_SECONDS)
        )
        return _deputy(answer.deputy)

    async def listed(self) -> list[Deputy]:
        """Return the deputies of the member's officers at this moment, in the order of the officers."""
        request = deputy_pb2.ListDeputiesRequest(page_size=MAX_PAGE)
        found: list[Deputy] = []
        async for page in channel.pages(self._call, self._stub.ListDeputies, request):
            found += map(_deputy, page.deputies)
        return found


def _deputy(shown: deputy_pb2.Deputy) -> Deputy:
    return Deputy(shown.officer, shown.deputy, shown.end_time.ToDatetime(tzinfo=UTC))
