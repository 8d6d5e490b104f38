"""Pending notices: those sent to an officer when a watch begins: pending approvals, tasks and reviews.

Notices are not stored: they are computed from the store each time, so that no restart or lost watch omits any.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from paiza.officer.v1 import notice_pb2, task_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory, open_scope, units_of
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import ReadConnection, Store
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.model import ApprovalRow
from paiza_node.features.approvals.notices import ASKED, approval_notice
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.notices import REVIEW_DUE, review_notice
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.model import TaskRow
from paiza_node.features.tasks.notices import ASSIGNED, ESCALATED, OVERDUE, task_notice
from paiza_wire import message as wire

MAX_REVIEWS: Final = 20  # overdue reviews that are sent when a watch begins; the list has the rest
REVIEWERS: Final = frozenset({"liaison", "duty", "authoriser"})
MAX_TOLD: Final = 200  # tasks considered when a watch begins; the task list has the rest


class PendingNotices:
    """Computes the pending notices of one officer."""

    def __init__(
        self,
        *,
        store: Store,
        unit_directory: UnitDirectory,
        clock: Callable[[], datetime],
        matches: Callable[[ReadConnection, Officer], Sequence[notice_pb2.Notice]] = lambda _reads, _officer: (),
    ) -> None:
        """Store where the data is read; ``matches`` returns the notices of an officer's saved searches."""
        self._matches = matches
        self._store = store
        self._unit_directory = unit_directory
        self._clock = clock

    def of(self, officer: Officer) -> list[notice_pb2.Notice]:
        """Return approvals pending for the officer, then tasks assigned, passed on or overdue in their unit."""
        now = self._clock()
        with self._store.reads() as reads:
            asked = [_asked(row) for row in approvals_store.waiting_approvals(reads) if officer.id in row.missing]
            found = self._matches(reads, officer)
            return [*asked, *self._work(reads, officer, now), *self._reviews(reads, officer, now), *found]

    def _reviews(self, reads: ReadConnection, officer: Officer, now: datetime) -> list[notice_pb2.Notice]:
        """Return the messages of the officer's units whose review is overdue."""
        if officer.roles.isdisjoint(REVIEWERS):
            return []
        due = retention_store.reviews(reads, now, self._unit_directory.viewer_of(officer), MAX_REVIEWS)
        return [review_notice(each, REVIEW_DUE) for each in due]

    def _work(self, reads: ReadConnection, officer: Officer, now: datetime) -> list[notice_pb2.Notice]:
        on_duty = "duty" in officer.roles
        units = tuple({*units_of(officer), self._unit_directory.duty_unit} if on_duty else set(units_of(officer)))
        found: list[notice_pb2.Notice] = []
        for work in tasks_store.open_tasks(reads, units, open_scope(officer), MAX_TOLD):
            code = _code(work, officer, now, on_duty=on_duty)
            row = messages_store.message(reads, work.digest) if code else None
            if row is not None:
                found.append(task_notice(row, code, work))
        return found


def _asked(row: ApprovalRow) -> notice_pb2.Notice:
    return approval_notice(wire.parse_header(row.header), row.digest, ASKED, row.drafter)


def _code(work: TaskRow, officer: Officer, now: datetime, *, on_duty: bool) -> str:
    """Return the notice code for an open task; None for a colleague's, and for one that is not due."""
    if work.assignee not in ("", officer.id, *(each.officer for each in officer.stands_in)):
        return ""
    if work.due_time is not None and work.due_time <= now:
        return OVERDUE
    if work.state != task_pb2.TASK_STATE_NEW:
        return ""
    if work.escalations and (work.assignee or on_duty):
        return ESCALATED
    return ASSIGNED if work.assignee else ""
