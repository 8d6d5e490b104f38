"""Telling watchers: nobody is left waiting for a node that stops, or for what they were not told of."""

import asyncio
from typing import Any

from paiza_node.core.log.changes import ChangeFeed, MessagesChanged
from paiza_node.core.log.notifier import Notifier


async def test_who_begins_to_watch_when_all_was_closed_is_told_at_once() -> None:
    """A watch that was on its way when the node stopped is over before it began, like those that were there."""
    notifier = Notifier()
    early = notifier.subscribe("early")
    notifier.close()
    late = notifier.subscribe("late")
    notifier.publish([bytes(32)])
    async with asyncio.timeout(5):
        assert [await early.get(), await late.get()] == [None, None]


async def test_watch_ends_where_a_change_could_not_be_told() -> None:
    """Watchers that may have missed a change begin anew, and are notified of the next one."""
    feed, notifier = ChangeFeed(), Notifier()
    feed.subscribe([notifier])
    early = notifier.subscribe("early")
    broken: Any = None
    async with asyncio.timeout(5):
        feed.publish([MessagesChanged((b"told",)), MessagesChanged(broken), MessagesChanged((b"missed",))])
        assert [await early.get(), await early.get()] == [b"told", None]
        again = notifier.subscribe("early")
        feed.publish([MessagesChanged((b"next",))])
        assert await again.get() == b"next"
