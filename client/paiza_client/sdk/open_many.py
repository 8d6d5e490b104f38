"""Messages chosen page by page and opened together, for an export or a count. The node logs what it opens, and why.

Memory does not grow with the number of messages: a page is chosen and handed on, and at most `MAX_TOGETHER` messages
are open at once.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, ParamSpec, TypeVar

from paiza.core.v1 import message_pb2
from paiza_client.language import _
from paiza_client.sdk import fitting, messages
from paiza_client.sdk.model import Box, MessageSummary, NotOpened
from paiza_client.sdk.session import MAX_TOGETHER, Session
from paiza_client.verify.model import OpenedPart
from paiza_officer.errors import Misused, Refused, Unreachable

RETRY_SECONDS: Final = (2.0, 4.0, 8.0, 16.0, 30.0)  # pauses while the node is away; a restart takes less than their sum
BUDGET: Final = "opening_budget"  # the reason that ends no sooner than the day

_T = TypeVar("_T")
_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One page of messages that were chosen, and those left out because their authors recalled or replaced them.

    ``next_token`` is where the next page begins; empty on the last.
    """

    messages: tuple[MessageSummary, ...]
    superseded: tuple[MessageSummary, ...] = ()
    next_token: str = ""


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """The main part of a message and, where it was wanted and there is one, its nominal annex; both proven."""

    main: OpenedPart
    annex: OpenedPart | None = None

    @property
    def header(self) -> message_pb2.Header:
        """The signed header."""
        return self.main.message.header

    @property
    def digest(self) -> bytes:
        """Digest of the message, 32 bytes."""
        return self.main.message.digest


async def choose(
    session: Session,
    names: Sequence[str] = (),
    *,
    kind: str = "",
    author: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    box: Box = "both",
    token: str = "",
) -> AsyncIterator[Chosen]:
    """Yield the messages that ``names`` name, each once, in that order, as one page; without names all that fit.

    A name is (the beginning of) an id or digest, or a thread's short name. ``kind`` is a kind's name, ``author`` a
    member's id; the own node stored them at ``since`` or later and before ``until``, both aware. All that fit come
    newest first, page by page, as they were at the beginning: what arrives meanwhile is not among them. ``token`` goes
    on after an earlier page. A recalled or replaced message is left out unless it is named: the one no longer holds,
    the other would count twice.

    Nothing is opened, and nothing is logged. Refused("unknown_id") or ("ambiguous_id") for a name, Misused("usage") for
    a named message of another kind.
    """
    if names:
        named = [await messages.find(session, each, fitting.of_kind(kind)) for each in names]
        for each in named:
            if kind and each.header.kind != kind:
                what = _("it is of the kind {found}, and this form takes {wanted}")
                raise Misused("usage", each.id, what.format(found=each.header.kind, wanted=kind))
        yield Chosen(tuple({each.digest: each for each in named}.values()))
        return
    while True:
        page = await patiently(
            session.list_messages,
            box=box,
            kind=kind,
            author=author,
            since=since,
            until=until,
            page_size=MAX_TOGETHER,
            page_token=token,
        )
        superseded = tuple(each for each in page.messages if each.recalled_by or each.replaced_by)
        in_force = tuple(each for each in page.messages if not (each.recalled_by or each.replaced_by))
        token = page.next_token
        yield Chosen(in_force, superseded, token)
        if not token:
            return


async def open_many(
    session: Session, digests: Sequence[bytes], reason: str, purpose: str, *, annex: bool = False
) -> list[OpenedMessage | NotOpened]:
    """Open messages for one reason and purpose, in order, everything proven; ``annex`` opens nominal annexes as well.

    What the node does not open is returned with its reason. The node logs one OPENED_TOGETHER entry for up to
    `MAX_TOGETHER` main parts, and one OPENED entry for each annex, all with the reason; nothing is marked as read.

    Unreachable where the node does not answer for about a minute, or where the officer's budget of the day is spent;
    NotProven where a signature or a proof does not hold. What was opened before stays logged.
    """
    found: list[OpenedMessage | NotOpened] = []
    for first in range(0, len(digests), MAX_TOGETHER):
        some = digests[first : first + MAX_TOGETHER]
        mains = await patiently(session.open_together, some, reason, purpose)
        for digest in some:
            main = mains[digest]
            if not isinstance(main, OpenedPart):
                found.append(NotOpened(digest, main.reason, main.detail))
                continue
            number = _annex_number(main.message.header) if annex else None
            if number is None:
                found.append(OpenedMessage(main))
                continue
            try:
                part = await patiently(session.open_part, digest, number, reason)
                found.append(OpenedMessage(main, part))
            except Refused as error:
                found.append(NotOpened(digest, error.reason, error.detail))
    return found


async def open_pages(
    session: Session, pages: AsyncIterator[Sequence[bytes]], reason: str, purpose: str, *, annex: bool = False
) -> AsyncGenerator[list[OpenedMessage | NotOpened]]:
    """Yield what `open_many` returns of each page of digests, in order; the next page is asked for meanwhile.

    Leave the loop through `contextlib.aclosing`, so that what was asked for ahead ends at once.
    """
    ahead: asyncio.Task[list[OpenedMessage | NotOpened]] | None = None
    try:
        async for digests in pages:
            opening = asyncio.create_task(open_many(session, digests, reason, purpose, annex=annex))
            opened, ahead = ahead, opening
            if opened is not None:
                yield await opened
        if ahead is not None:
            yield await ahead
    finally:
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)  # an error of it is not left unread


async def patiently(
    call: Callable[_Arguments, Awaitable[_T]], *arguments: _Arguments.args, **named: _Arguments.kwargs
) -> _T:
    """Return what a call returns; while the node does not answer, call again after growing pauses (`RETRY_SECONDS`)."""
    for pause in RETRY_SECONDS:
        try:
            return await call(*arguments, **named)
        except Unreachable as error:
            if error.reason == BUDGET:
                raise
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - scatter, no secret
    return await call(*arguments, **named)


def _annex_number(header: message_pb2.Header) -> int | None:
    for number, part in enumerate(header.parts):
        if part.kind == message_pb2.PART_KIND_NOMINAL_ANNEX:
            return number
    return None
