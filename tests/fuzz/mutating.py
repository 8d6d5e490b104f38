"""Changes of valid inputs that keep them nearly valid: of bytes, texts, JSON and protobuf messages.

Each takes a source of randomness and a value, and returns another value; what a coverage-guided fuzzer does with plain
bytes hardly ever gets past the first parser.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from paiza.content.v1 import attachment_info_pb2
from paiza.core.v1 import enrolment_pb2, log_pb2, log_query_pb2, message_pb2

NUMBERS: Final = (0, 1, 2, 3, 7, 63, 64, 127, 128, 255, 256, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1)
TEXTS: Final = (
    "", " ", "\x00", "\n", "\r\n", "\u2028", "\ufeff", "\u202e", "\U0001f600", "e\u0301", "\u0660", "0", "-1", "1e999",
    "9" * 40, "a" * 5000, "../..", "spiffe://", "kaz", "tjk", "uzb", "null", "{}", "[]", "=1+1", "%s", "٣", "İ", "ß",
)  # fmt: skip
VALUES: Final[Sequence[Any]] = (
    None, True, False, 0, -1, 1, 1.5, 1e308, 2**63, 2**64, 10**400, "", "x", [], {}, [[]], [None], {"": None}, [{}],
)  # fmt: skip
MANY: Final = 300  # elements of a flooded list
DEEP: Final = 2000  # levels of a nested value

NESTED: Final[Mapping[str, type[Message]]] = {
    "header": message_pb2.Header,
    "message": message_pb2.SignedMessage,
    "entry": log_pb2.LogEntry,
    "query": log_query_pb2.EntryQuery,
    "statement": enrolment_pb2.RenewalStatement,
    "info": attachment_info_pb2.AttachmentInfo,
}
"""Messages that lie as bytes in fields of these names."""


def mutate_bytes(random: Random, data: bytes) -> bytes:
    """Change a few bytes, or remove, repeat, move or insert some."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        data = random.choice(_OF_BYTES)(random, data)
    return data


def mutate_text(random: Random, text: str) -> str:
    """Change, remove, repeat or insert a piece of a text, or a line of it."""
    how = random.randrange(6)
    at = random.randint(0, len(text))
    until = min(len(text), at + random.choice((1, 1, 2, 5, 20)))
    if how == 0:
        return text[:at] + random.choice(TEXTS) + text[at:]
    if how == 1:
        return text[:at] + text[until:]
    if how == 2:
        return text[:until] + text[at:]
    if how == 3:
        return text[:at] + chr(random.choice((0, 9, 10, 32, 0x7F, 0xE9, 0x430, 0x2028, 0x1F600))) + text[until:]
    if how == 4:
        return mutate_lines(random, text, "\n")
    return random.choice((text.upper(), text.strip(), text[::-1], random.choice(TEXTS)))


def mutate_lines(random: Random, text: str, end: str) -> str:
    """Leave out, repeat, exchange or change a line."""
    lines = text.split(end)
    at = random.randrange(len(lines))
    how = random.randrange(4)
    if how == 0:
        del lines[at]
    elif how == 1:
        lines.insert(at, random.choice(lines))
    elif how == 2:
        other = random.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = mutate_text(random, lines[at]) if end not in lines[at] and len(lines) > 1 else lines[at] + " "
    return end.join(lines)


