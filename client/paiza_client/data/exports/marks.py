"""The mark of what is made of several messages: the strictest of all."""

from collections.abc import Iterable

from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports.records import Record
from paiza_client.language import _
from paiza_domain import handling
from paiza_officer.errors import located


class Strictest:
    """The strictest of marks that come one by one; almost all messages carry one of a few."""

    def __init__(self, serialized: Iterable[bytes] = ()) -> None:
        """Begin with marks as `all` returns them."""
        self._marks = dict.fromkeys(serialized)

    def add(self, record: Record) -> None:
        """Add the marks of everything of the message that is in the record."""
        self._marks.update(dict.fromkeys(each.SerializeToString() for each in record.marks()))

    def all(self) -> list[bytes]:
        """Return the different marks, serialized, in the order in which they came."""
        return list(self._marks)

    def mark(self) -> Handling:
        """Return the strictest; Refused("marks_incompatible") where nothing allows them together."""
        with located(_("export")):
            return handling.merge(Handling.FromString(each) for each in self._marks).handling()
