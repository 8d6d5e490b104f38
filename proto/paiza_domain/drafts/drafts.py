"""Drafts: messages as officers write them, in YAML with comments, parsed with line numbers.

A draft has the header's fields, which a command line may override, then `content` and an optional `annex`. Data of the
federation (members, legal bases, the messages of ids) are not checked here.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.message import Message
from typing_extensions import override

from paiza.core.v1.message_pb2 import Handling, Recipient, Urgency
from paiza_domain import kinds
from paiza_domain.drafts.content import NOWHERE, ContentReader, Position, position
from paiza_domain.drafts.header import HANDLING_KEYS, MAX_WORD, URGENCIES, HeaderReader, Levels
from paiza_domain.drafts.members import UNKNOWN, Members
from paiza_domain.drafts.writing import message_lines, scalar
from paiza_domain.drafts.yaml_tree import Group, Node, Scalar, TreeError, parse, text_lines
from paiza_domain.schema import scalars
from paiza_domain.schema.field_checks import nearest
from paiza_domain.schema.field_errors import FieldError, entry_text
from paiza_domain.schema.kind import Kind, touches
from paiza_domain.schema.shapes import Field as ShapeField

_KEYS: Final = (
    "kind", "version", "to", "attention", "urgency", "urgency_reason", "handling", "legal_bases", "review",
    "in_reply_to", "attachments", "exercise", "content", "annex",
)  # fmt: skip

MAX_ERRORS: Final = 100  # reported at once; the rest follows after a correction


class DraftError(Exception):
    """A draft that cannot be sent; `errors` are in line order, `str()` formats them in `lang`."""

    def __init__(self, errors: Sequence[FieldError], lang: str = "en") -> None:
        self.errors = in_order(errors)
        self.lang = lang
        super().__init__(self.errors)

    @override
    def __str__(self) -> str:
        """Return one line for each error: line:column, path, sentence."""
        return "\n".join(f"{e.line}:{e.column} {e.path or '-'}: {e.message(self.lang)}" for e in self.errors)


def in_order(errors: Iterable[FieldError]) -> tuple[FieldError, ...]:
    """Return errors in line order, at most `MAX_ERRORS`."""
    return tuple(sorted(errors, key=lambda each: (each.line, each.column))[:MAX_ERRORS])


@dataclass(frozen=True)
class Draft:
    """A parsed draft. `parents` are ids or prefixes as written; the sender resolves them to digests."""

    kind: Kind
    content: Message
    annex: Message | None = None
    recipients: tuple[Recipient, ...] = ()
    urgency: "Urgency.ValueType" = Urgency.URGENCY_ROUTINE
    urgency_reason: str = ""
    handling: Handling = field(default_factory=Handling)
    legal_bases: tuple[str, ...] = ()
    review_time: datetime | None = None
    parents: tuple[str, ...] = ()
    attachments: tuple[tuple[str, str], ...] = ()
    """Files to attach, as paths from the draft's folder, each with a note."""
    exercise: bool = False
    places: Mapping[str, Position] = field(default_factory=dict, repr=False, compare=False)
    """Line and column of each field in the text that was read, by path."""


@dataclass(frozen=True)
class Examined:
    """A draft and its errors in line order; with errors, the draft has what could be read. None if it has no kind."""

    draft: Draft | None
    errors: tuple[FieldError, ...] = ()


def read(
    text: str,
    lang: str = "en",
    *,
    now: datetime,
    given: Mapping[str, str] = MappingProxyType({}),
    levels: Levels | None = None,
    members: Members = UNKNOWN,
) -> Draft:
    """Return the draft that `examine` reads; raise `DraftError` with its text in `lang` if it has errors."""
    found = examine(text, lang, now=now, given=given, levels=levels, members=members)
    if found.errors or found.draft is None:
        raise DraftError(found.errors, lang)
    return found.draft


