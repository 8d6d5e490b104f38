"""RPCs of officers about erasures, holds and reviews."""

import asyncio

from paiza.officer.v1 import retention_pb2
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.services import Service
from paiza_node.features.retention.erasure_status import ErasureStatus
from paiza_node.features.retention.holds import Holds
from paiza_node.features.retention.reviews import Reviews


class RetentionService(Service):
    """Handles requests about erasures, holds and reviews."""

    service = retention_pb2.DESCRIPTOR.services_by_name["RetentionService"]

    def __init__(self, erasures: ErasureStatus, holds: Holds, reviews: Reviews) -> None:
        self._erasures = erasures
        self._holds = holds
        self._reviews = reviews

    async def list_erasures(
        self, caller: Caller, request: retention_pb2.ListErasuresRequest
    ) -> retention_pb2.ListErasuresResponse:
        return await asyncio.to_thread(self._erasures, officer_of(caller), request)

    async def place_hold(
        self, caller: Caller, request: retention_pb2.PlaceHoldRequest
    ) -> retention_pb2.PlaceHoldResponse:
        return await self._holds.place(officer_of(caller), request)

    async def release_hold(
        self, caller: Caller, request: retention_pb2.ReleaseHoldRequest
    ) -> retention_pb2.ReleaseHoldResponse:
        return await self._holds.release(officer_of(caller), request)

    async def list_holds(
        self, caller: Caller, request: retention_pb2.ListHoldsRequest
    ) -> retention_pb2.ListHoldsResponse:
        return await self._holds.listed(officer_of(caller), request)

    async def list_reviews(
        self, caller: Caller, request: retention_pb2.ListReviewsRequest
    ) -> retention_pb2.ListReviewsResponse:
        return await self._reviews.listed(officer_of(caller), request)

    async def keep_message(
        self, caller: Caller, request: retention_pb2.KeepMessageRequest
    ) -> retention_pb2.KeepMessageResponse:
        return await self._reviews.keep(officer_of(caller), request)

    async def erase_own_copy(
        self, caller: Caller, request: retention_pb2.EraseOwnCopyRequest
    ) -> retention_pb2.EraseOwnCopyResponse:
        return await self._reviews.erase(officer_of(caller), request)
