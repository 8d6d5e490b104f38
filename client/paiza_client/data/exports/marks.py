"""The mark of what is made of several messages: the strictest of all."""

from collections.abc import Iterable

from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports.records import Record
from paiza_client.language import _
from paiza_domain import handling
from paiza_officer.errors import located


def strictest(records: Iterable[Record]) -> Handling:
    """Merge the marks of all records; Refused("marks_incompatible") where nothing allows them together."""
    with located(_("export")):
        return handling.merge(mark for record in records for mark in record.marks()).handling()