def examine(
    text: str,
    lang: str = "en",
    *,
    now: datetime,
    given: Mapping[str, str] = MappingProxyType({}),
    levels: Levels | None = None,
    members: Members = UNKNOWN,
) -> Examined:
    """Parse and validate a draft at `now`; return it with every error, suggestions in `lang`.

    Recipients, review date and handling may be missing, since a command line may supply them:
    `validation.header_errors` checks the finished header. ``given`` holds single fields of the content, by key, for
    fields that the draft omits. ``levels`` maps the national names of a classification to levels. ``members`` are those
    that the draft may name; their ids come out.
    """
    try:
        tree = parse(text)
    except TreeError as wrong:
        return Examined(None, (wrong.error,))
    above = ContentReader()
    if not isinstance(tree, Group):
        empty = isinstance(tree, Scalar) and tree.null
        above.add_error("", "draft_empty" if empty else "expected_group", tree)
        return Examined(None, in_order(above.errors))
    nodes = above.keys(tree, list(_KEYS), "")
    kind = _kind(above, nodes, tree, lang)
    if kind is None:
        return Examined(None, in_order(above.errors))
    header = HeaderReader(nodes, now, levels, members, lang)
    header.places.update(above.places)
    reader = ContentReader(members, lang)
    content, annex = read_contents(kind, nodes, now, given, reader)
    draft = Draft(
        kind=kind,
        content=content,
        annex=annex,
        recipients=header.recipients(),
        urgency=header.urgency(),
        urgency_reason=header.urgency_reason(),
        handling=header.handling(None if kind.handling_for is None else kind.handling_for(content)),
        legal_bases=header.legal_bases(),
        review_time=header.review(),
        parents=header.parents(),
        attachments=header.attachments(),
        exercise=header.exercise(),
        places={**reader.places, **header.places},
    )
    errors = [
        *(_at_other_level(each, "key_inside", kind.shape.by_key) for each in above.errors),
        *header.errors,
        *(
            _at_other_level(_where_commented_out(each, text, reader.places), "key_outside", _KEYS)
            for each in reader.errors
        ),
    ]
    if not errors:
        kind.derive(content)
    return Examined(draft, in_order(errors))


def _at_other_level(error: FieldError, code: str, keys: Collection[str]) -> FieldError:
    """Return the error of a field that is not known here as one of a field that is known one level off."""
    value = error.values.get("value")
    if error.code != "key_unknown" or error.path or value not in keys:
        return error
    return replace(error, code=code, values={"value": value})


def _where_commented_out(error: FieldError, text: str, places: Mapping[str, Position]) -> FieldError:
    """Return the error of a missing field as one of a field that is commented out, if the text has it so."""
    if error.code != "missing":
        return error
    group, _dot, key = error.path.rpartition(".")
    line, column = position(group, places) if group else places.get("", NOWHERE)
    beside = [at for path, at in places.items() if path.rpartition(".")[0] == group and path not in {"", group}]
    indent = min((at[1] for at in beside if at[0] >= line), default=column + 2) - 1
    commented = re.compile(rf" {{{indent}}}# ?(?:- )?{re.escape(key)}:")
    for number, each in enumerate(text_lines(text)[line:], line + 1):
        if commented.match(each):
            return FieldError(error.path, "commented_out", {"value": key}, number, indent + 1)
        if each.strip() and len(each) - len(each.lstrip()) < indent:
            break  # the group ends here
    return error


def kind_of(tree: Group, lang: str = "en") -> Kind:
    """Return the kind that the tree of a draft names; raise `DraftError` with its text in `lang` if there is none."""
    above = ContentReader()
    nodes = {key.text: node for key, node in tree.entries}
    kind = _kind(above, nodes, tree, lang)
    if kind is None:
        raise DraftError(above.errors, lang)
    return kind


def _kind(above: ContentReader, nodes: Mapping[str, Node], tree: Group, lang: str) -> Kind | None:
    words = {key: nodes[key] for key in ("kind", "version") if key in nodes}
    written, version = (
        node.text.strip() if isinstance(node, Scalar) else "" for node in (words.get("kind"), words.get("version"))
    )
    known = kinds.all_kinds()
    name = kinds.find(written) or written
    if not name:
        above.add_error("kind", "missing", words.get("kind", tree))
    elif name not in known:
        near = [entry_text(each, known[each].titles[lang]) for each in kinds.nearest(name[:MAX_WORD])]
        above.add_error("kind", "kind_unknown", words["kind"], value=name[:MAX_WORD], suggestion=", ".join(near))
    elif version and version != str(known[name].version):
        above.add_error("version", "version_unsupported", words["version"], value=version[:MAX_WORD])
    else:
        return known[name]
    return None


