"""Known threads: officers write only in threads of which they may know, and follow only from messages in such threads.

A thread that is not here and one of another unit are refused and logged alike. A stop, or a report of lost control, is
never refused for that: the officer who sees the danger may be of another unit.
"""

from collections.abc import Sequence
from typing import Final

from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import list_scope
from paiza_node.core.exchange.stages import Moment, ReleaseSession, ReleaseStage, Submission
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_wire.errors import Rejected


class UnknownThread(Rejected):
    """The refusal of a message in a thread that is not here, or of which its officer may not know; it is logged."""

    def __init__(self) -> None:
        super().__init__("unknown_id", "there is no such thread or parent here, or it is of another unit")


class _KnownThreads:
    """The threads and parents of one batch."""

    def __init__(self, at: Moment, officer: Officer, batch: Sequence[Submission]) -> None:
        self._at = at
        self._viewer = list_scope(officer)
        parents = {parent for each in batch for parent in each.message.header.parent_digests}
        self._threads = messages_store.threads_of_messages(at.conn, parents) if parents else {}
        self._known: dict[bytes, bool] = {}

    def judge(self, item: Submission, before: Sequence[MessageRow]) -> Rejected | None:
        """Refuse a message that follows from something of which its officer may not know."""
        header = item.message.header
        if not header.parent_digests or item.goes_first or item.approved:  # approved: judged when it was submitted
            return None
        fresh = {row.digest: row.thread_id for row in before}
        threads = [fresh.get(each) or self._threads.get(each) for each in header.parent_digests]
        if all(each is not None and self._knows(each, fresh) for each in (header.thread_id, *threads)):
            return None
        return UnknownThread()

    def _knows(self, thread_id: bytes, fresh: dict[bytes, bytes]) -> bool:
        if thread_id in fresh.values():
            return True
        if thread_id not in self._known:
            self._known[thread_id] = access_store.sees_thread(self._at.conn, thread_id, self._viewer)
        return self._known[thread_id]


def _begin(at: Moment, officer: Officer, batch: Sequence[Submission]) -> ReleaseSession:
    return ReleaseSession(judge=_KnownThreads(at, officer, batch).judge)


KNOWN_THREADS: Final = ReleaseStage("known threads", _begin)
"""The stage of known threads in a release. It comes first: the refusals of other stages tell of parents and threads."""
