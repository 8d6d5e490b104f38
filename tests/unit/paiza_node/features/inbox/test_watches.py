"""Watches: each officer is shown what they see, read once for all; nobody misses a change in silence."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.officer.v1 import officer_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Officer, Opened
from paiza_node.core.api.authentication import Caller
from paiza_node.core.log.changes import MessagesChanged
from paiza_node.core.log.notifier import Subscription
from paiza_node.features.inbox import watches as module
from paiza_node.features.inbox.service import OfficerService
from paiza_node.features.inbox.watches import ChangedMessage, Watches
from paiza_node.features.listing import listing
from paiza_node.features.listing.model import ReadMessage
from tests.unit.paiza_node.room import Room

NOTE = FreeMessage(subject="Exercise", text="Nothing of this is real.")
SECONDS = 60


def officer(name: str, unit: str, *roles: str) -> Officer:
    """An officer of a unit."""
    return Officer(f"spiffe://kaz.paiza.example/officer/{name}", frozenset(roles or ("liaison",)), unit)


LIAISON, BORDER, DUTY = officer("liaison", "bureau"), officer("border", "border"), officer("duty", "duty", "duty")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A node's room with an empty store."""
    with Room(f"sqlite:///{tmp_path / 'paiza.db'}") as room:
        yield room


def received(room: Room, unit: str) -> bytes:
    """Receive a message for a unit; gives its digest."""
    message = room.message("tjk", "free-message", NOTE)
    room.ledger.commit_now(lambda tx: room.write(tx, message, unit=unit))
    return message.digest


async def shown(watch: Subscription, count: int) -> list[bytes]:
    """Return the digests of the next items; b"" for the end."""
    async with asyncio.timeout(SECONDS):
        items: list[object] = []
        while len(items) < count:
            items += await watch.take() or [None]
    return [item.info.message_digest if isinstance(item, ChangedMessage) else b"" for item in items]


async def test_each_officer_is_shown_what_they_see(room: Room) -> None:
    """Officers of a unit its messages, those on duty all of them, each in the order of the changes."""
    watches = Watches(room.store, room.notifier)
    mine, theirs = received(room, "bureau"), received(room, "border")
    found = {each.id: watches.subscribe(each) for each in (LIAISON, BORDER, DUTY)}
    watches.notify([MessagesChanged((theirs,)), MessagesChanged((mine,))])
    assert await shown(found[DUTY.id], 2) == [theirs, mine]
    assert await shown(found[LIAISON.id], 1) == [mine]
    assert await shown(found[BORDER.id], 1) == [theirs]
    assert [watch.take_ahead() for watch in found.values()] == [[]] * 3


