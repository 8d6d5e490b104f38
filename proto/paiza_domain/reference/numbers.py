"""The CAS numbers, HS codes and international tables of substances that a content names by their reference id."""

from datetime import date
from typing import Final

from google.protobuf.message import Message

from paiza_domain.reference.control_status import international
from paiza_domain.reference.mentions import naming_messages
from paiza_domain.reference.model import SURVEILLANCE, Reference
from paiza_domain.schema.identifiers import hs_problem

_CONTROLS: Final = {
    "1988-I": "table-i",
    "1988-II": "table-ii",
    SURVEILLANCE: "watch-list",
}  # codes of precursor_control


def cas_numbers(reference: Reference, substance_id: str) -> tuple[str, ...]:
    """Return the CAS numbers of a substance: of itself, its salts and isomers; empty if the data have none."""
    known = reference.substances.get(substance_id)
    return () if known is None else known.cas


def hs_codes(reference: Reference, substance_id: str) -> tuple[str, ...]:
    """Return the HS codes of a substance, digits only; empty if the data have none, or only an indication of one."""
    known = reference.substances.get(substance_id)
    found = () if known is None else tuple(each.replace(".", "") for each in known.hs)
    return tuple(each for each in found if hs_problem(each) is None)


def fill_in(content: Message, reference: Reference, on: date) -> None:
    """Fill in what a content leaves out beside a reference id: CAS number, HS code, international table on the day.

    Of several numbers (a base and its salts) none is chosen: which was meant is for the author to write.
    """
    for _path, named in naming_messages(content):
        substance = getattr(named, "substance_id", "")
        values = {
            "cas_number": cas_numbers(reference, substance),
            "hs_code": hs_codes(reference, substance),
            "control": _control(reference, substance, on),
        }
        for name, found in values.items():
            if len(found) == 1 and name in named.DESCRIPTOR.fields_by_name and not getattr(named, name):
                setattr(named, name, found[0])


def _control(reference: Reference, substance_id: str, on: date) -> tuple[str, ...]:
    entries = international(reference, substance_id, on).entries
    return tuple(dict.fromkeys(_CONTROLS[each.schedule] for each in entries if each.schedule in _CONTROLS))
