"""Conversion of single values from and to text, for drafts and prompts."""

import re
from typing import Any, Final

from google.protobuf.message import Message

from paiza_domain import codes
from paiza_domain.schema import partial_times
from paiza_domain.schema.field_checks import MAX_ORIGINAL, unknown_code
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.quantity import MILLION, AmountError, format_amount, parse_amount
from paiza_domain.schema.shapes import Field, FieldType
from paiza_domain.schema.text_rules import unencodable_problem

_INTEGER: Final = re.compile(r"\d{1,10}", re.ASCII)
_MAX_UINT32: Final = 2**32 - 1
_DEGREES: Final = re.compile(r"(-?)(\d{1,3}(?:\.\d{1,6})?)", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class ScalarError(Exception):
    """A text that is not a value of its field; `problem` is the code and values of its field error."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(*problem)
        self.problem = problem


def read(field: Field, text: str, owner: Message) -> None:
    """Parse `text` as one value of `field` into `owner` (appended if the field is repeated); raise `ScalarError`.

    Only the form is checked here; the shape checks the value afterwards.
    """
    if problem := unencodable_problem(text):
        raise ScalarError(problem)
    match field.value_type:
        case FieldType.QUANTITY:
            amount, _, unit = text.strip().partition(" ")
            read_quantity(amount, unit.strip(), amount, _target(field, owner))
        case FieldType.DECIMAL:
            target = _target(field, owner)
            target.millionths = _amount(text)
            target.original = unless_canonical(text, target.millionths)
        case FieldType.PARTIAL_TIME:
            if not partial_times.fill_partial_time(text, _target(field, owner)):
                raise ScalarError(("moment_malformed", {}))
        case FieldType.TIME:
            time = partial_times.parse_time(text, begins=field.begins)
            if time is None:
                raise ScalarError(("time_malformed", {}))
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
    if unit not in codes.load("unit"):
        raise ScalarError(unknown_code(unit, "unit"))
    target.unit = unit
    if len(original) > MAX_ORIGINAL:
        raise ScalarError(("text_too_long", {"most": MAX_ORIGINAL}))
    target.original = unless_canonical(original, target.millionths)


def unless_canonical(original: str, millionths: int) -> str:
    """Return the reported text, or an empty text if it equals the formatted number."""
    return "" if original == format_amount(millionths) else original


def _target(field: Field, owner: Message) -> Any:
    """Return the message to fill: a new entry of a repeated field, or the field itself, now present."""
    if field.most:
        return getattr(owner, field.name).add()
    target = getattr(owner, field.name)
    target.SetInParent()
    return target


def _amount(text: str) -> int:
    try:
        return parse_amount(text)
    except AmountError as wrong:
        raise ScalarError(wrong.problem) from None


def _plain(field: Field, text: str) -> str | int | bool | bytes:
    match field.value_type:
        case FieldType.INTEGER:
            if not _INTEGER.fullmatch(text) or int(text) > _MAX_UINT32:
                raise ScalarError(("not_integer", {}))
            return int(text)
        case FieldType.FLAG:
            if text not in {"true", "false"}:
                raise ScalarError(("flag_malformed", {}))
            return text == "true"
        case FieldType.DEGREES:
            found = _DEGREES.fullmatch(text)
            if found is None:
                raise ScalarError(("amount_malformed", {}))
            degrees = parse_amount(found.group(2))
            return -degrees if found.group(1) else degrees
        case FieldType.DIGEST:
            if not _DIGEST.fullmatch(text):
                raise ScalarError(("digest_malformed", {}))
            return bytes.fromhex(text)
        case _:
            return text


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
