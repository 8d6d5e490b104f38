"""Threads that serve their callers in turn. Work that takes long is done in slices, so that others come in between."""

import threading
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any, Final, ParamSpec, TypeVar

from typing_extensions import override

from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.executors.turns import Turns
from paiza_node.core.executors.way import Way

MAX_WAITING: Final = 4096  # pieces of work
MAX_WAITING_OF_ONE: Final = 512  # pieces of work; the calls of one caller are far fewer
SLICE_SECONDS: Final = 0.005  # as long as the interpreter lets one thread run while others are ready

P = ParamSpec("P")
T = TypeVar("T")

Slices = Generator[None, None, T]
"""Work that pauses now and then, so that the threads turn to another caller; it returns its result."""


class FairThreads(ThreadPoolExecutor):
    """A pool of threads whose next work is of the caller (`paiza_node.core.caller`) that was served least time."""

    def __init__(self, threads: int, name: str, *, most_threads_of_one: int = 0, way: Way | None = None) -> None:
        """Begin without work; a peer or officer occupies at most ``most_threads_of_one`` threads, all if 0.

        The node's own work is not held back so: some of it waits in a thread for other work of the node. With a ``way``
        the threads pause for single messages between slices of work, at most half of the time.
        """
        super().__init__(threads, thread_name_prefix=name)
        self._most_of_one = most_threads_of_one or threads
        self._way = way
        self._owed = 0.0  # seconds of work before the next pause
        self._guard = threading.Lock()
        self._turns: Turns[_Job] = Turns(most=MAX_WAITING, most_of_one=MAX_WAITING_OF_ONE)
        self._running: Counter[CallerKey] = Counter()

    @override
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run a function when its caller's turn comes; Unavailable("busy") if too much waits."""
        return self._add(whole(partial(fn, *args, **kwargs)))

    def submit_slices(self, work: Callable[[], Slices[T]]) -> "Future[T]":
        """Run work in slices, as `submit` does."""
        return self._add(work())

    def _add(self, slices: Slices[T]) -> "Future[T]":
        future: Future[T] = Future()
        with self._guard:
            self._turns.put(CALLER.get(), _Job(slices, future))
        super().submit(self._serve)
        return future

    def _serve(self) -> None:
        """Serve in turn until nothing is left that this thread may do: a thread that serves another does the rest."""
        while (turn := self._next()) is not None:
            caller, job = turn
            if self._way is not None and self._owed <= 0.0:
                self._owed = self._way.wait()
            began = perf_counter()
            ended = job.run()
            self._owed -= perf_counter() - began
            with self._guard:
                self._running[caller] -= 1
                if not self._running[caller]:
                    del self._running[caller]
                self._turns.charge(caller, perf_counter() - began)
                if not ended:
                    self._turns.put_back(caller, job)
            del turn, job  # no result is kept until the next work comes

    def _next(self) -> "tuple[CallerKey, _Job] | None":
        with self._guard:
            full = [
                caller
                for caller, threads in self._running.items()
                if threads >= self._most_of_one and caller.kind != "node"
            ]
            turn = self._turns.take(full)
            if turn is not None:
                self._running[turn[0]] += 1
            return turn


class _Job:
    """A piece of work and where its result goes."""

    def __init__(self, slices: Slices[Any], future: "Future[Any]") -> None:
        self._slices = slices
        self._future = future
        self._begun = False

    def run(self) -> bool:
        """Run one slice; return whether the work has ended."""
        if not self._begun:
            if not self._future.set_running_or_notify_cancel():
                return True  # the call has ended
            self._begun = True
        try:
            next(self._slices)
        except StopIteration as end:
            self._future.set_result(end.value)
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited, as in the library
            self._future.set_exception(error)
        else:
            return False
        return True


def whole(work: Callable[[], T]) -> Slices[T]:
    """Do work that does not pause."""
    yield from ()  # a generator that never pauses
    return work()
