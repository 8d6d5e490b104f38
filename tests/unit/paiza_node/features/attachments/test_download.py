"""Due attachments, if the log has grown beyond its signed checkpoint or the disk is nearly full."""

import asyncio
from collections.abc import AsyncGenerator
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
from paiza_node.features.attachments.download import AttachmentDownloads
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.attachments.model import AttachmentRow
from paiza_wire.errors import Unavailable

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
    assert collect._due("tjk") == [PENDING, early]
    store.close()


async def test_a_peer_that_announces_much_is_asked_for_no_more_than_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two attachments that fit alone do not fit together: the second waits, and is asked for once there is room."""
    store = open_store(f"sqlite:///{tmp_path / 'paiza.db'}")
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_bavail=MIN_FREE_BYTES + 1500, f_frsize=1))
    asked, go_on = list[int](), asyncio.Event()

    async def fetch(request: Any) -> AsyncGenerator[bytes]:
        asked.append(request.part_number)
        await go_on.wait()
        yield bytes(10)

    core: Any = SimpleNamespace(store=store, clock=lambda: NOW)
    peers: Any = SimpleNamespace(session=lambda _: SimpleNamespace(fetch_attachment=fetch))
    downloads = AttachmentDownloads(
        core, AttachmentFiles(tmp_path / "attachments"), peers=peers, life=timedelta(days=1)
    )
    first = asyncio.ensure_future(downloads._fetch(PENDING))
    while not asked:
        await asyncio.to_thread(asked.copy)
    second = replace(PENDING, part_number=2, ciphertext_sha256=bytes(31) + b"2")
    with pytest.raises(Unavailable, match="disk_full"):
        await downloads._fetch(second)
    go_on.set()
    for fetched in (first, downloads._fetch(second)):
        with pytest.raises(Unavailable, match="attachment_incomplete"):
            await fetched
    assert asked == [1, 2]
    store.close()


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
