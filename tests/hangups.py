"""Programs that hear the end of a terminal, also where the run of the tests does not (`nohup`)."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heard() -> Iterator[None]:
    """Let the programs that are started in the block hear SIGHUP: what a process ignores, those it starts ignore."""
    before = signal.signal(signal.SIGHUP, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
