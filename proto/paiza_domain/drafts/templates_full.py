"""Long empty drafts: every field with its label, the expected value and all choices of its code list, as comments.

Mandatory fields are uncommented (`subject:`), the rest is commented out. An empty field counts as absent.
"""

from typing import Final

from paiza_domain import codes
from paiza_domain.drafts.template_lines import EXAMPLE_COUNTRIES, MAX_CHOICES, as_entry, comment, hint
from paiza_domain.handling import CODES, EVALUATION_SCHEMES, MAX_CLASSIFICATION, PAP, TLP
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape

_ANNEX_REMARK: Final = N_(
    "The nominal annex (persons, companies, telephones, accounts) is sealed apart from the rest. "
    "To use it, remove the # and the space after it before “annex:” and before the fields that you need."
)
_HEADER_REMARK: Final = N_(
    "Open fields must be filled in. To use a field that is commented out, remove the # and the space after it."
)
_MARKS_REMARK: Final = N_("What is left out here follows from the content: the more sensitive it is, the stricter.")


def render(kind: Kind, lang: str) -> str:
    """Return the long template of a kind in `lang`; its marks are optional if the content decides on them."""
    return _Template(lang, marks_by_content=kind.handling_for is not None).render(kind)


class _Template:
    """The writer of one draft; a code list is spelled out at its first occurrence."""

    def __init__(self, lang: str, *, marks_by_content: bool) -> None:
        self.lang, self.marks_by_content = lang, marks_by_content
        self.spelled: set[str] = set()

    def text(self, text: str) -> str:
        return translate(text, self.lang)

    def render(self, kind: Kind) -> str:
        lines = [f"# {self.text(kind.title)}", *self.header(kind.name)]
        lines += ["content:", *self.fields(kind.shape, "  ", off=False)]
        if kind.annex_shape is not None:
            lines += ["", *comment(self.text(_ANNEX_REMARK), ""), "# annex:"]
            lines += self.fields(kind.annex_shape, "  ", off=True)
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
            f"review: {self.text(N_('3 years'))}",
            *comment(self.text(N_("Messages this one answers or follows from: their ids")), ""),
            "in_reply_to: []",
            *comment(self.text(N_("files beside the draft, for example [photo.jpg]")), ""),
            "# attachments: []",
            *comment(self.text(N_("nothing of it is real, and every reader sees that")), ""),
            "# exercise: true",
        ]

    def choice(self, label: str, list_name: str, indent: str) -> list[str]:
        return comment(f"{self.text(label)}: {self.codes(list_name)}", indent)

    def fields(self, shape: Shape, indent: str, *, off: bool) -> list[str]:
        lines: list[str] = []
        for each in shape.fields:
            if not each.derived:
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
        words += [hint(field)]
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
