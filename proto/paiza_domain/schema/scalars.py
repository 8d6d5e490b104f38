"""Conversion of single values from and to text, for drafts and prompts."""

import re
from typing import Any, Final

from google.protobuf.message import Message

from paiza_domain.codes import lookup
from paiza_domain.schema import field_checks, partial_times
from paiza_domain.schema.field_checks import MAX_ORIGINAL, unknown_code
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.quantity import MILLION, AmountError, format_amount, parse_amount, plain_number, read_amount
from paiza_domain.schema.shapes import Field, FieldType
from paiza_domain.schema.text_rules import unencodable_problem

_INTEGER: Final = re.compile(r"\d{1,10}", re.ASCII)
_MAX_UINT32: Final = 2**32 - 1
_DEGREES: Final = re.compile(r"(-?)(\d{1,3}(?:\.\d{1,6})?)", re.ASCII)
_QUANTITY: Final = re.compile(r"([^a-zа-яё%]*\d)\s*([a-zа-яё%].*)", re.IGNORECASE | re.DOTALL)  # a number, a unit
FLAGS: Final = {
    **dict.fromkeys(("true", "yes", "да", "истина"), True),
    **dict.fromkeys(("false", "no", "нет", "ложь"), False),
}
"""The words for true and false, in small letters."""
_PERCENT: Final = "_percent"  # ends the name of a field of which a percent sign may be written
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class ScalarError(Exception):
    """A text that is not a value of its field; `problem` is the code and values of its field error."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(*problem)
        self.problem = problem


def read(field: Field, text: str, owner: Message) -> None:
    """Parse `text` as one value of `field` into `owner` (appended if the field is repeated); raise `ScalarError`.

    What people write is understood: an entry of a code list by code or name in either language, a decimal comma, a
    Russian date. Only the form is checked here; the shape checks the value afterwards.
    """
    if problem := unencodable_problem(text):
        raise ScalarError(problem)
    match field.value_type:
        case FieldType.QUANTITY:
            found = _QUANTITY.fullmatch(text.strip())
            if found is None:
                raise ScalarError(("quantity_malformed", {}))
            read_quantity(found[1], found[2], found[1], _target(field, owner))
        case FieldType.DECIMAL:
            target = _target(field, owner)
            if field.name.endswith(_PERCENT):
                text = text.strip().removesuffix("%").rstrip()
            target.millionths = _amount(text)
            target.original = unless_canonical(text, target.millionths)
        case FieldType.PARTIAL_TIME:
            if not partial_times.fill_partial_time(text, _target(field, owner)):
                raise ScalarError(partial_times.problem(text, "moment_malformed"))
        case FieldType.TIME:
            time = partial_times.parse_time(text, begins=field.begins)
            if time is None:
                raise ScalarError(partial_times.problem(text, "time_malformed"))
            _target(field, owner).seconds = int(time.timestamp())
        case _:
            value = _plain(field, text)
            if field.most:
                getattr(owner, field.name).append(value)
            else:
                setattr(owner, field.name, value)


def read_quantity(amount: str, unit: str, original: str, target: Any) -> None:
    """Fill a Quantity from its three texts; raise `ScalarError`."""
    if not unit:
        raise ScalarError(("quantity_malformed", {}))
    target.millionths = _amount(amount)
    known = lookup.find("unit", unit)
    if not known:
        raise ScalarError(unknown_code(unit, "unit"))
    target.unit = known
    if len(original) > MAX_ORIGINAL:
        raise ScalarError(("text_too_long", {"most": MAX_ORIGINAL}))
    target.original = unless_canonical(original, target.millionths)


def unless_canonical(original: str, millionths: int) -> str:
    """Return the reported text; an empty text if it differs from the formatted number by no digit."""
    return "" if plain_number(original) == format_amount(millionths) else original


def _target(field: Field, owner: Message) -> Any:
    """Return the message to fill: a new entry of a repeated field, or the field itself, now present."""
    if field.most:
        return getattr(owner, field.name).add()
    target = getattr(owner, field.name)
    target.SetInParent()
    return target


def _amount(text: str) -> int:
    try:
        return read_amount(text)
    except AmountError as wrong:
        raise ScalarError(wrong.problem) from None


def _plain(field: Field, text: str) -> str | int | bool | bytes:
    match field.value_type:
        case FieldType.INTEGER:
            number = plain_number(text)
            if not _INTEGER.fullmatch(number) or int(number) > _MAX_UINT32:
                raise ScalarError(("not_integer", {}))
            return int(number)
        case FieldType.FLAG:
            if text.casefold() not in FLAGS:
                raise ScalarError(("flag_malformed", {}))
            return FLAGS[text.casefold()]
        case FieldType.DEGREES:
            found = _DEGREES.fullmatch(plain_number(text))
            if found is None:
                raise ScalarError(("amount_malformed", {}))
            degrees = parse_amount(found.group(2))
            return -degrees if found.group(1) else degrees
        case FieldType.DIGEST:
            if not _DIGEST.fullmatch(text):
                raise ScalarError(("digest_malformed", {}))
            return bytes.fromhex(text)
        case FieldType.DATE:
            return _date(text)
        case _:
            return (field.codes and lookup.find(field.codes, text)) or text


def _date(text: str) -> str:
    """Return a date in its ISO form; raise `ScalarError` for one that no calendar has."""
    date = partial_times.iso_date(text)
    if field_checks.date(date) is not None:
        raise ScalarError(partial_times.problem(text, "date_malformed"))
    return date


def write(field: Field, value: Any) -> str:  # noqa: PLR0911 - one return a type of field
    """Format one value as `read` parses it; a quantity or decimal without the original text."""
    match field.value_type:
        case FieldType.QUANTITY:
            return f"{format_amount(value.millionths)} {value.unit}"
        case FieldType.DECIMAL:
            return format_amount(value.millionths)
        case FieldType.DEGREES:
            return format_amount(value)
        case FieldType.PARTIAL_TIME:
            return partial_times.write_partial_time(value)
        case FieldType.TIME:
            return partial_times.write_time(value)
        case FieldType.FLAG:
            return "true" if value else "false"
        case FieldType.DIGEST:
            return bytes(value).hex()
        case _:
            return str(value)


assert MILLION == 10**6  # microdegrees and millionths are read alike
