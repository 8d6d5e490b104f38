"""The reserve on the disk: the last room beside the database is for messages that nothing may hold up.

The quotas of a day count messages, whose bytes can fill a disk within minutes; a full disk ends the node for everybody.
So a message that would leave less than `RESERVE_BYTES` free has to wait, whoever sends it. What nothing may hold up
(`paiza_node.core.exchange.precedence.unhindered`) goes on, of each caller up to `CALLER_BYTES`: one who claims it for
everything uses up neither the disk nor the room of others. The disk is that of the data folder, and that of a
PostgreSQL server that runs here and shows its folder (`paiza_node.core.storage.server_disk`); what fills first counts.
"""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from paiza_node.core.caller import CallerKey
from paiza_wire.errors import Unavailable

RESERVE_BYTES: Final = 128 * 1024 * 1024
CALLER_BYTES: Final = 16 * 1024 * 1024  # of the reserve
COPIES: Final = 3  # on the disk, until the write-ahead log is emptied: there, in the database, and entries and indices
FULL_SECONDS: Final = 60.0

log = structlog.get_logger("paiza.log")


class DiskReserve:
    """The room for messages. Belongs to the ledger's thread."""

    def __init__(self, free: Callable[[], int]) -> None:
        """Store ``free``, which returns how many bytes the disk has free."""
        self._free = free
        self._left = 0
        self._used: Counter[CallerKey] = Counter()
        self._is_low = False

    def begin(self) -> None:
        """Look at the disk, at the begin of a commit. With room again, nothing of the reserve is used."""
        self._left = self._free()
        is_low = self._left < RESERVE_BYTES
        if is_low and not self._is_low:
            log.error("disk_nearly_full", free=self._left, detail="only what nothing may hold up is accepted")
        self._is_low = is_low
        if not is_low:
            self._used.clear()

    def refusal(self, caller: CallerKey, size: int, *, unhindered: bool) -> Unavailable | None:
        """Count a message of so many bytes; return Unavailable("disk_full") if it has to wait."""
        needed = COPIES * size
        if self._left - needed < RESERVE_BYTES:
            if not unhindered or self._used[caller] + needed > CALLER_BYTES:
                return Unavailable("disk_full", "the last room on the disk is for urgent messages", FULL_SECONDS)
            self._used[caller] += needed
        self._left -= needed
        return None


def free_bytes(*folders: Path) -> int:
    """Return how many bytes the disks of folders have free, of several the fewest."""
    return min(found.f_bavail * found.f_frsize for found in map(os.statvfs, folders))
