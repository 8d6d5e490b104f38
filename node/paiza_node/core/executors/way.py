"""The way for single and urgent messages: threads that work on bulk pause while one of them is under way.

The interpreter runs one thread at a time. A message passes between the event loop and the ledger's thread several times
before it is answered, and at each hand-over it would wait for the bulk that is being checked meanwhile.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

PAUSE_SECONDS: Final = 0.02  # at most at once: a single message takes about so long from its arrival to its answer


class Way:
    """Counts the single messages under way. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Begin without messages; ``clock`` returns seconds that never go back."""
        self._clock = clock
        self._changed = threading.Condition()
        self._under_way = 0

    @contextmanager
    def occupied(self, *, when: bool = True) -> Iterator[None]:
        """Let bulk pause while the block runs, if ``when`` holds."""
        if not when:
            yield
            return
        with self._changed:
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                if not self._under_way:
                    self._changed.notify_all()

    def wait(self) -> float:
        """Wait while single messages are under way, for a moment at most; return the seconds waited."""
        if not self._under_way:
            return 0.0
        began = self._clock()
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, PAUSE_SECONDS)
        return self._clock() - began
