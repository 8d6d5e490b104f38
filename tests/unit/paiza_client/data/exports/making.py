"""Records for the tests of exports, made without a node."""

import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from google.protobuf.message import Message

from paiza.core.v1.message_pb2 import (
    PART_KIND_MAIN,
    PART_KIND_NOMINAL_ANNEX,
    Handling,
    Header,
    PartDescription,
    Recipient,
)
from paiza_client.data.exports import printing
from paiza_client.data.exports.marks import Strictest
from paiza_client.data.exports.records import Record
from paiza_client.data.exports.tables import Sheet, Table
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


def mark_of(records: Iterable[Record]) -> Handling:
    """Return the strictest mark of all records."""
    strictest = Strictest()
    for each in records:
        strictest.add(each)
    return strictest.mark()


def made(sheet: Sheet, records: Iterable[Record]) -> Table:
    """Make the table of all records that the sheet takes."""
    taken = [each for each in records if each.kind.name == sheet.kind]
    return sheet.table([row for each in taken for row in sheet.rows_of(each)], mark_of(taken))


def written(writer: Callable[[Table, BinaryIO], None], table: Table) -> bytes:
    """Return a table as the bytes of its file."""
    file = io.BytesIO()
    writer(table, file)
    return file.getvalue()


def printed(records: Iterable[Record], rows: Callable[[Record], printing.Rows]) -> str:
    """Return records as pages to print."""
    every, file = list(records), io.BytesIO()
    printing.write([printing.article(each, rows(each)) for each in every], mark_of(every), file)
    return file.getvalue().decode()
