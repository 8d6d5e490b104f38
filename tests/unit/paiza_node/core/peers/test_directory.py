"""The directory of peers, and the outbound queues that follow it: as the register names members."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from paiza_node.core.errors import NodeStopped
from paiza_node.core.exchange.model import Slot
from paiza_node.core.exchange.send.queue import OutboundQueues
from paiza_node.core.log.changes import DeliveriesQueued
from paiza_node.core.peers.blocks import PeerBlocks
from paiza_node.core.peers.directory import PeerDirectory
from paiza_wire.errors import Unavailable
from tests.peers import until
from tests.unit.paiza_node.room import Room

SECONDS: Final = 30.0  # for what takes none; a limit, not a measure


@dataclass
class Session:
    """A session that does nothing until it is closed, or finds that the node was rolled back."""

    member: str
    asked: int = 0
    checked: int = 0
    closed: bool = False
    running: bool = False
    rolled_back: asyncio.Event = field(default_factory=asyncio.Event)
    compared: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def register_files(self) -> str:
        """Return what stands for the files there."""
        return f"files of {self.member}"

    def ask(self) -> None:
        """Count the questions."""
        self.asked += 1

    def check_trusted(self) -> None:
        """Count the checks."""
        self.checked += 1

    async def run(self) -> None:
        """Run until the session is ended."""
        self.running = True
        try:
            await self.rolled_back.wait()
        finally:
            self.running = False
        raise NodeStopped("log_rolled_back", what="", where="", remedy="")

    async def close(self) -> None:
        """Note that it was closed, and that nothing of it ran any more."""
        assert not self.running
        self.closed = True


class Members:
    """A directory of kaz, and the register it follows."""

    def __init__(self, *members: str) -> None:
        self.opened: list[Session] = []
        self.register_cache = SimpleNamespace(last=None)
        self.publish(*members)
        self.blocks = PeerBlocks()
        self.peers = PeerDirectory("kaz", cast("Any", self.register_cache), self._open, self.blocks)

    def publish(self, *members: str, expired: Collection[str] = ()) -> None:
        """Publish a register of these active members, and of those whose roles have expired."""
        self.register_cache.last = SimpleNamespace(
            version=" ".join(members).encode(),
            active_ids={*members, *expired},
            members=dict.fromkeys(members),
            untimely=dict.fromkeys(expired),
        )

    def _open(self, member: str) -> Any:
        self.opened.append(Session(member))
        return self.opened[-1]

    def session(self, member: str) -> Session:
        """Return the session with a member."""
        return cast("Session", self.peers.session(member))


@pytest.fixture
def members() -> Members:
    """Three members."""
    return Members("kaz", "tjk", "uzb")


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A ledger on either database."""
    with Room(database_url) as room:
        yield room


@pytest.fixture
async def running(members: Members) -> AsyncIterator["asyncio.Task[None]"]:
    """Run the directory; a test may end it."""
    task = asyncio.create_task(members.peers.run())
    async with asyncio.timeout(SECONDS):
        yield task
        task.cancel()
        with suppress(asyncio.CancelledError, NodeStopped):
            await task


async def test_another_register_is_followed_at_once(members: Members) -> None:
    """The session of a member that was suspended ends, and the nodes of the others are verified again."""
    tjk, uzb = members.session("tjk"), members.session("uzb")
    members.publish("kaz", "uzb")
    members.peers.follow_register()
    assert uzb.checked == 1
    await asyncio.gather(*members.peers._ending)
    assert tjk.closed


def test_every_other_active_member_has_one_session(members: Members) -> None:
    """A session lasts as long as the register names the member; our own member has none."""
    tjk = members.session("tjk")
    assert sorted(members.peers.sessions) == ["tjk", "uzb"]
    members.publish("kaz", "kgz", "tjk", "uzb")
    assert sorted(members.peers.sessions) == ["kgz", "tjk", "uzb"]
    assert members.session("tjk") is tjk
    assert len(members.opened) == 3
    with pytest.raises(Unavailable, match="peer_unreachable"):
        members.peers.session("kaz")


async def test_a_session_ends_when_a_role_expires(members: Members) -> None:
    """The version of the register stays, but the member may not speak any more."""
    assert sorted(members.peers.sessions) == ["tjk", "uzb"]
    version = members.register_cache.last.version
    members.publish("kaz", "uzb")
    members.register_cache.last.version = version
    assert sorted(members.peers.sessions) == ["uzb"]
    await until(lambda: members.opened[0].closed)


