"""Empty drafts. The short one fits on a screen: what must be filled in, with what is known; `sections` add the rest.

Names stand where the choices of a code list are shown: a draft takes them as well as codes.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from google.protobuf.message import Message

from paiza_domain import codes
from paiza_domain.codes import lookup
from paiza_domain.drafts import template_lines, templates_full
from paiza_domain.drafts.drafts import Draft, handling_lines, urgency_name
from paiza_domain.drafts.sections import sections
from paiza_domain.drafts.template_lines import EXAMPLE_COUNTRIES, MAX_CHOICES, WIDTH
from paiza_domain.drafts.writing import field_lines, scalar
from paiza_domain.handling import CODES, MAX_CLASSIFICATION, TLP
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape

Form = Literal["short", "long"]  # the short form has the fields that must be filled in

MAX_LINES: Final = 60  # of a short template
FURTHER: Final = N_("further fields:")
"""Begins the comment with the fields of a group that are left out."""
CLASSIFIED: Final = N_("above 0 it is never exported to others (--for outside)")
_CHOICE: Final = " | "  # between the choices of a code list; names have commas
_UNSAFE: Final = re.compile(r"""^[-?:,\[\]{}#&*!|>'"%@`]|: | #""")  # what YAML does not take for a text without quotes
_CHOICE_LINES: Final = 3  # lines of a comment that shows choices
_LOST: Final = 12  # columns lost at the end of a line that is broken between words
_PLAIN: Final = frozenset({FieldType.TEXT, FieldType.CODE})  # the types that need no example
_MAX_SECTIONS: Final = 3  # lines that name the sections


@dataclass(frozen=True)
class Known:
    """What may be filled in before anybody writes: see `Field.known`. ``place`` holds texts by key of a place."""

    agency: str = ""
    today: str = ""
    place: Mapping[str, str] = field(default_factory=dict)


NOTHING_KNOWN: Final = Known()


def template(
    kind: Kind, lang: str, form: Form = "short", known: Known = NOTHING_KNOWN, begun: Draft | None = None
) -> str:
    """Return an empty draft of a kind with comments in `lang`; the long form has every field and every choice.

    The short form begins with urgency, marks, legal bases and content of ``begun``.
    """
    if form == "long":
        return templates_full.render(kind, lang)
    writer = Writer(lang, known)
    content = writer.fields(kind.shape, "  ", needed=True, message=begun.content if begun else None)
    lines = [*_header(kind, writer, begun), "content:", *content, *_more(kind, writer)]
    return "\n".join(lines) + "\n"


def _header(kind: Kind, writer: "Writer", begun: Draft | None) -> list[str]:
    remark = N_("Fill in what is open. For every field and all choices: --full")
    urgencies = _CHOICE.join(codes.load("urgency"))
    marks = [
        "handling:",
        f"  tlp: AMBER  # {_CHOICE.join(TLP)}",
        f"  code: H2  # {_CHOICE.join(CODES)}",
        f"  classification: 1  # 0-{MAX_CLASSIFICATION}; {writer.text(CLASSIFIED)}",
    ]
    if kind.handling_for is not None:
        marks = writer.comment(N_("The limits on use follow from the content; to set them: section handling"), "")
    urgency, reason, bases = "routine", "", ""
    if begun is not None:
        urgency, reason = urgency_name(begun.urgency), begun.urgency_reason
        marks = handling_lines(begun.handling)
        bases = ", ".join(map(scalar, begun.legal_bases))
    return [
        f"# {writer.text(kind.title)}",
        *writer.comment(remark, ""),
        f"kind: {kind.name}",
        writer.line("to", "[]", N_("members, for example kaz, tjk")),
        f"urgency: {urgency}  # {urgencies}",
        *([f"urgency_reason: {scalar(reason)}"] if reason else []),
        *marks,
        writer.line("legal_bases", f"[{bases}]", N_("codes of legal bases; see: paiza law STATE STATE")),
        writer.line("review", writer.text(N_("3 years")), N_("a date, or years")),
        writer.line("in_reply_to", "[]", N_("ids of the messages that this one answers")),
    ]


def _more(kind: Kind, writer: "Writer") -> list[str]:
    """Return the comment that names the sections, cut to a few lines: `paiza draft add` lists them all."""
    text = writer.text(N_("To add a section: paiza draft add FILE SECTION. Sections:"))
    lines = template_lines.comment(f"{text} {', '.join(each.key for each in sections(kind))}", "")
    if len(lines) > _MAX_SECTIONS:
        lines = [*lines[: _MAX_SECTIONS - 1], f"{lines[_MAX_SECTIONS - 1].rstrip(',')} …"]
    return lines


class Writer:
    """The writer of the lines of a template, each field with what it is and an example or choices."""

    def __init__(self, lang: str, known: Known = NOTHING_KNOWN) -> None:
        self.lang, self._known = lang, known

    def text(self, text: str) -> str:
        """Return a marked text in the language of the template."""
        return translate(text, self.lang)

    def comment(self, text: str, indent: str) -> list[str]:
        """Return a marked text as comment lines."""
        return template_lines.comment(self.text(text), indent)

    def line(self, key: str, value: str, remark: str) -> str:
        """Return one field of the header."""
        return f"{key}: {value}  # {self.text(remark)}"

    def fields(
        self,
        shape: Shape,
        indent: str,
        *,
        needed: bool,
        known: Mapping[str, str] | None = None,
        message: Message | None = None,
    ) -> list[str]:
        """Return the lines of a message: all fields, or with ``needed`` those that stand open or are known.

        What ``message`` has is filled in.
        """
        filled = {} if message is None else {each.name: value for each, value in message.ListFields()}
        lines: list[str] = []
        left: list[str] = []
        for each in shape.fields:
            if each.derived:
                continue
            if each.name in filled:
                lines += self._filled(each, filled[each.name], indent, needed=needed)
                continue
            value = (known or {}).get(each.key, "")
            if not needed or each.stands_open or value:
                lines += self.field(each, indent, needed=needed, value=scalar(value) if value else "")
            else:
                left.append(each.key)
        if left and len(indent) > len("  "):
            lines += self._left(left, indent)
        return lines

    def field(self, field: Field, indent: str, *, needed: bool, value: str = "") -> list[str]:
        """Return the lines of one field with its comment, beside it or above."""
        remark = self._remark(field)
        if field.shape is None:
            value = value or self._value(field)
            return self._commented(f"{indent}{field.key}: {value}".rstrip(), remark, field, indent)
        known = self._known.place if field.known == "place" else None
        below = self.fields(field.shape, f"{indent}  ", needed=needed, known=known)
        lines = self._commented(f"{indent}{field.key}:", remark, field, indent)
        return [*lines, *(self.entry(below, f"{indent}  ") if field.most else below)]

    def _filled(self, field: Field, value: Any, indent: str, *, needed: bool) -> list[str]:
        """Return the lines of a field with a value, with its comment."""
        remark = self._remark(field)
        if field.shape is None:
            first, *rest = field_lines(field, value, indent)
            return [*self._commented(first, remark, field, indent), *rest]
        lines = self._commented(f"{indent}{field.key}:", remark, field, indent)
        for each in value if field.most else (value,):
            below = self.fields(field.shape, f"{indent}  ", needed=needed, message=each)
            lines += self.entry(below, f"{indent}  ") if field.most else below
        return lines

    def entry(self, lines: list[str], indent: str) -> list[str]:
        """Return the lines of a group as an entry of a list."""
        return template_lines.as_entry(lines, indent)

    def _value(self, field: Field) -> str:
        known = {"agency": self._known.agency, "today": self._known.today}.get(field.known, "")
        return scalar(known) if known else field.default or ("[]" if field.most else "")

    def _remark(self, field: Field) -> str:
        words = [field.label]
        words += [N_("several possible")] * bool(field.most)
        words += [N_("may stay empty")] * (field.opened and not field.hint)
        plain = field.value_type in _PLAIN and not field.names_member
        words += [field.hint or ("" if plain else template_lines.hint(field))]
        return "; ".join(self.text(each) for each in words if each)

    def _commented(self, line: str, remark: str, field: Field, indent: str) -> list[str]:
        list_name = "unit" if field.value_type is FieldType.QUANTITY else field.codes
        if not list_name or field.value_type is FieldType.QUANTITY:
            beside = f"{line}  # {remark}"
            return [beside] if len(beside) <= WIDTH else [f"{indent}# {remark}", line]
        beside = f"{line}  # {remark}: "
        if len(beside) + sum(len(each) + len(_CHOICE) for each in self._choices(list_name)) <= WIDTH:
            return [beside + _CHOICE.join(self._choices(list_name))]
        room = _CHOICE_LINES * (WIDTH - len(indent) - len("#   ") - _LOST) - len(remark)
        return [*template_lines.comment(f"{remark}: {self._shortened(self._choices(list_name), room)}", indent), line]

    def _choices(self, list_name: str) -> list[str]:
        """Return the choices by their names, by the code where a name is not the name of one alone."""
        entries = codes.load(list_name)
        shown = EXAMPLE_COUNTRIES if len(entries) > MAX_CHOICES else tuple(entries)
        named = [(code, entries.text(code, self.lang)) for code in shown if code in entries]
        found = [
            name if lookup.find(list_name, name) == code and not _UNSAFE.search(name) else code for code, name in named
        ]
        return found if len(shown) == len(entries) else [*found, "…"]

    def _shortened(self, choices: Iterable[str], room: int) -> str:
        """Return as many choices as fit."""
        text = ""
        for each in choices:
            longer = f"{text}{_CHOICE}{each}" if text else each
            if len(longer) > room - len(f"{_CHOICE}…"):
                return f"{text}{_CHOICE}…"
            text = longer
        return text

    def _left(self, keys: list[str], indent: str) -> list[str]:
        """Return the comment with the keys of the fields that are left out."""
        text = f"{indent}# {self.text(FURTHER)} {', '.join(keys)}"
        return [text if len(text) <= WIDTH else text[: WIDTH - 1].rsplit(",", 1)[0] + ", …"]
