"""RPCs of officers at their own node."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC
from hashlib import sha256
from typing import Final

from paiza.officer.v1 import notice_pb2, officer_pb2
from paiza_node.core.access.model import MessageQuery, Officer
from paiza_node.core.access.need_to_know import known, list_scope
from paiza_node.core.access.threads import ThreadAccess
from paiza_node.core.api import paging
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.services import Service
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.send.submit import Submit
from paiza_node.core.exchange.send.trial import Trial
from paiza_node.core.log.notifier import TOGETHER_BYTES, Item
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import ReadConnection
from paiza_node.features.approvals.notices import APPROVAL
from paiza_node.features.inbox.notices import PendingNotices
from paiza_node.features.inbox.open_part import OpenPart
from paiza_node.features.inbox.open_together import OpenTogether
from paiza_node.features.inbox.source_rows import FindSourceRows
from paiza_node.features.inbox.subjects import ShownSubjects, ShowSubjects
from paiza_node.features.inbox.watches import ChangedMessage, Watches
from paiza_node.features.listing import listing
from paiza_node.features.listing.listing import message_info
from paiza_node.features.listing.model import ListedMessage
from paiza_node.features.search.search import Search
from paiza_node.features.workflows.deadlines import WorkflowDeadlines, overlapping
from paiza_node.features.workflows.service import sees_thread
from paiza_wire.errors import Rejected, Unavailable

MAX_FILTER: Final = 128  # characters of a filter
LATEST_SECONDS: Final = 221_845_392_000  # the year 9000: what calendars can hold
MAX_SEQUENCE: Final = 2**63 - 1  # what both databases can hold
BACKLOG_PAGE: Final = 50  # messages read at once when a watch begins with a backlog: usual ones fill one response


class OfficerService(Service):
    """Handles requests of officers about messages."""

    service = officer_pb2.DESCRIPTOR.services_by_name["OfficerService"]

    def __init__(
        self,
        core: Core,
        *,
        submit: Submit,
        trial: Trial,
        open_part: OpenPart,
        open_together: OpenTogether,
        show_subjects: ShowSubjects,
        deadlines: WorkflowDeadlines,
        pending: PendingNotices,
        search: Search,
        find_source_rows: FindSourceRows,
        may_know_of: ThreadAccess,
        watches: Watches,
        version: str,
        protocol_version: int,
    ) -> None:
        """Store the operations and the data about the node."""
        self._register_cache = core.register_cache
        self._ledger = core.ledger
        self._store = core.store
        self._watches = watches
        self._submit = submit
        self._trial = trial
        self._open_part = open_part
        self._open_together = open_together
        self._show_subjects = show_subjects
        self._deadlines = deadlines
        self._pending = pending
        self._search = search
        self._find_source_rows = find_source_rows
        self._may_know_of = may_know_of
        self._version = version
        self._protocol_version = protocol_version
        self._clock = core.clock

    async def get_session(
        self, caller: Caller, _request: officer_pb2.GetSessionRequest
    ) -> officer_pb2.GetSessionResponse:
        """Return the caller's session: who they are, and what the node is."""
        officer = officer_of(caller)
        response = officer_pb2.GetSessionResponse(
            officer_id=officer.id,
            roles=sorted(officer.roles),
            unit=officer.unit,
            protocol_version=self._protocol_version,
            register_version=self._register_cache.version,
            checkpoint=self._ledger.checkpoint.note,
            node_version=self._version,
        )
        response.node_time.FromDatetime(self._clock())
        return response

    async def submit(self, caller: Caller, request: officer_pb2.SubmitRequest) -> officer_pb2.SubmitResponse:
        """Release messages."""
        return await self._submit(officer_of(caller), request.items)

    async def try_message(
        self, caller: Caller, request: officer_pb2.TryMessageRequest
    ) -> officer_pb2.TryMessageResponse:
        """Return what Submit would answer about a message."""
        return await self._trial(officer_of(caller), request.item)

    async def open_message(
        self, caller: Caller, request: officer_pb2.OpenMessageRequest
    ) -> officer_pb2.OpenMessageResponse:
        """Hand over one part."""
        return await self._open_part(officer_of(caller), request)

    async def open_messages(
        self, caller: Caller, request: officer_pb2.OpenMessagesRequest
    ) -> officer_pb2.OpenMessagesResponse:
        """Hand over the main parts of several messages."""
        return await self._open_together(officer_of(caller), request)

    async def list_messages(
        self, caller: Caller, request: officer_pb2.ListMessagesRequest
    ) -> officer_pb2.ListMessagesResponse:
        """List messages without content, a page at a time."""
        officer = officer_of(caller)
        size = paging.page_size(request)
        page = await asyncio.to_thread(self._list, _query(request, officer, size + 1), officer)
        more = paging.token_of(page[size - 1].row.seq) if len(page) > size else ""
        shown = ShownSubjects()
        if request.with_subjects:
            shown = await self._show_subjects(officer, [listed.row for listed in page[:size] if not listed.erased])
        return officer_pb2.ListMessagesResponse(
            messages=[message_info(listed, shown.of(listed.row.digest)) for listed in page[:size]],
            next_page_token=more,
            subjects_shown=shown.proof,
        )

    async def watch(
        self, caller: Caller, request: officer_pb2.WatchRequest
    ) -> AsyncIterator[officer_pb2.WatchResponse]:
        """Stream pending notices, messages after a sequence number, then every change as it happens."""
        officer = officer_of(caller)
        subscription = self._watches.subscribe(officer)  # before the backlog is read, so that no change is missed
        try:
            after: int | None = request.after_sequence if request.HasField("after_sequence") else None
            if after is not None and after > MAX_SEQUENCE:
                raise Rejected("malformed", "after_sequence is not one this node gave")
            # While a response waits for its reader, all that has a name here is kept for each of many watches.
            response: list[officer_pb2.WatchResponse] = []
            pending = await asyncio.to_thread(self._pending.of, officer)
            self._watches.begin(subscription, (*pending, *self._deadlines.current()))
            del pending
            # What changed while the backlog is read waits as news, and may be what the backlog shows: not shown twice.
            backlog: dict[bytes, bytes] = {}  # of the last page
            ahead: dict[bytes, bytes] = {}
            while True:
                while items := subscription.take_ahead():  # a stop does not wait for the backlog
                    response += await self._told(items, officer, backlog)
                    del items
                    if response:
                        ahead.update(_fingerprints(response[0].messages))
                        yield response.pop()
                if after is None:
                    break
                response[:], backlog, after = await asyncio.to_thread(self._backlog, after, officer, ahead)
                if response:
                    yield response.pop()
            while items := await subscription.take():
                response += await self._told(items, officer, backlog)
                del items
                if response:
                    yield response.pop()
        finally:
            self._watches.unsubscribe(officer, subscription)
        why = "it was read too slowly" if subscription.lagged else "the node stops, or a change may have been missed"
        raise Unavailable("busy", f"the watch ended: {why}", 1.0)

    async def _told(
        self, items: Sequence[Item], officer: Officer, backlog: dict[bytes, bytes]
    ) -> list[officer_pb2.WatchResponse]:
        """Return the response for items of a watch, none if they hold no news: what the backlog showed is left out."""
        changed = [await self._as_shown(item, officer) for item in items if isinstance(item, ChangedMessage)]
        messages = [info for info in changed if not _was_shown(info, backlog)]
        notices = [item for item in items if isinstance(item, notice_pb2.Notice)]
        if notices:
            notices = await asyncio.to_thread(self._as_entitled, notices, officer)
        return [officer_pb2.WatchResponse(messages=messages, notices=notices)] if messages or notices else []

    async def _as_shown(self, item: ChangedMessage, officer: Officer) -> officer_pb2.MessageInfo:
        """Return a message as it is shown to an officer."""
        if officer.id not in item.read.openers and not item.read.listed.linked:
            return item.info
        listed = item.read.shown_to(officer.id)
        return message_info(await asyncio.to_thread(self._linked, listed, officer) if listed.linked else listed)

    def _as_entitled(self, notices: Sequence[notice_pb2.Notice], officer: Officer) -> list[notice_pb2.Notice]:
        """Return notices without what the officer may not know; threads are named only if they may know of them."""
        found = []
        for notice in notices:
            with self._store.reads() as reads:
                # Approvals are sent to the officers the message names, whatever else they may see.
                if not (notice.code.startswith(APPROVAL) or _may_be_told(reads, notice, officer)):
                    continue
                threads = {name: messages_store.thread_id(reads, name) for name in notice.other_threads}
            named = [name for name, thread in threads.items() if thread and self._may_know_of(officer, thread)]
            if named:
                found.append(overlapping(notice.thread_id, notice.thread_name, named))
            elif not threads:
                found.append(notice)
        return found

    def _list(self, query: MessageQuery, officer: Officer) -> list[ListedMessage]:
        with self._store.reads() as reads:
            found = listing.list_messages(reads, replace(query, seen_by=list_scope(officer)), officer.id)
            return self._with_links(reads, found, officer)

    def _backlog(
        self, after: int, officer: Officer, ahead: dict[bytes, bytes]
    ) -> tuple[list[officer_pb2.WatchResponse], dict[bytes, bytes], int | None]:
        """Read the oldest messages after a sequence number, as many as go together.

        Return the response with those that were not shown ``ahead``, none for none; the fingerprints of all of them;
        and the number of the last, None if it is the last of all.
        """
        page: list[officer_pb2.MessageInfo] = []
        size = 0
        found = self._list(MessageQuery(after_seq=after, limit=BACKLOG_PAGE, oldest_first=True), officer)
        for listed in found:
            info = message_info(listed)
            size += info.ByteSize()
            if page and size > TOGETHER_BYTES:
                break
            page.append(info)
        fresh = [each for each in page if not _was_shown(each, ahead)]
        response = [officer_pb2.WatchResponse(messages=fresh)] if fresh else []
        goes_on = len(page) == BACKLOG_PAGE or len(page) < len(found)
        return response, dict(_fingerprints(page)), page[-1].sequence if goes_on else None

    def _linked(self, listed: ListedMessage, officer: Officer) -> ListedMessage:
        """Return a message that may be linked with whether it is for this officer."""
        with self._store.reads() as reads:
            return replace(listed, linked=bool(self._search.linked(reads, officer, [listed.row])))

    def _with_links(
        self, reads: ReadConnection, messages: list[ListedMessage], officer: Officer
    ) -> list[ListedMessage]:
        linked = self._search.linked(reads, officer, [each.row for each in messages])
        return [replace(each, linked=each.row.seq in linked) for each in messages] if linked else messages

    async def find_source_rows(
        self, caller: Caller, request: officer_pb2.FindSourceRowsRequest
    ) -> officer_pb2.FindSourceRowsResponse:
        """Return which source rows were sent already."""
        return await asyncio.to_thread(self._find_source_rows, officer_of(caller), request.source_row_sha256)


