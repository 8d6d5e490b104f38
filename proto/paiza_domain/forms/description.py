"""The form of a kind: its sections and fields in one language, generated from the shapes alone.

A section is what a person fills in together: the single fields of the content that must be there, each of its groups,
the remaining single fields, and each group of the nominal annex. A kind needs no line of its own here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, Literal

from google.protobuf.message import Message

from paiza_domain import kinds, reference
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.field_checks import MAX_CODE, MAX_ORIGINAL
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape
from paiza_domain.schema.text_rules import MAX_LINE, MAX_TEXT

CONTENT: Final = "content"
ANNEX: Final = "annex"

_MAIN: Final = N_("The essentials")
_FURTHER: Final = N_("Further details")


class InputType(StrEnum):
    """What a person enters in one field."""

    LINE = "line"  # one line
    TEXT = "text"  # several lines
    CODE = "code"  # an entry of a code list, by code or name
    MEMBER = "member"  # a member of the federation
    SUBSTANCE = "substance"  # a substance by name or reference id
    QUANTITY = "quantity"  # a number with its unit
    NUMBER = "number"  # a number with decimals
    INTEGER = "integer"
    DEGREES = "degrees"  # a latitude or longitude
    FLAG = "flag"  # yes, or nothing
    TIME = "time"  # a day with a time of day
    PARTIAL_TIME = "partial-time"  # the same, or less
    DATE = "date"  # a day, a month or a year
    DIGEST = "digest"  # 64 hexadecimal digits


_TYPES: Final[Mapping[FieldType, InputType]] = {
    FieldType.TEXT: InputType.LINE,
    FieldType.LINES: InputType.TEXT,
    FieldType.CODE: InputType.CODE,
    FieldType.INTEGER: InputType.INTEGER,
    FieldType.FLAG: InputType.FLAG,
    FieldType.DECIMAL: InputType.NUMBER,
    FieldType.QUANTITY: InputType.QUANTITY,
    FieldType.DEGREES: InputType.DEGREES,
    FieldType.TIME: InputType.TIME,
    FieldType.PARTIAL_TIME: InputType.PARTIAL_TIME,
    FieldType.DATE: InputType.DATE,
    FieldType.DIGEST: InputType.DIGEST,
}

# The hints of drafts are about YAML; these are about what a person types.
HINTS: Final[Mapping[InputType, str]] = {
    InputType.LINE: "",
    InputType.TEXT: "",
    InputType.CODE: N_("Search in Russian or English"),
    InputType.MEMBER: "",
    InputType.SUBSTANCE: N_("A name in any language, or a CAS number"),
    InputType.QUANTITY: N_("For example 12.5 kg"),
    InputType.NUMBER: "",
    InputType.INTEGER: "",
    InputType.DEGREES: N_("For example 43.238949"),
    InputType.FLAG: "",
    InputType.TIME: N_("For example 2026-11-28 14:30"),
    InputType.PARTIAL_TIME: N_("For example 2026-11-28 14:30, or the day alone"),
    InputType.DATE: N_("For example 2026-11-28; a month or a year if no more is known"),
    InputType.DIGEST: N_("64 hexadecimal digits"),
}
_CONDITIONS: Final = ("mandatory", "empty where", "only where")  # begin hints that say when a field is filled in
# Hints of kinds that explain how a draft is written, which a page does not need.
_DRAFT_HINTS: Final = frozenset({
    N_("true, where there are no legs"), N_("true, where there are no items"),
    N_("mandatory where there is no reference id"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Input:
    """One field; ``key`` is its name in its group. ``most`` is the limit of a repeated field, 0 for a single one.

    ``codes`` is the code list, ``longest`` the most characters of a text (0 for no text), ``least`` and ``greatest``
    the limits of a whole number. ``owner`` is the message that has the field. ``short``: shown at once; the others are
    behind "more".
    """

    key: str
    label: str
    hint: str
    input_type: InputType
    required: bool
    short: bool
    most: int
    codes: str
    longest: int
    least: int | None
    greatest: int | None
    default: str
    field: Field
    owner: type[Message]

    @property
    def may_be_empty(self) -> bool:
        """Return whether the field may be left empty whatever else is filled in."""
        return not self.required and not self.field.hint.startswith(_CONDITIONS)


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together; ``most`` as for `Input`. ``field`` is the group as its kind declares it."""

    key: str
    label: str
    hint: str
    required: bool
    short: bool
    most: int
    parts: tuple["Input | Group", ...]
    field: Field

    @property
    def is_point(self) -> bool:
        """Return whether the group is a point on a map: a latitude and a longitude."""
        kinds = {each.key: each.input_type for each in self.parts if isinstance(each, Input)}
        return kinds == {"latitude": InputType.DEGREES, "longitude": InputType.DEGREES}


