"""Holders: the members that hold a message of our own, as far as this node knows."""

from typing import Final

from paiza.core.v1 import delivery_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.storage import ReadConnection

_NOT_HELD: Final = frozenset({delivery_pb2.DELIVERY_STATE_REFUSED, delivery_pb2.DELIVERY_STATE_REJECTED})


def holders(reads: ReadConnection, digest: bytes) -> tuple[str, ...]:
    """Return the members that hold or may hold a message of our own: its recipients, and those it was forwarded to.

    A member that proved its refusal is left out; one that has not answered is included.
    """
    sent = [each.recipient for each in deliveries_store.deliveries_of(reads, digest) if each.state not in _NOT_HELD]
    forwarded = [
        recipient
        for recipient, _index, state in deliveries_store.forwarded_indices(reads, digest)
        if state not in _NOT_HELD
    ]
    told = [each.holder for each in exchange_store.forwardings_of_message(reads, digest) if not each.denied]
    return tuple(dict.fromkeys([*sent, *forwarded, *told]))
