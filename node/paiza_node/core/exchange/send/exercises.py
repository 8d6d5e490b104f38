"""Exercises: all messages of a thread are, or none is; in a federation that is an exercise, all are.

One signed mark tells exercise and reality apart, for every reader. A real stop is never refused for the mark of its
thread.
"""

from collections.abc import Callable, Sequence

from paiza_node.core.access.model import Officer
from paiza_node.core.exchange.stages import Moment, ReleaseSession, ReleaseStage, Submission
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_wire import message as wire
from paiza_wire.errors import Rejected


def exercise_stage(all_are: Callable[[], bool]) -> ReleaseStage:
    """The stage of exercises in a release; ``all_are`` returns whether the federation is an exercise."""

    def begin(at: Moment, _officer: Officer, _batch: Sequence[Submission]) -> ReleaseSession:
        def judge(item: Submission, before: Sequence[MessageRow]) -> Rejected | None:
            header = item.message.header
            if all_are() and not header.exercise:
                return Rejected(
                    "exercise_differs", "the federation is an exercise, and the message is not marked as one"
                )
            if not header.parent_digests or (item.goes_first and not header.exercise):
                return None
            fresh = {row.digest: row for row in before}
            for parent in header.parent_digests:
                row = fresh.get(parent) or messages_store.message(at.conn, parent)
                if row is not None and wire.parse_header(row.header).exercise != header.exercise:
                    what = "an exercise answers a message that is none" if header.exercise else "it answers an exercise"
                    return Rejected("exercise_differs", what)
            return None

        return ReleaseSession(judge=judge)

    return ReleaseStage("exercises", begin)
