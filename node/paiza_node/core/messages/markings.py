"""Authors' later markings of their messages: recalls and corrections, as far as this node knows them."""

from collections.abc import Collection, Mapping
from typing import Final

from paiza.core.v1.message_pb2 import Header
from paiza_domain.threads import thread
from paiza_domain.threads.thread import Amendments, ThreadMessage
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection

_MARKING_KINDS: Final = (thread.RECALL, thread.CORRECTION)


def marks(conn: ReadConnection, messages: Collection[MessageRow]) -> Mapping[bytes, Amendments]:
    """Return what authors said of these messages afterwards, by digest; the unmarked are left out."""
    afterwards = _said_by(conn, {row.digest: row.author for row in messages})
    if not afterwards:
        return {}
    # A correction that was itself recalled corrects nothing.
    afterwards |= _said_by(conn, {digest: each.author for digest, each in afterwards.items()})
    concerned = {digest for each in afterwards.values() for digest in thread.affected_digests(each.header)}
    targets = [
        ThreadMessage(row.digest, Header.FromString(row.header), row.stored_time)
        for row in messages
        if row.digest in concerned and row.digest not in afterwards
    ]
    known = thread.amendments([*targets, *afterwards.values()])
    return {row.digest: known[row.digest] for row in messages if row.digest in known}


def _said_by(conn: ReadConnection, authors: Mapping[bytes, str]) -> dict[bytes, ThreadMessage]:
    """Return the recalls and corrections of these messages by their own authors; of headers what `amendments` needs."""
    return {
        digest: ThreadMessage(digest, Header(kind=kind, author=author, parent_digests=parents), stored)
        for digest, kind, author, parents, stored in messages_store.follow_ups(conn, authors, _MARKING_KINDS)
    }
