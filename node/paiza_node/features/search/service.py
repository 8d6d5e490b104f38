"""RPCs of officers for searches at their own node."""

import asyncio
from typing import Final

from paiza.officer.v1 import officer_pb2, search_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.api import paging
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.services import Service
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import Store
from paiza_node.features.listing import listing
from paiza_node.features.listing.listing import message_info
from paiza_node.features.search.saved import ListedSearch, SavedSearches
from paiza_node.features.search.search import Search
from paiza_wire.errors import Rejected

MAX_NUMBER: Final = 2**63 - 1  # of a message: the newest stands first


class SearchService(Service):
    """Handles searches of officers."""

    service = search_pb2.DESCRIPTOR.services_by_name["SearchService"]

    def __init__(self, search: Search, saved: SavedSearches, store: Store) -> None:
        """Store the search, the saved searches, and the store for list data."""
        self._search = search
        self._saved = saved
        self._store = store

    async def search(self, caller: Caller, request: search_pb2.SearchRequest) -> search_pb2.SearchResponse:
        """Find messages by their content."""
        officer = officer_of(caller)
        results = await self._search(officer, request)
        infos = await self._infos(officer, [each.row for each in results.found])
        response = search_pb2.SearchResponse(next_page_token=results.next_page_token, behind=results.behind)
        for each in results.found:
            if each.row.digest not in infos:  # it was retired since
                continue
            found = response.messages.add(message=infos[each.row.digest])
            if each.event_time is not None:
                found.event_time.FromDatetime(each.event_time)
        return response

    async def list_links(self, caller: Caller, request: search_pb2.ListLinksRequest) -> search_pb2.ListLinksResponse:
        """Return the messages that share an identifier with one."""
        officer = officer_of(caller)
        links = await self._search.links(officer, request.message_digest)
        linked, more = paging.page_of(links, lambda each: f"{MAX_NUMBER - each.row.seq:019}", request)
        infos = await self._infos(officer, [each.row for each in linked])
        return search_pb2.ListLinksResponse(
            messages=[
                search_pb2.LinkedMessage(message=infos[each.row.digest], fields=each.fields)
                for each in linked
                if each.row.digest in infos  # else it was retired since
            ],
            next_page_token=more,
        )

    async def find_similar(
        self, caller: Caller, request: search_pb2.FindSimilarRequest
    ) -> search_pb2.FindSimilarResponse:
        """Find requests about the same."""
        response = search_pb2.FindSimilarResponse()
        for each in await self._search.similar(officer_of(caller), request):
            similar = response.messages.add(
                thread_name=each.row.thread_name,
                message_digest=b"" if each.hidden else each.row.digest,
                message_id=b"" if each.hidden else each.row.message_id,
                officer_id=each.officer_id,
                fields=each.fields,
                recipients=each.recipients,
            )
            similar.stored_time.FromDatetime(each.row.stored_time)
        return response

    async def save_search(self, caller: Caller, request: search_pb2.SaveSearchRequest) -> search_pb2.SaveSearchResponse:
        """Save a search."""
        await self._saved.save(officer_of(caller), request)
        return search_pb2.SaveSearchResponse()

    async def remove_saved_search(
        self, caller: Caller, request: search_pb2.RemoveSavedSearchRequest
    ) -> search_pb2.RemoveSavedSearchResponse:
        """Remove a saved search."""
        await self._saved.remove(officer_of(caller), request.search_id)
        return search_pb2.RemoveSavedSearchResponse()

    async def list_saved_searches(
        self, caller: Caller, request: search_pb2.ListSavedSearchesRequest
    ) -> search_pb2.ListSavedSearchesResponse:
        """List the saved searches with their matches."""
        officer = officer_of(caller)
        listed, more = paging.page_of(await self._saved.listed(officer), _place, request)
        infos = await self._infos(officer, [row for each in listed for row in each.matches])
        response = search_pb2.ListSavedSearchesResponse(next_page_token=more)
        for each in listed:
            shown = response.searches.add(
                search_id=each.search.search_id,
                matches=[infos[row.digest] for row in each.matches if row.digest in infos],
                has_more=each.has_more,
                stale=each.stale,
            )
            shown.saved_time.FromDatetime(each.search.saved_time)
        return response

    async def acknowledge_matches(
        self, caller: Caller, request: search_pb2.AcknowledgeMatchesRequest
    ) -> search_pb2.AcknowledgeMatchesResponse:
        """Acknowledge matches."""
        if request.last_sequence > MAX_NUMBER:
            raise Rejected("malformed", "last_sequence is not one this node gave")
        await self._saved.acknowledge(officer_of(caller), request.search_id, request.last_sequence)
        return search_pb2.AcknowledgeMatchesResponse()

    async def _infos(self, officer: Officer, rows: list[MessageRow]) -> dict[bytes, officer_pb2.MessageInfo]:
        def read() -> dict[bytes, officer_pb2.MessageInfo]:
            with self._store.reads() as reads:
                listed = listing.listed(reads, [row.digest for row in rows], officer.id)
            return {each.row.digest: message_info(each) for each in listed}

        return await asyncio.to_thread(read)


def _place(listed: ListedSearch) -> str:
    """Return the place of a saved search in the list: the one saved first before the others."""
    return f"{paging.micros_of(listed.search.saved_time):019}.{listed.search.search_id.hex()}"
