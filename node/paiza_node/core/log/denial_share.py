"""How many DENIED entries an actor may cause: a few a minute, so that refusals never fill the log.

Further denials take effect all the same. They are counted, and the text beside the actor's next entry names the number.
"""

import threading
from collections import Counter
from datetime import datetime
from typing import Final

from paiza_node.core.rate_limit import RateLimit

MAX_DENIALS: Final = 60  # entries of one actor in a minute: work that is refused in earnest stays below


class DenialShare:
    """The DENIED entries of each actor in the last minute, and the denials that caused none. One per ledger."""

    def __init__(self) -> None:
        """Begin without entries."""
        self._lock = threading.Lock()  # the ledger's thread makes entries, and calls are denied on the event loop
        self._entries = RateLimit(MAX_DENIALS)
        self._left_out: Counter[str] = Counter()

    def leave_out(self, actor: str, now: datetime) -> bool:
        """Return whether an actor caused as many entries as they may at this time; then the denial is counted."""
        with self._lock:
            if not self._entries.wait(actor, now.timestamp()):
                return False
            self._left_out[actor] += 1
            return True

    def take(self, actor: str, now: datetime) -> int | None:
        """Count a denial; return how many before it caused no entry, None if it may cause none itself."""
        if self.leave_out(actor, now):
            return None
        with self._lock:
            self._entries.take(actor, now.timestamp())
            return self._left_out.pop(actor, 0)
