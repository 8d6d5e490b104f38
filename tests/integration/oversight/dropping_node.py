"""A node that gives a receipt and then has not got the message: `paiza-node` with one defect, for tests only.

    python dropping_node.py lose|hide run --config node.toml

It drops what comes with the urgency PRIORITY: the receipt is given as always, and nothing is stored. With ``hide``
its log no longer shows what it says of such a message to anybody who asks, either.
"""

import sys
from collections.abc import Sequence

from paiza.core.v1 import log_pb2, log_query_pb2, message_pb2
from paiza_node.__main__ import run
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.features.peer_audit import query as looking

dropped: set[bytes] = set()


def drop() -> None:
    """Store no message that came with the urgency PRIORITY."""
    store = messages_store.add_messages

    def add_messages(conn: WriteConnection, messages: Sequence[MessageRow]) -> None:
        going = [each for each in messages if each.received and each.urgency == message_pb2.URGENCY_PRIORITY]
        dropped.update(each.digest for each in going)
        store(conn, [each for each in messages if each not in going])

    messages_store.add_messages = add_messages  # the defect


def hide() -> None:
    """Show no entry about what was dropped."""
    matches, candidates = looking._matches, looking._log_candidates

    def lying(entry: log_pb2.LogEntry, query: log_query_pb2.EntryQuery) -> bool:
        return entry.message_digest not in dropped and matches(entry, query)

    def fewer(reads: ReadConnection, query: log_query_pb2.EntryQuery, size: int) -> tuple[list[StoredEntry], int, bool]:
        found, last, complete = candidates(reads, query, size)
        return [each for each in found if looking.parse(each).message_digest not in dropped], last, complete

    looking._matches, looking._log_candidates = lying, fewer  # the lie


if __name__ == "__main__":
    defect, *arguments = sys.argv[1:]
    drop()
    if defect == "hide":
        hide()
    sys.exit(run(arguments))
