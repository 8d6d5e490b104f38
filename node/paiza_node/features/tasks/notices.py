"""Notices to officers about tasks that were assigned, escalated or are overdue."""

from typing import Final

from paiza.core.v1 import message_pb2, text_pb2
from paiza.officer.v1 import notice_pb2
from paiza_domain import exercise, kinds
from paiza_domain.threads import notices
from paiza_node.core.messages.model import MessageRow
from paiza_node.features.tasks.model import TaskRow
from paiza_wire import message as wire

ASSIGNED: Final = "task_assigned"


ESCALATED: Final = "task_escalated"


OVERDUE: Final = "task_overdue"


def task_notice(row: MessageRow, code: str, task: TaskRow) -> notice_pb2.Notice:
    """Return a notice that a task was assigned or is late; its time is that to acknowledge, or else to answer."""
    header: message_pb2.Header = wire.parse_header(row.header)
    short = header.message_id.hex()[: notices.SHORT_ID]
    notice = notice_pb2.Notice(
        code=code,
        thread_id=row.thread_id,
        thread_name=row.thread_name,
        message_digest=row.digest,
        overdue=code in (ESCALATED, OVERDUE),
        text=text_pb2.BilingualText(
            ru=notices.work_text(code, _title(header, "ru"), short, "ru"),
            en=notices.work_text(code, _title(header, "en"), short, "en"),
        ),
    )
    due = task.due_time if code == OVERDUE else task.acknowledge_time
    if due is not None:
        notice.due_time.FromDatetime(due)
    return notice


def _title(header: message_pb2.Header, lang: str) -> str:
    known = kinds.all_kinds().get(header.kind)
    return exercise.marked(known.titles[lang] if known else header.kind, lang, exercise=header.exercise)
