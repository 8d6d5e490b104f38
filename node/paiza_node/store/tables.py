"""The tables of all packages, for work on the whole database: a copy, a new log, a comparison with the revisions.

One that is not imported here is not copied.
"""

from typing import Final

from paiza_node.store import access as access_store
from paiza_node.store import approvals as approvals_store
from paiza_node.store import attachments as attachments_store
from paiza_node.store import audit as audit_store
from paiza_node.store import deliveries as deliveries_store
from paiza_node.store import exchange as exchange_store
from paiza_node.store import log as log_store
from paiza_node.store import messages as messages_store
from paiza_node.store import peer_audit as peer_audit_store
from paiza_node.store import peers as peers_store
from paiza_node.store import recovery as recovery_store
from paiza_node.store import retention as retention_store
from paiza_node.store import search as search_store
from paiza_node.store import settings as settings_store
from paiza_node.store import tasks as tasks_store
from paiza_node.store import witness as witness_store
from paiza_node.store.schema import METADATA

STORES: Final = (
    log_store,
    messages_store,
    exchange_store,
    deliveries_store,
    peers_store,
    access_store,
    settings_store,
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

__all__ = ["METADATA", "STORES"]
