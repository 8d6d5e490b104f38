"""Holders: the members a message was sent or forwarded to, as far as this node was told.

The author is informed of all forwarding by the forwarder's node; a forwarder knows its own. Copies obtained by another
way are unknown.
"""

from datetime import UTC

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import forwarding_pb2
from paiza_node.core.api import paging
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import ReadConnection, Store
from paiza_wire import message as wire
from paiza_wire.errors import Rejected


class Holders:
    """Returns the holders of a message."""

    def __init__(self, *, member: str, store: Store) -> None:
        """Store the own member and the store."""
        self._member = member
        self._store = store

    def __call__(self, request: forwarding_pb2.ListHoldersRequest) -> forwarding_pb2.ListHoldersResponse:
        """Return the holders of a message; Rejected("unknown_id") if this node does not know it."""
        with self._store.reads() as reads:
            holders = self.of(reads, request.message_digest)
        page, more = paging.page_of(holders, lambda each: each.member, request)
        return forwarding_pb2.ListHoldersResponse(holders=page, next_page_token=more)

    def of(self, reads: ReadConnection, digest: bytes) -> list[forwarding_pb2.Holder]:
        """Return them over an open connection, each once, ordered by member id."""
        row = messages_store.message(reads, digest)
        if row is None:
            raise Rejected("unknown_id", "there is no such message here")
        header = wire.parse_header(row.header)
        members = [row.author, *(recipient.member for recipient in header.recipients)]
        found = {member: forwarding_pb2.Holder(member=member) for member in members}
        own = log_store.entries_at(reads, [index for _, index, _ in deliveries_store.forwarded_indices(reads, digest)])
        passings = [(self._member, stored.entry) for stored in own]
        passings += [
            (each.forwarder, each.entry)
            for each in exchange_store.forwardings_of_message(reads, digest)
            if not each.denied
        ]
        for forwarder, raw in passings:
            entry = log_pb2.LogEntry.FromString(raw)
            if entry.counterpart not in found:
                found[entry.counterpart] = forwarding_pb2.Holder(member=entry.counterpart, forwarded_by=forwarder)
                found[entry.counterpart].forwarded_time.FromDatetime(entry.entry_time.ToDatetime(tzinfo=UTC))
        return [found[member] for member in sorted(found)]
