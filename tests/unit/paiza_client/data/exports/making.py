"""Records for the tests of exports, made without a node."""

from datetime import UTC, datetime, timedelta

from google.protobuf.message import Message

from paiza.core.v1.message_pb2 import (
    PART_KIND_MAIN,
    PART_KIND_NOMINAL_ANNEX,
    Handling,
    Header,
    PartDescription,
    Recipient,
)
from paiza_client.data.exports.records import Record
from paiza_domain import kinds
from paiza_domain.reference import Reference

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MARK = Handling(tlp="AMBER", code="H2", classification=1)


def record(
    kind: str,
    content: Message,
    *,
    annex: Message | None = None,
    mark: Handling = MARK,
    author: str = "kaz",
    reference: Reference | None = None,
) -> Record:
    """Make a record of a content."""
    header = Header(kind=kind, kind_version=1, author=author, handling=mark, message_id=bytes(range(16)))
    header.recipients.append(Recipient(member="tjk"))
    header.author_time.FromDatetime(NOW)
    header.review_time.FromDatetime(NOW + timedelta(days=365))
    header.parts.append(PartDescription(kind=PART_KIND_MAIN))
    if annex is not None:
        header.parts.append(PartDescription(kind=PART_KIND_NOMINAL_ANNEX, handling=Handling(tlp="RED", code="H2")))
    known = reference or Reference()
    return Record(header, bytes(32), "KAZ-2026-1", kinds.get(kind, 1), content, annex, reference=known)
