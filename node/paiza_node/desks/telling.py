"""Telling: what officers hear of approvals and work, and what of it an officer is told when his watch begins.

Nothing that was told is kept: what waits is read anew from the store; a restart or a lost watch forgets nothing.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from paiza.core.v1 import message_pb2, text_pb2
from paiza.officer.v1 import desk_pb2, notice_pb2
from paiza_domain import kinds, notices
from paiza_node.desks.need_to_know import Desks, may_see
from paiza_node.store import ReadConnection, Store
from paiza_node.store import approvals as approvals_store
from paiza_node.store import messages as messages_store
from paiza_node.store import retention as retention_store
from paiza_node.store import tasks as tasks_store
from paiza_node.store.access_model import Officer
from paiza_node.store.approvals_model import ApprovalRow
from paiza_node.store.messages_model import MessageRow
from paiza_node.store.retention_model import ReviewRow
from paiza_node.store.tasks_model import WorkRow
from paiza_wire import message as wire

MAX_REVIEWS: Final = 20  # overdue reviews that are told of when a watch begins; the list gives the rest
REVIEWERS: Final = frozenset({"liaison", "duty", "authoriser"})
MAX_TOLD: Final = 200  # messages of work looked at when a watch begins; the desk's list gives the rest
ASKED: Final = "approval_asked"
ASSIGNED: Final = "work_assigned"
ESCALATED: Final = "work_escalated"
OVERDUE: Final = "work_overdue"
REVIEW_DUE: Final = "review_due"
APPROVAL: Final = "approval_"  # what the codes of notices about approvals begin with


class Pending:
    """Says what waits for one officer."""

    def __init__(self, *, store: Store, desks: Desks, clock: Callable[[], datetime]) -> None:
        """Take where it is read."""
        self._store = store
        self._desks = desks
        self._clock = clock

    def of(self, officer: Officer) -> list[notice_pb2.Notice]:
        """Give what waits for his signature, then work given to him, passed on to him, or overdue at his desk."""
        now = self._clock()
        with self._store.reads() as reads:
            asked = [_asked(row) for row in approvals_store.waiting_approvals(reads) if officer.id in row.missing]
            return [*asked, *self._work(reads, officer, now), *self._reviews(reads, officer, now)]

    def _reviews(self, reads: ReadConnection, officer: Officer, now: datetime) -> list[notice_pb2.Notice]:
        """Give the messages of his desk that should have been reviewed."""
        if officer.roles.isdisjoint(REVIEWERS):
            return []
        due = retention_store.reviews(reads, now, self._desks.desk_of(officer), MAX_REVIEWS)
        return [review_notice(each, REVIEW_DUE) for each in due]

    def _work(self, reads: ReadConnection, officer: Officer, now: datetime) -> list[notice_pb2.Notice]:
        on_duty = "duty" in officer.roles
        units = tuple({officer.unit, self._desks.duty_desk} if on_duty else {officer.unit})
        found: list[notice_pb2.Notice] = []
        for work in tasks_store.open_work(reads, units, officer.id, MAX_TOLD):
            code = _code(work, officer, now, on_duty=on_duty)
            row = messages_store.message(reads, work.digest) if code else None
            if row is not None and may_see(reads, officer, row):
                found.append(work_notice(row, code, work))
        return found


def _asked(row: ApprovalRow) -> notice_pb2.Notice:
    return approval_notice(wire.parse_header(row.header), row.digest, ASKED, row.drafter)


def _code(work: WorkRow, officer: Officer, now: datetime, *, on_duty: bool) -> str:
    """Say what an officer is told of open work; nothing of a colleague's, and nothing that is at leisure."""
    if work.assignee not in (officer.id, ""):
        return ""
    if work.due_time is not None and work.due_time <= now:
        return OVERDUE
    if work.state != desk_pb2.WORK_STATE_NEW:
        return ""
    if work.escalations and (work.assignee or on_duty):
        return ESCALATED
    return ASSIGNED if work.assignee else ""


def approval_notice(header: message_pb2.Header, digest: bytes, code: str, said: str) -> notice_pb2.Notice:
    """Say how it stands with a message that needs a second officer."""
    titles = kinds.get(header.kind, header.kind_version).titles
    short = header.message_id.hex()[: notices.SHORT_ID]
    return notice_pb2.Notice(
        code=code,
        thread_id=header.thread_id,
        message_digest=digest,
        text=text_pb2.BilingualText(
            ru=notices.approval_text(code, titles["ru"], short, said, "ru"),
            en=notices.approval_text(code, titles["en"], short, said, "en"),
        ),
    )


def work_notice(row: MessageRow, code: str, work: WorkRow) -> notice_pb2.Notice:
    """Say that work came to somebody, or is late; the time is that to acknowledge it, or else to answer."""
    header: message_pb2.Header = wire.parse_header(row.header)
    known = kinds.all_kinds().get(header.kind)
    short = header.message_id.hex()[: notices.SHORT_ID]
    notice = notice_pb2.Notice(
        code=code,
        thread_id=row.thread_id,
        thread_name=row.thread_name,
        message_digest=row.digest,
        overdue=code in (ESCALATED, OVERDUE),
        text=text_pb2.BilingualText(
            ru=notices.work_text(code, known.titles["ru"] if known else header.kind, short, "ru"),
            en=notices.work_text(code, known.titles["en"] if known else header.kind, short, "en"),
        ),
    )
    due = work.due_time if code == OVERDUE else work.acknowledge_time
    if due is not None:
        notice.due_time.FromDatetime(due)
    return notice


def review_notice(review: ReviewRow, code: str) -> notice_pb2.Notice:
    """Say that a message's review date has come."""
    row = review.message
    header: message_pb2.Header = wire.parse_header(row.header)
    known = kinds.all_kinds().get(header.kind)
    short = header.message_id.hex()[: notices.SHORT_ID]
    notice = notice_pb2.Notice(
        code=code,
        thread_id=row.thread_id,
        thread_name=row.thread_name,
        message_digest=row.digest,
        overdue=True,
        text=text_pb2.BilingualText(
            ru=notices.work_text(code, known.titles["ru"] if known else header.kind, short, "ru"),
            en=notices.work_text(code, known.titles["en"] if known else header.kind, short, "en"),
        ),
    )
    notice.due_time.FromDatetime(review.review_time)
    return notice