def mutate_as_text(random: Random, data: bytes) -> bytes:
    """Change bytes that are a text, such as a note, a TOML file or a draft."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return mutate_bytes(random, data)
    how = random.randrange(8)
    if how == 0:
        return mutate_bytes(random, data)
    changed = mutate_lines(random, text, "\n") if how < 4 else mutate_text(random, text)
    return changed.encode("utf-8", "surrogatepass")


def mutate_json(random: Random, data: bytes) -> bytes:
    """Change a value somewhere in a JSON text."""
    if not random.randrange(6):
        return mutate_bytes(random, data)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_bytes(random, data)
    if not random.randrange(40):
        return (b"[" * DEEP + b"]" * DEEP) if random.randrange(2) else data.replace(b":", b":" + b"[" * DEEP, 1)
    return json.dumps(mutate_value(random, value), ensure_ascii=bool(random.randrange(2))).encode(
        "utf-8", "surrogatepass"
    )


def mutate_value(random: Random, value: Any) -> Any:
    """Change a JSON value, somewhere below."""
    if isinstance(value, dict) and value and random.randrange(8):
        return _mutate_object(random, value)
    if isinstance(value, list) and value and random.randrange(8):
        return _mutate_array(random, value)
    return _leaf(random, value)


def _mutate_object(random: Random, value: dict[str, Any]) -> dict[str, Any]:
    key = random.choice(list(value))
    how = random.randrange(12)
    if how == 0:
        return {name: each for name, each in value.items() if name != key}
    if how == 1:
        return {**value, mutate_text(random, key): value[key]}
    if how == 2:
        return {mutate_text(random, name) if name == key else name: each for name, each in value.items()}
    other = random.choice(list(value.values())) if how == 3 else mutate_value(random, value[key])
    return {**value, key: other}


def _mutate_array(random: Random, value: list[Any]) -> list[Any]:
    at = random.randrange(len(value))
    how = random.randrange(10)
    if how == 0:
        return value[:at] + value[at + 1 :]
    if how == 1:
        return [*value, value[at]]
    if how == 2:
        return value[::-1]
    if how == 3 and len(value) < MANY:
        return value * (MANY // len(value))
    return [*value[:at], mutate_value(random, value[at]), *value[at + 1 :]]


def _leaf(random: Random, value: Any) -> Any:
    how = random.randrange(4)
    if how == 0:
        return random.choice(VALUES)
    if isinstance(value, str):
        return mutate_text(random, value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return random.choice((value + 1, value - 1, -value, random.choice(NUMBERS), str(value)[:50], 0.5))
    return random.choice(VALUES)


def mutate_message(random: Random, message: Message) -> None:
    """Change one field of a message, or of a message below it."""
    fields: list[Any] = [*message.DESCRIPTOR.fields]
    if not fields:
        return
    present = [field for field, _ in message.ListFields()]
    field: FieldDescriptor = random.choice(present if present and random.randrange(5) else fields)
    if field.is_repeated:
        _mutate_repeated(random, message, field)
    elif field.message_type is not None:
        if not random.randrange(8):
            message.ClearField(field.name)
        else:
            below = getattr(message, field.name)
            below.SetInParent()
            mutate_message(random, below)
    elif not random.randrange(6):
        message.ClearField(field.name)
    else:
        _set(message, field, _scalar(random, field, getattr(message, field.name)))


def _set(message: Message, field: FieldDescriptor, value: Any) -> None:
    try:
        setattr(message, field.name, value)
    except (ValueError, TypeError):  # a number outside its type, or a text that is no Unicode
        message.ClearField(field.name)


def _mutate_repeated(random: Random, message: Message, field: FieldDescriptor) -> None:
    values = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        message.ClearField(field.name)
        return
    how = random.randrange(8)
    if how == 0 and len(values):
        del values[random.randrange(len(values))]
    elif how == 1 and len(values):
        values.extend([values[random.randrange(len(values))]] * random.choice((1, 1, 1, 2, MANY)))
    elif how == 2 and len(values) > 1:
        kept = list(values)
        random.shuffle(kept)
        del values[:]
        values.extend(kept)
    elif field.message_type is not None:
        mutate_message(random, values[random.randrange(len(values))] if len(values) and how > 3 else values.add())
    else:
        at = random.randrange(len(values)) if len(values) and how > 3 else None
        value = _scalar(random, field, values[at] if at is not None else field.default_value or _empty(field))
        try:
            if at is None:
                values.append(value)
            else:
                values[at] = value
        except (ValueError, TypeError):
            del values[:]


def _empty(field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b""
    return "" if field.type == FieldDescriptor.TYPE_STRING else 0


def _scalar(random: Random, field: FieldDescriptor, value: Any) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        kind = NESTED.get(field.name)
        if kind is not None and random.randrange(4):
            return mutate_encoded(kind)(random, value)
        return mutate_bytes(random, value) if random.randrange(4) else random.choice((b"", bytes(32), bytes(16)))
    if field.type == FieldDescriptor.TYPE_STRING:
        return mutate_text(random, value)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return not value
    number = random.choice((*NUMBERS, value + 1, value - 1, -1, -(2**31), -(2**63)))
    return int(number)


def mutate_encoded(kind: type[Message]) -> Callable[[Random, bytes], bytes]:
    """Return a function that changes bytes that are a message of this type."""

    def mutate(random: Random, data: bytes) -> bytes:
        if not random.randrange(8):
            return mutate_bytes(random, data)
        try:
            parsed = kind.FromString(data)
        except DecodeError:
            return mutate_bytes(random, data)
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            mutate_message(random, parsed)
        return parsed.SerializeToString(deterministic=True)

    return mutate


def _flip(random: Random, data: bytes) -> bytes:
    if not data:
        return b"\x00"
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]


def _overwrite(random: Random, data: bytes) -> bytes:
    at = random.randint(0, len(data))
    piece = random.choice(
        (b"\x00", b"\xff", b"\xff\xff\xff\xff", b"\x80\x80\x80\x80\x10", bytes(8), random.randbytes(4))
    )
    return data[:at] + piece + data[at + len(piece) :]


def _insert(random: Random, data: bytes) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.randbytes(random.choice((1, 2, 8, 40))) + data[at:]


def _cut(random: Random, data: bytes) -> bytes:
    first, last = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
    if random.randrange(3):
        last = min(last, first + 4)
    return data[:first] + data[last:]


def _repeat(random: Random, data: bytes) -> bytes:
    first, last = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
    return data[:last] + data[first:]


def _end(random: Random, data: bytes) -> bytes:
    return data[: random.randint(0, len(data))]


_OF_BYTES: Final[Sequence[Callable[[Random, bytes], bytes]]] = (_flip, _flip, _overwrite, _insert, _cut, _repeat, _end)
