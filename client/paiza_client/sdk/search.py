"""Searching at the own node: by what messages speak of, by links, and for requests that asked the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import grpc

from paiza.officer.v1 import search_pb2, search_pb2_grpc
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.summaries import summary
from paiza_officer import channel

MAX_PAGE: Final = 500  # the most the node gives at once

Criterion = tuple[str, str]
"""A field and a text, as in ("plate", "А 123 ВС 77").

The text has at most 200 characters, in Russian or English. The fields are those that `Search.search` lists.
"""


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message found; ``event_time`` is when what it reports took place, None where it names no day."""

    message: MessageSummary
    event_time: datetime | None


@dataclass(frozen=True, slots=True)
class FoundPage:
    """One page of what was found, newest first; ``behind`` messages are not searchable yet."""

    messages: tuple[FoundMessage, ...]
    next_page_token: str
    behind: int


@dataclass(frozen=True, slots=True)
class LinkedMessage:
    """A message that shares identifiers of these kinds with another."""

    message: MessageSummary
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SimilarRequest:
    """An earlier request of the own member about the same."""

    thread_name: str
    digest: bytes
    message_id: bytes
    officer_id: str
    stored_time: datetime
    fields: tuple[str, ...]
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SavedMatches:
    """A saved search as the node knows it, with its matches that were not acknowledged, newest first.

    ``has_more``: the node kept no more of them. ``stale``: it matches nothing until it is saved again.
    """

    search_id: bytes
    saved_time: datetime
    matches: tuple[MessageSummary, ...]
    has_more: bool
    stale: bool


class Search:
    """The session's calls for searches."""

    def __init__(self, connection: grpc.aio.Channel, call: channel.Call) -> None:
        self._stub = search_pb2_grpc.SearchServiceStub(connection)
        self._call = call

    async def search(
        self,
        criteria: Sequence[Criterion],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        author: str = "",
        kind: str = "",
        reason: str = "",
        page_size: int = 100,
        page_token: str = "",
    ) -> FoundPage:
        """Return the newest messages that the officer may see and that meet every criterion, at most 10 criteria.

        The fields of a criterion (`paiza_domain.terms.query_terms.SEARCHABLE`):
        transport      plate, vin, container, vessel, flight, waybill, carnet, seal
        persons        person, name, phone, document, personal-number, account, imei, company, registration
        substances     substance, drug-group, logo
        where          place, country, route ("transit KAZ": role and country)
        the message    reference, subject

        Those of the second line lead to a person. A reference is the agency's own, as the content names it.
        ``since`` and ``until`` are aware times around the event, or the storing where the content names no day.
        ``author`` is a member's id, ``kind`` a kind's name; ``page_size`` is at most `MAX_PAGE`, and ``page_token`` the
        token of the page before. A search by a field that leads to a person needs a ``reason``; the node logs SEARCHED
        with it, and the term blinded. Other searches are not logged.

        Refused("search_reason_missing"), ("search_field_unknown"), ("search_empty") where nothing restricts the search,
        ("too_large").
        """
        request = search_pb2.SearchRequest(
            criteria=[search_pb2.Criterion(field=field, text=text) for field, text in criteria],
            author=author,
            kind=kind,
            reason_text=reason,
            page_size=page_size,
            page_token=page_token,
        )
        if since is not None:
            request.since_time.FromDatetime(since)
        if until is not None:
            request.until_time.FromDatetime(until)
        answer: search_pb2.SearchResponse = await self._call(
            lambda: self._stub.Search(request, timeout=channel.CALL_SECONDS)
        )
        found = tuple(
            FoundMessage(
                summary(each.message),
                each.event_time.ToDatetime(tzinfo=UTC) if each.HasField("event_time") else None,
            )
            for each in answer.messages
        )
        return FoundPage(found, answer.next_page_token, answer.behind)

    async def links(self, digest: bytes) -> tuple[LinkedMessage, ...]:
        """Return the messages that share an identifier (a plate, a telephone, a person) with one, and which."""
        request = search_pb2.ListLinksRequest(message_digest=digest)
        pages = channel.pages(self._call, self._stub.ListLinks, request)
        return tuple(
            [LinkedMessage(summary(each.message), tuple(each.fields)) async for page in pages for each in page.messages]
        )

    async def similar(self, kind: str, criteria: Sequence[Criterion]) -> tuple[SimilarRequest, ...]:
        """Find requests of the own member, of this kind, that asked about the same in the last year."""
        request = search_pb2.FindSimilarRequest(
            kind=kind, criteria=[search_pb2.Criterion(field=field, text=text) for field, text in criteria]
        )
        answer: search_pb2.FindSimilarResponse = await self._call(
            lambda: self._stub.FindSimilar(request, timeout=channel.CALL_SECONDS)
        )
        return tuple(
            SimilarRequest(
                each.thread_name,
                each.message_digest,
                each.message_id,
                each.officer_id,
                each.stored_time.ToDatetime(tzinfo=UTC),
                tuple(each.fields),
                tuple(each.recipients),
            )
            for each in answer.messages
        )

    async def save(
        self, search_id: bytes, criteria: Sequence[Criterion], *, author: str = "", kind: str = "", reason: str = ""
    ) -> None:
        """Save a search under an id of 16 random bytes; `saved_searches.save` chooses it and keeps the name.

        Criteria, filters, errors and the log are those of `search`.
        """
        request = search_pb2.SaveSearchRequest(
            search_id=search_id,
            criteria=[search_pb2.Criterion(field=field, text=text) for field, text in criteria],
            author=author,
            kind=kind,
            reason_text=reason,
        )
        await self._call(lambda: self._stub.SaveSearch(request, timeout=channel.CALL_SECONDS))

    async def saved(self) -> list[SavedMatches]:
        """Return the saved searches of the officer, the one saved first before the others."""
        request = search_pb2.ListSavedSearchesRequest(page_size=MAX_PAGE)
        pages = channel.pages(self._call, self._stub.ListSavedSearches, request)
        return [
            SavedMatches(
                each.search_id,
                each.saved_time.ToDatetime(tzinfo=UTC),
                tuple(map(summary, each.matches)),
                each.has_more,
                each.stale,
            )
            async for page in pages
            for each in page.searches
        ]

    async def remove_saved(self, search_id: bytes) -> None:
        """Remove a saved search with its matches; Refused("unknown_id") if the officer has none with this id."""
        request = search_pb2.RemoveSavedSearchRequest(search_id=search_id)
        await self._call(lambda: self._stub.RemoveSavedSearch(request, timeout=channel.CALL_SECONDS))

    async def acknowledge_matches(self, search_id: bytes, last_sequence: int) -> None:
        """Acknowledge the matches of a saved search up to a message's ``sequence``: they are no longer listed."""
        request = search_pb2.AcknowledgeMatchesRequest(search_id=search_id, last_sequence=last_sequence)
        await self._call(lambda: self._stub.AcknowledgeMatches(request, timeout=channel.CALL_SECONDS))
