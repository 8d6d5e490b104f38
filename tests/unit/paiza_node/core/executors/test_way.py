"""The way for single messages: bulk leaves it free for a moment, and goes on all the same."""

import threading

import pytest
from typing_extensions import override

from paiza_node.core.executors import way as way_module
from paiza_node.core.executors.fair_threads import FairThreads, Slices
from paiza_node.core.executors.way import Way


class Counted(Way):
    """A way that counts how often bulk has waited."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.waiting = threading.Event()

    @override
    def wait(self) -> float:
        self.waiting.set()
        self.waits.append(super().wait())
        return self.waits[-1]


def bulk(done: list[int]) -> Slices[None]:
    """Work in five slices that take no time."""
    for number in range(5):
        done.append(number)
        yield


def test_bulk_waits_until_no_single_message_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins when the last one is answered; one that leaves the way free holds nothing up."""
    monkeypatch.setattr(way_module, "PAUSE_SECONDS", 60.0)
    way, done = Counted(), list[int]()
    with FairThreads(1, "test", way=way) as threads:
        with way.occupied(), way.occupied(when=False):
            with way.occupied():
                waiting = threads.submit_slices(lambda: bulk(done))
            assert way.waiting.wait(60)
            assert not threading.Event().wait(0.05)
            assert not done
        waiting.result(60)
    assert done == [0, 1, 2, 3, 4]
    assert way.waits[0] > 0.0


def test_bulk_works_as_long_as_it_has_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many single messages come, it has half of the time."""
    monkeypatch.setattr(way_module, "PAUSE_SECONDS", 3.0)
    way, done = Counted(), list[int]()
    with FairThreads(1, "test", way=way) as threads, way.occupied():
        threads.submit_slices(lambda: bulk(done)).result(60)
        threads.submit_slices(lambda: bulk(done)).result(60)
    assert len(done) == 10
    assert len(way.waits) == 1, "its ten slices take less time than it has waited"
