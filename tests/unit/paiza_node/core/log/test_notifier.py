"""Telling watchers: nobody is left waiting for a node that stops."""

import asyncio

from paiza.officer.v1 import notice_pb2
from paiza_node.core.log.notifier import Notifier


async def test_who_begins_to_watch_when_all_was_closed_is_told_at_once() -> None:
    """A watch that was on its way when the node stopped is over before it began, like those that were there."""
    notifier = Notifier()
    early = notifier.subscribe("early")
    notifier.close()
    late = notifier.subscribe("late")
    notifier.tell(notice_pb2.Notice(code="late"))
    async with asyncio.timeout(5):
        assert [await early.take(), await late.take()] == [[], []]
