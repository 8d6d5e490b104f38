"""The subject of a message, as lists show it: codes, amounts and countries, derived from the content by its kind.

A subject contains no text written by a person, and so no personal data: only codes of known lists, numbers and units. A
receiver derives it again from the content and compares.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from paiza.core.v1.message_pb2 import Subject, SubjectItem
from paiza_domain import codes
from paiza_domain.formatting import amount_text
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_SHOWN: Final = 200  # bytes of a subject in UTF-8 as it is shown: one line of a list
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
        if not self._sources:
            return b""
        subject = Subject()
        for source in self._sources:
            if source.way:
                _add_way(subject, [value for names, _ in source.fields for value in _values(content, names)])
            else:
                _add_first(subject, content, source)
        return subject.SerializeToString(deterministic=True)


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


def _values(owner: Any, names: tuple[str, ...]) -> Iterator[Any]:
    value = getattr(owner, names[0])
    several = value if not isinstance(value, (str, Message)) else (value,)
    for each in several:
        if len(names) > 1:
            yield from _values(each, names[1:])
        elif getattr(each, "unit", each):  # a quantity that is not set has no unit
            yield each


def _add_first(subject: Subject, content: Any, source: _Source) -> None:
    """Add the first value of the first set field, and the number of further values."""
    for names, field in source.fields:
        values = list(_values(content, names))
        if not values:
            continue
        if field.value_type is FieldType.QUANTITY:
            subject.items.add().amount.MergeFrom(_amount(values[0]))
        else:
            subject.items.add().term.MergeFrom(SubjectItem.Term(list=field.codes, code=values[0]))
        if len(values) > 1:
            subject.items.add(more=len(values) - 1)
        return


def _amount(quantity: Any) -> SubjectItem.Amount:
    return SubjectItem.Amount(millionths=quantity.millionths, unit=quantity.unit)


def _add_way(subject: Subject, countries: Sequence[str]) -> None:
    """Add the start and end of a route."""
    ends = list(dict.fromkeys((*countries[:1], *countries[-1:])))
    if ends:
        subject.items.add().way.countries.extend(ends)


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
