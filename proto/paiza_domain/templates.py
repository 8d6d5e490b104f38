"""An empty draft: every field with its label, what is expected, and the choices of its code list, as comments.

What must be filled in stands open (`subject:`); what may be, is commented out. An open field left empty counts as absent.
"""

from typing import Final, Literal

from paiza_domain import codes
from paiza_domain.handling import CODES, EVALUATION_SCHEMES, PAP, TLP
from paiza_domain.i18n import N_, translate
from paiza_domain.shapes import Field, FieldType, Shape

Form = Literal["short", "long"]  # the short form has the mandatory fields only

MAX_CHOICES: Final = 45  # of a longer code list (countries, substances) only the beginning is shown in a comment
_WIDTH: Final = 110  # columns of a comment

HINTS: Final = {
    FieldType.TEXT: N_("one line"),
    FieldType.LINES: N_("text; several lines after “|”, indented"),
    FieldType.CODE: N_("one of the codes"),
    FieldType.INTEGER: N_("whole number"),
    FieldType.FLAG: N_("true, or left out"),
    FieldType.DECIMAL: N_("number with a point, for example 12.5"),
    FieldType.QUANTITY: N_("number, space, unit, for example 12.5 kg"),
    FieldType.DEGREES: N_("degrees with a point, for example 43.238949"),
    FieldType.TIME: N_("2026-11-23T14:30+05:00, or the day alone"),
    FieldType.MOMENT: N_("2026-11-23T14:30+05:00; 2026-11-23T14+05:00 or 2026-11-23 where less is known"),
    FieldType.DATE: N_("2026-11-23; 2026-11 or 2026 where less is known"),
    FieldType.DIGEST: N_("64 hexadecimal digits"),
    FieldType.GROUP: "",
}


def render(name: str, title: str, shape: Shape, annex: Shape | None, lang: str, form: Form) -> str:
    """Write the draft of the kind `name`."""
    lines = [f"# {translate(title, lang)}", *_header(name, lang), "content:"]
    lines += _fields(shape, lang, form, "  ", off=False)
    if annex is not None and form == "long":
        lines += ["", *_comment(translate(ANNEX_REMARK, lang), ""), "# annex:"]
        lines += _fields(annex, lang, form, "  ", off=True)
    return "\n".join(lines) + "\n"


ANNEX_REMARK: Final = N_(
    "The nominal annex (persons, companies, telephones, accounts) is sealed apart from the rest. "
    "Remove the # before what you need, and before “annex:”."
)
_HEADER_REMARK: Final = N_("Open fields must be filled in. To use a field that is commented out, remove the “# ” before it.")


def _header(name: str, lang: str) -> list[str]:
    def say(text: str, choices: str = "") -> str:
        return f"# {translate(text, lang)}{': ' + choices if choices else ''}"

    return [
        *_comment(translate(_HEADER_REMARK, lang), ""),
        f"kind: {name}",
        say(N_("Members the message is addressed to; all of them see each other")),
        "to: []",
        say(N_("Unit or officer for attention, by member")),
        "# attention: {kaz: …}",
        say(N_("Urgency"), _choices("urgency", lang)),
        "urgency: routine",
        say(N_("Reason, for urgent and flash only"), _choices("urgency_reason", lang)),
        "# urgency_reason:",
        say(N_("How the content may be used")),
        "handling:",
        f"  tlp: AMBER  # {', '.join(TLP)}",
        f"  code: H2  # {', '.join(CODES)}",
        "  # code_text:  # H3",
        f"  # pap:  # {', '.join(PAP)}",
        "  classification: 1  # 0-4",
        f"  # evaluation_scheme:  # {', '.join(EVALUATION_SCHEMES)}",
        "  # evaluation:  # B2",
        *_comment(say(N_("Purposes"), _choices("purpose", lang))[2:], "  "),
        "  # purposes: []",
        say(N_("Codes of the legal bases, as listed by the federation")),
        "legal_bases: []",
        say(N_("When the need to keep the message is to be reviewed: a date, or a number of years such as 3 years")),
        "review: 3 years",
        say(N_("Messages this one answers or follows from: their ids")),
        "in_reply_to: []",
    ]


def _comment(text: str, indent: str) -> list[str]:
    """Break a comment into lines."""
    lines, line = [], f"{indent}#"
    for word in text.split():
        if len(line) + len(word) >= _WIDTH and line.strip() != "#":
            lines.append(line)
            line = f"{indent}#  "
        line += " " + word
    return [*lines, line]


def _fields(shape: Shape, lang: str, form: Form, indent: str, *, off: bool) -> list[str]:
    lines: list[str] = []
    for each in shape.fields:
        if not each.derived and (form == "long" or each.in_short_form):
            lines += _field(each, lang, form, indent, off=off or not each.stands_open)
    return lines


def _field(field: Field, lang: str, form: Form, indent: str, *, off: bool) -> list[str]:
    remark = [translate(field.label, lang)]
    if field.required:
        remark.append(translate(N_("mandatory"), lang))
    if field.most:
        remark.append(translate(N_("several possible"), lang))
    remark += [translate(each, lang) for each in (field.hint or HINTS[field.type],) if each]
    text = "; ".join(remark)
    if field.codes:
        text += f": {_choices(field.codes, lang)}"
    key = f"{indent}{'# ' if off else ''}{field.key}:{' ' * bool(field.default)}{field.default}"
    lines = _comment(text, indent)
    if field.shape is None:
        return [*lines, f"{key} []" if field.most else key]
    below = _fields(field.shape, lang, form, f"{indent}  ", off=off)
    return [*lines, key, *(_as_entry(below, f"{indent}  ") if field.most else below)]


def _as_entry(lines: list[str], indent: str) -> list[str]:
    """Make the lines of a group the one entry of a list: a dash before its first key, the rest further in."""
    found = [f"  {line}" for line in lines]
    for number, line in enumerate(found):
        body = line.strip()
        key = body.removeprefix("# ")
        if ":" in key and key.split(":")[0].isidentifier() and key.split(":")[0].isascii() and key[0].islower():
            mark = "# " if body.startswith("# ") else ""
            found[number] = f"{indent}{mark}- {key}"
            break
    return found


def _choices(list_name: str, lang: str) -> str:
    entries = codes.load(list_name)
    shown = [f"{code} ({entries.text(code, lang)})" for code in list(entries)[:MAX_CHOICES]]
    if len(entries) > MAX_CHOICES:
        shown.append("…")
    return ", ".join(shown)
