"""What the rooms of a node share: whose node it is, and the ledger, store, register, news and keys they work with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from paiza_node.core.executors.executors import Lanes
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.messages.decryption import OwnKeys
from paiza_node.core.peers.log_views import KnownLogs
from paiza_node.core.register.sync import Registers
from paiza_node.core.storage import Store
from paiza_node.features.inbox.notifier import News


@dataclass(frozen=True, slots=True)
class Context:
    """Built once, at the start. ``node_id`` is the SPIFFE id the node's own acts are logged under."""

    member: str
    node_id: str
    registers: Registers
    ledger: Ledger
    store: Store
    logs: KnownLogs
    news: News
    lanes: Lanes
    own_keys: OwnKeys
    clock: Callable[[], datetime]