Part = Input | Group


@dataclass(frozen=True, slots=True)
class Section:
    """One section. ``root`` is "content" or "annex"; its parts stand directly below that.

    ``group``: the section is one group, followed by the single fields that belong to it.
    """

    key: str
    title: str
    root: Literal["content", "annex"]
    required: bool
    parts: tuple[Part, ...]

    @property
    def group(self) -> Group | None:
        """Return the group that the section is about; None for a section of single fields."""
        first = self.parts[0]
        return first if isinstance(first, Group) else None


@dataclass(frozen=True, slots=True)
class Description:
    """The form of one kind in one language: the sections that must be filled in first."""

    kind: str
    title: str
    sections: tuple[Section, ...]


def describe(kind: Kind, lang: str) -> Description:
    """Return the form of a kind."""
    return _described(kind.name, kind.version, lang)


@cache
def _described(name: str, version: int, lang: str) -> Description:
    kind = kinds.get(name, version)
    found = [*_sections(kind.shape, CONTENT, lang)]
    if kind.annex_shape is not None:
        found += [each for each in _sections(kind.annex_shape, ANNEX, lang) if each.parts]
    found.sort(key=lambda each: not each.required)  # stable: otherwise the order of the shape
    return Description(kind.name, kind.titles[lang], tuple(found))


def _sections(shape: Shape, root: Literal["content", "annex"], lang: str) -> Iterable[Section]:
    parts = _parts(shape, lang)
    groups = [each for each in parts if isinstance(each, Group)]
    beside = {each.key: _beside(each, groups) for each in parts}
    single = [each for each in parts if not isinstance(each, Group) and not beside[each.key]]
    if main := tuple(each for each in single if each.short):
        yield Section(f"{root}.main", translate(_MAIN, lang), root, required=True, parts=main)
    for group in groups:
        own = tuple(each for each in parts if beside[each.key] == group.key)
        required = root == CONTENT and (group.required or group.short)
        yield Section(f"{root}.{group.key}", group.label, root, required=required, parts=(group, *own))
    if further := tuple(each for each in single if not each.short):
        yield Section(f"{root}.further", translate(_FURTHER, lang), root, required=False, parts=further)


def _beside(part: Part, groups: list[Group]) -> str:
    """Return the key of the group in whose place a single field is given (``route_unknown``: ``route``)."""
    if isinstance(part, Group):
        return ""
    return next((each.key for each in groups if each.field.instead == part.key), "")


def _parts(shape: Shape, lang: str) -> tuple[Part, ...]:
    return tuple(_part(each, shape.message, lang) for each in shape.fields if not each.derived)


def _part(field: Field, owner: type[Message], lang: str) -> Part:
    label = translate(field.label, lang)
    own = "" if field.hint in _DRAFT_HINTS else field.hint
    if field.shape is not None:
        hint, below = translate(own, lang), _parts(field.shape, lang)
        return Group(field.key, label, hint, field.required, field.in_short_form, field.most, below, field)
    kind = _input_type(field)
    return Input(
        key=field.key,
        label=label,
        hint=translate(own or HINTS[kind], lang),
        input_type=kind,
        required=field.required,
        short=field.in_short_form,
        most=field.most,
        codes="unit" if kind is InputType.QUANTITY else field.codes,
        longest=_longest(field),
        least=field.least,
        greatest=field.greatest,
        default=field.default,
        field=field,
        owner=owner,
    )


def _input_type(field: Field) -> InputType:
    if field.names_member:
        return InputType.MEMBER
    if field.name in reference.NAMING_FIELDS:
        return InputType.SUBSTANCE
    return _TYPES[field.value_type]


def _longest(field: Field) -> int:
    match field.value_type:
        case FieldType.TEXT:
            return field.max_length or MAX_LINE
        case FieldType.LINES:
            return field.max_length or MAX_TEXT
        case FieldType.QUANTITY | FieldType.DECIMAL:
            return MAX_ORIGINAL
        case FieldType.CODE:
            return MAX_CODE
        case _:
            return 0
