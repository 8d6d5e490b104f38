"""Watching goes on where the node went away, and repeats nothing."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import message_pb2
from paiza_client.sdk import watching
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.watching import Away, Connected, Event
from paiza_officer.errors import Unreachable


def _message(sequence: int) -> MessageSummary:
    unused: Any = None
    return MessageSummary(
        bytes(32),
        message_pb2.Header(),
        "KAZ-2026-00001",
        unused,
        received=True,
        opened_by_caller=False,
        opened=False,
        deliveries=(),
        sequence=sequence,
    )


class Node:
    """A node that breaks the stream after each message, and remembers from where it was watched."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.begun: list[int] = []

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        """Return a session, unless the node is away."""
        if self.away:
            raise Unreachable("node_unreachable")
        yield SimpleNamespace(profile=SimpleNamespace(node="node:1"), news=self._news)

    async def _news(self, after: int) -> AsyncIterator[MessageSummary]:
        self.begun.append(after)
        yield _message(after + 1)
        raise Unreachable("node_unreachable")


async def test_a_broken_watch_goes_on_behind_the_last_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch after a break asks for messages newer than the last one shown."""
    monkeypatch.setattr(watching, "RECONNECT_SECONDS", (0.0, 0.0))
    node = Node()
    seen: list[Event] = []
    async with aclosing(watching.follow(node.connect, after=7)) as events:
        async for event in events:
            seen.append(event)
            if len(seen) == 6:
                break
    connected, away = Connected("node:1"), Away("node_unreachable")
    assert seen == [connected, _message(8), away, connected, _message(9), away]
    assert node.begun == [7, 8]


async def test_a_node_that_never_answered_is_told_at_once() -> None:
    """The first connection fails with an error; only later ones are tried again."""
    with pytest.raises(Unreachable):
        await anext(watching.follow(Node(away=True).connect))
