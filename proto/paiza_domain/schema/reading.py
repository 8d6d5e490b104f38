"""A content message as rows for display: labels, codes as text, quantities with units, complete."""

from collections.abc import Sized
from typing import Any, Final

from google.protobuf.message import Message

from paiza_domain import codes
from paiza_domain.formatting import amount_text, millionths_text
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.partial_times import partial_time_text, timestamp_text
from paiza_domain.schema.quantity import format_amount
from paiza_domain.schema.scalars import write
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_SUMMARY: Final = 160  # characters of a one-line summary: a row of a list


def shorten(text: str) -> str:
    """Shorten a text to one line of at most `MAX_SUMMARY` characters."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_SUMMARY else line[: MAX_SUMMARY - 1].rstrip() + "…"


def code_text(list_name: str, code: str, lang: str) -> str:
    """Return the text of a code; an unknown code is returned unchanged."""
    entries = codes.load(list_name)
    return entries.text(code, lang) if code in entries else code


def quantity_text(quantity: Any, lang: str) -> str:
    """Return a quantity with its unit."""
    return amount_text(quantity.millionths, quantity.unit, lang)


def substance_text(substance: Any, lang: str) -> str:
    """Return the text of a substance: its drug type, else its name, else its reference id."""
    if substance.drug_type:
        return code_text("drug_type", substance.drug_type, lang)
    return str(substance.as_named or substance.substance_id)


def more(entries: Sized) -> str:
    """Return the text for the number of entries after the first; empty if there are none."""
    return f" (+{len(entries) - 1})" if len(entries) > 1 else ""


def rows(shape: Shape, message: Message, lang: str) -> list[tuple[str, str]]:
    """Return (label, value) for every field that is set; below a group, labels are joined with “›”."""
    found: list[tuple[str, str]] = []
    _collect(shape, message, lang, "", found)
    return found


def _collect(shape: Shape, message: Message, lang: str, prefix: str, found: list[tuple[str, str]]) -> None:
    present = {descriptor.name: value for descriptor, value in message.ListFields()}
    for field in shape.fields:
        if field.name not in present:
            continue
        value = present[field.name]
        label = prefix + translate(field.label, lang)
        if field.shape is None:
            values = value if field.most else [value]
            found.append((label, "; ".join(value_text(field, each, lang) for each in values)))
        elif field.most:
            for number, each in enumerate(value, start=1):
                _collect(field.shape, each, lang, f"{label} {number} › ", found)
        else:
            _collect(field.shape, value, lang, f"{label} › ", found)


def value_text(field: Field, value: Any, lang: str) -> str:
    """Return the text of one value."""
    match field.value_type:
        case FieldType.CODE:
            return code_text(field.codes, value, lang)
        case FieldType.FLAG:
            return translate(N_("yes"), lang)
        case FieldType.QUANTITY:
            return _with_original(quantity_text(value, lang), value.original, format_amount(value.millionths))
        case FieldType.DECIMAL:
            return _with_original(millionths_text(value.millionths, lang), value.original, write(field, value))
        case FieldType.PARTIAL_TIME | FieldType.TIME:
            return _time_text(field, value, lang)
        case _:
            return write(field, value)


def _time_text(field: Field, value: Any, lang: str) -> str:
    partial = field.value_type is FieldType.PARTIAL_TIME
    return partial_time_text(value, lang) if partial else timestamp_text(value, lang)


def _with_original(text: str, original: str, amount: str) -> str:
    """Append the reported text if it differs from the interpreted value."""
    return f"{text} [{original}]" if original and original not in {amount, text} else text
