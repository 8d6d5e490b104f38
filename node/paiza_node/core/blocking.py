"""Small work is done on the event loop, which must not wait: where it would, it is begun again in a thread.

`paiza_node.core.executors.executors` does such work. What may wait for a disk or the database calls `may_block` first,
or takes a lock by `held`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Final

from typing_extensions import override

_ON_LOOP: Final[ContextVar[bool]] = ContextVar("on_loop", default=False)


class WouldBlock(BaseException):
    """Raised where work on the event loop would wait. No handler of errors stops it."""

    @override
    def __str__(self) -> str:
        return "this work waits, and belongs in a thread"


@contextmanager
def on_loop() -> Iterator[None]:
    """Do work on the event loop while the block runs."""
    token = _ON_LOOP.set(True)
    try:
        yield
    finally:
        _ON_LOOP.reset(token)


def may_block() -> None:
    """Return if the present work may wait, else raise WouldBlock."""
    if _ON_LOOP.get():
        raise WouldBlock


@contextmanager
def held(lock: Lock) -> Iterator[None]:
    """Hold a lock whose holder may wait for a disk or the database: work on the event loop does not wait for it."""
    if not lock.acquire(blocking=False):
        may_block()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
