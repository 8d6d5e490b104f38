"""Work on a few small messages: the event loop does it, unless it would wait."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from paiza_node.core.blocking import WouldBlock, held, may_block
from paiza_node.core.executors.executors import LOOP_BYTES, LOOP_ITEMS, Executors, each, fits_loop
from paiza_node.core.storage import open_store
from paiza_wire.errors import Rejected


@pytest.fixture
async def executors() -> AsyncIterator[Executors]:
    """Executors that end with the test."""
    made = Executors()
    yield made
    made.close()


async def test_little_work_is_done_on_the_event_loop(executors: Executors) -> None:
    """Only work that is said to be so little is done there, whole or in slices."""
    here = threading.get_ident()
    assert await executors.submit.run(1, threading.get_ident, on_loop=True) == here
    assert await executors.submit.run(1, threading.get_ident) != here
    for on_loop in (True, False):
        found = await executors.submit.run_in_slices(
            3, lambda: each(range(3), lambda _item: threading.get_ident()), on_loop=on_loop
        )
        assert [ident == here for ident in found] == [on_loop] * 3


async def test_work_that_would_wait_is_begun_again_in_a_thread(executors: Executors) -> None:
    """No step of a batch takes it for a failure of its message, and the results are those of the thread."""
    here = threading.get_ident()
    began: list[int] = []

    def step(number: int) -> int:
        began.append(number)
        if number == 2:
            may_block()
        if number == 3:
            raise Rejected("malformed", "three")
        return threading.get_ident()

    found: list[Any] = await executors.receive.run_in_slices(4, lambda: each([1, 2, 3], step), on_loop=True)
    assert began == [1, 2, 1, 2, 3]
    assert here not in found[:2]
    assert isinstance(found[2], Rejected)


async def test_little_work_does_not_read_the_database(executors: Executors, tmp_path: Path) -> None:
    """It reads it in a thread instead; what the event loop does otherwise is not held up."""
    store = open_store(f"sqlite:///{tmp_path / 'paiza.db'}")
    here = threading.get_ident()

    def read() -> int:
        with store.reads(), store.tile_reads():
            return threading.get_ident()

    try:
        assert await executors.deliver.run(1, read, on_loop=True) != here
        assert read() == here
    finally:
        store.close()


async def test_little_work_does_not_wait_for_a_lock(executors: Executors) -> None:
    """Its holder may wait for the database; the lock is taken at once where it is free."""
    here = threading.get_ident()
    lock = threading.Lock()

    def take() -> int:
        with held(lock):
            return threading.get_ident()

    assert await executors.deliver.run(1, take, on_loop=True) == here
    with lock:
        waiting = asyncio.create_task(executors.deliver.run(1, take, on_loop=True))
        await asyncio.sleep(0)
    assert await waiting != here
    assert not lock.locked()


async def test_failures_of_little_work_are_raised(executors: Executors) -> None:
    """As those of work in a thread."""

    def fail() -> None:
        raise Rejected("malformed", "no")

    with pytest.raises(Rejected):
        await executors.submit.run(1, fail, on_loop=True)
    may_block()  # the next work may wait


@pytest.mark.parametrize(
    ("sizes", "fits"),
    [
        ([], True),
        ([4000] * LOOP_ITEMS, True),
        ([1] * (LOOP_ITEMS + 1), False),
        ([LOOP_BYTES], True),
        ([LOOP_BYTES, 1], False),
    ],
)
def test_only_few_small_messages_fit_the_loop(sizes: list[int], *, fits: bool) -> None:
    """Many, or large ones, would hold up all calls."""
    assert fits_loop(sizes) is fits


def test_of_many_messages_only_the_first_are_measured() -> None:
    """A size may have to be computed."""
    sizes = iter([1] * 256)
    assert not fits_loop(sizes)
    assert len(list(sizes)) == 256 - LOOP_ITEMS - 1


def test_work_that_would_block_is_no_error() -> None:
    """Handlers of errors must not stop it."""
    assert not issubclass(WouldBlock, Exception)
