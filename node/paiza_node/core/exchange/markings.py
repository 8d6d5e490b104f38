"""What authors said of their messages afterwards, as far as the exchange judges by it."""

from collections.abc import Iterator

from paiza_domain.threads.thread import RECALL
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import ReadConnection


def is_recalled(reads: ReadConnection, digest: bytes, author: str) -> bool:
    """Return whether the author recalled a message, as far as this node knows; the message need not be here."""
    return any(row.author == author for row in followers(reads, digest, RECALL))


def followers(reads: ReadConnection, digest: bytes, kind: str) -> Iterator[MessageRow]:
    """Yield the messages of a kind that follow from a message and were not refused, the newest first."""
    for follower in reversed(messages_store.children(reads, [digest], (kind,)).get(digest, [])):
        row = messages_store.message(reads, follower)
        if row is not None and row.state is not MessageState.REFUSED:
            yield row
