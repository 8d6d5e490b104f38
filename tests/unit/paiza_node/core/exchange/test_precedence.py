"""Precedence in the ledger's queue and in the notices to watching officers."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from paiza.officer.v1 import notice_pb2
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.notifier import TOGETHER_BYTES, Notifier
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import open_store
from paiza_wire import log_entries
from tests.unit.paiza_node.core.log.test_ledger import SIGNER, CheckpointInMemory


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger on an empty database."""
    store = open_store(f"sqlite:///{tmp_path / 'paiza.db'}")
    opened = Ledger(store, LogSigner([SIGNER]), CheckpointInMemory(), lambda: bytes(32))
    yield opened
    opened.close()
    store.close()


async def test_what_goes_first_is_committed_before_all_that_waits(ledger: Ledger) -> None:
    """While a commit is under way, work that goes first is put before work that waited longer."""
    begun, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def slow(_tx: LogTransaction) -> None:
        begun.set()
        go_on.wait(60)

    def named(name: str) -> "asyncio.Task[object]":
        def work(tx: LogTransaction) -> None:
            order.append(name)
            tx.append(log_entries.searched(actor=name))

        return asyncio.create_task(ledger.commit(work, first=name == "stop"))

    under_way = asyncio.create_task(ledger.commit(slow))
    await asyncio.to_thread(begun.wait, 10)
    rest = [named(f"bulk {number}") for number in range(5)]
    await asyncio.sleep(0)
    rest.append(named("stop"))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(under_way, *rest)
    assert order == ["stop", *(f"bulk {number}" for number in range(5))]


async def test_watcher_hears_of_what_goes_first_first() -> None:
    """Urgent items come next in any backlog; the others come in order."""
    notifier = Notifier()
    watch = notifier.subscribe()
    for item in ("bulk 1", "bulk 2", "stop", "bulk 3"):
        notifier.put([watch], item, 1, memory=1, first=item == "stop")
    assert [await watch.take(), await watch.take()] == [["stop"], ["bulk 1", "bulk 2", "bulk 3"]]


async def test_what_is_large_comes_alone() -> None:
    """No response is larger than so many bytes, or than one item."""
    notifier = Notifier()
    watch = notifier.subscribe()
    for item, size in enumerate((1, TOGETHER_BYTES, TOGETHER_BYTES - 1, 1, 1)):
        notifier.put([watch], item, size, memory=1, first=False)
    assert [await watch.take() for _ in range(4)] == [[0], [1], [2, 3], [4]]


async def test_backlog_is_interrupted_by_what_goes_first() -> None:
    """A watch that reads a backlog gets urgent notices between its pages, and nothing else."""
    notifier = Notifier()
    watch = notifier.subscribe()
    notifier.tell(notice_pb2.Notice(code="bulk"))
    assert watch.take_ahead() == []
    notifier.tell(notice_pb2.Notice(code="overlap"), first=True)
    assert watch.take_ahead() == [notice_pb2.Notice(code="overlap")]
    assert await watch.take() == [notice_pb2.Notice(code="bulk")]
