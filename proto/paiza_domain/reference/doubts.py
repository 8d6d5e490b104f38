"""What is probably a slip in a content, by the reference data: warnings that its author confirms, never refusals.

1. A substance whose group or type is another than the one stated beside it.
2. An amount of a drug above the ceiling for its type, form and unit. Trade in precursors knows no such ceiling.
3. A number with a comma before exactly three digits, for a reader who may have meant thousands.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from paiza_domain import codes
from paiza_domain.formatting import amount_text
from paiza_domain.reference.mentions import NAMING_FIELDS
from paiza_domain.reference.model import Ceiling, Reference, Substance
from paiza_domain.reference.names import NameIndex
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.quantity import GRAMS_PER_UNIT, convert

MAX_DOUBTS: Final = 50  # of one content; more are not read by anybody
_FORM: Final = "form"  # a field of what was seized or is moved under control, and of no trade and no total
_WITHOUT_CEILING: Final = frozenset({"precursors", "laboratory-equipment"})
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2},\d{3}")
_CLASSES: Final[Mapping[str, str]] = {"drug_group": "group_contradicts", "drug_type": "type_contradicts"}


def doubts(content: Message, reference: Reference, index: NameIndex, lang: str) -> list[FieldError]:
    """Return the warnings of a content in the order of its fields, in words of ``lang``; at most `MAX_DOUBTS`."""
    found: list[FieldError] = []
    for path, message in _messages(content, ""):
        fields = message.DESCRIPTOR.fields_by_name
        substance = _substance(message, reference, index)
        if substance is not None:
            found += _contradictions(path, message, substance, lang)
        if _FORM in fields and "quantity" in fields and message.HasField("quantity"):
            drug_type = getattr(message, "drug_type", "") or (substance.drug_type if substance else "")
            found += _amounts(path, message, drug_type, reference, lang)
    return found[:MAX_DOUBTS]


def _messages(message: Message, path: str) -> Iterator[tuple[str, Any]]:
    yield path, message
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            several = enumerate(value) if field.is_repeated else ((None, value),)
            for at, each in several:
                yield from _messages(each, f"{path}{field.name}{'' if at is None else f'[{at}]'}.")


def _substance(message: Any, reference: Reference, index: NameIndex) -> Substance | None:
    """Return the one substance that a message names; None if it names none, or several."""
    texts = [getattr(message, name, "") for name in NAMING_FIELDS]
    for text in filter(None, reversed(texts)):  # the reference id first
        if text in reference.substances:
            return reference.substances[text]
        named = index.exact_matches(text)
        if len(named) == 1:
            return named[0]
    return None


def _contradictions(path: str, message: Any, substance: Substance, lang: str) -> Iterator[FieldError]:
    for name, code in _CLASSES.items():
        stated, known = getattr(message, name, ""), getattr(substance, name)
        entries = codes.load(name)
        if stated and known and stated != known and stated in entries:
            values = {
                "value": substance.name(lang),
                "stated": entries.text(stated, lang),
                "expected": entries.text(known, lang),
            }
            yield FieldError(f"{path}{name}", code, values)
            return  # of another group the type is another as well


def _amounts(path: str, message: Any, drug_type: str, reference: Reference, lang: str) -> Iterator[FieldError]:
    quantity = message.quantity
    stated = {"drug_type": drug_type, _FORM: message.form}
    ceiling = None if message.drug_group in _WITHOUT_CEILING else _ceiling(quantity.unit, stated, reference.ceilings)
    if ceiling is not None and _converted(quantity.millionths, quantity.unit, ceiling.unit) > ceiling.millionths:
        values = {
            "value": amount_text(quantity.millionths, quantity.unit, lang),
            "most": amount_text(ceiling.millionths, ceiling.unit, lang),
            "source": ": ".join(filter(None, (ceiling.evidence.source, ceiling.note.get(lang, "")))),
        }
        yield FieldError(f"{path}quantity", "amount_above_ceiling", values)
    if lang == "en" and _THOUSANDS.fullmatch(quantity.original):
        values = {"value": quantity.original, "expected": amount_text(quantity.millionths, quantity.unit, lang)}
        yield FieldError(f"{path}quantity", "comma_is_decimal", values)


def _ceiling(unit: str, stated: Mapping[str, str], ceilings: tuple[Ceiling, ...]) -> Ceiling | None:
    """Return the ceiling that fits best: that of the drug type and form, of one of them, or of all."""
    fitting = [
        each
        for each in ceilings
        if _same_measure(unit, each.unit) and all(getattr(each, name) in {"", text} for name, text in stated.items())
    ]
    return max(fitting, key=lambda each: (bool(each.drug_type), bool(each.form)), default=None)


def _same_measure(unit: str, other: str) -> bool:
    return unit == other or (unit in GRAMS_PER_UNIT and other in GRAMS_PER_UNIT)


def _converted(millionths: int, unit: str, to: str) -> int:
    return millionths if unit == to else convert(millionths, unit, to)
