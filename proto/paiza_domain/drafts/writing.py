"""The writer of drafts: content messages as YAML that parses to the same messages."""

import json
import re
from typing import Any, Final

from google.protobuf.message import Message

from paiza_domain.schema.quantity import AmountError, format_amount, read_amount
from paiza_domain.schema.scalars import write
from paiza_domain.schema.shapes import Field, FieldType, Shape

_PLAIN: Final = re.compile(r"[^\W_](?:[\w .,/+()№-]|:(?=\w))*")
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off"})


def text_lines(key: str, text: str, indent: str) -> list[str]:
    """Format `key: text`: plain if that is unambiguous, a block if it has several lines, otherwise quoted."""
    if "\n" in text and "\t" not in text:
        return [f"{indent}{key} |-", *(f"{indent}  {line}" if line else "" for line in text.split("\n"))]
    return [f"{indent}{key} {scalar(text)}"]


def scalar(text: str) -> str:
    """Format a text so that YAML parses it to exactly the same text."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def message_lines(shape: Shape, message: Message, indent: str) -> list[str]:
    """Format all fields that are set."""
    present = {descriptor.name: value for descriptor, value in message.ListFields()}
    lines: list[str] = []
    for field in shape.fields:
        if field.name in present:
            lines += field_lines(field, present[field.name], indent)
    return lines


def field_lines(field: Field, value: Any, indent: str) -> list[str]:
    """Format one field with its value, which is all entries of a list."""
    if not field.most:
        return _value_lines(field, value, f"{field.key}:", indent)
    lines = [f"{indent}{field.key}:"]
    for each in value:
        if field.shape is None:
            lines += _value_lines(field, each, "-", f"{indent}  ")
        else:
            below = message_lines(field.shape, each, f"{indent}    ")
            lines += [f"{indent}  - {below[0].strip()}", *below[1:]] if below else [f"{indent}  - {{}}"]
    return lines


def _value_lines(field: Field, value: Any, key: str, indent: str) -> list[str]:
    if field.shape is not None:
        below = message_lines(field.shape, value, f"{indent}  ")
        return [f"{indent}{key}", *below] if below else [f"{indent}{key} {{}}"]
    if field.value_type in {FieldType.QUANTITY, FieldType.DECIMAL}:
        return [f"{indent}{key} {_amount(field, value)}"]
    if field.value_type is FieldType.FLAG:
        return [f"{indent}{key} true"]
    return text_lines(key, write(field, value), indent)


def _amount(field: Field, value: Any) -> str:
    """Format the number as reported if that parses to the same number; otherwise both."""
    unit = value.unit if field.value_type is FieldType.QUANTITY else ""
    if _reads_as(value.original, value.millionths):
        return f"{value.original or format_amount(value.millionths)} {unit}".strip()
    parts = {"amount": format_amount(value.millionths), "unit": unit, "original": value.original}
    return json.dumps({key: text for key, text in parts.items() if text}, ensure_ascii=False)


def _reads_as(original: str, millionths: int) -> bool:
    try:
        return not original or read_amount(original) == millionths
    except AmountError:
        return False
