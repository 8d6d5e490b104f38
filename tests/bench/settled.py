"""Waits until a node has done all that its messages cause: receipts are not the end of the work.

Read from the node's database beside it, because no call tells all of it, and some calls would hasten it.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import Head
from paiza_node.core.storage import Store, open_store
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.audit import log_index
from paiza_node.features.search import index as search_index
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness import upgrade_proofs
from paiza_node.ops import config
from tests.federation import NodeProcess

LOOK_SECONDS: Final = 0.05  # between two looks: the error of the time measured
SECONDS: Final = 600.0


class UnsettledError(Exception):
    """A node did not finish in time; the text is what was left."""


@dataclass(frozen=True)
class Debt:
    """What is left at a node of the work that its first messages and log entries cause."""

    messages_to_search: int  # not in the search index
    entries_to_query: int  # not in the log index
    entries_to_witness: int  # not under a checkpoint that a quorum cosigned
    proofs_to_upgrade: int  # of other logs, not read yet or not proven to a cosigned checkpoint

    @property
    def indexed(self) -> bool:
        """Return whether both indexes have caught up."""
        return not (self.messages_to_search or self.entries_to_query)

    @property
    def settled(self) -> bool:
        """Return whether nothing is left."""
        return self.indexed and not (self.entries_to_witness or self.proofs_to_upgrade)


@dataclass(frozen=True)
class Settled:
    """The moments, by `time.perf_counter`, at which a node had caught up with both indexes, and with everything."""

    indexed: float
    witnessed: float


async def settled(node: NodeProcess) -> Settled:
    """Return when this node has done all that its present messages and entries cause; UnsettledError after minutes."""
    return await asyncio.to_thread(_settled, node)


def debt(store: Store, goal: Head) -> Debt:
    """Return what is left of the work for the messages and entries that a head counts."""
    with store.reads() as reads:
        witnessed = witness_store.last_witnessed(reads)
        swept = settings_store.counter(reads, upgrade_proofs.COUNTER)
        left = {
            name: max(0, total - settings_store.counter(reads, cursor))
            for name, cursor, total in (
                ("search", search_index.CURSOR, goal.messages),
                ("query", log_index.CURSOR, goal.size),
            )
        }
        return Debt(
            messages_to_search=left["search"],
            entries_to_query=left["query"],
            entries_to_witness=max(0, goal.size - (witnessed.size if witnessed else 0)),
            proofs_to_upgrade=max(0, goal.size - swept) or sum(witness_store.uncosigned_counts(reads).values()),
        )


def _settled(node: NodeProcess) -> Settled:
    store = open_store(config.load(node.config).database, read_only=True)
    try:
        with store.reads() as reads:
            goal = log_store.head(reads)
        deadline = time.perf_counter() + SECONDS
        indexed = None
        while not (left := debt(store, goal)).settled:
            now = time.perf_counter()
            if left.indexed and indexed is None:
                indexed = now
            if now > deadline:
                raise UnsettledError(f"{node.member} has not finished: {left}")
            time.sleep(LOOK_SECONDS)
        now = time.perf_counter()
        return Settled(now if indexed is None else indexed, now)
    finally:
        store.close()
