"""Long empty drafts: every field with its label, the expected value and all choices of its code list, as comments.

Mandatory fields are uncommented (`subject:`), the rest is commented out. An empty field counts as absent.
"""

import re
from collections.abc import Mapping
from textwrap import wrap
from types import MappingProxyType
from typing import Final, Literal

from paiza_domain import codes
from paiza_domain.handling import CODES, EVALUATION_SCHEMES, MAX_CLASSIFICATION, PAP, TLP
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.shapes import Field, FieldType, Shape

Form = Literal["short", "long"]  # the short form has the mandatory fields only

MAX_CHOICES: Final = 120  # of a longer code list (countries) only some are shown
EXAMPLE_COUNTRIES: Final = ("AZE", "KAZ", "KGZ", "RUS", "TJK", "TKM", "UZB", "AFG", "XXX")
_WIDTH: Final = 110  # columns of a comment
# A key, perhaps commented out; a comment line has a "# " and then no key at once.
_KEY_LINE: Final = re.compile(r"\s*(?P<mark>(?:# )?)(?P<rest>[a-z_]+:.*)")

HINTS: Final[Mapping[FieldType, str]] = MappingProxyType({
    FieldType.TEXT: N_("one line"),
    FieldType.LINES: N_("several lines after “|”, indented"),
    FieldType.CODE: N_("a name of the list, or its code"),
    FieldType.INTEGER: N_("whole number"),
    FieldType.FLAG: N_("yes, or left out"),
    FieldType.DECIMAL: N_("12.5"),
    FieldType.QUANTITY: N_("12.5 kg"),
    FieldType.DEGREES: N_("43.238949"),
    FieldType.TIME: N_("2026-11-23 14:30"),
    FieldType.PARTIAL_TIME: N_("2026-11-23 14:30, or the day"),
    FieldType.DATE: N_("2026-11-23, or the month"),
    FieldType.DIGEST: N_("64 hexadecimal digits"),
    FieldType.GROUP: "",
})  # fmt: skip
"""What a value looks like, by type; marked texts."""


_ANNEX_REMARK: Final = N_(
    "The nominal annex (persons, companies, telephones, accounts) is sealed apart from the rest. "
    "To use it, remove the # and the space after it before “annex:” and before the fields that you need."
)
_HEADER_REMARK: Final = N_(
    "Open fields must be filled in. To use a field that is commented out, remove the # and the space after it."
)
_MARKS_REMARK: Final = N_("What is left out here follows from the content: the more sensitive it is, the stricter.")


def render(
    name: str, title: str, shape: Shape, annex: Shape | None, lang: str, form: Form, *, marks_by_content: bool = False
) -> str:
    """Return the draft of the kind `name`; its marks are optional if the content decides on them."""
    return _Template(lang, form, marks_by_content=marks_by_content).render(name, title, shape, annex)


