"""Notices to officers about messages that need a second signature."""

from typing import Final

from paiza.core.v1 import message_pb2, text_pb2
from paiza.officer.v1 import notice_pb2
from paiza_domain import kinds
from paiza_domain.exercise import marked
from paiza_domain.threads import notices

ASKED: Final = "approval_asked"


APPROVAL: Final = "approval_"  # prefix of the codes of notices about approvals


def approval_notice(header: message_pb2.Header, digest: bytes, code: str, said: str) -> notice_pb2.Notice:
    """Return a notice about the state of a message that needs a second officer."""
    titles = kinds.get(header.kind, header.kind_version).titles
    short = header.message_id.hex()[: notices.SHORT_ID]
    return notice_pb2.Notice(
        code=code,
        thread_id=header.thread_id,
        message_digest=digest,
        text=text_pb2.BilingualText(
            ru=notices.approval_text(code, marked(titles["ru"], "ru", exercise=header.exercise), short, said, "ru"),
            en=notices.approval_text(code, marked(titles["en"], "en", exercise=header.exercise), short, said, "en"),
        ),
    )
