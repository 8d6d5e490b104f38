"""The differences between two contents of one kind, field by field, for a correction."""

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.message import Message

from paiza_domain.schema import reading
from paiza_domain.schema.scalars import ScalarError, read, write
from paiza_domain.schema.shapes import Field, FieldType, Shape

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


def value_text(shape: Shape, path: str, text: str) -> str:
    """Return what people write for the field at a path of `differences` as `differences` writes it.

    Raise `ScalarError` for what is no value of the field, and KeyError for a path of no field.
    """
    shape, field = _at(shape, path)
    message = shape.message()
    read(field, text.strip(), message)
    judge = field.checker()
    if judge is not None and (problem := judge(_value(field, message))):
        raise ScalarError(problem)
    return dict(_values(shape, message, ""))[f"{field.key}[0]" if field.most else field.key]


def shown_text(shape: Shape, path: str, text: str, lang: str) -> str:
    """Return a value of `differences` for a reader: the name of a code, a date, a quantity; else the text as it is."""
    try:
        below, field = _at(shape, path)
        message = below.message()
        read(field, text.strip(), message)
        return reading.value_text(field, _value(field, message), lang)
    except (ScalarError, KeyError, IndexError):  # a value that was truncated, or of the annex, which holds none
        return text


def _at(shape: Shape, path: str) -> tuple[Shape, Field]:
    """Return the field at a path of `differences`, and the shape that it stands in; KeyError for a path of none."""
    *groups, last = [step.partition("[")[0] for step in path.split(".")]
    for group in groups:
        below = shape.by_key[group].shape
        if below is None:
            raise KeyError(path)
        shape = below
    field = shape.by_key[last]
    if field.shape is not None:  # a group, whose fields have paths of their own
        raise KeyError(path)
    return shape, field


def _value(field: Field, message: Message) -> Any:
    return getattr(message, field.name)[0] if field.most else getattr(message, field.name)


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
