"""Whether the substances of a content are under a regime for precursors.

The tables of 1988, the surveillance list of the INCB and national lists of precursors are such regimes. A substance
that the data do not know counts by the international control that its author states.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from google.protobuf.message import Message

from paiza_domain.reference.control_status import international, status
from paiza_domain.reference.mentions import NAMING_FIELDS, naming_messages
from paiza_domain.reference.model import SURVEILLANCE, Reference, Regime
from paiza_domain.reference.names import NameIndex
from paiza_domain.schema.field_errors import FieldError

_TABLES: Final = frozenset({"1988-I", "1988-II", SURVEILLANCE})
_STATED: Final = frozenset({"table-i", "table-ii", "watch-list", "designer"})  # of the code list precursor_control
_GROUP: Final = "precursors"


def is_precursor(reference: Reference, substance: str, states: Sequence[str], on: date) -> bool:
    """Return whether a substance of the data is under a regime for precursors, internationally or in one of states."""
    known = international(reference, substance, on)
    if any(each.schedule in _TABLES for each in (*known.entries, *known.undated)):
        return True
    if reference.substances[substance].drug_group == _GROUP:
        return True
    controls = [each for state in states for each in status(reference, substance, state, on).controls]
    return any(listed.regime is Regime.PRECURSOR for _control, listed in controls)


def precursor_errors(
    content: Message, reference: Reference, index: NameIndex, states: Sequence[str], on: date
) -> list[FieldError]:
    """Return an error for each substance of a content that is no precursor, or that nobody can tell to be one."""
    found = []
    for path, named in naming_messages(content):
        key = next(each for each in NAMING_FIELDS if getattr(named, each, ""))
        name = getattr(named, key)
        match = index.find(name)
        meant = [each.id for each in match.substances]
        if meant:
            if not any(is_precursor(reference, each, states, on) for each in meant):
                found.append(FieldError(f"{path}{key}", "no_precursor", {"value": name[:64]}))
        elif getattr(named, "control", "") not in _STATED:
            values = {"value": name[:64], "suggestion": next(iter(match.suggestions), "")}
            found.append(FieldError(f"{path}{key}", "precursor_unknown", values))
    return found
