"""The values of a form: texts by name, from and to the YAML text of a draft.

A name is the place of a field in the draft: ``to``, ``handling.tlp``, ``content.place.country``,
``annex.persons[0].surname``. The values of a repeated field stand under one name, one a line. A group that is there,
perhaps still empty, has its own name with an empty value. No value is interpreted: what is wrong comes back as it was
typed, and the reader of drafts says what is wrong with it.

A number that was reported in words ("about twelve") is kept under the field's name and ``~`` until the field changes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from paiza_domain.drafts.yaml_tree import Group as TreeGroup
from paiza_domain.drafts.yaml_tree import Node, Scalar, parse
from paiza_domain.forms.description import ANNEX, CONTENT, Group, Input, Part, describe
from paiza_domain.forms.description import InputType as Type
from paiza_domain.schema.kind import Kind

Values = Mapping[str, str]

LISTS: Final = ("to", "legal_bases", "in_reply_to")
WORDS: Final = ("urgency", "urgency_reason", "review", "exercise")
MARKS: Final = (
    "tlp", "code", "code_text", "pap", "classification", "evaluation_scheme", "evaluation", "purposes",
)  # fmt: skip
REPORTED: Final = "~"  # behind the name of a number: how it was reported
MAX_NAMES: Final = 5_000  # of one form; a full annex has fewer
MAX_INDEX: Final = 9_999

_ENTRY: Final = re.compile(r"(?P<name>.+)\[(?P<index>\d{1,4})\]", re.ASCII)
_INDEX: Final = re.compile(r"\[\d+\]", re.ASCII)
_MEMBER: Final = re.compile(r"[a-z][a-z0-9-]{1,15}", re.ASCII)
_AMOUNT_KEYS: Final = frozenset({"amount", "unit", "original"})
# What stands in a draft as it is; everything else is quoted.
_PLAIN: Final = re.compile(r"[^\W_](?:[\w .,/+()№-]|:(?=\w))*")
_BLOCK_LINE: Final = re.compile(r"[^\W_][^\t\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]*")
_RESERVED: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


class UnknownNamesError(Exception):
    """Names that no field of the form has; ``names`` are those, in the order they came."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(", ".join(self.names))


