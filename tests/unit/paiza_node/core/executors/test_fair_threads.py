"""Threads that serve their callers in turn: one caller's pile, or its long work, does not stand before another's."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.executors import executors
from paiza_node.core.executors.executors import Executors, each
from paiza_node.core.executors.fair_threads import FairThreads, Slices

FLOODER = CallerKey("officer", "flooder")
OTHER = CallerKey("officer", "other")


@contextmanager
def called_by(caller: CallerKey) -> Iterator[None]:
    """Work for a caller."""
    token = CALLER.set(caller)
    yield
    CALLER.reset(token)


def test_single_piece_comes_before_another_callers_pile() -> None:
    """A caller with one piece of work waits for the piece that runs, and not for those that wait."""
    order: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        go_on.wait(60)

    with FairThreads(1, "test") as threads:
        with called_by(FLOODER):
            threads.submit(block)
            begun.wait(60)
            for _ in range(5):
                threads.submit(order.append, "flooder")
        with called_by(OTHER):
            threads.submit(order.append, "other")
        go_on.set()
    assert order == ["other", *["flooder"] * 5]


def test_others_come_between_the_slices_of_long_work() -> None:
    """Work in slices goes on after another caller's, keeps its own order and returns its result."""
    order: list[str] = []
    begun = threading.Event()
    ready = threading.Event()

    def long() -> Slices[str]:
        for number in range(3):
            order.append(f"slice {number}")
            begun.set()
            ready.wait(60)
            yield
        return "done"

    with FairThreads(1, "test") as threads:
        with called_by(FLOODER):
            result = threads.submit_slices(long)
            begun.wait(60)
        with called_by(OTHER):
            threads.submit(order.append, "other")
        ready.set()
        assert result.result(60) == "done"
    assert order == ["slice 0", "other", "slice 1", "slice 2"]


def test_one_caller_leaves_threads_to_the_others() -> None:
    """One caller's slow work occupies its share of the threads, and what waits is done when it ends."""
    occupied = threading.Semaphore(0)
    go_on = threading.Event()
    done: list[int] = []

    def slow(number: int) -> None:
        occupied.release()
        go_on.wait(60)
        done.append(number)

    with FairThreads(4, "test", most_threads_of_one=2) as threads:
        with called_by(FLOODER):
            for number in range(6):
                threads.submit(slow, number)
        assert all(occupied.acquire(timeout=10) for _ in range(2))
        with called_by(OTHER):
            assert threads.submit(lambda: "served").result(60) == "served"
        assert not occupied.acquire(blocking=False)
        go_on.set()
    assert sorted(done) == list(range(6))


async def test_errors_reach_the_caller_and_cancelled_work_is_not_begun() -> None:
    """An error is raised where the result is awaited; work whose caller left before its turn does not run."""

    def fail() -> None:
        raise LookupError("x")

    def fail_later() -> Slices[None]:
        yield
        fail()

    begun, go_on, ran = threading.Event(), threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        go_on.wait(60)

    with FairThreads(1, "test") as threads:
        with pytest.raises(LookupError):
            await asyncio.wrap_future(threads.submit(fail))
        with pytest.raises(LookupError):
            await asyncio.wrap_future(threads.submit_slices(fail_later))
        threads.submit(block)
        begun.wait(60)
        threads.submit(ran.set).cancel()
        go_on.set()
    assert not ran.is_set()


async def test_batch_is_checked_in_slices_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses change nothing of the results of a batch."""
    monkeypatch.setattr(executors, "SLICE_SECONDS", 0.0)
    threads = Executors()
    try:
        found = await threads.submit.run_in_slices(100, lambda: each(range(100), lambda item, by: item * by, 3))
    finally:
        threads.close()
    assert found == [3 * number for number in range(100)]
