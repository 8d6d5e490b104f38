"""How a message is found: by what an officer writes for it, or by what is known of it. Nothing is opened by that."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from paiza_client.errors import FieldProblem, Refused
from paiza_client.sdk.model import Box, MessageSummary
from paiza_client.sdk.session import Session
from paiza_client.sdk.wording import when

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


async def one(session: Session, text: str) -> MessageSummary:
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


async def walk(
    session: Session,
    limit: int | None = None,
    *,
    box: Box = "inbox",
    unread_only: bool = False,
    kind: str = "",
    author: str = "",
    since: datetime | None = None,
    subjects: bool = False,
) -> AsyncIterator[MessageSummary]:
    """Yield the messages that fit, newest first, over as many pages as it takes; with a ``limit``, at most so many.

    ``subjects`` asks for the subjects too, which the node logs as SUBJECTS_SHOWN, once for each page.
    """
    left, token = limit, ""
    while left is None or left > 0:
        page = await session.list_messages(
            box=box,
            unread_only=unread_only,
            kind=kind,
            author=author,
            since=since,
            subjects=subjects,
            page_size=PAGE if left is None else min(PAGE, left),
            page_token=token,
        )
        for each in page.messages:
            yield each
        left = None if left is None else left - len(page.messages)
        token = page.next_token
        if not token:
            break