def _fingerprints(messages: Iterable[officer_pb2.MessageInfo]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the digest of each message, and what identifies it in list form."""
    for each in messages:
        yield each.message_digest, _fingerprint(each)


def _fingerprint(info: officer_pb2.MessageInfo) -> bytes:
    return sha256(info.SerializeToString(deterministic=True)).digest()


def _was_shown(info: officer_pb2.MessageInfo, before: dict[bytes, bytes]) -> bool:
    """Return whether a message was shown as it is now; what was shown ``before`` of it is forgotten."""
    found = before.pop(info.message_digest, None)
    return found is not None and found == _fingerprint(info)


def _may_be_told(reads: ReadConnection, notice: notice_pb2.Notice, officer: Officer) -> bool:
    """Return whether an officer may know of the message that a notice is about, or of a message of its thread."""
    if notice.message_digest:
        return known(reads, officer, notice.message_digest) is not None
    return sees_thread(reads, notice.thread_id, officer)


def _query(request: officer_pb2.ListMessagesRequest, officer: Officer, limit: int) -> MessageQuery:
    for text in (request.kind, request.author, request.id_prefix):
        if len(text) > MAX_FILTER:
            raise Rejected("malformed", f"a filter has at most {MAX_FILTER} characters")
    prefix = request.id_prefix.replace("-", "").lower()
    is_hex = bool(prefix) and not prefix.strip("0123456789abcdef")
    before = paging.numbers_of(request, 1)
    for name in ("since_time", "until_time"):
        if request.HasField(name) and not 0 <= getattr(request, name).seconds < LATEST_SECONDS:
            raise Rejected("malformed", f"{name} is not a time between 1970 and 9000")
    received = {officer_pb2.BOX_INBOX: True, officer_pb2.BOX_SENT: False}.get(request.box)
    return MessageQuery(
        received=received,
        unread_by=officer.id if request.unread_only else "",
        kind=request.kind,
        author=request.author,
        since_time=request.since_time.ToDatetime(tzinfo=UTC) if request.HasField("since_time") else None,
        until_time=request.until_time.ToDatetime(tzinfo=UTC) if request.HasField("until_time") else None,
        thread_id=request.thread_id,
        thread_name=request.id_prefix.upper() if request.id_prefix and not is_hex else "",
        id_prefix=prefix if is_hex else "",
        before_seq=before[0] if before else None,
        limit=limit,
    )
