"""The CAS numbers, HS codes and international tables of substances that a content names by their reference id."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from google.protobuf.message import Message

from paiza_domain.reference.control_status import international
from paiza_domain.reference.mentions import naming_messages
from paiza_domain.reference.model import SURVEILLANCE, Evidence, Reference, Standing
from paiza_domain.schema.field_errors import FieldError
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


def cas_text(reference: Reference, substance_id: str, lang: str) -> str:
    """Return the CAS numbers of a substance as `with_standing`."""
    known = reference.substances.get(substance_id)
    return "" if known is None else with_standing(known.cas, known.evidence, lang)


def hs_text(reference: Reference, substance_id: str, lang: str) -> str:
    """Return the HS codes of a substance as `with_standing`, digits only."""
    known = reference.substances.get(substance_id)
    return "" if known is None else with_standing(hs_codes(reference, substance_id), known.hs_evidence, lang)


def with_standing(numbers: Sequence[str], evidence: Evidence, lang: str) -> str:
    """Return numbers in one line, with a word in `lang` unless they are verified; empty if there are none."""
    text = ", ".join(numbers)
    return text if not text or evidence.standing is Standing.VERIFIED else f"{text} ({evidence.standing.text(lang)})"


def fill_in(content: Message, reference: Reference, on: date) -> None:
    """Fill in what a content leaves out beside a reference id: CAS number, HS code, international table on the day.

    Of several numbers (a base and its salts) none is chosen: which was meant is for the author to write. What is not
    verified is not filled in either, since a message cannot say that it is not (`left_out`).
    """
    for _path, named, name, value, standing in _missing(content, reference, on):
        if standing is Standing.VERIFIED:
            setattr(named, name, value)


def left_out(content: Message, reference: Reference, on: date) -> list[FieldError]:
    """Return a remark on each value that `fill_in` leaves out because it is not verified."""
    return [
        FieldError(f"{path}{name}", "not_filled_in", {"value": value})
        for path, _named, name, value, standing in _missing(content, reference, on)
        if standing is not Standing.VERIFIED
    ]


def _missing(content: Message, reference: Reference, on: date) -> Iterator[tuple[str, Any, str, str, Standing]]:
    """Yield the fields that a content leaves empty and of which the data have one value, with its standing."""
    for path, named in naming_messages(content):
        substance = getattr(named, "substance_id", "")
        for name, found in _values(reference, substance, on).items():
            if len(found) == 1 and name in named.DESCRIPTOR.fields_by_name and not getattr(named, name):
                ((value, standing),) = found.items()
                yield path, named, name, value, standing


def _values(reference: Reference, substance_id: str, on: date) -> dict[str, dict[str, Standing]]:
    known = reference.substances.get(substance_id)
    if known is None:
        return {}
    return {
        "cas_number": dict.fromkeys(known.cas, known.evidence.standing),
        "hs_code": dict.fromkeys(hs_codes(reference, substance_id), known.hs_evidence.standing),
        "control": {
            _CONTROLS[each.schedule]: each.evidence.standing
            for each in international(reference, substance_id, on).entries
            if each.schedule in _CONTROLS
        },
    }