def normalised(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return values from the pairs that a page sends: one name several times is several lines."""
    found: dict[str, str] = {}
    for name, raw in pairs:
        text = raw.replace("\r\n", "\n").replace("\r", "\n").strip()
        found[name] = f"{found[name]}\n{text}".strip("\n") if found.get(name) else text
    return found


# From a draft to values.


def of_text(kind: Kind, text: str) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """Return the values of a draft, and what stands in it for which the form has no field, as (name, text).

    Fields that are computed are left out of both.

    Raise `yaml_tree.TreeError` for a text that is no YAML.
    """
    tree = parse(text)
    found: dict[str, str] = {}
    if isinstance(tree, TreeGroup):
        for key, node in tree.entries:
            found |= _flat(key.text, node)
    found.pop("kind", None)
    found.pop("version", None)
    for name in LISTS:
        if name in found:
            found[name] = "\n".join(each.strip() for each in re.split(r"[,\n]", found[name]))
    known = _known(kind, found)
    derived = _derived(kind)
    strange = tuple(
        (name, value)
        for name, value in found.items()
        if name not in known and value and not derived.intersection(_INDEX.sub("", name).split("."))
    )
    return {name: value for name, value in found.items() if name in known}, strange


def _flat(name: str, node: Node) -> dict[str, str]:
    """Return the texts of a node by name; an amount in parts is one text, and what was reported stands beside it."""
    if amount := _amount(node):
        text, original = amount
        return {name: text, name + REPORTED: f"0 {text} = {original}"} if original else {name: text}
    match node:
        case Scalar():
            return {name: "" if node.null else node.text.strip()}
        case TreeGroup():
            found = {name: ""}
            for key, below in node.entries:
                found |= _flat(f"{name}.{key.text}", below)
            return found
    found = {}
    for index, below in enumerate(node.nodes):
        if isinstance(below, TreeGroup) and not _amount(below):
            found |= _flat(f"{name}[{index}]", below)
            continue
        for each, one in _flat(name, below).items():
            text = f"{index}{one[1:]}" if each != name else one
            found[each] = f"{found[each]}\n{text}" if each in found else text
    return found


def _amount(node: Node) -> tuple[str, str] | None:
    """Return text and reported text of an amount that a draft writes in parts: {amount: 12, unit: kg, original: dozen}.

    None for anything else.
    """
    if not isinstance(node, TreeGroup):
        return None
    parts = {key.text: below.text.strip() for key, below in node.entries if isinstance(below, Scalar)}
    if len(parts) != len(node.entries) or not set(parts) <= _AMOUNT_KEYS or parts.keys() <= {"amount"}:
        return None
    text = " ".join(filter(None, (parts.get("amount", ""), parts.get("unit", ""))))
    return text, parts.get("original", "")


def _known(kind: Kind, names: Iterable[str]) -> set[str]:
    """Return those of the names that the form has."""
    named = list(names)
    fields = {CONTENT: _by_key(kind, CONTENT), ANNEX: _by_key(kind, ANNEX)}
    return {each for each in named if _is_known(each, fields)}


def _derived(kind: Kind) -> frozenset[str]:
    """Return the keys of the fields that are computed: a draft may hold them, and they are computed anew."""
    found: set[str] = set()
    shapes = [each for each in (kind.shape, kind.annex_shape) if each is not None]
    while shapes:
        for field in shapes.pop().fields:
            if field.derived:
                found.add(field.key)
            elif field.shape is not None:
                shapes.append(field.shape)
    return frozenset(found)


def _by_key(kind: Kind, root: str) -> dict[str, Part]:
    sections = describe(kind, "en").sections
    return {part.key: part for each in sections if each.root == root for part in each.parts}


def _is_known(name: str, fields: Mapping[str, Mapping[str, Part]]) -> bool:
    steps = name.split(".")
    if len(steps) == 1:
        return name in LISTS or name in WORDS or name in {"handling", CONTENT, ANNEX} or bool(_file(name))
    first, *rest = steps
    match first:
        case "handling":
            return len(rest) == 1 and rest[0] in MARKS
        case "attention":
            return len(rest) == 1 and _MEMBER.fullmatch(rest[0]) is not None
        case "content" | "annex":
            return _is_field(rest, fields[first])
    return bool(_file(first)) and rest in (["file"], ["note"])


def _file(name: str) -> re.Match[str] | None:
    found = _ENTRY.fullmatch(name)
    return found if found is not None and found["name"] == "attachments" else None


def _is_field(steps: list[str], parts: Mapping[str, Part]) -> bool:
    entry = _ENTRY.fullmatch(steps[0])
    key = entry["name"] if entry else steps[0]
    part = parts.get(key) or parts.get(key.removesuffix(REPORTED))
    if part is None:
        return False
    if not isinstance(part, Group):
        return (
            len(steps) == 1 and entry is None and (key == part.key or part.input_type in {Type.QUANTITY, Type.NUMBER})
        )
    if key != part.key or (entry is not None) != (part.most > 0):
        return False
    return len(steps) == 1 or _is_field(steps[1:], {each.key: each for each in part.parts})


# From values to a draft.


def text_of(kind: Kind, values: Values) -> str:
    """Return the draft that the values are, as YAML; empty fields and empty groups that need not be there are left out.

    Entries of a repeated group are numbered anew. Raise `UnknownNamesError` for names that the form does not have.
    """
    known = _known(kind, values)
    strange = [each for each in values if each not in known]
    if strange or len(values) > MAX_NAMES:
        raise UnknownNamesError(strange)
    lines = [f"kind: {kind.name}"]
    for name in ("to",):
        lines += _list_lines(name, values.get(name, ""))
    attention = {name: text for name, text in values.items() if name.startswith("attention.") and text}
    if attention:
        lines += ["attention:", *(f"  {name.partition('.')[2]}: {quoted(text)}" for name, text in attention.items())]
    lines += [f"{name}: {quoted(values[name])}" for name in WORDS if values.get(name)]
    lines += _mark_lines(values)
    for name in ("legal_bases", "in_reply_to"):
        lines += _list_lines(name, values.get(name, ""))
    lines += _file_lines(values)
    for root in (CONTENT, ANNEX):
        below = list(_part_lines(values, root, _by_key(kind, root).values(), "  "))
        if root == CONTENT or below:
            lines += [f"{root}:", *below]
    return "\n".join(lines) + "\n"


def _list_lines(name: str, text: str, indent: str = "") -> list[str]:
    words = [each.strip() for each in text.split("\n") if each.strip()]
    return [f"{indent}{name}:", *(f"{indent}  - {quoted(each)}" for each in words)] if words else []


def _mark_lines(values: Values) -> list[str]:
    lines = [
        f"  {key}: {quoted(text)}" for key in MARKS if key != "purposes" and (text := values.get(f"handling.{key}"))
    ]
    lines += _list_lines("purposes", values.get("handling.purposes", ""), "  ")
    return ["handling:", *lines] if lines else []


def _file_lines(values: Values) -> list[str]:
    lines: list[str] = []
    for index in indices(values, "attachments"):
        file, note = (values.get(f"attachments[{index}].{key}", "") for key in ("file", "note"))
        file = file or values.get(f"attachments[{index}]", "")
        if file:
            lines += [f"  - file: {quoted(file)}", *([f"    note: {quoted(note)}"] if note else [])]
    return ["attachments:", *lines] if lines else []


def indices(values: Values, name: str) -> list[int]:
    """Return the numbers of the entries of a repeated group, in order."""
    found = set()
    for each in values:
        if each.startswith(f"{name}["):
            number = each[len(name) + 1 :].partition("]")[0]
            if number.isascii() and number.isdigit() and len(number) <= len(str(MAX_INDEX)):
                found.add(int(number))
    return sorted(found)


def is_there(values: Values, name: str) -> bool:
    """Return whether a group is in the form, if only empty."""
    return name in values or any(each.startswith((f"{name}.", f"{name}[")) for each in values)


def is_blank(values: Values, name: str) -> bool:
    """Return whether nothing is filled in of a field or below a group."""
    return not any(text for each, text in values.items() if each == name or each.startswith((f"{name}.", f"{name}[")))


def _part_lines(values: Values, prefix: str, parts: Iterable[Part], indent: str) -> Iterator[str]:
    for part in parts:
        name = f"{prefix}.{part.key}"
        if not isinstance(part, Group):
            yield from _input_lines(values, name, part, indent)
        elif not part.most:
            below = list(_part_lines(values, name, part.parts, f"{indent}  "))
            if below or (part.required and is_there(values, name)):
                yield from (f"{indent}{part.key}:{'' if below else ' {}'}", *below)
        else:
            yield from _entries(values, name, part, indent)


def _entries(values: Values, name: str, group: Group, indent: str) -> Iterator[str]:
    numbers = indices(values, name)
    kept = [each for each in numbers if not is_blank(values, f"{name}[{each}]")]
    if not kept and group.required:
        kept = numbers[:1]  # so that each of its mandatory fields is named
    if not kept:
        return
    yield f"{indent}{group.key}:"
    for index in kept:
        below = list(_part_lines(values, f"{name}[{index}]", group.parts, f"{indent}    "))
        yield from (f"{indent}  - {below[0].strip()}", *below[1:]) if below else (f"{indent}  - {{}}",)


def _input_lines(values: Values, name: str, field: Input, indent: str) -> Iterator[str]:
    text = values.get(name, "")
    if not text:
        return
    reported = _reported(values.get(name + REPORTED, ""))
    if not field.most:
        yield from _value_lines(f"{field.key}:", text, reported.get(f"0 {text}", ""), field, indent)
        return
    words = [each.strip() for each in text.split("\n") if each.strip()]
    if words:
        yield f"{indent}{field.key}:"
    for place, each in enumerate(words):
        yield from _value_lines("-", each, reported.get(f"{place} {each}", ""), field, f"{indent}  ")


def _reported(lines: str) -> dict[str, str]:
    """Return how numbers were reported, by place in the list and text ("0 12.5 kg")."""
    pairs = (each.partition(" = ") for each in lines.split("\n"))
    return {text: original for text, _mark, original in pairs if original}


def _value_lines(key: str, text: str, reported: str, field: Input, indent: str) -> Iterator[str]:
    if reported and field.input_type in {Type.QUANTITY, Type.NUMBER}:
        amount, _space, unit = text.partition(" ")
        parts = {"amount": amount, "unit": unit, "original": reported}
        inner = ", ".join(f"{name}: {_in_quotes(each)}" for name, each in parts.items() if each)
        yield f"{indent}{key} {{{inner}}}"
        return
    if "\n" in text and field.input_type is Type.TEXT and all(_fits_block(each) for each in text.split("\n")):
        yield f"{indent}{key} |-"
        yield from (f"{indent}  {line}" if line else "" for line in text.split("\n"))
        return
    yield f"{indent}{key} {quoted(text)}"


def _fits_block(line: str) -> bool:
    return not line or (_BLOCK_LINE.fullmatch(line) is not None and line == line.rstrip())


def quoted(text: str) -> str:
    """Return a text as YAML reads it back, plain where that is unambiguous, on one line."""
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED and text == text.strip():
        return text
    return _in_quotes(text)


def _in_quotes(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    """Return a character within double quotes, escaped where YAML would read another or none."""
    if character in '"\\':
        return f"\\{character}"
    if character == "\n":
        return "\\n"
    code = ord(character)
    if character.isprintable() and code != 0xFEFF:  # noqa: PLR2004 - the byte order mark
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - digits of the escapes
