"""The tables of all packages: for work on the whole database, and for retention, which runs each table's lifecycle.

A table that is not listed here is not copied. Lower packages come first.
"""

from typing import Final

from paiza_node.core.access import store as access_store
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.peers import store as peers_store
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.lifecycle import Lifecycle
from paiza_node.core.storage.schema import METADATA
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.audit import store as audit_store
from paiza_node.features.peer_audit import store as peer_audit_store
from paiza_node.features.recovery import store as recovery_store
from paiza_node.features.retention import store as retention_store
from paiza_node.features.search import store as search_store
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.witness import store as witness_store

STORES: Final = (
    settings_store,
    log_store,
    messages_store,
    exchange_store,
    deliveries_store,
    peers_store,
    access_store,
    approvals_store,
    attachments_store,
    tasks_store,
    search_store,
    witness_store,
    audit_store,
    retention_store,
    peer_audit_store,
    recovery_store,
)

LIFECYCLES: Final[tuple[Lifecycle, ...]] = tuple(each for store in STORES for each in store.LIFECYCLES)

KEPT_PROOFS: Final = (*exchange_store.KEPT_PROOFS, *attachments_store.KEPT_PROOFS, *retention_store.KEPT_PROOFS)
"""Finds all stored entries of other members' logs about messages."""

__all__ = ["KEPT_PROOFS", "LIFECYCLES", "METADATA", "STORES"]
