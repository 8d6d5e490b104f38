"""Blocks of members: in force at once, committed with the reason, and undone if they cannot be committed."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest

from paiza.core.v1 import log_pb2
from paiza_node.core.api import authentication
from paiza_node.core.api.authentication import Authenticator, Caller
from paiza_node.core.log import store as log_store
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.blocks import ANSWERED, PeerBlocks
from paiza_node.core.peers.checks import Blocks
from paiza_node.core.peers.rpcs import DELIVER, GET_FILE, HANDSHAKE, LIST_HELD_CHECKPOINTS
from paiza_node.core.storage.findings import Part
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_node.fixed_officers import FixedOfficers
from tests.unit.paiza_node.room import Room

WHY = "Two keys are in a stranger's hands."
ACTOR = "os-user:night"


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A ledger on either database."""
    with Room(database_url) as room:
        yield room


def logged(room: Room, index: int) -> log_pb2.LogEntry:
    """Return an entry of the log."""
    with room.store.reads() as reads:
        (entry,) = log_store.entries_at(reads, [index])
    return log_pb2.LogEntry.FromString(entry.entry)


async def test_a_block_is_logged_with_its_reason_and_read_at_the_next_start(room: Room) -> None:
    """The log names who blocked and unblocked whom; the reason stands beside it and in the row."""
    blocks = PeerBlocks()
    block = await blocks.block(room.ledger, "tjk", f" {WHY} ", ACTOR)
    assert (block.member, block.actor, block.reason_text) == ("tjk", ACTOR, WHY)
    with room.store.reads() as reads:
        stored = peers_store.peer_blocks(reads)
    assert stored == {"tjk": block} == PeerBlocks(stored).all
    entry = logged(room, block.index)
    assert (entry.event, entry.actor, entry.counterpart) == (log_pb2.LOG_EVENT_PEER_BLOCKED, ACTOR, "tjk")
    await blocks.unblock(room.ledger, "tjk", "New keys.", ACTOR)
    assert not blocks.all
    with room.store.reads() as reads:
        assert not peers_store.peer_blocks(reads)
    assert logged(room, block.index + 1).event == log_pb2.LOG_EVENT_PEER_UNBLOCKED


async def test_only_what_harms_nobody_is_answered_to_a_blocked_member(room: Room) -> None:
    """Files of the register, and the checkpoints of its own logs: no message, and no call to it."""
    blocks = PeerBlocks()
    await blocks.block(room.ledger, "tjk", WHY, ACTOR)
    for path in (GET_FILE.path, LIST_HELD_CHECKPOINTS.path):
        blocks.check_caller("tjk", path)
        assert path in ANSWERED
    for path in (DELIVER.path, HANDSHAKE.path):
        blocks.check_caller("uzb", path)
        with pytest.raises(Rejected, match="member_blocked"):
            blocks.check_caller("tjk", path)
    blocks.check_called("uzb")
    with pytest.raises(Unavailable, match="member_blocked"):
        blocks.check_called("tjk")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
async def test_a_block_and_its_end_need_a_reason(room: Room, reason: str) -> None:
    """Nothing changes without one."""
    blocks = PeerBlocks()
    with pytest.raises(Rejected, match="reason_missing"):
        await blocks.block(room.ledger, "tjk", reason, ACTOR)
    assert not blocks.all
    await blocks.block(room.ledger, "tjk", WHY, ACTOR)
    with pytest.raises(Rejected, match="reason_missing"):
        await blocks.unblock(room.ledger, "tjk", reason, ACTOR)
    assert "tjk" in blocks.all
    with pytest.raises(Rejected, match="unknown_id"):
        await blocks.unblock(room.ledger, "uzb", WHY, ACTOR)


async def test_a_block_that_cannot_be_committed_does_not_stand(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever follows sees it begin and end; a member that stays blocked is still blocked."""
    blocks = PeerBlocks()
    seen: list[set[str]] = []
    blocks.follow(lambda: seen.append(set(blocks.all)))
    commit = room.ledger.commit

    async def fail(_work: object) -> object:
        raise Unavailable("database_unavailable", "the disk is gone")

    monkeypatch.setattr(room.ledger, "commit", fail)
    with pytest.raises(Unavailable, match="database_unavailable"):
        await blocks.block(room.ledger, "tjk", WHY, ACTOR)
    assert seen == [{"tjk"}, set()]
    monkeypatch.setattr(room.ledger, "commit", commit)
    await blocks.block(room.ledger, "tjk", WHY, ACTOR)
    monkeypatch.setattr(room.ledger, "commit", fail)
    with pytest.raises(Unavailable, match="database_unavailable"):
        await blocks.unblock(room.ledger, "tjk", WHY, ACTOR)
    assert "tjk" in blocks.all


async def test_verify_finds_blocks_that_the_log_does_not_record(room: Room) -> None:
    """A row removed or invented in the database is found."""
    blocks = PeerBlocks()
    await blocks.block(room.ledger, "tjk", WHY, ACTOR)
    await blocks.block(room.ledger, "uzb", WHY, ACTOR)
    await blocks.unblock(room.ledger, "uzb", WHY, ACTOR)
    assert found(room) == []
    await room.ledger.commit(lambda tx: peers_store.drop_peer_block(tx.conn, "tjk"))
    assert found(room) == ["log_damaged"]


def found(room: Room) -> list[str]:
    """Return what the verification of blocks finds."""
    part = Part("blocks")
    with room.store.reads() as reads:
        check = Blocks(reads)
        for index in range(room.ledger.checkpoint.size):
            entry = logged(room, index)
            if entry.event in check.events:
                check.read_entry(index, entry)
        check.verify(part, lambda _rows: None)
    return [finding.reason for finding in part.findings]


@dataclass
class _Context:
    """A call of a member, whose end no test waits for."""

    member: str

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Call a function at the end of the call."""


async def test_calls_under_way_are_cut(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of the blocked member ends with the reason; others', and those still answered, go on."""
    blocks = PeerBlocks()
    register_cache: Any = None
    authenticator = Authenticator("kaz", register_cache, FixedOfficers(), room.clock, blocks=blocks)

    def identify(method: str, shown: str) -> Caller:
        blocks.check_caller(shown, method)
        return Caller(shown, member=cast("Any", type("Member", (), {"id": shown})))

    monkeypatch.setattr(authentication, "_shown", lambda context: context.member)
    monkeypatch.setattr(authenticator, "_identify", identify)
    waits = asyncio.Event()
    committed: list[str] = []

    async def call(member: str, method: str) -> str:
        try:
            async with authenticator.admit(method, _Context(member)):
                await waits.wait()
                committed.append(f"{member} {method}")
        except Rejected as error:
            return error.reason
        return "ok"

    calls = [
        asyncio.create_task(call(member, rpc.path))
        for member, rpc in (("tjk", DELIVER), ("tjk", GET_FILE), ("uzb", DELIVER))
    ]
    cancelled = asyncio.create_task(call("uzb", HANDSHAKE.path))
    await asyncio.sleep(0)
    await blocks.block(room.ledger, "tjk", WHY, ACTOR)
    cancelled.cancel()
    waits.set()
    assert await asyncio.gather(*calls) == ["member_blocked", "ok", "ok"]
    assert len(committed) == 2
    with pytest.raises(asyncio.CancelledError):
        await cancelled
