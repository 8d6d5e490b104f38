"""PostgreSQL's arrays in their binary form: a statement for many rows takes the values of each column as one array.

A statement of its own for each row costs driver and server several times as much. psycopg converts lists as well, but
calls functions for each element; here a column is packed at once, as PostgreSQL's `array_recv` reads it.
"""

import struct
from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.types import TypeEngine
from typing_extensions import override

_HEAD: Final = struct.Struct(
    ">iiIii"
)  # dimensions, whether one is NULL, type of the elements, their count, first index
_NULL: Final = b"\xff\xff\xff\xff"  # the length -1
_LENGTH_BYTES: Final = 4


class Array:
    """The values of one column. psycopg finds the conversion by the class."""

    __slots__ = ("values",)
    element: ClassVar[int]  # number of the element's type in PostgreSQL's table pg_type
    oid: ClassVar[int]  # of the array's type

    def __init__(self, values: Sequence[Any]) -> None:
        """Store the values in the order of the rows; None is NULL."""
        self.values = values

    def pack(self) -> bytes:
        """Return the array in PostgreSQL's binary form."""
        parts = [_HEAD.pack(1, None in self.values, self.element, len(self.values), 1)]
        for value in self.values:
            if value is None:
                parts.append(_NULL)
            else:
                data = self.data(value)
                parts += (len(data).to_bytes(_LENGTH_BYTES), data)
        return b"".join(parts)

    def data(self, value: Any) -> bytes:
        """Return the bytes of one element."""
        raise NotImplementedError


class _Numbers(Array):
    """Elements that all have the same size."""

    __slots__ = ()
    form: ClassVar[str]  # of `struct`
    size: ClassVar[int]  # bytes

    @override
    def pack(self) -> bytes:
        """Return the array; the usual one without NULL in a single step."""
        if None in self.values:
            return super().pack()
        count = len(self.values)
        elements = chain.from_iterable(zip(repeat(self.size, count), self.values, strict=True))
        return struct.pack(f">iiIii{f'i{self.form}' * count}", 1, 0, self.element, count, 1, *elements)

    @override
    def data(self, value: Any) -> bytes:
        return struct.pack(f">{self.form}", value)


class _Bigint(_Numbers):
    element, oid, form, size = 20, 1016, "q", 8


class _Integer(_Numbers):
    element, oid, form, size = 23, 1007, "i", 4


class _Smallint(_Numbers):
    element, oid, form, size = 21, 1005, "h", 2


class _Boolean(_Numbers):
    element, oid, form, size = 16, 1000, "?", 1


class _Bytes(Array):
    element, oid = 17, 1001

    @override
    def data(self, value: bytes) -> bytes:
        return value


class _Text(Array):
    element, oid = 25, 1009

    @override
    def data(self, value: str) -> bytes:
        return value.encode()


_CLASSES: Final[Sequence[tuple[type[TypeEngine[Any]], type[Array]]]] = (
    (BigInteger, _Bigint),
    (SmallInteger, _Smallint),
    (Integer, _Integer),
    (Boolean, _Boolean),
    (LargeBinary, _Bytes),
    (Text, _Text),
)


def array_class(column_type: TypeEngine[Any]) -> type[Array]:
    """Return the class of arrays of a column's type."""
    return next(array for each, array in _CLASSES if isinstance(column_type, each))


def register_arrays(connection: Any) -> None:
    """Let a connection of psycopg send arrays."""
    from psycopg.adapt import Dumper  # noqa: PLC0415
    from psycopg.pq import Format  # noqa: PLC0415

    class ArrayDumper(Dumper):
        format = Format.BINARY

        @override
        def dump(self, obj: Array) -> bytes:
            return obj.pack()

    for _, array in _CLASSES:
        dumper = type(f"{array.__name__}Dumper", (ArrayDumper,), {"oid": array.oid})
        connection.adapters.register_dumper(array, dumper)
