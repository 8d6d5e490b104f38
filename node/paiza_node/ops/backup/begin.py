"""The beginning of a backup of a running node: its entry in the log, before the copy is made.

1. BACKED_UP is logged. A crash after it leaves the entry of a backup that does not exist: the operator makes another.
2. The node waits for the other members' cosignatures of a checkpoint that contains the entry, for `WITNESS_SECONDS`.
3. The operator's process copies the database, with the entry and the witnessed checkpoint in it.

An idle node signs nothing more: whoever restores this copy holds all that any member has of the log.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from paiza_node.core.access.operator import operator
from paiza_node.core.log.ledger import Ledger
from paiza_node.features.witness.rounds import Rounds
from paiza_node.ops.backup.record import ID_BYTES
from paiza_wire import log_entries
from paiza_wire.errors import Rejected

WITNESS_SECONDS: Final = 15.0  # a round takes a second; the operator's call ends after 30
_LOOK_SECONDS: Final = 0.1


class BeginBackup:
    """Logs backups before they are made. Belongs to one event loop."""

    def __init__(self, ledger: Ledger, rounds: Rounds, others: Callable[[], Collection[str]]) -> None:
        """Store the log, the rounds of its witnesses, and which members could be witnesses."""
        self._ledger = ledger
        self._rounds = rounds
        self._others = others

    async def begin(self, backup_id: bytes, seconds: float = WITNESS_SECONDS) -> bool:
        """Log a backup; return whether the entry was witnessed within ``seconds``."""
        if len(backup_id) != ID_BYTES:
            raise Rejected("malformed", f"the id of a backup has {ID_BYTES} bytes")
        entry = log_entries.backed_up(actor=operator(), backup_id=backup_id)
        index = (await self._ledger.commit(lambda tx: tx.append(entry).index)).result
        if not self._others():
            return False
        for _ in range(round(seconds / _LOOK_SECONDS)):
            if self._rounds.witnessed_size > index:  # such a note is stored: the copy will contain it
                return True
            await asyncio.sleep(_LOOK_SECONDS)
        return False
