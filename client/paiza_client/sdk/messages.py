"""Messages found by what an officer writes for them or by what is known of them, and the content of one that is open.

Finding opens nothing: the node lists headers, and logs nothing unless subjects are asked for.
"""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from google.protobuf.message import Message

from paiza.core.v1 import message_pb2
from paiza_client.sdk.model import Box, MessageSummary, Page
from paiza_client.sdk.session import Session
from paiza_client.sdk.wording import kind_of, when
from paiza_client.verify.model import OpenedPart
from paiza_officer.errors import FieldProblem, Misused, Refused, located
from paiza_wire.message import parse_strictly

MAX_CANDIDATES: Final = 20  # messages named when an id is not unique
PAGE: Final = 500  # the most the node gives at once

_HEX: Final = re.compile(r"[0-9a-f]{4,64}\Z")
_THREAD: Final = re.compile(r"[A-Z][A-Z0-9-]{1,15}-[0-9]{4}-[0-9]{1,9}\Z")


async def matching(session: Session, text: str) -> tuple[MessageSummary, ...]:
    """Return the messages that a text names: (the beginning of) an id or digest, or a thread's short name.

    At most `MAX_CANDIDATES`, newest first. Refused("unknown_id") if there is none, or if the text is no name.
    """
    wanted = text.strip().replace("-", "").lower()
    if _THREAD.match(text.strip().upper()):
        prefix = text.strip().upper()
    elif _HEX.match(wanted):
        prefix = wanted
    else:
        raise Refused("unknown_id", text)
    page = await session.list_messages(box="both", id_prefix=prefix, page_size=MAX_CANDIDATES)
    if not page.messages:
        raise Refused("unknown_id", text)
    return page.messages


async def find(session: Session, text: str) -> MessageSummary:
    """Return the one message that a text names; a thread's name stands for its message while it has only one.

    Refused("unknown_id") if there is none, Refused("ambiguous_id") with the candidates if there are several.
    """
    found = await matching(session, text)
    if len(found) > 1:
        exact = [each for each in found if each.id == text.replace("-", "").lower()]
        if len(exact) == 1:
            return exact[0]
        problems = [
            FieldProblem(each.id, f"{each.header.kind}, {each.header.author}, {when(each.stored_time)}")
            for each in found
        ]
        raise Refused("ambiguous_id", text, problems=problems)
    return found[0]


async def find_own(session: Session, text: str) -> MessageSummary:
    """Return the message of our own member that a text names: only these are recalled, corrected and erased elsewhere.

    Refused("not_author") for another member's message, otherwise as `find`.
    """
    found = await find(session, text)
    if found.header.author != session.profile.member:
        raise Refused("not_author", found.id, found.header.author)
    return found


def unread(
    session: Session, *, kind: str = "", author: str = "", since: datetime | None = None
) -> AsyncIterator[MessageSummary]:
    """Yield the received messages that this officer has not opened, newest first.

    Unread is not unanswered: a colleague may have answered, and what was opened may wait for an answer
    (`threads.unanswered`).

    ``kind`` is the name of a kind ("information-request"), ``author`` a member's id ("tjk"), ``since`` an aware time
    from which on the own node stored them; each is optional. Nothing is logged; `Session.open_part` marks as read.
    """
    return walk(session, unread_only=True, kind=kind, author=author, since=since)


async def pages(
    session: Session,
    *,
    box: Box = "inbox",
    unread_only: bool = False,
    kind: str = "",
    author: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    subjects: bool = False,
    page_size: int = PAGE,
    token: str = "",
) -> AsyncIterator[Page]:
    """Yield the messages that fit, newest first, page by page; each page says whether there is another.

    ``page_size`` is at most `PAGE`. ``token`` is the ``next_token`` of an earlier page: the first page is the one after
    it. What arrives meanwhile stands on no later page. The filters are those of `Session.list_messages`; ``subjects``
    are logged as SUBJECTS_SHOWN, once for each page, and otherwise nothing is logged.
    """
    while True:
        page = await session.list_messages(
            box=box,
            unread_only=unread_only,
            kind=kind,
            author=author,
            since=since,
            until=until,
            subjects=subjects,
            page_size=page_size,
            page_token=token,
        )
        yield page
        token = page.next_token
        if not token:
            break


async def first_page(session: Session, limit: int, *, token: str = "", **filters: Any) -> Page:
    """Return at most ``limit`` messages as one page, over as many answers of the node as it takes.

    ``token`` and ``filters`` are those of `pages`.
    """
    found: list[MessageSummary] = []
    while len(found) < limit:
        page = await session.list_messages(page_size=min(PAGE, limit - len(found)), page_token=token, **filters)
        found += page.messages
        token = page.next_token
        if not token:
            break
    return Page(tuple(found), token)


async def walk(
    session: Session,
    *,
    box: Box = "inbox",
    unread_only: bool = False,
    kind: str = "",
    author: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> AsyncIterator[MessageSummary]:
    """Yield every message that fits, newest first, over as many pages as it takes; the filters are those of `pages`."""
    listing = pages(session, box=box, unread_only=unread_only, kind=kind, author=author, since=since, until=until)
    async for page in listing:
        for each in page.messages:
            yield each


def content(opened: OpenedPart) -> Message:
    """Return the content of an opened main part or nominal annex, as the protocol's own record of its kind.

    Refused("unknown_kind") where this program does not know the kind, or with the reason why the bytes are no content
    of it; Misused("part_missing") for an attachment.
    """
    header = opened.message.header
    kind = kind_of(header)
    part = header.parts[opened.part_number].kind
    expected = {message_pb2.PART_KIND_MAIN: kind.content, message_pb2.PART_KIND_NOMINAL_ANNEX: kind.annex}.get(part)
    if expected is None:
        raise Misused("part_missing", f"{header.message_id.hex()}: {opened.part_number}")
    with located(header.message_id.hex()):
        return parse_strictly(expected, opened.plaintext, "the content")
