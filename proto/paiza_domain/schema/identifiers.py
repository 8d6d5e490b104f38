"""Checks of identifiers with a fixed form: containers, vessels, vehicles, telephones, chemicals."""

import re
from typing import Final

from paiza_domain.schema.field_errors import Problem
from paiza_wire.identity.spiffe import MEMBER_ID

_CONTAINER: Final = re.compile(r"[A-Z]{3}[UJZ]\d{7}", re.ASCII)
_IMO: Final = re.compile(r"[1-9]\d{6}", re.ASCII)
_VIN: Final = re.compile(r"[A-HJ-NPR-Z0-9]{17}", re.ASCII)
_TELEPHONE: Final = re.compile(r"\+?(?:\d[ ()-]{0,2}|\([ ]?){2,18}\d", re.ASCII)
_IMEI: Final = re.compile(r"\d{15}", re.ASCII)
_CAS: Final = re.compile(r"[1-9]\d{1,6}-\d\d-\d", re.ASCII)
_HS: Final = re.compile(r"\d{6}(?:\d\d){0,2}", re.ASCII)
_INCHI_KEY: Final = re.compile(r"[A-Z]{14}-[A-Z]{10}-[A-Z]", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)

# ISO 6346: letters count from 10 upwards, leaving out the multiples of 11.
_LETTER_VALUES: Final = dict(
    zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (n for n in range(10, 39) if n % 11), strict=True),
)


def container_check_digit(first_ten: str) -> int:
    """Return the ISO 6346 check digit of owner code, category and serial number, for example "CSQU305438" -> 3."""
    total = sum((_LETTER_VALUES.get(each) or int(each)) << place for place, each in enumerate(first_ten))
    return total % 11 % 10


def imo_check_digit(first_six: str) -> int:
    """Return the check digit of an IMO number, for example "907472" -> 9."""
    return sum(int(digit) * weight for digit, weight in zip(first_six, range(7, 1, -1), strict=True)) % 10


def container_problem(text: str) -> Problem | None:
    """Check a container number such as CSQU3054383."""
    if not _CONTAINER.fullmatch(text):
        return "code_malformed", {"expected": "CSQU3054383"}
    return None if container_check_digit(text[:10]) == int(text[10]) else ("check_digit", {})


def imo_problem(text: str) -> Problem | None:
    """Check the IMO number of a vessel such as 9074729, without the letters IMO."""
    if not _IMO.fullmatch(text):
        return "code_malformed", {"expected": "9074729"}
    return None if imo_check_digit(text[:6]) == int(text[6]) else ("check_digit", {})


def imei_problem(text: str) -> Problem | None:
    """Check the IMEI of a device: 15 digits, the last a Luhn check digit."""
    if not _IMEI.fullmatch(text):
        return "code_malformed", {"expected": "490154203237518"}
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(text))
    return None if sum(n // 10 + n % 10 for n in doubled) % 10 == 0 else ("check_digit", {})


def vin_problem(text: str) -> Problem | None:
    """Check the form of a vehicle identification number; its check digit is not in use everywhere."""
    return None if _VIN.fullmatch(text) else ("code_malformed", {"expected": "1M8GDM9AXKP042788"})


def telephone_problem(text: str) -> Problem | None:
    """Check the form of a telephone number: digits, with or without a plus, grouped as people write them."""
    return None if _TELEPHONE.fullmatch(text) else ("code_malformed", {"expected": "+77270000000"})


def cas_problem(text: str) -> Problem | None:
    """Check a CAS registry number such as 108-24-7 by its form and check digit."""
    if not _CAS.fullmatch(text):
        return "code_malformed", {"expected": "108-24-7"}
    return None if cas_check_digit(text[:-2]) == int(text[-1]) else ("check_digit", {})


def cas_check_digit(first_parts: str) -> int:
    """Return the check digit of a CAS registry number, for example "108-24" -> 7."""
    digits = (int(each) for each in reversed(first_parts) if each != "-")
    return sum(place * digit for place, digit in enumerate(digits, start=1)) % 10


def hs_problem(text: str) -> Problem | None:
    """Check the form of an HS code: the six digits of the Harmonised System, or a national code of 8 or 10."""
    return None if _HS.fullmatch(text) else ("code_malformed", {"expected": "291524"})


def inchi_key_problem(text: str) -> Problem | None:
    """Check the form of an InChIKey."""
    return None if _INCHI_KEY.fullmatch(text) else ("code_malformed", {"expected": "WFXAZNNJSKVHJT-UHFFFAOYSA-N"})


def currency_problem(text: str) -> Problem | None:
    """Check the form of an ISO 4217 code."""
    return None if _CURRENCY.fullmatch(text) else ("code_malformed", {"expected": "KZT, TJS, USD"})


def member_problem(text: str) -> Problem | None:
    """Check the form of a member id such as kaz; the register decides whether the member exists."""
    return None if MEMBER_ID.fullmatch(text) else ("member_malformed", {})
