"""Notices to officers about review dates."""

from typing import Final

from paiza.core.v1 import message_pb2, text_pb2
from paiza.officer.v1 import notice_pb2
from paiza_domain import exercise, kinds
from paiza_domain.threads import notices
from paiza_node.features.retention.model import ReviewRow
from paiza_wire import message as wire

REVIEW_DUE: Final = "review_due"


def review_notice(review: ReviewRow, code: str) -> notice_pb2.Notice:
    """Return a notice that a message's review date has come."""
    row = review.message
    header: message_pb2.Header = wire.parse_header(row.header)
    short = header.message_id.hex()[: notices.SHORT_ID]
    notice = notice_pb2.Notice(
        code=code,
        thread_id=row.thread_id,
        thread_name=row.thread_name,
        message_digest=row.digest,
        overdue=True,
        text=text_pb2.BilingualText(
            ru=notices.work_text(code, _title(header, "ru"), short, "ru"),
            en=notices.work_text(code, _title(header, "en"), short, "en"),
        ),
    )
    notice.due_time.FromDatetime(review.review_time)
    return notice


def _title(header: message_pb2.Header, lang: str) -> str:
    known = kinds.all_kinds().get(header.kind)
    return exercise.marked(known.titles[lang] if known else header.kind, lang, exercise=header.exercise)
