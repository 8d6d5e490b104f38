"""The dependencies of every capability: identity, ledger, store, register, notifier, executors, keys, limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from paiza_node.core.executors.executors import Executors
from paiza_node.core.limits import Limits
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.notifier import Notifier
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import Store


@dataclass(frozen=True, slots=True)
class Core:
    """The shared dependencies, built once at the start. The node's own acts are logged under its SPIFFE ``node_id``."""

    member: str
    node_id: str
    register_cache: RegisterCache
    ledger: Ledger
    store: Store
    logs: PeerLogViews
    notifier: Notifier
    executors: Executors
    decryption_keys: DecryptionKeys
    clock: Callable[[], datetime]
    limits: Limits = field(default_factory=Limits)
