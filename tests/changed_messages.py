"""A subscriber that hears of changed messages, as the watches of officers do."""

import asyncio
from collections.abc import Sequence

from paiza_node.core.log.changes import Change, MessagesChanged


class ChangedMessages:
    """The digests of messages that changed, in order."""

    def __init__(self) -> None:
        self.digests: asyncio.Queue[bytes] = asyncio.Queue()

    def notify(self, changes: Sequence[Change]) -> None:
        """Note changed messages."""
        for change in changes:
            if isinstance(change, MessagesChanged):
                for digest in change.digests:
                    self.digests.put_nowait(digest)

    def catch_up(self) -> None:
        """Do nothing."""