async def test_a_change_is_read_once_for_all_watches(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many officers watch; and not at all while nobody does."""
    calls: list[int] = []

    def counted(conn: Any, digests: Any) -> list[ReadMessage]:
        calls.append(len(digests))
        return listing_read(conn, digests)

    listing_read = listing.read
    monkeypatch.setattr(listing, "read", counted)
    watches = Watches(room.store, room.notifier)
    mine = received(room, "bureau")
    watches.notify([MessagesChanged((mine,))])
    many = [watches.subscribe(LIAISON) for _ in range(20)]
    watches.notify([MessagesChanged((mine, bytes(32)))])
    assert [await shown(watch, 1) for watch in many] == [[mine]] * 20
    assert calls == [2]


async def test_who_opened_a_message_is_read_with_it(room: Room) -> None:
    """Each officer is told whether they opened it themselves."""
    watches = Watches(room.store, room.notifier)
    mine = received(room, "bureau")
    room.ledger.commit_now(lambda tx: access_store.add_opened(tx.conn, Opened(mine, 0, LIAISON.id, 7)))
    watch = watches.subscribe(LIAISON)
    watches.notify([MessagesChanged((mine,))])
    async with asyncio.timeout(SECONDS):
        (item,) = await watch.take()
    assert isinstance(item, ChangedMessage)
    told = [item.read.shown_to(each.id) for each in (LIAISON, DUTY)]
    assert [(each.opened, each.opened_by_caller) for each in told] == [(True, True), (True, False)]


async def test_what_overtakes_is_shown_first(room: Room) -> None:
    """A stop is read before the backlog of other changes, and put before what waits in a watch."""
    watches = Watches(room.store, room.notifier)
    digests = [received(room, "bureau") for _ in range(3)]
    watch = watches.subscribe(LIAISON)
    watches.notify([MessagesChanged(tuple(digests[:2])), MessagesChanged((digests[2],), frozenset(digests[2:]))])
    assert await shown(watch, 3) == [digests[2], *digests[:2]]


async def test_one_who_leaves_is_shown_nothing_more(room: Room) -> None:
    """The watches of others go on."""
    watches = Watches(room.store, room.notifier)
    mine = received(room, "bureau")
    left, stays = watches.subscribe(LIAISON), watches.subscribe(LIAISON)
    watches.unsubscribe(LIAISON, left)
    watches.notify([MessagesChanged((mine,))])
    assert await shown(stays, 1) == [mine]
    left.end()
    assert await shown(left, 1) == [b""]


async def test_watches_end_where_a_change_could_not_be_noted(room: Room) -> None:
    """Officers that may have missed a change list anew; those who watch again are shown the next one."""
    watches = Watches(room.store, room.notifier)
    mine = received(room, "bureau")
    early = watches.subscribe(LIAISON)
    broken: Any = None
    with pytest.raises(TypeError):
        watches.notify([MessagesChanged(broken)])
    assert await shown(early, 1) == [b""]
    watches.unsubscribe(LIAISON, early)
    again = watches.subscribe(LIAISON)
    watches.notify([MessagesChanged((mine,))])
    assert await shown(again, 1) == [mine]


async def test_watches_end_where_changes_cannot_be_read(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the database nobody is left to believe that nothing happened."""
    watches = Watches(room.store, room.notifier)
    mine = received(room, "bureau")
    watch = watches.subscribe(LIAISON)
    monkeypatch.setattr(listing, "read", lambda *_: 1 / 0)
    watches.notify([MessagesChanged((mine,))])
    assert await shown(watch, 1) == [b""]


async def test_news_gathers_while_the_watches_have_had_their_share(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changed meanwhile is read and shown together, each message once; what overtakes comes at once."""
    monkeypatch.setattr(module, "BURST", 1)
    monkeypatch.setattr(module, "PER_SECOND", 1 / 3600)
    watches = Watches(room.store, room.notifier)
    first, second, third, stop = (received(room, "bureau") for _ in range(4))
    watch = watches.subscribe(LIAISON)
    watches.notify([MessagesChanged((first,))])
    assert await shown(watch, 1) == [first]
    watches.notify([MessagesChanged((first,))])
    assert await shown(watch, 1) == [first]  # until then the watches had been given less than their share
    watches.notify([MessagesChanged((second,))])
    watches.notify([MessagesChanged((third, second))])
    watches.notify([MessagesChanged((stop,), frozenset([stop]))])
    assert await shown(watch, 1) == [stop]
    assert watch.take_ahead() == []
    monkeypatch.setattr(module, "BATCH", 3)
    watches.notify([MessagesChanged((first,))])  # so many gather no longer
    async with asyncio.timeout(SECONDS):
        together = await watch.take()
    assert [each.info.message_digest for each in together if isinstance(each, ChangedMessage)] == [second, third, first]


async def test_watches_end_where_too_many_changes_wait(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading that falls behind is bounded."""
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    watches = Watches(room.store, room.notifier)
    watch = watches.subscribe(LIAISON)
    watches.notify([MessagesChanged(tuple(bytes([number]) * 32 for number in range(3)))])
    assert await shown(watch, 1) == [b""]


async def test_what_comes_while_the_backlog_is_read_is_shown_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message is in the backlog and in the news that waits behind it: the news says nothing more."""
    loop, watches, first = asyncio.get_running_loop(), Watches(room.store, room.notifier), received(room, "bureau")

    read, put = threading.Event(), room.notifier.put

    def put_and_tell(*put_: Any, **how: Any) -> None:
        put(*put_, **how)
        read.set()

    monkeypatch.setattr(room.notifier, "put", put_and_tell)

    def arrive(_officer: Officer) -> list[Any]:
        """Arrive between the begin of the watch and the reading of the backlog."""
        loop.call_soon_threadsafe(watches.notify, [MessagesChanged((first,))])
        assert read.wait(SECONDS)
        return []

    unused: Any = SimpleNamespace(current=list, of=arrive, linked=lambda *_: frozenset[int]())
    core: Any = SimpleNamespace(register_cache=None, ledger=room.ledger, store=room.store, clock=None)
    names = (
        "submit",
        "trial",
        "open_part",
        "open_together",
        "show_subjects",
        "search",
        "find_source_rows",
        "may_know_of",
    )
    service = OfficerService(
        core,
        **dict.fromkeys(names, unused),
        deadlines=unused,
        pending=unused,
        watches=watches,
        version="",
        protocol_version=1,
    )
    caller = Caller(LIAISON.id, officer=LIAISON)
    news: Any = service.watch(caller, officer_pb2.WatchRequest(after_sequence=0))
    async with asyncio.timeout(SECONDS), aclosing(news):
        found = [await anext(news)]
        second = received(room, "bureau")
        watches.notify([MessagesChanged((second,))])
        found.append(await anext(news))
        room.ledger.commit_now(lambda tx: access_store.add_opened(tx.conn, Opened(first, 0, LIAISON.id, 7)))
        watches.notify([MessagesChanged((first,))])
        found.append(await anext(news))
    assert [[each.message_digest for each in news.messages] for news in found] == [[first], [second], [first]]


async def test_what_overtakes_holds_up_the_rest_no_longer_than_the_rest_itself(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many FLASH messages, which nobody bounds, leave the share of other news as it was."""
    monkeypatch.setattr(module, "BURST", 1)
    monkeypatch.setattr(module, "PER_SECOND", 1 / 3600)
    watches = Watches(room.store, room.notifier)
    first, second, *flashes = (received(room, "bureau") for _ in range(5))
    watch = watches.subscribe(LIAISON)
    for flash in flashes:
        watches.notify([MessagesChanged((flash,), frozenset([flash]))])
        assert await shown(watch, 1) == [flash]
    watches.notify([MessagesChanged((first,))])
    watches.notify([MessagesChanged((second,))])
    assert sorted(await shown(watch, 2)) == sorted([first, second])


async def test_what_overtakes_takes_turns_with_the_rest(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """While FLASH messages come without a pause, other news that is due is shown between them."""
    watches = Watches(room.store, room.notifier)
    other, *flashes = (received(room, "bureau") for _ in range(4))
    watch, coming = watches.subscribe(LIAISON), iter(flashes)
    read = watches._read

    def reading(digests: Sequence[bytes]) -> list[ChangedMessage]:
        for flash in islice(coming, 1):  # the next one comes while this one is read
            loop.call_soon_threadsafe(watches.notify, [MessagesChanged((flash,), frozenset([flash]))])
        return read(digests)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(watches, "_read", reading)
    first = next(coming)
    watches.notify([MessagesChanged((other, first), frozenset([first]))])
    found: list[bytes] = []
    while len(found) < len(flashes) + 1:
        found += await shown(watch, 1)
    assert found.index(other) == 1
