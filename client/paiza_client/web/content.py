"""A content as sections for a page: facts, tables, cards and texts, made from the shape of its kind alone.

No kind is named here: one that is installed later is shown like the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.message import Message

from paiza_client.web.language import _, language
from paiza_client.web.texts import member_name, stamp_when
from paiza_domain.i18n import translate
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import value_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_COLUMNS: Final = 7  # of a table; what has more is shown entry by entry
WIDE: Final = 120  # characters of a value that takes the whole line
MAX_JOINED: Final = 6  # values of a group that stand on one line

_NUMERIC: Final = frozenset({FieldType.INTEGER, FieldType.DECIMAL, FieldType.QUANTITY})
_NEEDS_LABEL: Final = _NUMERIC | {FieldType.FLAG, FieldType.DATE, FieldType.TIME, FieldType.PARTIAL_TIME}


@dataclass(frozen=True, slots=True)
class Fact:
    """One labelled value; ``digest`` (hex) where the value names a message. ``wide``: takes the whole line."""

    label: str
    text: str
    wide: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Entries of one group under each other; ``columns`` are labels with whether they hold numbers."""

    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A box of the page: facts, or a table, or cards, or a text."""

    heading: str
    facts: tuple[Fact, ...] = ()
    table: Table | None = None
    text: str = ""
    cards: tuple["Card", ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One entry of a group on a card of its own: its number, its name (may be empty), its facts, what is below them."""

    number: int
    title: str
    facts: tuple[Fact, ...]
    below: tuple[Section, ...]


def annex_sections(kind: Kind, annex: Message | None) -> list[Section]:
    """Return every set field of a nominal annex; each entry is a card: persons are read one by one."""
    return [] if annex is None or kind.annex_shape is None else sections(kind.annex_shape, annex, as_cards=True)


def sections(shape: Shape, message: Message, *, as_cards: bool = False) -> list[Section]:
    """Return every set field of a content that no other implies, each exactly once: short facts first, texts last.

    With ``as_cards``, each entry of a group is a card; else groups are tables where they fit into one.
    """
    facts: list[Fact] = []
    boxes: list[Section] = []
    texts: list[Section] = []
    for field, value in _present(shape, message):
        label = translate(field.label, language())
        if field.value_type is FieldType.LINES and not field.most:
            texts.append(Section(label, text=_value(field, value)))
        elif field.shape is None:
            facts.append(_fact(field, value))
        elif field.most:
            boxes.append(_cards(label, field.shape, value) if as_cards else _entries(label, field.shape, value))
        elif (line := _line(field.shape, value)) is not None:
            facts.append(Fact(label, line))
        else:
            boxes += _group(label, field.shape, value)
    first = [Section(_("In short"), facts=tuple(facts))] if facts else []
    return [*first, *boxes, *texts]


def _present(shape: Shape, message: Message) -> list[tuple[Field, Any]]:
    """Return the fields that are set, without those that others imply."""
    values: Mapping[str, Any] = MappingProxyType({found.name: value for found, value in message.ListFields()})
    return [
        (field, values[field.name])
        for field in shape.fields
        if field.name in values and not (field.implied is not None and field.implied(message))
    ]


def _fact(field: Field, value: Any) -> Fact:
    digest = bytes(value).hex() if field.value_type is FieldType.DIGEST and not field.most else ""
    text = _value(field, value)
    return Fact(translate(field.label, language()), text, wide=len(text) > WIDE, digest=digest)


def _value(field: Field, value: Any) -> str:
    values = value if field.most else [value]
    if field.names_member:
        return "; ".join(map(member_name, values))
    if field.value_type is FieldType.TIME:
        return "; ".join(map(stamp_when, values))
    return "; ".join(value_text(field, each, language()) for each in values)


def _line(shape: Shape, message: Message) -> str | None:
    """Return a small group on one line, all its values with labels if one needs one; None where it holds more."""
    present = _present(shape, message)
    if len(present) > MAX_JOINED or any(field.value_type is FieldType.LINES for field, _value in present):
        return None
    labelled = any(field.shape is not None or field.value_type in _NEEDS_LABEL for field, _value in present)
    parts = []
    for field, value in present:
        label = translate(field.label, language())
        if field.shape is None:
            text = _value(field, value)
            parts.append(f"{label}: {text}" if labelled else text)
            continue
        if field.most:
            return None
        below = _line(field.shape, value)
        if below is None:
            return None
        parts.append(f"{label}: {below}")
    return "; ".join(parts) if labelled else ", ".join(parts)


def _group(label: str, shape: Shape, message: Message) -> list[Section]:
    """Return a group as a box of its own, with what is below it in boxes after it."""
    return [
        Section(
            label if each.heading == _("In short") else f"{label} › {each.heading}", each.facts, each.table, each.text
        )
        for each in sections(shape, message)
    ]


def _entries(label: str, shape: Shape, entries: Sequence[Message]) -> Section:
    """Return repeated groups: as a table, or each as a card where they hold too much for a row."""
    used = [field for field in shape.fields if any(field in [each for each, _v in _present(shape, e)] for e in entries)]
    rows = []
    for entry in entries:
        values = {field.name: value for field, value in _present(shape, entry)}
        cells = []
        for field in used:
            cell = _cell(field, values[field.name]) if field.name in values else ""
            if cell is None:
                return _cards(label, shape, entries)
            cells.append(cell)
        rows.append(tuple(cells))
    if len(used) > MAX_COLUMNS:
        return _cards(label, shape, entries)
    columns = tuple((translate(field.label, language()), field.value_type in _NUMERIC) for field in used)
    return Section(label, table=Table(columns, tuple(rows)))


def _cell(field: Field, value: Any) -> str | None:
    if field.shape is None:
        return _value(field, value)
    return None if field.most else _line(field.shape, value)


def _cards(label: str, shape: Shape, entries: Sequence[Message]) -> Section:
    return Section(label, cards=tuple(_card(number, shape, entry) for number, entry in enumerate(entries, 1)))


def _card(number: int, shape: Shape, entry: Message) -> Card:
    found = sections(shape, entry)
    facts = found[0].facts if found and found[0].facts else ()
    return Card(number, _name(shape, entry), facts, tuple(found[1:] if facts else found))


def _name(shape: Shape, entry: Message) -> str:
    """Return what an entry is called: its leading texts, of a number or a registered name only that one."""
    named: list[str] = []
    for field, value in _present(shape, entry):
        if field.value_type is not FieldType.TEXT or field.most or (named and (field.term or field.check)):
            break
        named.append(_value(field, value))
        if field.term or field.check:
            break
    return " ".join(named)
