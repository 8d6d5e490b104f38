"""Messages found by what an officer writes for them or by what is known of them, and the content of one that is open.

Finding opens nothing: the node lists headers, and logs nothing unless subjects are asked for.
"""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

from google.protobuf.message import Message

from paiza.core.v1 import message_pb2
from paiza_client.language import _, language
from paiza_client.sdk import fitting
from paiza_client.sdk.fitting import Fits
from paiza_client.sdk.model import Box, MessageSummary, Page
from paiza_client.sdk.session import Session
from paiza_client.sdk.wording import kind_of, kind_title, sender, when
from paiza_client.verify.model import OpenedPart
from paiza_domain.schema import subjects
from paiza_domain.terms.folding import LOOKALIKES
from paiza_officer.errors import FieldProblem, Misused, Refused, located
from paiza_wire.message import parse_strictly

MAX_CANDIDATES: Final = 20  # messages named where only one may be meant
PAGE: Final = 500  # the most the node gives at once

_HEX: Final = re.compile(r"[0-9a-f]{4,64}\Z")
_LEAST: Final = 4  # digits of an id by which the node looks it up
_HEX_DIGITS: Final = frozenset("0123456789abcdef")
_TYPED: Final = LOOKALIKES | {ord("З"): "Z"}  # a thread's name typed on a Russian keyboard
_THREAD: Final = re.compile(r"(?P<begin>[A-Z][A-Z0-9-]{1,15}-[0-9]{4})-(?P<number>[0-9]{1,9})\Z")


async def matching(session: Session, text: str) -> tuple[MessageSummary, ...]:
    """Return the messages that a text names: (the beginning of) an id or digest, or a thread's short name.

    At most `PAGE`, newest first. Refused("unknown_id") if there is none, or if the text is no name.
    """
    page = await session.list_messages(box="both", id_prefix=_prefix(text), page_size=PAGE)
    if not page.messages:
        raise Refused("unknown_id", text)
    return page.messages


async def find(session: Session, text: str, *wanted: Fits) -> MessageSummary:
    """Return the message that a text names: of several the newest that fits, of which `Session.tell_meant` is told.

    ``wanted`` say which message of a thread a command can be about, the best first (`fitting`); where none fits, the
    newest of all is returned, and the caller refuses it. A full id or digest names one message, whether it fits or not.

    Refused("unknown_id") if there is none.
    """
    found = await matching(session, text)
    exact = [each for each in found if each.id == _prefix(text)]
    if len(found) == 1 or len(exact) == 1:
        return (exact or found)[0]
    for fits in wanted:
        if meant := next(filter(fits, found), None):
            break
    else:
        meant = found[0]
    session.tell_meant(text, meant)
    return meant


async def find_own(session: Session, text: str, fits: Fits = fitting.of_all) -> MessageSummary:
    """Return the message of our own member that a text names: only these are recalled, corrected and erased elsewhere.

    Such an act cannot be undone: the beginning of an id must fit one own message alone, and only a thread's name means
    the newest. Refused("ambiguous_id") with the candidates, ("not_author") for another member's message, otherwise as
    `find`.
    """
    own = session.profile.member

    def is_wanted(message: MessageSummary) -> bool:
        return message.header.author == own and fits(message)

    if not is_thread_name(text):
        found = [each for each in await matching(session, text) if each.header.author == own]
        if len(found) > 1 and _prefix(text) not in {each.id for each in found}:
            raise Refused("ambiguous_id", text, problems=await candidates(session, found[:MAX_CANDIDATES]))
    message = await find(session, text, is_wanted, lambda each: each.header.author == own)
    if message.header.author != own:
        raise Refused("not_author", message.id, message.header.author)
    return message


def is_thread_name(text: str) -> bool:
    """Return whether a text is written as the short name of a thread ("TJK-2026-00123")."""
    return _THREAD.match(_latin(text)) is not None


async def candidates(session: Session, messages: Sequence[MessageSummary]) -> list[FieldProblem]:
    """Return a line on each message, by which an officer chooses: kind, subject, sender and time.

    The node logs SUBJECTS_SHOWN for each.
    """
    lines = []
    for each in messages:
        page = await session.list_messages(box="both", id_prefix=each.id, page_size=1, subjects=True)
        lines.append(FieldProblem(each.id, described(page.messages[0] if page.messages else each)))
    return lines


def described(message: MessageSummary) -> str:
    """Return kind, subject (where it was asked for), sender and time of a message."""
    subject = subjects.text(message.subject, language())
    return ", ".join(
        filter(None, (kind_title(message.header), subject, sender(message.header), when(message.stored_time)))
    )


def _prefix(text: str) -> str:
    """Return a name as the node looks it up; the number of a thread may be written without its zeros."""
    if found := _THREAD.match(_latin(text)):
        return f"{found['begin']}-{int(found['number']):05d}"
    wanted = text.strip().replace("-", "").lower()
    if _HEX.match(wanted):
        return wanted
    if wanted and len(wanted) < _LEAST and _HEX_DIGITS.issuperset(wanted):
        what = _("An id is shortened to four digits or more.")
        raise Refused("unknown_id", text, problems=[FieldProblem("", what, "too_short")])
    raise Refused("unknown_id", text)


def _latin(text: str) -> str:
    return text.strip().upper().translate(_TYPED)


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