def read_contents(
    kind: Kind,
    nodes: Mapping[str, Node],
    now: datetime,
    given: Mapping[str, str],
    reader: ContentReader,
) -> tuple[Message, Message | None]:
    """Parse and validate content and annex; the errors are the reader's, and paths of the annex begin with `annex`."""
    content = kind.content()
    if "content" in nodes:
        reader.places[""] = nodes["content"].line, nodes["content"].column
        reader.fill(kind.shape, nodes["content"], content, "")
    reader.errors += _fill_in(kind, given, content, reader)
    annex: Message | None = None
    node = nodes.get("annex")
    if node is not None and not (isinstance(node, Scalar) and node.null):
        reader.places["annex"] = node.line, node.column
        if kind.annex_shape is None:
            reader.add_error("annex", "annex_not_allowed", node)
        else:
            annex = kind.annex_shape.message()
            reader.fill(kind.annex_shape, node, annex, "annex")
    told = {each.path for each in reader.errors}
    judged = [each for each in kind.all_errors(content, annex, now) if not touches(each.path, told)]
    reader.errors += [reader.with_position(each) for each in judged]
    return content, annex


def _fill_in(kind: Kind, given: Mapping[str, str], content: Message, reader: ContentReader) -> list[FieldError]:
    """Fill in single fields that the draft omits; return their errors."""
    found = []
    for key, text in given.items():
        field = kind.shape.by_key.get(key)
        if field is None or field.shape is not None:
            known = [each.key for each in kind.shape.fields if each.shape is None]
            found.append(FieldError(key, "key_unknown", {"value": key[:MAX_WORD], "suggestion": nearest(key, known)}))
        elif not _is_set(content, field):
            try:
                scalars.read(field, reader.meaning(field, text), content)
            except scalars.ScalarError as wrong:
                found.append(FieldError(key, *wrong.problem))
    return found


def _is_set(content: Message, field: ShapeField) -> bool:
    return any(descriptor.name == field.name for descriptor, _ in content.ListFields())


def write(draft: Draft, lang: str = "en") -> str:
    """Write a draft as `read` reads it, with the kind's name in `lang` at its head."""
    lines = [f"# {draft.kind.titles.get(lang, draft.kind.name)}", f"kind: {draft.kind.name}"]
    lines += _words("to", [each.member for each in draft.recipients])
    if any(each.attention for each in draft.recipients):
        lines.append("attention:")
        lines += [f"  {each.member}: {scalar(each.attention)}" for each in draft.recipients if each.attention]
    if draft.exercise:
        lines.append("exercise: true")
    lines.append(f"urgency: {urgency_name(draft.urgency)}")
    if draft.urgency_reason:
        lines.append(f"urgency_reason: {scalar(draft.urgency_reason)}")
    lines += handling_lines(draft.handling)
    lines += _words("legal_bases", draft.legal_bases)
    if draft.review_time is not None:
        lines.append(f"review: {draft.review_time.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}")
    lines += _words("in_reply_to", draft.parents)
    if draft.attachments:
        lines.append("attachments:")
        for file, note in draft.attachments:
            lines += [f"  - file: {scalar(file)}", *([f"    note: {scalar(note)}"] if note else [])]
    lines += ["content:", *message_lines(draft.kind.shape, draft.content, "  ")]
    if draft.annex is not None and draft.kind.annex_shape is not None:
        lines += ["annex:", *message_lines(draft.kind.annex_shape, draft.annex, "  ")]
    return "\n".join(lines) + "\n"


def _words(key: str, words: Sequence[str]) -> list[str]:
    return [f"{key}:", *(f"  - {scalar(each)}" for each in words)] if words else []


def urgency_name(urgency: "Urgency.ValueType") -> str:
    """Return an urgency as a draft has it."""
    return next(name for name, value in URGENCIES.items() if value == urgency)


def handling_lines(handling: Handling) -> list[str]:
    """Format the marks of a draft; no line where there are none."""
    values: dict[str, Any] = {key: getattr(handling, key) for key in HANDLING_KEYS if key != "purposes"}
    lines = [f"  {key}: {scalar(str(value))}" for key, value in values.items() if value]
    if handling.purposes:
        lines += ["  purposes:", *(f"    - {scalar(each)}" for each in handling.purposes)]
    return ["handling:", *lines] if lines else []
