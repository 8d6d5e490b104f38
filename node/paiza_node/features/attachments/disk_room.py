"""The room on the disk of attachments: what is granted to those who write, less what the database needs.

Room is granted before an upload or a download begins, so that all of them together fit. The disk is looked at again
before each write: other programs fill it too. Nothing is on disk: after a start the uploads under way are granted anew.
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
GRANT_SECONDS: Final = 3600.0  # without a write, after which room is granted to others
FULL_SECONDS: Final = 60.0

Holder = tuple[str, bytes]
"""Who writes, an officer or a member, and the digest of the ciphertext."""


@dataclass(slots=True)
class _Grant:
    left: int
    used_at: float


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
            return self._granted()

    def grant(self, holder: Holder, size: int) -> None:
        """Grant room for so many bytes, in place of an earlier grant; Unavailable("disk_full") if there is none."""
        with self._lock:
            earlier = self._grants.pop(holder, None)
            if self.free - self._granted() - size < MIN_FREE_BYTES:
                if earlier is not None:
                    self._grants[holder] = earlier
                raise _full(size)
            self._grants[holder] = _Grant(size, self._clock())

    def restore(self, holder: Holder, size: int) -> None:
        """Grant what was granted before the process started; each write looks whether there is room."""
        with self._lock:
            self._grants[holder] = _Grant(size, self._clock())

    def use(self, holder: Holder, size: int) -> None:
        """Count bytes as about to be written; Unavailable("disk_full") if the disk has no room for them any more."""
        if self.free - size < MIN_FREE_BYTES:
            raise _full(size)
        with self._lock:
            grant = self._grants.get(holder)
            if grant is not None:
                grant.left = max(0, grant.left - size)
                grant.used_at = self._clock()

    def give_back(self, holder: Holder) -> None:
        """End a grant."""
        with self._lock:
            self._grants.pop(holder, None)

    def forget(self, ciphertext: bytes) -> None:
        """End all grants for a ciphertext."""
        with self._lock:
            for holder in [each for each in self._grants if each[1] == ciphertext]:
                del self._grants[holder]

    def _granted(self) -> int:
        now = self._clock()
        return sum(grant.left for grant in self._grants.values() if now - grant.used_at < GRANT_SECONDS)


def _full(size: int) -> Unavailable:
    return Unavailable("disk_full", f"the disk has no room for {size} more bytes of attachments", FULL_SECONDS)
