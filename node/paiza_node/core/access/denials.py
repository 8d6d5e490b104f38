"""Denials: what an officer may not do is logged, within their share of DENIED entries (`core.log.denial_share`)."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import structlog

from paiza_node.core.access.model import Officer
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.transaction import LogTransaction
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import DIGEST_SIZE

T = TypeVar("T", bound=Rejected | Unavailable)

log = structlog.get_logger("paiza.access")


def deny(tx: LogTransaction, officer: Officer, refusal: T, digest: bytes = b"") -> T:
    """Log that an officer was denied something, of a message if ``digest`` is set; return the refusal.

    The caller raises it after the commit: in the transaction it would undo the entry.
    """
    concerned = digest if len(digest) == DIGEST_SIZE else b""  # callers send any bytes
    tx.deny(log_entries.denied(actor=officer.id, reason=refusal.reason, digest=concerned), text=refusal.detail)
    return refusal


class Denials:
    """Logs calls that an officer may not make at all. Belongs to one event loop."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        """Store the ledger and the clock."""
        self._ledger = ledger
        self._clock = clock

    async def note(self, officer: str, method: str, refusal: Rejected) -> None:
        """Log that an officer was denied a call. The denial takes effect even if nothing can be logged now."""
        told = {"officer": officer, "method": method, "reason": refusal.reason, "detail": refusal.detail}
        if self._ledger.denials.leave_out(officer, self._clock()):
            log.warning("denied", **told, logged=False)
            return
        entry = log_entries.denied(actor=officer, reason=refusal.reason)
        text = f"{method.rpartition('/')[2]}: {refusal.detail}"
        try:
            logged = (await self._ledger.commit(lambda tx: tx.deny(entry, text=text))).result
        except Unavailable as error:
            log.warning("denied", **told, logged=False, error=error.reason)
        else:
            log.warning("denied", **told, logged=logged)
