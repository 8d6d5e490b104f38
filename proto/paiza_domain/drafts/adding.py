"""Adding a section to the text of a draft: its fields are written below, empty and with comments; all else stays.

Only lines are inserted, so what a person wrote and remarked is never reformatted. A field left empty counts as absent.
"""

from collections.abc import Mapping
from typing import Final

from paiza_domain.drafts.drafts import DraftError, kind_of
from paiza_domain.drafts.header import HANDLING_KEYS
from paiza_domain.drafts.sections import HEADER, Section
from paiza_domain.drafts.templates import FURTHER, Writer
from paiza_domain.drafts.yaml_tree import Group, Node, Scalar, TreeError, parse
from paiza_domain.handling import CODES, EVALUATION_SCHEMES, MAX_CLASSIFICATION, MAX_PURPOSES, PAP, TLP
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType

_HANDLING: Final = (
    Field("tlp", "TLP", hint=" | ".join(TLP)),
    Field("code", N_("Handling code"), hint=" | ".join(CODES)),
    Field("code_text", N_("text of the limit, with H3")),
    Field("pap", "PAP", hint=" | ".join(PAP)),
    Field("classification", N_("Classification level"), hint=f"0-{MAX_CLASSIFICATION}"),
    Field("evaluation_scheme", N_("Scheme of the evaluation"), hint=" | ".join(EVALUATION_SCHEMES)),
    Field("evaluation", N_("in that scheme, for example B2")),
    Field("purposes", N_("Purposes"), FieldType.CODE, codes="purpose", most=MAX_PURPOSES),
)
_REASON: Final = Field("urgency_reason", HEADER["urgency_reason"], FieldType.CODE, codes="urgency_reason")
_BELOW: Final = "  "  # the indentation of fields where a draft shows none

assert {each.key for each in _HANDLING} == set(HANDLING_KEYS)


def kind_in(text: str, lang: str) -> Kind:
    """Return the kind of the draft in a text, whatever else is missing in it; `DraftError` if it names none."""
    return kind_of(_tree(text, lang), lang)


def add(text: str, section: Section, lang: str) -> str:
    """Return the text of a draft with one section more.

    A group that is there gets the fields that it lacks, a list another entry. `DraftError` if the text is no draft, the
    section is there whole, or it stands in braces, where no line can be inserted.
    """
    root = _tree(text, lang)
    draft = _Text(text, root, Writer(lang), lang)
    if section.field is None:
        return draft.with_header(section.key)
    return draft.with_field(section.root, section.field)


def _tree(text: str, lang: str) -> Group:
    try:
        tree = parse(text)
    except TreeError as wrong:
        raise DraftError([wrong.error], lang) from None
    if not isinstance(tree, Group):
        raise DraftError([FieldError("", "expected_group", {}, tree.line, tree.column)], lang)
    return tree


