"""Due attachments, if the log has grown beyond its signed checkpoint or the disk is nearly full."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import delivery_pb2
from paiza_node.core.storage import open_store
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.disk_room import MIN_FREE_BYTES
from paiza_node.features.attachments.download import GRANT_BYTES, PACE_BYTES, AttachmentDownloads
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.attachments.model import AttachmentRow
from paiza_wire.errors import Unavailable

MIB = 1024 * 1024
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PENDING = AttachmentRow(bytes(32), 1, "kaz", "tjk", bytes(32), 1000, NOW, due_time=NOW)
ANSWERED = replace(PENDING, state=delivery_pb2.ATTACHMENT_STATE_RECEIVED)


def test_only_what_can_be_proven_is_told(tmp_path: Path) -> None:
    """An answer that was committed this moment waits for its checkpoint; asking to prove it would end the node."""
    early, late = replace(ANSWERED, part_number=2, log_index=4), replace(ANSWERED, part_number=3, log_index=5)
    ledger = SimpleNamespace(checkpoint=SimpleNamespace(size=5))  # the store holds seven already
    store = open_store(f"sqlite:///{tmp_path / 'paiza.db'}")
    with store.transaction() as conn:
        attachments_store.put_attachments(conn, [PENDING, early, late])
    core: Any = SimpleNamespace(ledger=ledger, store=store, clock=lambda: NOW)
    nobody: Any = None
    files = AttachmentFiles(tmp_path / "attachments")
    collect = AttachmentDownloads(core, files, peers=nobody, life=timedelta(days=1))
    assert collect._due("tjk") == [early, PENDING]
    store.close()


class Served:
    """A peer's node that serves attachments as a test goes on, and a disk of its reader."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        self.checkpoint = SimpleNamespace(size=0)
        self.free = MIN_FREE_BYTES + 10 * 1024 * MIB
        self.asked = list[int]()
        self.pieces = asyncio.Queue[int]()
        self.store = open_store(f"sqlite:///{folder / 'paiza.db'}")
        monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_bavail=self.free, f_frsize=1))
        self.files = AttachmentFiles(folder / "attachments")
        core: Any = SimpleNamespace(store=self.store, clock=lambda: self.now, ledger=self)
        peers: Any = SimpleNamespace(session=lambda _: SimpleNamespace(fetch_attachment=self.fetch))
        self.downloads = AttachmentDownloads(core, self.files, peers=peers, life=timedelta(days=1))

    async def fetch(self, request: Any) -> AsyncGenerator[bytes]:
        """Serve pieces of the sizes that the test puts, until one is nothing."""
        self.asked.append(request.part_number)
        while size := await self.pieces.get():
            yield bytes(size)

    async def commit(self, work: Any) -> None:
        """Commit without a log."""
        with self.store.transaction() as conn:
            work(SimpleNamespace(conn=conn))

    async def until_asked(self, number: int) -> None:
        """Return when so many attachments were asked for."""
        async with asyncio.timeout(30):
            while len(self.asked) < number:
                await asyncio.to_thread(self.asked.copy)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Return a peer, and close its reader's store at the end."""
    made = Served(tmp_path, monkeypatch)
    yield made
    made.store.close()


async def test_a_peer_that_announces_much_is_asked_for_no_more_than_fits(served: Served) -> None:
    """Two attachments that fit alone do not fit together: the second waits, and is asked for once there is room."""
    served.free = MIN_FREE_BYTES + 1000 * MIB
    large = replace(PENDING, size=900 * MIB)
    first = asyncio.ensure_future(served.downloads._fetch(large))
    await served.until_asked(1)
    second = replace(large, part_number=2, ciphertext_sha256=bytes(31) + b"2")
    with pytest.raises(Unavailable, match="disk_full"):
        await served.downloads._fetch(second)
    for _ in range(2):
        served.pieces.put_nowait(0)
    for fetched in (first, served.downloads._fetch(second)):
        with pytest.raises(Unavailable, match="attachment_incomplete"):
            await fetched
    assert served.asked == [1, 2]


