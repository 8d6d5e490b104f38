"""What our member asked and others have not answered, and by when: by headers and subject lines, nothing is opened.

An answer counts by its header. Where its subject line says that it is an interim one, the request stays open. An
answer that leaves single questions open says so in its content only: `threads.request_statuses` tells it apart.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from google.protobuf.message import DecodeError, Message

from paiza.core.v1.message_pb2 import Subject
from paiza_client.sdk import messages, threads
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.session import Session
from paiza_domain import kinds
from paiza_domain.threads.request_status import STILL_OPEN
from paiza_domain.threads.thread import ThreadMessage

ACKNOWLEDGEMENT: Final = "acknowledgement"
_STATUS_LIST: Final = "answer_status"
_OPEN_CODES: Final = frozenset(each.value for each in STILL_OPEN)

Named = Callable[[Sequence[MessageSummary]], Awaitable[Sequence[MessageSummary]]]
"""Returns messages with their subject lines."""
ContentOf = Callable[[MessageSummary], Message | None]
"""Returns the content of a message that was opened before; None for one that was not."""


@dataclass(frozen=True, slots=True)
class Silent:
    """One addressee that still has to answer: what it sent so far. ``interim`` is the digest of an interim answer."""

    member: str
    acknowledged: bool
    interim: bytes = b""


@dataclass(frozen=True, slots=True)
class Awaited:
    """One request of our member with the addressees that still have to answer; ``due`` is None without a deadline.

    ``is_opened``: its content was at hand, which may name a deadline of its own.
    """

    request: MessageSummary
    due: datetime | None
    silent: tuple[Silent, ...]
    is_opened: bool = False

    def overdue(self, now: datetime) -> bool:
        """Return whether the deadline is past."""
        return self.due is not None and self.due < now


def _closed_to_us(_message: MessageSummary) -> Message | None:
    return None


async def answers(
    session: Session,
    *,
    since: datetime | None = None,
    own_only: bool = False,
    named: Named | None = None,
    content_of: ContentOf = _closed_to_us,
) -> list[Awaited]:
    """Return the requests of our member that somebody has not answered, the first due first, those without one last.

    A request is a sent message whose kind expects an answer; recalled and replaced ones and steps of a workflow are
    left out. ``since`` is an aware time from which on the own node stored them, ``own_only`` leaves those that this
    officer signed. ``named`` adds subject lines to requests and answers; without it every answer counts as whole.
    ``content_of`` returns the requests that were opened before: a deadline that one names binds.

    The node lists what this officer may see: an answer to another unit of our member is not among it, nor is the
    request. Nothing is opened; the node logs subject lines if ``named`` asks for them.
    """
    known = kinds.all_kinds()
    asking = [each for each in known.values() if each.answered_by and not each.workflow]
    own = str(session.profile.id)
    asked: list[MessageSummary] = []
    for kind in asking:
        async for each in messages.walk(session, box="sent", kind=kind.name, since=since):
            signed = own in {signer.id for signer in each.header.required_signers}
            if not (each.recalled_by or each.replaced_by or each.erased) and (signed or not own_only):
                asked.append(each)
    if not asked:
        return []
    first = min(each.stored_time for each in asked)
    replies = await _replies(session, {each.header.kind for each in asked}, {each.digest for each in asked}, first)
    if named is not None:
        replies = list(await named(replies))
    about: dict[bytes, list[MessageSummary]] = {}
    for reply in replies:
        for digest in reply.header.parent_digests:
            about.setdefault(digest, []).append(reply)
    found = [await _standing(session, each, content_of(each), about.get(each.digest, ())) for each in asked]
    waiting = [each for each in found if each is not None]
    if named is not None:
        with_subjects = {each.digest: each for each in await named([each.request for each in waiting])}
        waiting = [replace(each, request=with_subjects[each.request.digest]) for each in waiting]
    last = datetime.max.replace(tzinfo=UTC)
    return sorted(waiting, key=lambda each: (each.due or last, each.request.stored_time))


async def _replies(session: Session, asked: set[str], requests: set[bytes], since: datetime) -> list[MessageSummary]:
    """Return the messages of others that answer or acknowledge one of the requests, newest first by kind."""
    known = kinds.all_kinds()
    wanted = {ACKNOWLEDGEMENT, *(name for kind in asked for name in known[kind].answered_by)}
    return [
        each
        for kind in sorted(wanted)
        async for each in messages.walk(session, kind=kind, since=since)
        if requests & set(each.header.parent_digests)
    ]


async def _standing(
    session: Session, request: MessageSummary, content: Message | None, replies: Sequence[MessageSummary]
) -> Awaited | None:
    """Return who still has to answer a request; None where everybody has."""
    interim = {each.header.author: each.digest for each in reversed(replies) if _is_interim(each)}
    whole = [each for each in replies if not _is_interim(each)]
    opened = replace(_closed(request), content=content)
    statuses = await threads.request_statuses(session, [opened, *map(_closed, whole)])
    status = next((each for each in statuses if each.digest == request.digest), None)
    if status is None or status.withdrawn:
        return None
    silent = tuple(
        Silent(each.member, bool(each.acknowledged), interim.get(each.member, b""))
        for each in status.addressees
        if each.member in status.without_answer
    )
    return Awaited(request, status.due, silent, content is not None) if silent else None


def _is_interim(answer: MessageSummary) -> bool:
    """Return whether the subject line of an answer says that more is to come."""
    try:
        subject = Subject.FromString(answer.subject)
    except DecodeError:
        return False
    terms = [each.term for each in subject.items if each.HasField("term")]
    return any(each.list == _STATUS_LIST and each.code in _OPEN_CODES for each in terms)


def _closed(message: MessageSummary) -> ThreadMessage:
    return ThreadMessage(message.digest, message.header, message.stored_time, None, bool(message.recalled_by))
