"""Files that people carry between machines: applications, proposals, registers. Each has exactly one form.

A file is JSON in UTF-8 with sorted keys, no spaces and a newline at its end; ``format`` and ``type`` say what it is. A
file that differs in one byte from what is written of its values is refused, so that a digest names one file.
"""

import json
import re
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any, Final

from paiza_wire.errors import Rejected

FORMAT: Final = 1
"""The version of all carried files."""

BYTES_A_VALUE: Final = 16
"""Bytes for each value of a JSON file, on the average; the densest file of a register has 22."""

FEW_VALUES: Final = 4096
"""Values that any file may have."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")

# Of the fields that files have, this one is the last in the order of names.
_TYPE: Final = re.compile(rb',"type":"([a-z]{1,32})"\}\n\Z')
_TYPE_BYTES: Final = 64


def canonical(values: object) -> bytes:
    """Return values in their one form."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode() + b"\n"


def digest(values: object) -> bytes:
    """Return SHA-256 of values in their one form."""
    return sha256(canonical(values)).digest()


def write(kind: str, values: Mapping[str, object]) -> bytes:
    """Return the bytes of a file of this type."""
    return canonical({"format": FORMAT, "type": kind, **values})


def kind_of(data: bytes) -> str:
    """Return the type that a file in its one form says at its end; empty if it says none. Nothing is parsed."""
    found = _TYPE.search(data[-_TYPE_BYTES:])
    return "" if found is None else found[1].decode()


def read(kind: str, data: bytes, fields: Collection[str], limit: int) -> dict[str, Any]:
    """Return the values of a file of this type, which has exactly these fields; ``Rejected("malformed")`` otherwise."""
    if len(data) > limit:
        raise Rejected("malformed", f"the file has over {limit} bytes")
    if is_crowded(data):
        raise Rejected("malformed", "the file has too many values for its size")
    try:
        values = json.loads(data)
        same = canonical(values) == data
    except (ValueError, RecursionError) as error:
        raise Rejected("malformed", "the file is not JSON in UTF-8") from error
    if not same:
        raise Rejected("malformed", "the file is not in its one form")
    if not isinstance(values, dict) or values.get("type") != kind or type(values.get("format")) is not int:
        raise Rejected("malformed", f"the file is of another type than {kind}")
    if values["format"] != FORMAT:
        raise Rejected("malformed", "the file has a format that this version does not know")
    return only(values, {"format", "type", *fields})


def is_crowded(data: bytes) -> bool:
    """Return whether a file holds so many values for its size that parsing it would take too long.

    Who sends 6 MiB of `[],` would stop a node for a second, since nothing else runs while JSON is parsed. Commas in
    texts are counted too.
    """
    return sum(map(data.count, (b"[", b"{", b","))) > FEW_VALUES + len(data) // BYTES_A_VALUE


def only(values: object, fields: Collection[str]) -> dict[str, Any]:
    """Return an object that has exactly these fields; ``Rejected("malformed")`` otherwise."""
    if not isinstance(values, dict) or set(values) != set(fields):
        raise Rejected("malformed", f"other fields than {', '.join(sorted(fields))}")
    return values


def text(values: Mapping[str, Any], name: str) -> str:
    """Return a field that is a text; ``Rejected("malformed")`` otherwise."""
    value = values[name]
    if not isinstance(value, str):
        raise Rejected("malformed", f"{name} is not a text")
    return value


def texts(values: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return a field that is an object of texts; ``Rejected("malformed")`` otherwise."""
    value = values[name]
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise Rejected("malformed", f"{name} is not an object of texts")
    return value


def number(values: Mapping[str, Any], name: str) -> int:
    """Return a field that is a whole number; ``Rejected("malformed")`` otherwise."""
    value = values[name]
    if type(value) is not int:
        raise Rejected("malformed", f"{name} is not a whole number")
    return value


def flag(values: Mapping[str, Any], name: str) -> bool:
    """Return a field that is true or false; ``Rejected("malformed")`` otherwise."""
    value = values[name]
    if type(value) is not bool:
        raise Rejected("malformed", f"{name} is neither true nor false")
    return value


def sha256_of(values: Mapping[str, Any], name: str) -> bytes:
    """Return a field that is a SHA-256 in hex, 32 bytes; ``Rejected("malformed")`` otherwise."""
    value = text(values, name)
    if not _SHA256.fullmatch(value):
        raise Rejected("malformed", f"{name} is not a SHA-256 in hex")
    return bytes.fromhex(value)
