"""What officers ask about lawfulness: what is to be erased, held and reviewed."""

import asyncio
from typing import Final

from paiza.officer.v1 import lawful_pb2
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.features.inbox.service import officer_of
from paiza_node.features.retention.erasure_status import ErasureStatus
from paiza_node.features.retention.holds import Holds
from paiza_node.features.retention.reviews import Reviews

PREFIX: Final = "/paiza.officer.v1.RetentionService/"


def lawful_behaviours(erasures: ErasureStatus, holds: Holds, reviews: Reviews) -> Handlers:
    """Give the behaviour of every RPC of RetentionService."""

    async def list_erasures(caller: Caller, request: lawful_pb2.ListErasuresRequest) -> lawful_pb2.ListErasuresResponse:
        return await asyncio.to_thread(erasures, officer_of(caller), request)

    async def place_hold(caller: Caller, request: lawful_pb2.PlaceHoldRequest) -> lawful_pb2.PlaceHoldResponse:
        return await holds.place(officer_of(caller), request)

    async def release_hold(caller: Caller, request: lawful_pb2.ReleaseHoldRequest) -> lawful_pb2.ReleaseHoldResponse:
        return await holds.release(officer_of(caller), request)

    async def list_holds(caller: Caller, request: lawful_pb2.ListHoldsRequest) -> lawful_pb2.ListHoldsResponse:
        return await holds.listed(officer_of(caller), request)

    async def list_reviews(caller: Caller, request: lawful_pb2.ListReviewsRequest) -> lawful_pb2.ListReviewsResponse:
        return await reviews.listed(officer_of(caller), request)

    async def keep(caller: Caller, request: lawful_pb2.KeepMessageRequest) -> lawful_pb2.KeepMessageResponse:
        return await reviews.keep(officer_of(caller), request)

    async def erase(caller: Caller, request: lawful_pb2.EraseOwnCopyRequest) -> lawful_pb2.EraseOwnCopyResponse:
        return await reviews.erase(officer_of(caller), request)

    return {
        PREFIX + "ListErasures": list_erasures,
        PREFIX + "PlaceHold": place_hold,
        PREFIX + "ReleaseHold": release_hold,
        PREFIX + "ListHolds": list_holds,
        PREFIX + "ListReviews": list_reviews,
        PREFIX + "KeepMessage": keep,
        PREFIX + "EraseOwnCopy": erase,
    }
