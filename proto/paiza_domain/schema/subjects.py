"""The subject of a message, as lists show it: codes, amounts and countries, derived from the content by its kind.

A subject contains no text written by a person, and so no personal data: only codes of known lists, numbers and units. A
receiver derives it again from the content and compares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from paiza.core.v1.message_pb2 import Subject, SubjectItem
from paiza_domain import codes
from paiza_domain.formatting import amount_text
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_SHOWN: Final = 200  # bytes of a subject in UTF-8 as it is shown: one line of a list
CACHED_ITEMS: Final = 4096  # serialized items in the cache, about 200 bytes each
ALTERNATIVE: Final = "|"  # between fields of which the first that is set is shown

Path = str | tuple[str, ...]
"""A field, by the names that lead to it, with others that stand in for it; a tuple names countries along a way."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One item of a subject: the first of these fields that is set, or (``way``) the countries of all."""

    fields: tuple[tuple[tuple[str, ...], Field], ...]
    way: bool = False


class Deriver:
    """The derivation of subjects for one kind."""

    def __init__(self, shape: Shape, paths: Sequence[Path]) -> None:
        """Look up the fields; a path to free text is an error in the kind."""
        self._sources = tuple(
            _Source(tuple(_found(shape, each) for each in path), way=True)
            if isinstance(path, tuple)
            else _Source(tuple(_found(shape, each) for each in path.split(ALTERNATIVE)))
            for path in paths
        )

    def __call__(self, content: Any) -> bytes:
        """Return the subject of a valid content, a serialized `Subject`; empty if the kind defines none."""
        return b"".join(
            _way([value for names, _ in source.fields for value in _values(content, names)])
            if source.way
            else _first(content, source)
            for source in self._sources
        )


def text(data: bytes, lang: str) -> str:
    """Return a subject as a line in one language, at most `MAX_SHOWN` bytes; empty if the subject is empty."""
    try:
        subject = Subject.FromString(data)
    except DecodeError:
        return ""
    line, before = "", None
    for item in subject.items:
        told = _item_text(item, lang)
        if told:
            line += f"{_joint(before, item)}{told}"
            before = item
    return _shortened(line)


def _found(shape: Shape, path: str) -> tuple[tuple[str, ...], Field]:
    names = tuple(path.split("."))
    for name in names[:-1]:
        below = shape.by_name[name].shape
        assert below is not None, f"{path}: {name} is no group"
        shape = below
    field = shape.by_name[names[-1]]
    assert field.value_type in {FieldType.CODE, FieldType.QUANTITY}, f"{path} may hold what a person wrote"
    return names, field


def _values(owner: Any, names: tuple[str, ...]) -> list[Any]:
    value = getattr(owner, names[0])
    several = (value,) if isinstance(value, (str, Message)) else value
    if len(names) > 1:
        return [found for each in several for found in _values(each, names[1:])]
    return [each for each in several if getattr(each, "unit", each)]  # a quantity that is not set has no unit


def _first(content: Any, source: _Source) -> bytes:
    """Return the first value of the first set field, and the number of further values, as a serialized `Subject`."""
    for names, field in source.fields:
        values = _values(content, names)
        if not values:
            continue
        value = values[0]
        more = _item("more", len(values) - 1) if len(values) > 1 else b""
        if field.value_type is FieldType.QUANTITY:
            return _item("amount", value.millionths, value.unit) + more
        return _item("term", field.codes, value) + more
    return b""


def _way(countries: Sequence[str]) -> bytes:
    """Return the start and end of a route."""
    ends = dict.fromkeys((*countries[:1], *countries[-1:]))
    return _item("way", *ends) if ends else b""


@lru_cache(CACHED_ITEMS)
def _item(what: str, *values: Any) -> bytes:
    """Serialize a subject of one item; the concatenation of such subjects is the subject of all their items."""
    match what:
        case "term":
            item = SubjectItem(term=SubjectItem.Term(list=values[0], code=values[1]))
        case "amount":
            item = SubjectItem(amount=SubjectItem.Amount(millionths=values[0], unit=values[1]))
        case "way":
            item = SubjectItem(way=SubjectItem.Way(countries=values))
        case _:
            item = SubjectItem(more=values[0])
    return Subject(items=[item]).SerializeToString(deterministic=True)


def _item_text(item: SubjectItem, lang: str) -> str:
    match item.WhichOneof("item"):
        case "term":
            known = item.term.list in codes.names()
            return code_text(item.term.list, item.term.code, lang) if known else ""
        case "amount":
            return amount_text(item.amount.millionths, item.amount.unit, lang)
        case "way":
            return " → ".join(code_text("country", each, lang) for each in item.way.countries)
        case "more":
            return f"(+{item.more})"
    return ""


def _joint(before: SubjectItem | None, item: SubjectItem) -> str:
    """Return the separator of two items: a substance and its amount belong together."""
    if before is None:
        return ""
    substance = before.HasField("term") and before.term.list in {"drug_type", "drug_group"}
    return " " if item.HasField("more") or (item.HasField("amount") and substance) else ", "


def _shortened(line: str) -> str:
    """Truncate a line to `MAX_SHOWN` bytes."""
    data = line.encode()
    if len(data) <= MAX_SHOWN:
        return line
    mark = "…"
    return data[: MAX_SHOWN - len(mark.encode())].decode(errors="ignore").rstrip() + mark
