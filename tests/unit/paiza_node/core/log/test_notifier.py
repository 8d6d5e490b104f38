"""Telling watchers: nobody is left waiting for a node that stops, and nobody who does not read costs much."""

import asyncio

from paiza.officer.v1 import notice_pb2
from paiza_node.core.log.notifier import MOST_HELD, Item, Notifier, Subscription


async def test_who_begins_to_watch_when_all_was_closed_is_told_at_once() -> None:
    """A watch that was on its way when the node stopped is over before it began, like those that were there."""
    notifier = Notifier()
    early = notifier.subscribe("early")
    notifier.close()
    late = notifier.subscribe("late")
    notifier.tell(notice_pb2.Notice(code="late"))
    async with asyncio.timeout(60):
        assert [await early.take(), await late.take()] == [[], []]


HALF = MOST_HELD // 2


def put(notifier: Notifier, watches: list[Subscription], item: Item, memory: int = HALF - 200) -> None:
    """Put an item of so many bytes before watches."""
    notifier.put(watches, item, 1, memory=memory, first=False)


async def taken(watch: Subscription) -> list[Item]:
    """Return what the watch has; nothing for one that is over."""
    async with asyncio.timeout(60):
        return await watch.take()


async def test_the_watch_that_is_read_slowest_ends() -> None:
    """Beyond the budget of all watches it ends and loses its items, although it waits for less than another."""
    notifier = Notifier()
    silent, reader = notifier.subscribe(), notifier.subscribe()
    put(notifier, [silent], "small", 200)
    put(notifier, [reader], "first")
    put(notifier, [reader], "second")
    assert not silent.lagged
    put(notifier, [reader], "third", 300)
    assert (silent.lagged, reader.lagged) == (True, False)
    assert [await taken(silent), await taken(reader)] == [[], ["first", "second", "third"]]


async def test_as_many_end_as_hold_too_much() -> None:
    """Watches end from the slowest on until the rest is within the budget; others, and later ones, go on."""
    notifier = Notifier()
    watches = [notifier.subscribe() for _ in range(3)]
    for watch in watches:
        put(notifier, [watch], "large")
    assert [watch.lagged for watch in watches] == [True, False, False]
    put(notifier, watches, "larger", MOST_HELD - 100)
    assert [watch.lagged for watch in watches] == [True, True, True]
    later = notifier.subscribe()
    put(notifier, [later], "later")
    assert await taken(later) == ["later"]


async def test_an_item_counts_once_for_all_watches() -> None:
    """Hundreds of officers who see the same messages share them; each of them may be the last to read."""
    notifier = Notifier()
    watches = [notifier.subscribe() for _ in range(300)]
    for _ in range(4):
        put(notifier, watches, "shared", HALF - 3000)
        put(notifier, watches, "again", HALF - 3000)
        assert [await taken(watch) for watch in watches] == [["shared", "again"]] * 300


async def test_who_leaves_gives_back_what_waited() -> None:
    """What a watch did not read is forgotten with it, also after it was ended."""
    notifier = Notifier()
    for _ in range(4):
        watch, stays = notifier.subscribe(), notifier.subscribe()
        put(notifier, [watch, stays], "both")
        put(notifier, [watch], "one")
        watch.end()
        notifier.unsubscribe(watch)
        assert await taken(stays) == ["both"]
        assert not stays.lagged
