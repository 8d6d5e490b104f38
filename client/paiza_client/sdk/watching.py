"""Watching the own node across interruptions: what arrives, what becomes of what was sent, what falls due."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from paiza.officer.v1 import notice_pb2
from paiza_client.local.shown import Shown
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.session import Session
from paiza_officer.errors import Unreachable

SAVE_SECONDS: Final = 1.0  # between two writes of what was shown
RECONNECT_SECONDS: Final = (1.0, 60.0)  # first and longest pause while the node is away
LAST_REMINDER: Final = timedelta(hours=1, minutes=1)  # the node reminds a day, an hour, and no time before it


@dataclass(frozen=True, slots=True)
class Connected:
    """The node ("host:port") answers, for the first time or again."""

    node: str


@dataclass(frozen=True, slots=True)
class Away:
    """The node went away; it is tried again. ``reason`` is a code of the protocol's registry."""

    reason: str


Event = MessageSummary | notice_pb2.Notice | Connected | Away
"""A message that arrived or changed its state, a notice of what is due, or the state of the connection."""


async def follow(
    open_session: Callable[[], AbstractAsyncContextManager[Session]],
    after: int | None = None,
    shown: Shown | None = None,
    on_change: Callable[[MessageSummary], None] | None = None,
) -> AsyncGenerator[Event]:
    """Yield what happens at the own node, without end; nothing is missed or repeated while the node is away.

    ``open_session`` is called for each connection: ``lambda: connect(profile)``. ``after``: first every message of a
    greater sequence; None goes on behind what was ``shown``, or begins with what is new. ``shown`` with a file also
    repeats nothing after a new start of the program. A message comes again if its deliveries, its attachments or its
    marks (recalled, corrected, replaced, erased) changed; a notice if its time came nearer, by the node's reminders.
    ``on_change`` is called with every message of which the node tells, also where only who has read it changed.

    Pauses between attempts grow from 1 to 60 seconds. Unreachable only where the first connection fails; other errors
    of `connect` at any time. Nothing is opened or logged by watching. Leave the loop through `contextlib.aclosing`, so
    that the connection closes at once.
    """
    first, longest = RECONNECT_SECONDS
    pause = first
    connected = False
    shown = Shown() if shown is None else shown
    saving: asyncio.TimerHandle | None = None
    if after is not None:
        shown.sequence = after
    try:
        while True:
            try:
                async with open_session() as session:
                    yield Connected(session.profile.node)
                    if shown.sequence is None or not connected:
                        shown.sequence = await _place(session, shown.sequence)
                        shown.save()
                    connected = True
                    async for item in session.news(shown.sequence):
                        pause = first
                        if on_change is not None and isinstance(item, MessageSummary):
                            on_change(item)
                        if _is_new(shown, item):
                            yield item
                        if isinstance(item, MessageSummary):
                            shown.sequence = max(shown.sequence, item.sequence)
                        if saving is None or saving.when() <= asyncio.get_running_loop().time():
                            saving = asyncio.get_running_loop().call_later(SAVE_SECONDS, shown.save)
            except Unreachable as error:
                if not connected:
                    raise
                yield Away(error.reason)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - scatter, no secret
            pause = min(pause * 2, longest)
    finally:
        if saving is not None:
            saving.cancel()
        shown.save()


async def _place(session: Session, after: int | None) -> int:
    """Return the sequence to go on from, even if the stream breaks before anything arrives.

    A place of an earlier start is compared with the node's: a restored node may have begun to count anew.
    """
    newest = (await session.list_messages(box="both", page_size=1)).messages
    last = newest[0].sequence if newest else 0
    return last if after is None else min(after, last)


def _is_new(shown: Shown, item: MessageSummary | notice_pb2.Notice) -> bool:
    if isinstance(item, MessageSummary):
        return shown.is_new(item.digest.hex(), repr(_state(item)))
    return shown.is_new(_notice_key(item), "")


def _state(message: MessageSummary) -> tuple[object, ...]:
    """Return what a message is shown again for: not who has read it, nor whose task it is."""
    return (
        [(at.recipient, at.state, at.reason) for at in message.deliveries],
        [(at.part_number, at.member, at.state) for at in message.attachments],
        message.recalled_by,
        message.corrected_by,
        message.replaced_by,
        message.erased,
    )


def _notice_key(notice: notice_pb2.Notice) -> str:
    """Return what tells notices apart: their subject, the time that is due, and which reminder of it this is."""
    due = notice.due_time.ToDatetime(tzinfo=UTC) if notice.HasField("due_time") else None
    left = None if due is None else due - datetime.now(UTC)
    stage = "" if left is None else "over" if notice.overdue else "hour" if left <= LAST_REMINDER else "before"
    about = notice.thread_id.hex(), notice.message_digest.hex(), notice.member, *notice.other_threads
    return ":".join((notice.code, *about, due.isoformat() if due else "", stage))
