"""The choice of a member's endpoint to dial."""

from collections.abc import Callable, Sequence
from time import monotonic

from paiza_node.core.executors.periodic import backoff
from paiza_node.core.peers.health import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS


class Endpoints:
    """Keeps one endpoint of a member until it fails, then chooses the one whose pause ends first.

    An endpoint that keeps failing is paused longer each time, so it is tried less often; if all are paused, one is
    tried nevertheless. Failures on an endpoint that is no longer dialled are ignored.
    """

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        """Begin without failures; ``seconds`` is a clock that is never set."""
        self._seconds = seconds
        self._failures: dict[str, int] = {}
        self._paused_until: dict[str, float] = {}
        self._kept = False  # the dialled one has not failed since it was chosen
        self.dialled = ""
        """The endpoint chosen last; empty before the first."""

    def choose(self, listed: Sequence[str]) -> str:
        """Return the endpoint to dial among those that the register lists, in its order."""
        if not self._kept or self.dialled not in listed:
            self.dialled = min(listed, key=lambda endpoint: self._paused_until.get(endpoint, float("-inf")))
            self._kept = True
        return self.dialled

    def answered(self, endpoint: str) -> None:
        """Note that a node answered at an endpoint."""
        self._failures.pop(endpoint, None)
        self._paused_until.pop(endpoint, None)

    def failed(self, endpoint: str) -> None:
        """Note that an endpoint did not answer: another one is chosen next, if the register lists one."""
        if endpoint == self.dialled and self._kept:
            failures = self._failures[endpoint] = self._failures.get(endpoint, 0) + 1
            self._paused_until[endpoint] = self._seconds() + backoff(
                failures, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
            )
            self._kept = False
