"""Authors' later statements about their messages, as far as the exchange depends on them."""

from collections.abc import Iterator

from paiza_domain.threads.thread import RECALL
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import ReadConnection


def is_recalled(reads: ReadConnection, digest: bytes, author: str) -> bool:
    """Return whether this node knows a recall of the message by its author; the message need not be stored here."""
    return any(row.author == author for row in followers(reads, digest, RECALL))


def followers(reads: ReadConnection, digest: bytes, kind: str) -> Iterator[MessageRow]:
    """Yield the messages of a kind that follow from a message and were not refused, newest first."""
    for follower in reversed(messages_store.children(reads, [digest], (kind,)).get(digest, [])):
        row = messages_store.message(reads, follower)
        if row is not None and row.state is not MessageState.REFUSED:
            yield row