async def test_a_member_whose_role_has_expired_is_asked_for_the_register(members: Members) -> None:
    """It may hold its role renewed; nothing else goes to it, and nothing to a blocked one or one that left."""
    both: dict[str, Any] = {"tjk": "files of tjk", "uzb": "files of uzb"}
    assert dict(members.peers.register_files) == both
    version = members.register_cache.last.version
    members.publish("kaz", "uzb", expired=["tjk", "kaz"])
    members.register_cache.last.version = version
    assert dict(members.peers.register_files) == both
    assert sorted(members.peers.sessions) == ["uzb"]
    with pytest.raises(Unavailable, match="peer_unreachable"):
        members.peers.session("tjk")
    members.publish("kaz", "tjk", "uzb")
    assert dict(members.peers.register_files) == both
    assert not members.session("tjk").running
    await until(lambda: [each.closed for each in members.opened] == [True, False, True, False])
    members.publish("kaz", "uzb")
    assert sorted(members.peers.register_files) == ["uzb"]


def test_a_member_is_asked_and_known_to_be_compared(members: Members) -> None:
    """A member without a session has no state, and calling it does nothing."""
    members.peers.ask("tjk")
    members.peers.ask("aze")
    assert (members.session("tjk").asked, members.session("uzb").asked) == (1, 0)
    members.session("tjk").compared.set()
    assert [members.peers.compared(member) for member in ("tjk", "uzb", "aze")] == [True, False, False]


async def test_a_session_ends_with_its_member(members: Members, running: "asyncio.Task[None]") -> None:
    """A session ends its work first, then closes its channels; a returning member gets a new one."""
    tjk, uzb = members.session("tjk"), members.session("uzb")
    await until(lambda: tjk.running and uzb.running)
    changed = members.peers.changed
    members.publish("kaz", "uzb")
    assert list(members.peers.sessions) == ["uzb"]
    assert changed.is_set()
    await until(lambda: tjk.closed)
    members.publish("kaz", "tjk", "uzb")
    again = members.session("tjk")
    assert again is not tjk
    await until(lambda: again.running)
    assert uzb.running
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert (again.closed, uzb.closed) == (True, True)


async def test_a_session_ends_at_once_when_its_member_is_blocked(
    members: Members, running: "asyncio.Task[None]", room: Room
) -> None:
    """Nothing asks it meanwhile; a new session begins with the end of the block, and must compare logs again."""
    tjk = members.session("tjk")
    await until(lambda: tjk.running)
    tjk.compared.set()
    changed = members.peers.changed
    await members.blocks.block(room.ledger, "tjk", "Why not.", "os-user:night")
    assert changed.is_set()
    with pytest.raises(Unavailable, match="member_blocked"):
        members.peers.session("tjk")
    members.peers.ask("tjk")
    assert list(members.peers.sessions) == ["uzb"]
    await until(lambda: tjk.closed)
    assert tjk.asked == 0
    await members.blocks.unblock(room.ledger, "tjk", "Why not.", "os-user:night")
    again = members.session("tjk")
    await until(lambda: again.running)
    assert not members.peers.compared("tjk")
    assert not running.done()


async def test_a_peer_that_shows_a_rollback_ends_the_node(members: Members, running: "asyncio.Task[None]") -> None:
    """At once, whichever session found it; the others are closed."""
    tjk = members.session("tjk")
    await until(lambda: tjk.running)
    tjk.rolled_back.set()
    with pytest.raises(NodeStopped, match="log_rolled_back"):
        await running
    assert members.session("uzb").closed


async def test_outbound_queues_follow_the_sessions(members: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue for each session, woken by what is queued for its member; a new session gets a new one."""
    queues: list[Any] = []

    class Queue:
        def __init__(self, _core: object, session: Session, _cosigned: object) -> None:
            self.session, self.woken, self.ended = session, 0, False
            queues.append(self)

        def wake(self, _slots: Iterable[Slot] = Slot) -> None:
            self.woken += 1

        async def run(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                self.ended = True

    monkeypatch.setattr("paiza_node.core.exchange.send.queue.PeerQueue", Queue)
    outbound = OutboundQueues(cast("Any", None), members.peers, lambda _reads, _proof: None)
    monkeypatch.setattr(outbound, "_expired", list)
    task = asyncio.create_task(outbound.run())
    async with asyncio.timeout(SECONDS):
        await until(lambda: len(queues) == 2)
        outbound.notify([DeliveriesQueued(frozenset({"tjk", "aze"}))])
        assert {queue.session.member: queue.woken for queue in queues} == {"tjk": 1, "uzb": 0}
        (tjk,) = [queue for queue in queues if queue.session.member == "tjk"]
        members.publish("kaz", "uzb")
        assert list(members.peers.sessions) == ["uzb"]
        await until(lambda: tjk.ended)
        members.publish("kaz", "tjk", "uzb")
        new = members.session("tjk")
        await until(lambda: queues[-1].session is new)
        outbound.catch_up()
        assert (tjk.woken, queues[-1].woken) == (1, 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert all(queue.ended for queue in queues)
