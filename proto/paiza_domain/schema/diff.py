"""The differences between two contents of one kind, field by field, for a correction."""

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import Message

from paiza_domain.schema.scalars import write
from paiza_domain.schema.shapes import FieldType, Shape

MAX_VALUE: Final = 2_000  # characters of a value that a correction holds; a longer one is truncated


def differences(shape: Shape, before: Message, after: Message) -> list[tuple[str, str, str]]:
    """Return (path, old value, new value) for every field that differs, in the order of the form."""
    old, new = dict(_values(shape, before, "")), dict(_values(shape, after, ""))
    paths = [*new, *(path for path in old if path not in new)]
    return [
        (path, old.get(path, "")[:MAX_VALUE].strip(), new.get(path, "")[:MAX_VALUE].strip())
        for path in paths
        if old.get(path) != new.get(path)
    ]


def _values(shape: Shape, message: Message, prefix: str) -> Iterator[tuple[str, str]]:
    present = {descriptor.name: value for descriptor, value in message.ListFields()}
    for field in shape.fields:
        if field.name not in present:
            continue
        values = list(present[field.name]) if field.most else [present[field.name]]
        for index, value in enumerate(values):
            path = f"{prefix}{field.key}[{index}]" if field.most else f"{prefix}{field.key}"
            if field.shape is not None:
                yield from _values(field.shape, value, f"{path}.")
            else:
                yield path, "true" if field.value_type is FieldType.FLAG else write(field, value)
