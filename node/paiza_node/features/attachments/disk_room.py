"""The room on the disk of attachments: what is granted to those who write, less what the database needs.

Room is granted before an upload or a piece of a download begins, so that all of them together fit, and nobody gets more
than half of what the others leave: one caller shuts out nobody. Who writes next to nothing loses the grant, and may
write only where nothing is granted. The disk is looked at again before each write: other programs fill it too. Nothing
is on disk: after a start the uploads under way are granted anew.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paiza_node.core.log.disk_reserve import free_bytes
from paiza_wire.errors import Unavailable

MIN_FREE_BYTES: Final = 256 * 1024 * 1024  # bytes of the disk that attachments leave to the database and its log
GRANT_SECONDS: Final = 300.0  # without a pace's bytes, after which a grant ends: a line that broke is back before
PACE_BYTES: Final = 1024 * 1024  # written within these seconds keep a grant: 3.5 KB/s
SHARE: Final = 2  # one caller is granted at most one part in so many of the room that the others leave
FULL_SECONDS: Final = 60.0

Holder = tuple[str, bytes]
"""Who writes, an officer or a member, and the digest of the ciphertext."""


@dataclass(slots=True)
class _Grant:
    left: int  # bytes granted and not written yet
    since: float
    written: int = 0  # bytes since then


class DiskRoom:
    """The room for attachments in one folder. Safe between threads."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing granted."""
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._grants: dict[Holder, _Grant] = {}

    @property
    def free(self) -> int:
        """Bytes that the disk has free."""
        return free_bytes(self._folder)

    @property
    def granted(self) -> int:
        """Bytes that are granted and not written yet."""
        with self._lock:
            return sum(self._by_caller().values())

    def left_to(self, caller: str) -> int:
        """Return the bytes that are free after the reserve and what is granted to others."""
        with self._lock:
            return self._left_to(caller, self._by_caller())

    def grant(self, holder: Holder, size: int) -> None:
        """Grant room for so many bytes, in place of an earlier grant.

        Unavailable("disk_full") if all that the caller is granted would be more than their share.
        """
        with self._lock:
            earlier = self._grants.pop(holder, None)
            granted = self._by_caller()
            if granted.get(holder[0], 0) + size > self._left_to(holder[0], granted) // SHARE:
                if earlier is not None:
                    self._grants[holder] = earlier
                raise disk_full(size)
            self._grants[holder] = _Grant(size, self._clock())

    def restore(self, holder: Holder, size: int) -> None:
        """Grant what was granted before the process started; each write looks whether there is room."""
        with self._lock:
            self._grants[holder] = _Grant(size, self._clock())

    def use(self, holder: Holder, size: int) -> None:
        """Count bytes as about to be written; Unavailable("disk_full") if the disk has no room for them any more."""
        with self._lock:
            granted = sum(self._by_caller().values())
            grant = self._grants.get(holder)
            own = 0 if grant is None else grant.left
            taken = 0 if size <= own else granted - own
            if self.free - taken - size < MIN_FREE_BYTES:
                raise disk_full(size)
            if grant is None:
                return
            grant.left = max(0, grant.left - size)
            grant.written += size
            if grant.written >= PACE_BYTES:
                grant.since, grant.written = self._clock(), 0

    def give_back(self, holder: Holder) -> None:
        """End a grant."""
        with self._lock:
            self._grants.pop(holder, None)

    def forget(self, ciphertext: bytes) -> None:
        """End all grants for a ciphertext."""
        with self._lock:
            for holder in [each for each in self._grants if each[1] == ciphertext]:
                del self._grants[holder]

    def _by_caller(self) -> dict[str, int]:
        """Return the bytes granted to each caller, after dropping the grants that have ended."""
        now = self._clock()
        self._grants = {holder: grant for holder, grant in self._grants.items() if now - grant.since < GRANT_SECONDS}
        granted: dict[str, int] = {}
        for (caller, _), grant in self._grants.items():
            granted[caller] = granted.get(caller, 0) + grant.left
        return granted

    def _left_to(self, caller: str, granted: dict[str, int]) -> int:
        return self.free - MIN_FREE_BYTES - sum(left for other, left in granted.items() if other != caller)


def disk_full(size: int) -> Unavailable:
    """Return the refusal where so many bytes have no room."""
    return Unavailable("disk_full", f"the disk has no room for {size} more bytes of attachments", FULL_SECONDS)
