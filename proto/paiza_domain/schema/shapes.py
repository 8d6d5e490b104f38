"""The shape of a content message: its fields in order, each with label, type and limits.

Validation, drafts, templates, forms and display use the same shape, so they cannot disagree. A shape must name every
field of its message; a missing field is an error at import.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from google.protobuf.message import Message

from paiza_domain.schema import field_checks
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.identifiers import member_problem
from paiza_domain.schema.text_rules import MAX_LINE, MAX_TEXT

_MICRO: Final = 10**6  # microdegrees in a degree


class FieldType(StrEnum):
    """The type of one value of a field: its text form and its check."""

    TEXT = "text"  # one line
    LINES = "lines"  # several lines
    CODE = "code"  # a code of a code list
    INTEGER = "integer"  # uint32
    FLAG = "flag"  # true, or unset
    DECIMAL = "decimal"  # message Decimal: millionths and the original text
    QUANTITY = "quantity"  # message Quantity: a decimal with its unit
    DEGREES = "degrees"  # microdegrees
    TIME = "time"  # Timestamp
    PARTIAL_TIME = "moment"  # message PartialTime: a time with its precision
    DATE = "date"  # ISO text; year or month alone allowed
    DIGEST = "digest"  # 32 bytes
    GROUP = "group"  # a message with a shape of its own


@dataclass(frozen=True)
class Field:
    """One field of a message.

    `key` is its name in drafts, forms and errors, `name` by default. `most` is the limit of a repeated field and 0 for
    a single one. `label` and `hint` are marked texts. `short`: an optional field of the short form; `opened`: an
    optional field that a draft shows uncommented; `default`: shown with this value. `derived`: computed, not entered.
    `term` is its search field (`paiza_domain.terms.folding.FOLDS`). `begins`: a start time, so that a day alone is the
    start of that day and not its end. `coarse`: a month or a year will do for a moment. `known`: what a template may
    fill in: "agency" (that of the author), "today", "place" (the last one used). `instead` is the key of the field that
    must go where this one is given. `implied`, of a derived field: returns of the message around it whether its other
    fields say the same, so that a page leaves it out.
    """

    name: str
    label: str
    value_type: FieldType = FieldType.TEXT
    key: str = ""
    required: bool = False
    short: bool = False
    opened: bool = False
    derived: bool = False
    default: str = ""
    codes: str = ""
    most: int = 0
    max_length: int = 0
    least: int | None = None
    greatest: int | None = None
    check: Callable[[Any], Problem | None] | None = None
    shape: "Shape | None" = None
    hint: str = ""
    term: str = ""
    begins: bool = False
    coarse: bool = False
    known: str = ""
    instead: str = ""
    implied: Callable[[Any], bool] | None = None

    def __post_init__(self) -> None:
        """Fill in the key."""
        if not self.key:
            object.__setattr__(self, "key", self.name)

    @property
    def names_member(self) -> bool:
        """Return whether the value is the id of a member."""
        return self.check is member_problem

    @property
    def in_short_form(self) -> bool:
        """Return whether the short form has this field."""
        return self.required or self.short or self.opened or bool(self.default)

    @property
    def stands_open(self) -> bool:
        """Return whether a draft shows this field uncommented."""
        return self.required or self.opened or bool(self.default)

    def checker(self) -> Callable[[Any], Problem | None] | None:
        """Return the check of one value of this field; None for a flag, which is always valid."""
        match self.value_type:
            case FieldType.TEXT:
                judge = field_checks.line(self.max_length or MAX_LINE)
            case FieldType.LINES:
                judge = field_checks.lines(self.max_length or MAX_TEXT)
            case FieldType.CODE:
                judge = field_checks.code(self.codes)
            case FieldType.INTEGER:
                judge = field_checks.between(self.least, self.greatest)
            case FieldType.DEGREES:
                judge = field_checks.between(self.least, self.greatest, _MICRO)
            case FieldType.DECIMAL:
                judge = field_checks.decimal(self.least, self.greatest)
            case FieldType.QUANTITY:
                judge = field_checks.quantity()
            case FieldType.TIME:
                judge = field_checks.time
            case FieldType.PARTIAL_TIME:
                judge = field_checks.partial_or_coarse_time if self.coarse else field_checks.partial_time
            case FieldType.DATE:
                judge = field_checks.date
            case FieldType.DIGEST:
                judge = field_checks.digest
            case _:
                return self.check
        return field_checks.both(judge, self.check) if self.check else judge


# The problems between the fields of one message: (path within the message, problem).
Related = Callable[[Any], Iterable[tuple[str, Problem]]]

# Terms that are made of several fields: (field of the term, text).
Terms = Callable[[Any], Iterable[tuple[str, str]]]

_Compiled = tuple[str, bool, int, Callable[[Any], Problem | None] | None, "Shape | None"]


@dataclass(frozen=True)
class Shape:
    """The fields of one message type in the order of the form, and the rules between them."""

    message: type[Message]
    fields: tuple[Field, ...] = field(repr=False)
    related: Related | None = field(default=None, repr=False)
    terms: Terms | None = field(default=None, repr=False)
    _rules: dict[int, _Compiled] = field(init=False, repr=False, compare=False)
    _required: dict[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the shape against the message's descriptor and prepare the rules by field number."""
        known = self.message.DESCRIPTOR.fields_by_name
        named = [each.name for each in self.fields]
        if sorted(named) != sorted(known):
            raise AssertionError(f"{self.message.__name__}: shape and message differ: {set(named) ^ set(known)}")
        rules = {
            known[each.name].number: (each.key, each.most > 0, each.most, each.checker(), each.shape)
            for each in self.fields
        }
        object.__setattr__(self, "_rules", rules)
        required = {known[each.name].number: each.key for each in self.fields if each.required}
        object.__setattr__(self, "_required", required)

    @cached_property
    def by_key(self) -> Mapping[str, Field]:
        """Return the fields by key, in order."""
        return {each.key: each for each in self.fields}

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """Return the fields by their name in the message."""
        return {each.name: each for each in self.fields}

    def errors(self, message: Message) -> list[FieldError]:
        """Return the errors of `message` and all nested messages; an empty list means valid."""
        found: list[FieldError] = []
        self._collect(message, "", found)
        return found

    def _collect(self, message: Message, prefix: str, found: list[FieldError]) -> bool:
        """Add the errors to `found`; return whether a list has too many entries, into which no rule looks."""
        rules = self._rules
        present = set()
        crowded = False
        for descriptor, value in message.ListFields():
            number = descriptor.number
            present.add(number)
            name, repeated, most, check, shape = rules[number]
            if not repeated:
                if check is not None and (problem := check(value)) is not None:
                    found.append(FieldError(prefix + name, *problem))
                if shape is not None:
                    crowded |= shape._collect(value, f"{prefix}{name}.", found)  # noqa: SLF001 - the same class
                continue
            if len(value) > most:
                found.append(FieldError(prefix + name, "too_many", {"most": most}))
                crowded = True
                continue
            for index, each in enumerate(value):
                if check is not None and (problem := check(each)) is not None:
                    found.append(FieldError(f"{prefix}{name}[{index}]", *problem))
                if shape is not None:
                    crowded |= shape._collect(each, f"{prefix}{name}[{index}].", found)  # noqa: SLF001 - as above
        if not present.issuperset(self._required):
            missing = (name for number, name in self._required.items() if number not in present)
            found.extend(FieldError(prefix + name, "missing") for name in missing)
        if self.related is not None and not crowded:
            found.extend(FieldError(prefix + path, *problem) for path, problem in self.related(message))
        return crowded
