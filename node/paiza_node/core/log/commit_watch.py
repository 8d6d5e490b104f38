"""The watch over the running commit: where the database does not answer in time, a thread answers the callers.

The callers of the running commit are answered, whose work may still take place, and those of all that waits behind it,
whose work is dropped. The commit itself goes on. A caller is answered once: what the commit answers later is ignored.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import structlog

from paiza_node.core.log.waiting import Waiting
from paiza_wire.errors import Unavailable

LOOK_SECONDS: Final = 0.25  # between two looks at the running commit
SLOW: Final = "database_slow"
SLOW_RETRY_SECONDS: Final = 5.0  # for callers that were refused

log = structlog.get_logger("paiza.log")


@dataclass(frozen=True, slots=True)
class _Running:
    """The group that is being committed, and since when (`monotonic`)."""

    group: Sequence[Waiting]
    began: float


class CommitWatch:
    """Watches the commits of one ledger, one at a time. Thread-safe."""

    def __init__(self, seconds: float, drain: Callable[[], list[Waiting]]) -> None:
        """Answer after so many seconds; ``drain`` returns what waits behind the commit, and drops it."""
        self._seconds = seconds
        self._drain = drain
        self._lock = threading.Lock()  # a commit does not end, nor the next begin, while the thread looks at it
        self._running: _Running | None = None
        self._slow = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-watch", daemon=True)

    def start(self) -> None:
        """Start to watch."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()

    @property
    def is_slow(self) -> bool:
        """Whether the running commit takes longer than callers wait."""
        return self._slow

    @property
    def age(self) -> float:
        """For how many seconds the running commit has been under way; 0 if none is."""
        running = self._running
        return 0.0 if running is None else monotonic() - running.began

    @contextmanager
    def over(self, group: Sequence[Waiting]) -> Iterator[None]:
        """Watch the commit of a group while the block runs."""
        with self._lock:
            self._running = _Running(group, monotonic())
        try:
            yield
        finally:
            with self._lock:
                age, self._running = self.age, None
                was_slow, self._slow = self._slow, False
            if was_slow:
                log.warning("database_answers", seconds=round(age, 1))

    def refusal(self) -> Unavailable:
        """Return what callers are answered while the commit is slow."""
        return _too_slow(self.age)

    def _run(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            with self._lock:
                running = self._running
                if running is None or (age := monotonic() - running.began) < self._seconds:
                    continue
                if not self._slow:
                    self._slow = True
                    log.error(SLOW, seconds=round(age, 1), detail="the database has not answered to a commit")
                waiting = self._drain()
            for item in (*running.group, *waiting):
                answer(item.future, _too_slow(age))


def answer(future: "Future[Any]", result: object) -> None:
    """Answer a caller with a result or an error, unless it was answered: by its work, or since the commit is slow."""
    with suppress(InvalidStateError):
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)


def _too_slow(age: float) -> Unavailable:
    return Unavailable(SLOW, f"the database has not answered for {age:.0f} s", SLOW_RETRY_SECONDS)
