"""A thread as it stands: its messages, what was opened of it, and how its requests stand.

Headers say who answered and who did not; what the answers say by question is known only of what is opened, and every
opening is logged. So `open_messages` opens nothing unless the caller asks for it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import workflow_pb2
from paiza_client.language import _
from paiza_client.sdk import messages
from paiza_client.sdk.approvals import WaitingSummary
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.session import Session
from paiza_client.verify.model import OpenedPart
from paiza_domain import kinds
from paiza_domain.threads import request_status, thread
from paiza_domain.threads.request_status import RequestStatus
from paiza_domain.threads.thread import ThreadMessage
from paiza_officer.errors import FieldProblem, NotProven, Refused
from paiza_wire.errors import Rejected

PAGE: Final = 500  # the most the node gives at once

Wanted = Callable[[message_pb2.Header], bool]
"""Whether a message of a thread is opened, by its header."""


OpenPart = Callable[[MessageSummary], Awaitable[OpenedPart]]
"""Opens the main part of a message."""


def nothing(_header: message_pb2.Header) -> bool:
    """Open nothing."""
    return False


def is_of_requests(header: message_pb2.Header) -> bool:
    """Return whether a message asks or answers, outside a workflow."""
    if in_workflow(header):
        return False
    known = kinds.all_kinds()
    answering = {name for kind in known.values() for name in kind.answered_by}
    kind = known.get(header.kind)
    return header.kind in answering or (kind is not None and bool(kind.answered_by))


def in_workflow(header: message_pb2.Header) -> bool:
    """Return whether a message is a step of a workflow."""
    kind = kinds.all_kinds().get(header.kind)
    return kind is not None and bool(kind.workflow)


async def find(session: Session, text: str) -> bytes:
    """Return the id, 16 bytes, of the thread that a text names: by its short name, or any message of it.

    Where the text fits messages of several threads, the newest is meant, and said (`messages.find`). Refused
    ("unknown_id") if there is none.
    """
    found = await messages.matching(session, text)
    threads = {each.header.thread_id for each in found}
    if len(threads) > 1:
        return (await messages.find(session, text)).header.thread_id
    return threads.pop()


async def waiting_for_signature(session: Session, text: str) -> WaitingSummary:
    """Return the waiting message that a text names: as `Approvals.find`, or by the short name of its thread.

    Of several in one thread the newest is meant that waits for this officer. A message that begins a thread has no
    such name yet.
    """
    if not messages.is_thread_name(text):
        return await session.approvals.find(text)
    thread_id = await find(session, text)
    waiting = [each for each in await session.approvals.waiting() if each.header.thread_id == thread_id]
    if not waiting:
        raise Refused("unknown_id", text)
    own = str(session.profile.id)
    return max(waiting, key=lambda each: (own in each.missing, each.submitted_time))


async def unanswered(
    session: Session, *, kind: str = "", since: datetime | None = None
) -> AsyncIterator[MessageSummary]:
    """Yield the received requests that our member has not answered, newest first, as of the first step.

    A request is a message to our member whose kind expects an answer; recalled requests and steps of a workflow are
    left out. ``kind`` is the name of a kind ("information-request"), ``since`` an aware time from which on the own node
    stored the requests; each is optional.

    Headers alone are read: nothing is opened, nothing is logged. So an interim answer, or one to some of the questions,
    counts as an answer; `request_statuses` tells them apart. An answer counts that was released and not recalled, that
    waits for a second officer (`session.approvals.waiting`), or that waits in this profile's outbox.

    Not seen are what other officers submitted for a second signature or have in their outboxes, and what the own node
    does not list to this officer: of the messages of other units of the member it lists those that the officer signed
    or was assigned, and all to a duty officer, coordinator or auditor. An answer is of the unit of its sender. Errors
    are those of `Session.list_messages`, and Refused("malformed") for a damaged outbox.
    """
    asking = {name: each for name, each in kinds.all_kinds().items() if each.answered_by and not each.workflow}
    own = session.profile.member
    requests = [
        each
        async for each in messages.walk(session, kind=kind, since=since)
        if each.header.kind in asking and not each.recalled_by and own in {to.member for to in each.header.recipients}
    ]
    # An answer goes from the outbox to the second officer, and then to the log: read in this order, none is missed.
    waiting = await asyncio.to_thread(session.outbox.listing)
    answers = [each.header for each in waiting if not each.refused and not each.second]
    answers += [each.header for each in await session.approvals.waiting()]
    for name in sorted({name for each in requests for name in asking[each.header.kind].answered_by}):
        released = messages.walk(session, box="sent", kind=name, since=since)
        answers += [each.header async for each in released if not each.recalled_by and not each.replaced_by]
    answered = {(digest, each.kind) for each in answers for digest in each.parent_digests}
    for each in requests:
        if not any((each.digest, name) in answered for name in asking[each.header.kind].answered_by):
            yield each


async def list_messages(session: Session, thread_id: bytes, *, subjects: bool = False) -> list[MessageSummary]:
    """Return the messages of a thread, oldest first. Nothing is opened.

    ``subjects`` asks for the subjects too, which the node logs as SUBJECTS_SHOWN, once for each 500 messages.
    """
    found: list[MessageSummary] = []
    token = ""
    while True:
        page = await session.list_messages(
            box="both", thread_id=thread_id, page_size=PAGE, page_token=token, subjects=subjects
        )
        found += page.messages
        token = page.next_token
        if not token:
            break
    return found[::-1]


async def open_messages(
    session: Session,
    listed: Sequence[MessageSummary],
    wanted: Wanted = nothing,
    reason: str = "",
    open_part: OpenPart | None = None,
) -> list[ThreadMessage]:
    """Return the messages of a thread for `request_statuses`, in order, with the contents that are wanted.

    The node logs one OPENED entry, with the reason, for each message whose header is ``wanted`` (`nothing`,
    `is_of_requests`, or a function of your own). What may not be opened stays without content. Unreachable where the
    node goes away, NotProven where a signature or proof does not hold: a thread is never counted without what it has.

    The time of what was opened is that of its release by its author's log, otherwise that of its storing here.
    """

    async def opened(message: MessageSummary) -> OpenedPart:
        return await session.open_part(message.digest, 0, reason)

    chosen = open_part or opened
    return [await _opened(each, chosen) if wanted(each.header) else _closed(each) for each in listed]


async def request_statuses(session: Session, opened: Sequence[ThreadMessage]) -> list[RequestStatus]:
    """Return how every request of a thread stands: who answered which question, and who is silent.

    Only what was released counts. An answer of our own member that waits for a second officer
    (`session.approvals.waiting`), or in the outbox (`session.outbox`), is not seen; `unanswered` considers both. Nor is
    an answer of another unit of our member that the own node does not list to this officer.

    For our own recalls the node is asked who holds what they take back. Steps of a workflow are left out: who owes what
    there follows from the whole of it (`workflow`), not from the answer to one step.
    """
    found: list[RequestStatus] = []
    for message in opened:
        if in_workflow(message.header):
            continue
        holders: list[str] = []
        if message.header.kind == thread.RECALL and message.author == session.profile.member:
            for digest in thread.affected_digests(message.header):
                holders += [each.member for each in await session.forwarding.holders(digest)]
        status = request_status.of_request(message, opened, holders)
        if status is not None:
            found.append(status)
    return found


async def workflow(session: Session, text: str) -> workflow_pb2.GetWorkflowResponse:
    """Return the workflow of the thread that a text names (as `find`): where it stands, every step, and what is due.

    Refused("unknown_id") where the thread is no workflow. The state is the own node's word; its steps are messages,
    each proven on opening.
    """
    thread_id = await find(session, text)
    try:
        found = await session.workflows.get(thread_id=thread_id)
    except Refused as error:
        if error.reason != "unknown_id":
            raise
        raise no_workflow(text) from error
    if not found.status.workflow or not found.steps:
        raise no_workflow(text)
    return found


def no_workflow(text: str) -> Refused:
    """Return the refusal of a thread that is there, and is no controlled delivery or other workflow."""
    what = _("It is the id of a thread that is no controlled delivery: paiza thread ID shows it.")
    return Refused("unknown_id", text, "not a workflow", [FieldProblem("", what, "no_workflow")])


def _closed(message: MessageSummary) -> ThreadMessage:
    return ThreadMessage(message.digest, message.header, message.stored_time, None, bool(message.recalled_by))


async def _opened(message: MessageSummary, open_part: OpenPart) -> ThreadMessage:
    try:
        part = await open_part(message)
        content = messages.content(part)
    except NotProven:
        raise
    except Rejected:  # recalled, erased, of an unknown kind, or not for this officer: it stays closed
        return _closed(message)
    released = min((proof.time for proof in part.released), default=message.stored_time)
    return replace(_closed(message), time=released, content=content)
