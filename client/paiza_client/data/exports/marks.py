"""The mark of what is made of several messages: the strictest of all, in words for every page and table."""

from collections.abc import Iterable

from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports.records import Record
from paiza_client.errors import located
from paiza_client.language import _
from paiza_domain import handling


def strictest(records: Iterable[Record]) -> Handling:
    """Merge the marks of all records; Refused("marks_incompatible") where nothing allows them together."""
    with located(_("export")):
        return handling.merge(mark for record in records for mark in record.marks()).handling()


def text(mark: Handling, *, purposes: bool = True) -> str:
    """Write a mark on one line; an unmarked text says that there is none."""
    words = [f"TLP:{mark.tlp}" if mark.tlp else "", mark.code, mark.code_text]
    words += [f"PAP:{mark.pap}" if mark.pap else "", _("level {n}").format(n=mark.classification)]
    if mark.evaluation:
        words.append(f"{mark.evaluation} ({mark.evaluation_scheme})")
    if purposes and mark.purposes:
        words.append(_("only for: {purposes}").format(purposes=", ".join(mark.purposes)))
    return ", ".join(filter(None, words))
