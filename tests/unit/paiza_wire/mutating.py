"""Changing protobuf messages field by field, every field there is, so that a new one cannot be forgotten."""

from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

LONG = 5000
"""Characters or bytes that go behind a text or byte string to make it too long; a list grows by 70 elements."""

GREATEST = {
    FieldDescriptor.CPPTYPE_UINT32: 2**32 - 1,
    FieldDescriptor.CPPTYPE_INT32: 2**31 - 1,
    FieldDescriptor.CPPTYPE_UINT64: 2**64 - 1,
    FieldDescriptor.CPPTYPE_INT64: 2**63 - 1,
}


def mutations(descriptor: Descriptor, prefix: str = "") -> Iterator[tuple[str, str]]:
    """List (path, operation) for every field of a message type and of the types below it."""
    for field in descriptor.fields:
        path = prefix + field.name
        if field.is_repeated:
            yield from ((path, how) for how in ("emptied", "doubled", "reversed", "flooded"))
        if field.message_type:
            if not field.is_repeated:
                yield path, "cleared"
            yield from mutations(field.message_type, f"{path}.")
        else:
            yield from ((path, how) for how in _operations(field))


def _operations(field: FieldDescriptor) -> tuple[str, ...]:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return ("changed", "truncated", "lengthened") + (() if field.is_repeated else ("cleared",))
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        one_value = len(_values(field)) == 1
        return ("unknown", "cleared") if one_value else ("changed", "unknown", "cleared")
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return ("changed", "cleared")
    return ("changed", "greatest", "cleared")


def mutated(message: Message, path: str, how: str) -> Message:
    """Return a copy of a message in which one field is changed; it must be another message after that."""
    changed = type(message)()
    changed.CopyFrom(message)
    *above, last = path.split(".")
    owner: Any = element(changed, above, last)
    field = owner.DESCRIPTOR.fields_by_name[last]
    if field.is_repeated:
        _change_list(getattr(owner, last), field, how)
    elif how == "cleared":
        owner.ClearField(last)
    else:
        setattr(owner, last, _changed_value(getattr(owner, last), field, how))
    assert changed != message, f"{path} {how} changes nothing"
    return changed


def element(message: Message, path: Sequence[str], last: str = "") -> Any:
    """Return the message at a path; of a list, the first element in which the next field of the path is set."""
    found: Any = message
    for name, below in zip(path, [*path, last][1:], strict=True):
        found = getattr(found, name)
        if not isinstance(found, Message):
            found = next((one for one in found if below in {field.name for field, _ in one.ListFields()}), found[0])
    return found


def _change_list(values: Any, field: FieldDescriptor, how: str) -> None:
    elements = list(values)
    changed = {
        "emptied": [],
        "doubled": [*elements, elements[0]],
        "reversed": elements[::-1],
        "flooded": elements + [elements[0]] * 70,
    }.get(how)
    if changed is None:
        changed = [_changed_value(elements[0], field, how), *elements[1:]]
    copies = [type(one).FromString(one.SerializeToString()) if field.message_type else one for one in changed]
    del values[:]
    values.extend(copies)


def _changed_value(value: Any, field: FieldDescriptor, how: str) -> Any:
    if how == "truncated":
        return value[:-1]
    if how == "unknown":
        return 99
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        tail: Any = "x" if isinstance(value, str) else b"\x00"
        flipped = value[:-1] + bytes([value[-1] ^ 1]) if isinstance(value, bytes) and value else value + tail
        return flipped if how == "changed" else value + tail * LONG
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return next(one for one in _values(field) if one != value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return not value
    return value + 1 if how == "changed" else GREATEST[field.cpp_type]


def _values(field: FieldDescriptor) -> list[int]:
    assert field.enum_type
    return [one.number for one in field.enum_type.values if one.number != 0]
