"""The extraction of identifiers from free text: a sentence links messages as well as a field.

Only unambiguous forms are extracted: numbers with check digits, international telephone numbers, the number plates of
the region. Plates are searched after look-alike letters are mapped to Latin.
"""

import re
from collections.abc import Iterator
from typing import Final

from paiza_domain.schema.identifiers import container_problem, imei_problem
from paiza_domain.terms.folding import LOOKALIKES

MAX_SEARCHED: Final = 20_000  # characters of one text; the longest a field may hold
MAX_FOUND: Final = 200  # identifiers of one text

_DIGIT: Final = re.compile(r"\d", re.ASCII)  # each form has some
_CONTAINER: Final = re.compile(r"\b([A-Z]{3}[UJZ])[ -]?(\d{6})[ -]?(\d)\b", re.ASCII)
_VIN: Final = re.compile(r"\b(?=[A-Z0-9]*\d)(?=[A-Z0-9]*[A-Z])[A-HJ-NPR-Z0-9]{17}\b", re.ASCII)
_IMEI: Final = re.compile(r"\b\d{15}\b", re.ASCII)
_TELEPHONE: Final = re.compile(r"\+\d[\d ()-]{8,20}\d", re.ASCII)
# One expression, so that each position counts once, for the form that begins first.
_PLATE: Final = re.compile(
    r"(?<![A-Z0-9])(?:"
    r"[ABEKMHOPCTYX][ -]?\d{3}[ -]?[ABEKMHOPCTYX]{2}[ -]?\d{2,3}"  # Russia: A 123 BC 77
    r"|\d{2}[ -]?KG[ -]?\d{3}[ -]?[A-Z]{3}"  # Kyrgyzstan: 01 KG 123 ABC
    r"|\d{3}[ -]?[A-Z]{2,3}[ -]?\d{2}"  # Kazakhstan: 123 ABC 02
    r"|\d{2}[ -]?[A-Z][ -]?\d{3}[ -]?[A-Z]{2}"  # Uzbekistan: 01 A 123 BC
    r"|\d{2}[ -]?\d{3}[ -]?[A-Z]{3}"  # Uzbekistan, legal persons: 01 123 ABC
    r"|\d{4}[ -]?[A-Z]{2}[ -]?\d{2}"  # Tajikistan: 1234 AB 01; Turkmenistan: 1234 AB 56
    r"|\d{2}[ -][A-Z]{2}[ -]\d{3}"  # Azerbaijan: 10-AB-123
    r")(?![A-Z0-9])",
    re.ASCII,
)


def found_in_text(text: str) -> Iterator[tuple[str, str]]:
    """Yield (field of the term, text) for every identifier found, at most `MAX_FOUND`; each position of a text once."""
    searched = text[:MAX_SEARCHED]
    if _DIGIT.search(searched) is None:
        return
    looks = searched.upper().translate(LOOKALIKES)
    found = {
        *(("container", "".join(each.groups())) for each in _CONTAINER.finditer(looks)),
        *(("vin", each.group()) for each in _VIN.finditer(looks)),
        *(("imei", each.group()) for each in _IMEI.finditer(looks)),
        *(("phone", each.group()) for each in _TELEPHONE.finditer(searched)),
        *(("plate", each.group()) for each in _PLATE.finditer(looks)),
    }
    sound = sorted(each for each in found if _is_sound(*each))
    yield from sound[:MAX_FOUND]


def _is_sound(field: str, text: str) -> bool:
    """Return whether the check digit is valid, if there is one."""
    if field == "container":
        return container_problem(text) is None
    return field != "imei" or imei_problem(text) is None