async def test_room_is_granted_a_piece_at_a_time(served: Served) -> None:
    """A peer that announces 4 GiB and sends a byte holds 64 MiB, and the next piece when that is written."""
    fetching = asyncio.ensure_future(served.downloads._fetch(replace(PENDING, size=4096 * MIB)))
    await served.until_asked(1)
    assert served.files.room.granted == 0
    served.pieces.put_nowait(1)
    await written(served, 1)
    assert served.files.room.granted == GRANT_BYTES - 1
    for _ in range(GRANT_BYTES // MIB):
        served.pieces.put_nowait(MIB)
    await written(served, GRANT_BYTES + 1)
    assert 0 < served.files.room.granted <= GRANT_BYTES
    served.pieces.put_nowait(0)
    with pytest.raises(Unavailable, match="attachment_incomplete"):
        await fetching
    assert served.files.room.granted == 0


async def test_a_peer_that_drips_is_broken_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes below the least pace are no progress: the pauses between the attempts grow."""
    monkeypatch.setattr("paiza_node.features.attachments.download.PACE_SECONDS", 0.0)
    with served.store.transaction() as conn:
        attachments_store.put_attachments(conn, [PENDING])
    for attempt in (1, 2):
        served.pieces.put_nowait(1)  # the peer keeps the call open: only the pace ends it
        async with asyncio.timeout(30):
            await served.downloads._collect(replace(PENDING, attempts=attempt - 1))
        with served.store.reads() as reads:
            row = attachments_store.attachment(reads, PENDING.digest, 1, "kaz", "tjk")
        assert row is not None
        assert (row.attempts, row.reason) == (attempt, "attachment_incomplete")


async def test_a_peer_that_keeps_the_pace_makes_progress(served: Served) -> None:
    """A transfer that breaks off after a minute's bytes goes on soon."""
    large = replace(PENDING, size=MIB)
    with served.store.transaction() as conn:
        attachments_store.put_attachments(conn, [large])
    served.pieces.put_nowait(PACE_BYTES)
    served.pieces.put_nowait(0)
    await served.downloads._collect(replace(large, attempts=7))
    with served.store.reads() as reads:
        row = attachments_store.attachment(reads, PENDING.digest, 1, "kaz", "tjk")
    assert row is not None
    assert row.attempts == 0


async def test_members_take_turns(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two members that keep all places do not get them again before a third one."""
    rows = [
        replace(PENDING, source=source, digest=source.encode().rjust(32), part_number=number)
        for source in ("aaa", "bbb", "ccc")
        for number in range(3)
    ]
    with served.store.transaction() as conn:
        attachments_store.put_attachments(conn, rows)
    begun = list[str]()

    async def collect(row: AttachmentRow) -> None:
        begun.append(row.source)

    monkeypatch.setattr(served.downloads, "_due", lambda source: [row for row in rows if row.source == source])
    monkeypatch.setattr(served.downloads, "_collect", collect)
    for _ in range(3):
        await served.downloads._begin()
        await asyncio.gather(*(task for _, task in served.downloads._fetching.values()))
        served.downloads._fetching.clear()
    first, second = begun[:4], begun[4:6]
    assert len(set(first)) == 2
    assert len(set(second)) == 1
    assert set(second).isdisjoint(first)


class Refusing:
    """Members that refuse each download, but for those who serve each."""

    def __init__(self, served: Served, monkeypatch: pytest.MonkeyPatch, *serving: str) -> None:
        self.served = served
        self.serving = set(serving)
        self.asked = list[tuple[str, int]]()
        monkeypatch.setattr(served.downloads, "_fetch", self.fetch)
        monkeypatch.setattr(served.downloads, "_open", lambda _row: None)
        monkeypatch.setattr(served.downloads, "_settle", self.settle)

    def expect(self, source: str, count: int) -> None:
        """Expect so many attachments of a member."""
        rows = [replace(PENDING, source=source, digest=source.encode().rjust(32), part_number=n) for n in range(count)]
        with self.served.store.transaction() as conn:
            attachments_store.put_attachments(conn, rows)

    async def fetch(self, row: AttachmentRow) -> None:
        """Serve an attachment, or refuse it."""
        self.asked.append((row.source, row.part_number))
        if row.source not in self.serving:
            raise Unavailable("attachment_incomplete", "not here")

    async def settle(self, row: AttachmentRow, _refusal: None) -> bool:
        """Note that an attachment was received."""
        with self.served.store.transaction() as conn:
            received = replace(row, state=delivery_pb2.ATTACHMENT_STATE_RECEIVED, due_time=None)
            attachments_store.put_attachments(conn, [received])
        return True

    async def play(self, seconds: int) -> None:
        """Let so much time pass by the clock of the node, which waits for nothing else."""
        served, end = self.served, self.served.now + timedelta(seconds=seconds)
        while served.now < end:
            pause = await served.downloads._begin()
            under_way = [task for _, task in served.downloads._fetching.values()]
            await asyncio.gather(*under_way)
            served.downloads._fetching.clear()
            if not under_way:
                served.now = min(end, served.now + timedelta(seconds=pause))


async def test_a_peer_that_refuses_is_asked_no_more_often_the_more_is_expected(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pauses are the member's, not each attachment's; within them each attachment has its turn."""
    peer = Refusing(served, monkeypatch)
    peer.expect("tjk", 64)
    await peer.play(600)
    assert 20 <= len(peer.asked) <= 64  # two at a time, after 0.5 seconds to a minute
    assert len(set(peer.asked)) == len(peer.asked)


async def test_one_success_ends_the_pauses(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that serves again within a minute is asked for all that waits, without a pause between."""
    peer = Refusing(served, monkeypatch)
    peer.expect("tjk", 64)
    await peer.play(600)
    peer.serving.add("tjk")
    await peer.play(120)
    with served.store.reads() as reads:
        assert attachments_store.pending_counts(reads) == {}


async def test_a_peer_that_refuses_holds_up_no_other(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another member serves is received at once, and the first is asked no sooner for it."""
    peer = Refusing(served, monkeypatch, "uzb")
    peer.expect("tjk", 64)
    await peer.play(600)
    peer.asked.clear()
    peer.expect("uzb", 32)
    await peer.play(1)
    assert [source for source, _ in peer.asked].count("uzb") == 32
    assert [source for source, _ in peer.asked].count("tjk") <= 2


async def written(served: Served, size: int) -> None:
    """Return when so many bytes of an attachment are on the disk."""
    async with asyncio.timeout(60):
        while served.downloads.bytes_taken < size:
            await asyncio.to_thread(served.asked.copy)


async def test_outcome_that_cannot_be_stored_does_not_end_the_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attachment stays due, and is asked for again: no answer of one peer ends the node."""
    monkeypatch.setattr("paiza_node.features.attachments.download.FIRST_PAUSE_SECONDS", 0.0)
    store = open_store(f"sqlite:///{tmp_path / 'paiza.db'}")
    with store.transaction() as conn:
        attachments_store.put_attachments(conn, [PENDING])
    asked = asyncio.Semaphore(0)

    async def fetch(_request: Any) -> AsyncGenerator[bytes]:
        asked.release()
        yield bytes(10)
        raise Unavailable("busy", "not now")

    async def commit(_work: Any) -> None:
        raise ValueError("the database does not store this")

    ledger = SimpleNamespace(checkpoint=SimpleNamespace(size=5), commit=commit)
    core: Any = SimpleNamespace(store=store, clock=lambda: NOW, ledger=ledger)
    peers: Any = SimpleNamespace(session=lambda _: SimpleNamespace(fetch_attachment=fetch))
    downloads = AttachmentDownloads(
        core, AttachmentFiles(tmp_path / "attachments"), peers=peers, life=timedelta(days=1)
    )
    running = asyncio.create_task(downloads.run())
    async with asyncio.timeout(30):
        for _ in range(2):
            await asked.acquire()
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    store.close()
