"""Watching goes on where the node went away or the program ended, and shows nothing twice."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import notice_pb2
from paiza_client.local.shown import Shown
from paiza_client.sdk import watching
from paiza_client.sdk.model import Delivery, MessageSummary, Page
from paiza_client.sdk.watching import Away, Connected, Event
from paiza_officer.errors import Unreachable

Item = MessageSummary | notice_pb2.Notice


def _message(sequence: int) -> MessageSummary:
    unused: Any = None
    return MessageSummary(
        bytes([sequence]) * 32,
        message_pb2.Header(),
        "KAZ-2026-00001",
        unused,
        received=True,
        opened_by_caller=False,
        opened=False,
        deliveries=(),
        sequence=sequence,
    )


def _notice(code: str, due: datetime | None = None, *, overdue: bool = False) -> notice_pb2.Notice:
    notice = notice_pb2.Notice(code=code, thread_id=bytes(16), overdue=overdue)
    if due is not None:
        notice.due_time.FromDatetime(due)
    return notice


class Node:
    """A node that gives what it is told in each connection and breaks the stream then; it notes where it was begun."""

    def __init__(self, *connections: Sequence[Item], newest: int = 7, away: bool = False) -> None:
        self.connections = list(connections)
        self.newest = newest
        self.away = away
        self.begun: list[int] = []

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        """Return a session, unless the node is away."""
        if self.away:
            raise Unreachable("node_unreachable")
        yield SimpleNamespace(
            profile=SimpleNamespace(node="node:1"), news=self._news, list_messages=self._list_messages
        )

    async def _list_messages(self, **_options: object) -> Page:
        return Page((_message(self.newest),) if self.newest else (), "")

    async def _news(self, after: int) -> AsyncIterator[Item]:
        self.begun.append(after)
        for item in self.connections.pop(0):
            yield item
        raise Unreachable("node_unreachable")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "RECONNECT_SECONDS", (0.0, 0.0))


async def seen(node: Node, after: int | None = None, shown: Shown | None = None) -> list[Event]:
    """Return everything until the node has given all it has."""
    found: list[Event] = []
    async with aclosing(watching.follow(node.connect, after, shown)) as events:
        async for event in events:
            found.append(event)
            if isinstance(event, Away) and not node.connections:
                return found
    raise AssertionError("the watch ended by itself")


def items(events: Sequence[Event]) -> list[Event]:
    """Return what is not about the connection."""
    return [each for each in events if not isinstance(each, (Connected, Away))]


async def test_a_broken_watch_goes_on_behind_the_last_message() -> None:
    """A watch after a break asks for messages newer than the last one shown."""
    node = Node([_message(8)], [_message(9)])
    connected, away = Connected("node:1"), Away("node_unreachable")
    assert await seen(node, after=7) == [connected, _message(8), away, connected, _message(9), away]
    assert node.begun == [7, 8]


async def test_a_node_that_never_answered_is_told_at_once() -> None:
    """The first connection fails with an error; only later ones are tried again."""
    with pytest.raises(Unreachable):
        await anext(watching.follow(Node(away=True).connect))


async def test_the_same_message_is_shown_once() -> None:
    """Whoever reads it or takes its task changes nothing for those who watch; a delivery or a recall does."""
    message = _message(8)
    delivered = replace(message, deliveries=(Delivery("tjk", "delivered", "", "", 1, None),))
    recalled = replace(delivered, recalled_by=(bytes(32),))
    read = replace(message, opened=True, opened_by_caller=True, linked=True)
    node = Node([message, read, delivered, delivered], [message, delivered, recalled])
    assert items(await seen(node)) == [message, delivered, message, delivered, recalled]


async def test_a_notice_is_shown_once_for_each_reminder() -> None:
    """A node sends what is due at the beginning of every watch; the time that came nearer is told again."""
    due = datetime.now(UTC) + timedelta(hours=20)
    soon = datetime.now(UTC) + timedelta(minutes=30)
    asked, early = _notice("approval_asked"), _notice("decision", due)
    late = _notice("decision", soon)
    over = _notice("decision", soon, overdue=True)
    node = Node([asked, early], [asked, early, late], [late, over], [over])
    assert items(await seen(node)) == [asked, early, late, over]


async def test_a_new_start_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """What came meanwhile is shown, what was shown is not, notices included."""
    file = tmp_path / "watched.json"
    assert items(await seen(Node([_message(8), _notice("overlap")]), None, Shown(file))) == [
        _message(8),
        _notice("overlap"),
    ]
    node = Node([_message(8), _message(9), _notice("overlap"), _notice("review_due")], newest=9)
    assert items(await seen(node, None, Shown(file))) == [_message(9), _notice("review_due")]
    assert node.begun == [8]
    assert file.stat().st_mode & 0o077 == 0


async def test_a_first_start_is_a_place_to_go_on_from(tmp_path: Path) -> None:
    """What comes between two starts is shown, even if nothing came during the first."""
    file = tmp_path / "watched.json"
    await seen(Node([]), None, Shown(file))
    node = Node([_message(8)], newest=8)
    assert items(await seen(node, None, Shown(file))) == [_message(8)]
    assert node.begun == [7]


async def test_a_node_that_counts_anew_is_watched_from_its_newest(tmp_path: Path) -> None:
    """After a restoration the place of before may lie ahead of everything that comes."""
    file = tmp_path / "watched.json"
    await seen(Node([_message(200)], newest=199), None, Shown(file))
    node = Node([_message(4)], newest=3)
    assert items(await seen(node, None, Shown(file))) == [_message(4)]
    assert node.begun == [3]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"sequence": -1, "states": {}}', b'{"states": 3}', b"\xff"])
def test_a_damaged_file_is_that_of_a_first_start(tmp_path: Path, data: bytes) -> None:
    """Nothing but the place is lost with it."""
    file = tmp_path / "watched.json"
    file.write_bytes(data)
    assert Shown(file).sequence is None


def test_what_is_kept_is_bounded() -> None:
    """The oldest is forgotten, and would be shown again."""
    shown = Shown()
    for number in range(5000):
        assert shown.is_new(str(number), "")
    assert not shown.is_new("4999", "")
    assert shown.is_new("0", "")
