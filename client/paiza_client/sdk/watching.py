"""Watching the own node across interruptions: what arrives, what becomes of what was sent, what falls due."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from paiza.officer.v1 import notice_pb2
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.session import Session
from paiza_officer.errors import Unreachable

RECONNECT_SECONDS: Final = (1.0, 60.0)  # first and longest pause while the node is away


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
    open_session: Callable[[], AbstractAsyncContextManager[Session]], after: int | None = None
) -> AsyncGenerator[Event]:
    """Yield what happens at the own node, without end; nothing is missed or repeated while the node is away.

    ``open_session`` is called for each connection: ``lambda: connect(profile)``. ``after``: first every message of a
    greater sequence; None begins with what is new. Pauses between attempts grow from 1 to 60 seconds.

    Unreachable only where the first connection fails; other errors of `connect` at any time. Nothing is opened or
    logged by watching. Leave the loop through `contextlib.aclosing`, so that the connection closes at once.
    """
    first, longest = RECONNECT_SECONDS
    pause = first
    connected = False
    while True:
        try:
            async with open_session() as session:
                connected = True
                yield Connected(session.profile.node)
                if after is None:  # a place to come back to, even if the stream breaks before anything arrives
                    newest = (await session.list_messages(box="both", page_size=1)).messages
                    after = newest[0].sequence if newest else 0
                async for item in session.news(after):
                    pause = first
                    if isinstance(item, MessageSummary):
                        after = max(after, item.sequence)
                    yield item
        except Unreachable as error:
            if not connected:
                raise
            yield Away(error.reason)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - scatter, no secret
        pause = min(pause * 2, longest)
