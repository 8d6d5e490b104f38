"""Telling watchers: nobody is left waiting for a node that stops."""

import asyncio

from paiza_node.core.log.notifier import Notifier


async def test_who_begins_to_watch_when_all_was_closed_is_told_at_once() -> None:
    """A watch that was on its way when the node stopped is over before it began, like those that were there."""
    news = Notifier()
    early = news.subscribe("early")
    news.close()
    late = news.subscribe("late")
    news.publish([bytes(32)])
    async with asyncio.timeout(5):
        assert [await early.get(), await late.get()] == [None, None]
