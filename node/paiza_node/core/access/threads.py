"""The threads that an officer may know of."""

from paiza_domain import kinds
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import may_see
from paiza_node.core.access.principals import principal_of
from paiza_node.core.messages import store as messages_store
from paiza_node.core.policy import MessageAttributes
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import Store
from paiza_wire import message as wire
from paiza_wire.errors import Rejected
from paiza_wire.identity import SpiffeId


class ThreadAccess:
    """Decides whether a thread is named to an officer: only if they may open its first message or asked for it."""

    def __init__(self, register_cache: RegisterCache, store: Store) -> None:
        """Store the register cache with its policy, and the store."""
        self._register_cache = register_cache
        self._store = store

    def __call__(self, officer: Officer, thread_id: bytes) -> bool:
        """Return whether an officer may know of a thread."""
        with self._store.reads() as reads:
            rows = messages_store.thread(reads, thread_id)
            if not rows or not may_see(reads, officer, rows[0]):
                return False
        header = wire.parse_header(rows[0].header)
        register = self._register_cache.current
        try:
            kind = kinds.get(header.kind, header.kind_version)
            ceiling = register.member(SpiffeId.parse(officer.id).member).classification_ceiling
            facts = MessageAttributes.of(header, kind.sender_roles, ceiling)
            self._register_cache.policy.check(principal_of(officer), "open", facts)
        except Rejected:
            return False
        return True