class _Text:
    """The lines of a draft, with the positions of its nodes."""

    def __init__(self, text: str, root: Group, writer: Writer, lang: str) -> None:
        self._lines = text.rstrip("\n").split("\n")
        self._root, self._writer, self._lang = root, writer, lang

    def with_header(self, key: str) -> str:
        """Return the text with a field of the header before the content."""
        above = _entries(self._root)
        if key == "handling" and (present := above.get(key)) is not None:
            return self._completed(*present, _HANDLING, "")
        if key in above:
            raise self._wrong("section_present", key, above[key][0])
        lines = {
            "attention": [*self._writer.comment(HEADER[key], ""), "attention:", f"{_BELOW}# kaz:"],
            "urgency_reason": self._writer.field(_REASON, "", needed=False),
            "attachments": [self._writer.line(key, "[]", N_("files beside the draft, for example [photo.jpg]"))],
            "handling": ["handling:", *self._fields(_HANDLING, _BELOW)],
            "exercise": [self._writer.line(key, "true", N_("nothing of it is real, and every reader sees that"))],
        }[key]
        content = above.get("content")
        return self._inserted(len(self._lines) if content is None else content[0].line - 1, lines)

    def with_field(self, root: str, field: Field) -> str:
        """Return the text with a field of the content or the annex, or with more of it."""
        above = _entries(self._root)
        if root not in above:
            end = self._end(above["content"][0], "") if "content" in above else len(self._lines)
            return self._inserted(end, [f"{root}:", *self._writer.field(field, _BELOW, needed=False)])
        key, node = above[root]
        self._check_open(root, key, node)
        if not isinstance(node, Group):
            return self._inserted(key.line, self._writer.field(field, _BELOW, needed=False))
        indent = " " * (node.column - 1)
        below = _entries(node)
        if field.instead in below:
            line = below[field.instead][0].line
            rest = "\n".join([*self._lines[: line - 1], *self._lines[line:]])
            return _Text(rest, _tree(rest, self._lang), self._writer, self._lang).with_field(root, field)
        if field.key not in below:
            return self._inserted(self._end(key, ""), self._writer.field(field, indent, needed=False))
        return self._extended(*below[field.key], field, indent)

    def _extended(self, key: Scalar, node: Node, field: Field, indent: str) -> str:
        """Return the text with another entry of a list, or with the fields that a group lacks."""
        if field.shape is None:
            raise self._wrong("section_present", field.key, key)
        if not field.most:
            return self._completed(key, node, field.shape.fields, indent)
        self._check_open(field.key, key, node)
        dash = f"{indent}{_BELOW}" if isinstance(node, Scalar) else " " * (node.column - 1)
        count = 0 if isinstance(node, Scalar) else len(getattr(node, "nodes", ()))
        numbered = field.shape.by_key.get("number")
        known = {"number": str(count + 1)} if numbered is not None and numbered.default else {}
        below = self._writer.fields(field.shape, dash, needed=False, known=known)
        end = key.line if isinstance(node, Scalar) else self._end(key, indent, listed=True)
        return self._inserted(end, self._writer.entry(below, dash))

    def _completed(self, key: Scalar, node: Node, fields: tuple[Field, ...], indent: str) -> str:
        self._check_open(key.text, key, node)
        if isinstance(node, Scalar):
            return self._inserted(key.line, self._fields(fields, f"{indent}{_BELOW}"))
        present = _entries(node) if isinstance(node, Group) else {}
        lacking = tuple(each for each in fields if each.key not in present and not each.derived)
        if not lacking:
            raise self._wrong("section_present", key.text, key)
        below, end = " " * (node.column - 1), self._end(key, indent)
        # The comment that names what a short template leaves out is no longer true.
        stale = f"{below}# {self._writer.text(FURTHER)}"
        kept = [line for line in self._lines[key.line : end] if not line.startswith(stale)]
        lines = [*self._lines[: key.line], *kept, *self._fields(lacking, below), *self._lines[end:]]
        return "\n".join(lines) + "\n"

    def _fields(self, fields: tuple[Field, ...], indent: str) -> list[str]:
        return [line for each in fields if not each.derived for line in self._writer.field(each, indent, needed=False)]

    def _check_open(self, path: str, key: Scalar, node: Node) -> None:
        """Refuse a part in braces, and a value where there should be fields."""
        braces = not isinstance(node, Scalar) and self._lines[node.line - 1][node.column - 1] in "{["
        if braces or (isinstance(node, Scalar) and not node.null):
            raise self._wrong("section_in_braces", path, key)

    def _end(self, key: Scalar, indent: str, *, listed: bool = False) -> int:
        """Return the number of the last line of what stands below a key.

        That is every line further right, and the entries of a list, which may stand right below their key. A comment
        ends nothing, wherever it begins.
        """
        last = key.line
        for number, line in enumerate(self._lines[key.line :], key.line + 1):
            body = line.lstrip(" ")
            within = len(line) - len(body) > len(indent) or (listed and line.startswith(f"{indent}- "))
            if body and within:
                last = number
            elif body and not body.startswith("#"):
                break
        return last

    def _inserted(self, after: int, lines: list[str]) -> str:
        return "\n".join([*self._lines[:after], *lines, *self._lines[after:]]) + "\n"

    def _wrong(self, code: str, path: str, at: Scalar) -> DraftError:
        return DraftError([FieldError(path, code, {}, at.line, at.column)], self._lang)


def _entries(group: Group) -> Mapping[str, tuple[Scalar, Node]]:
    return {key.text: (key, node) for key, node in group.entries}
