"""Forms: the fields of a kind in order, for prompting, and the assembly of the answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from google.protobuf.message import Message

from paiza_domain.drafts.content import ContentReader
from paiza_domain.drafts.drafts import DraftError, read_contents
from paiza_domain.drafts.members import UNKNOWN, Members
from paiza_domain.drafts.template_lines import hint
from paiza_domain.drafts.templates import Form
from paiza_domain.drafts.yaml_tree import Group, Items, Node, Scalar
from paiza_domain.i18n import LANGUAGES, translate
from paiza_domain.schema import scalars
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape

_STEP: Final = re.compile(r"([a-z_]{1,64})(?:\[(\d{1,4})\])?", re.ASCII)


@dataclass(frozen=True)
class FormField:
    """One field of a form.

    `path` has `[]` behind every repeated part: `substances[].quantity`. A group stands before its own fields, as GROUP:
    a mandatory one is entered without asking, any other after asking whether there is one (more).
    """

    path: str
    labels: Mapping[str, str]
    hints: Mapping[str, str]
    value_type: FieldType
    codes: str
    mandatory: bool
    repeated: bool
    default: str
    field: Field
    owner: type[Message]

    def error(self, text: str, lang: str, members: Members = UNKNOWN) -> str:
        """Return the error of `text` as one value of this field, in `lang`; empty if it is valid."""
        holder = self.owner()
        try:
            scalars.read(self.field, ContentReader(members, lang).meaning(self.field, text), holder)
        except scalars.ScalarError as wrong:
            return FieldError(self.path, *wrong.problem).message(lang)
        value = getattr(holder, self.field.name)
        check = self.field.checker()
        problem = check(value[0] if self.repeated else value) if check else None
        return FieldError(self.path, *problem).message(lang) if problem else ""


def fields(kind: Kind, form: Form = "long") -> tuple[FormField, ...]:
    """Return all fields of the kind in order; those of the annex (`annex.…`) only in the long form."""
    found = list(_walk(kind.shape, form, ""))
    if kind.annex_shape is not None and form == "long":
        found += _walk(kind.annex_shape, form, "annex.")
    return tuple(found)


def assemble(
    kind: Kind, answers: Mapping[str, str], lang: str = "en", *, now: datetime, members: Members = UNKNOWN
) -> tuple[Message, Message | None]:
    """Build content and annex from answers by path (`substances[0].quantity`); raise `DraftError`."""
    root = Group(0, 0)
    for path, text in answers.items():
        section, steps = ("annex", path.removeprefix("annex.")) if path.startswith("annex.") else ("content", path)
        if not _place(root, [(section, None), *_steps(steps)], Scalar(text, not text.strip(), 0, 0)):
            raise DraftError([FieldError(path[:64], "key_unknown", {"value": path[:64]})], lang)
    reader = ContentReader(members, lang)
    content, annex = read_contents(kind, {key.text: node for key, node in root.entries}, now, {}, reader)
    if reader.errors:
        raise DraftError(reader.errors, lang)
    kind.derive(content)
    return content, annex


def _walk(shape: Shape, form: Form, prefix: str) -> list[FormField]:
    found: list[FormField] = []
    for each in shape.fields:
        if each.derived or (form == "short" and not each.in_short_form):
            continue
        path = f"{prefix}{each.key}{'[]' if each.most else ''}"
        found.append(
            FormField(
                path=path,
                labels=_in_languages(each.label),
                hints=_in_languages(hint(each)),
                value_type=each.value_type,
                codes=each.codes,
                mandatory=each.required,
                repeated=each.most > 0,
                default=each.default,
                field=each,
                owner=shape.message,
            )
        )
        if each.shape is not None:
            found += _walk(each.shape, form, f"{path}.")
    return found


def _in_languages(text: str) -> Mapping[str, str]:
    return MappingProxyType({lang: translate(text, lang) for lang in LANGUAGES})


def _steps(path: str) -> list[tuple[str, int | None]]:
    """Split `substances[0].quantity`; a malformed part becomes an empty name, which no field has."""
    found = []
    for part in path.split("."):
        step = _STEP.fullmatch(part)
        found.append(("", None) if step is None else (step[1], None if step[2] is None else int(step[2])))
    return found


def _place(root: Group, steps: list[tuple[str, int | None]], leaf: Scalar) -> bool:
    """Insert `leaf` into the tree; return False if the path is malformed or contradicts another."""
    group = root
    for number, (name, index) in enumerate(steps):
        node: Node = leaf if number == len(steps) - 1 else Group(0, 0)
        below = _below(group, name, index, node)
        if not name or (below is not node and not isinstance(below, Group)):
            return False
        if isinstance(below, Group):
            group = below
    return True


def _below(group: Group, name: str, index: int | None, node: Node) -> Node | None:
    """Return the node under `name` (at `index`), inserting `node` if there is none.

    None if that is impossible.
    """
    present = next((each for key, each in group.entries if key.text == name), None)
    if index is None:
        if present is None:
            group.entries.append((Scalar(name, null=False, line=0, column=0), node))
            return node
        return present
    if present is None:
        present = Items(0, 0)
        group.entries.append((Scalar(name, null=False, line=0, column=0), present))
    if not isinstance(present, Items) or index > len(present.nodes):
        return None  # entries come in order, without gaps
    if index == len(present.nodes):
        present.nodes.append(node)
    return present.nodes[index]
