"""What was understood of a value, in words: an amount with its unit written out, a time with its zone, a code."""

from typing import Any

from paiza_domain import codes
from paiza_domain.codes import lookup
from paiza_domain.formatting import amount_text, amount_words
from paiza_domain.forms.description import Input, InputType
from paiza_domain.schema import quantity, reading, scalars

_KILOGRAM = quantity.MILLION * 1_000  # millionths of a gram


def echo(field: Input, text: str, lang: str) -> str:
    """Return what was understood of one value; empty where it was not understood or that says nothing new."""
    match field.input_type:
        case InputType.QUANTITY:
            value = _read(field, text)
            return "" if value is None else _amount(value, lang)
        case InputType.TIME | InputType.PARTIAL_TIME:
            value = _read(field, text)
            said = "" if value is None else reading.value_text(field.field, value, lang)
            return said if said != text else ""
        case InputType.CODE:
            code = lookup.find(field.codes, text)
            said = codes.load(field.codes).text(code, lang) if code else ""
            return said if said != text else ""
        case _:
            return ""


def _read(field: Input, text: str) -> Any:
    owner = field.owner()
    try:
        scalars.read(field.field, text, owner)
    except scalars.ScalarError:
        return None
    value = getattr(owner, field.field.name)
    return value[0] if field.most else value


def _amount(value: Any, lang: str) -> str:
    """Return an amount in words, and in grams or kilograms where it is a mass in another unit."""
    said = amount_words(value.millionths, value.unit, lang)
    if value.unit not in quantity.GRAMS_PER_UNIT:
        return said
    grams = quantity.convert(value.millionths, value.unit, "g")
    if value.unit != "g":
        return f"{said} = {amount_text(grams, 'g', lang)}"
    return f"{said} = {amount_text(quantity.convert(grams, 'g', 'kg'), 'kg', lang)}" if grams >= _KILOGRAM else said
