"""The fields of serialized messages, counted before they are parsed.

A parser makes objects of what it reads: 8 MiB of empty messages in a list, two bytes each, become 250 MiB. The scan
below makes none. It refuses more than a parser does: groups, which no program of this protocol writes.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from paiza_wire.errors import Rejected

MAX_FIELDS: Final = 16_384
"""Fields of one serialized message, counted in its nested messages too. Parsed, each takes at most about 64 bytes more
than its content. The largest valid `Deliver` has about 3,000.
"""

UNCOUNTED_BYTES: Final = 64 * 1024
"""In so small a message nothing is counted: parsed, it takes at most 2 MiB."""

UNCOUNTED_FLAT_BYTES: Final = 2 * 1024 * 1024
"""So many bytes of flat nested messages, such as proofs, are not looked into: parsed, they take at most 16 MiB."""

_MORE: Final = 0x80  # another byte of a varint follows
_TYPE_BITS: Final = 3
_LENGTH_DELIMITED: Final = 2
_VARINT_BITS: Final = 64


@dataclass(slots=True)
class _Kind:
    """What is to be looked into, by tag.

    ``nested`` messages by their own kinds, and the tags of lists of numbers, which may be packed.
    """

    nested: "dict[int, _Kind]" = field(default_factory=dict)
    numbers: set[int] = field(default_factory=set)


def check_fields(message_type: type[Message], data: bytes) -> None:
    """Return if serialized bytes may be parsed as a message of this type.

    Raises Rejected("too_large") if they have more than `MAX_FIELDS` fields, and Rejected("malformed") if they end in
    the middle of a field or hold a group.
    """
    if len(data) <= UNCOUNTED_BYTES:
        return
    try:
        _count(_kind(message_type.DESCRIPTOR), data)
    except (IndexError, ValueError):
        raise Rejected("malformed", f"the bytes are not a {message_type.DESCRIPTOR.full_name}") from None


def _count(kind: _Kind, data: bytes) -> None:
    left, flat, at, end = MAX_FIELDS, UNCOUNTED_FLAT_BYTES, 0, len(data)
    outer: list[tuple[int, _Kind]] = []  # the messages that this one is nested in, and where they end
    while True:
        while at < end and left >= 0:
            left -= 1
            tag = data[at]
            at += 1
            if tag >= _MORE:
                tag, at = _varint(data, at - 1)
            match tag & 7:
                case 2:
                    size = data[at]
                    at += 1
                    if size >= _MORE:
                        size, at = _varint(data, at - 1)
                    inner = kind.nested.get(tag)
                    if inner is None:
                        if tag in kind.numbers:
                            left -= size
                        at += size
                    elif size <= flat and not inner.nested:
                        flat -= size
                        at += size
                    else:
                        outer.append((end, kind))
                        kind, end = inner, at + size
                case 0:
                    _, at = _varint(data, at)
                case 1:
                    at += 8
                case 5:
                    at += 4
                case _:
                    raise ValueError
        if left < 0:
            raise Rejected("too_large", f"there are more than {MAX_FIELDS} fields")
        if at > end:
            raise IndexError
        if not outer:
            return
        end, kind = outer.pop()


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = shift = 0
    while shift < _VARINT_BITS:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < _MORE:
            return value, at
        shift += 7
    raise ValueError


@cache
def _kind(descriptor: Any) -> _Kind:
    found = _Kind()
    for each in descriptor.fields:
        tag = each.number << _TYPE_BITS | _LENGTH_DELIMITED
        if each.message_type is not None:
            found.nested[tag] = _kind(each.message_type)
        elif each.is_repeated and each.cpp_type != FieldDescriptor.CPPTYPE_STRING:
            found.numbers.add(tag)
    return found