class _Template:
    """The writer of one draft; a code list is spelled out at its first occurrence."""

    def __init__(self, lang: str, form: Form, *, marks_by_content: bool) -> None:
        self.lang, self.form, self.marks_by_content = lang, form, marks_by_content
        self.spelled: set[str] = set()

    def text(self, text: str) -> str:
        return translate(text, self.lang)

    def render(self, name: str, title: str, shape: Shape, annex: Shape | None) -> str:
        lines = [f"# {self.text(title)}", *self.header(name), "content:", *self.fields(shape, "  ", off=False)]
        if annex is not None and self.form == "long":
            lines += ["", *comment(self.text(_ANNEX_REMARK), ""), "# annex:", *self.fields(annex, "  ", off=True)]
        return "\n".join(lines) + "\n"

    def header(self, name: str) -> list[str]:
        limit = self.text(N_("text of the limit, with H3"))
        evaluation = self.text(N_("in that scheme, for example B2"))
        off = "# " if self.marks_by_content else ""
        return [
            *comment(self.text(_HEADER_REMARK), ""),
            f"kind: {name}",
            *comment(self.text(N_("Members the message is addressed to; all of them see each other")), ""),
            "to: []",
            *comment(self.text(N_("Unit or officer for attention, by member")), ""),
            "# attention: {kaz: …}",
            *self.choice(N_("Urgency"), "urgency", ""),
            "urgency: routine",
            *self.choice(N_("Reason, for urgent and flash only"), "urgency_reason", ""),
            "# urgency_reason:",
            *comment(self.text(N_("How the content may be used")), ""),
            *comment(self.text(_MARKS_REMARK) if self.marks_by_content else "", ""),
            "handling:",
            f"  {off}tlp: AMBER  # {', '.join(TLP)}",
            f"  {off}code: H2  # {', '.join(CODES)}",
            f"  # code_text:  # {limit}",
            f"  # pap:  # {', '.join(PAP)}",
            f"  {off}classification: 1  # 0-{MAX_CLASSIFICATION}",
            f"  # evaluation_scheme:  # {', '.join(EVALUATION_SCHEMES)}",
            f"  # evaluation:  # {evaluation}",
            *self.choice(N_("Purposes"), "purpose", "  "),
            "  # purposes: []",
            *comment(
                self.text(N_("Codes of the legal bases, as listed by the federation; see: paiza law STATE STATE")), ""
            ),
            "legal_bases: []",
            *comment(
                self.text(N_("When the need to keep the message is to be reviewed: a date, or for example 3 years")), ""
            ),
            "review: 3 years",
            *comment(self.text(N_("Messages this one answers or follows from: their ids")), ""),
            "in_reply_to: []",
        ]

    def choice(self, label: str, list_name: str, indent: str) -> list[str]:
        return comment(f"{self.text(label)}: {self.codes(list_name)}", indent)

    def fields(self, shape: Shape, indent: str, *, off: bool) -> list[str]:
        lines: list[str] = []
        for each in shape.fields:
            if not each.derived and (self.form == "long" or each.in_short_form):
                lines += self.field(each, indent, off=off or not each.stands_open)
        return lines

    def field(self, field: Field, indent: str, *, off: bool) -> list[str]:
        lines = comment(self.remark(field), indent)
        key = f"{indent}{'# ' if off else ''}{field.key}:"
        if field.shape is None:
            value = field.default or ("[]" if field.most else "")
            return [*lines, f"{key} {value}".rstrip()]
        below = self.fields(field.shape, f"{indent}  ", off=off)
        return [*lines, key, *(as_entry(below, f"{indent}  ") if field.most else below)]

    def remark(self, field: Field) -> str:
        words = [field.label]
        words += [N_("mandatory")] * field.required
        words += [N_("several possible")] * bool(field.most)
        words += [field.hint or HINTS[field.value_type]]
        text = "; ".join(self.text(each) for each in words if each)
        list_name = "unit" if field.value_type is FieldType.QUANTITY else field.codes
        return f"{text}: {self.codes(list_name)}" if list_name else text

    def codes(self, list_name: str) -> str:
        entries = codes.load(list_name)
        if list_name in self.spelled:
            return self.text(N_("as listed above"))
        self.spelled.add(list_name)
        shown = [f"{code} ({entries.text(code, self.lang)})" for code in entries]
        if len(shown) > MAX_CHOICES:
            shown = [f"{code} ({entries.text(code, self.lang)})" for code in EXAMPLE_COUNTRIES if code in entries] + [
                "…"
            ]
        return ", ".join(shown)


def comment(text: str, indent: str) -> list[str]:
    """Return a comment, broken into lines; nothing for an empty text."""
    return wrap(
        text,
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_entry(lines: list[str], indent: str) -> list[str]:
    """Format the lines of a group as the one entry of a list: a dash before the first key, what follows indented."""
    found = [f"  {line}" for line in lines]
    for number, line in enumerate(found):
        if key := _KEY_LINE.fullmatch(line):
            found[: number + 1] = [*lines[:number], f"{indent}{key['mark']}- {key['rest']}"]
            break
    return found
