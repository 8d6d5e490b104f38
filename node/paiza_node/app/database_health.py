"""The health of the node follows its database: while a commit waits too long, peers and officers are sent elsewhere."""

import asyncio
from typing import Final

import structlog

from paiza_node.core.api.health import Health
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.storage import Store

LOOK_SECONDS: Final = 0.5  # between two looks at the ledger

log = structlog.get_logger("paiza.node")


class DatabaseHealth:
    """Sets the health to not serving while the ledger's commit waits too long, and says what it waits for."""

    def __init__(self, ledger: Ledger, store: Store, health: Health) -> None:
        """Follow this ledger with `task`."""
        self._ledger = ledger
        self._store = store
        self._health = health
        self._was_slow = False
        self.task = PeriodicTask(self._look, period=LOOK_SECONDS, failed="database_not_asked")

    async def _look(self) -> None:
        slow = self._ledger.is_slow
        if slow == self._was_slow:
            return
        self._was_slow = slow
        if not slow:
            await self._health.serve()
            return
        await self._health.pause()
        cause = await asyncio.to_thread(self._store.commit_waits_for)
        log.error("commit_waits", waits_for=cause or "database", seconds=round(self._ledger.commit_age, 1))
