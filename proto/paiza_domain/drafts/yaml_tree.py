"""A YAML text as a tree of plain texts with their positions; no value is interpreted.

Drafts need only one document of mappings, lists and scalars. Tags, anchors and aliases are refused (they expand small
texts or change the type), and so is deep nesting. Every scalar stays a text that its field interprets, so `no` is never
false and 12.50 never loses a digit.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.text_rules import unencodable_problem

MAX_BYTES: Final = 256 * 1024  # of one draft; the longest notice with a full annex is a tenth
MAX_NODES: Final = 20_000  # keys and values; a full annex has a quarter, and the parser takes 40 µs for each
MAX_DEPTH: Final = 12  # levels; the deepest content has seven
_MAX_PROBLEM: Final = 120  # characters of the parser's message
_KNOWN: Final = {
    "yaml_tab": "found character '\\t'",
    "yaml_colon": "mapping values are not allowed here",
    "yaml_quote": "found unexpected end of stream",
    "yaml_bracket": "expected ',' or",
    "yaml_key": "could not find expected ':'",
    "yaml_quoted": "expected <block end>, but found '<scalar>'",
    "yaml_indent": "expected <block end>",
    "yaml_sign": "that cannot start any token",
}
"""What the parser says of the mistakes that people make most, by the code of the error."""
_OPENED: Final = frozenset({"yaml_quote", "yaml_bracket", "yaml_key"})
"""Mistakes that the parser notices further down; it knows where they begin."""
_LINE_END: Final = re.compile(r"\r\n?|\n")
_NULLS: Final = frozenset({"", "~", "null"})


class TreeError(Exception):
    """The text is not such a tree; `error` holds position and reason."""

    def __init__(self, error: FieldError) -> None:
        super().__init__(error.code)
        self.error = error


@dataclass(frozen=True)
class Scalar:
    """One text; `null` if there is no value."""

    text: str
    null: bool
    line: int
    column: int


@dataclass(frozen=True)
class Items:
    """A list."""

    line: int
    column: int
    nodes: list["Node"] = field(default_factory=list)


@dataclass(frozen=True)
class Group:
    """Named nodes, in order; a name may occur twice; the parser of the content refuses that."""

    line: int
    column: int
    entries: list[tuple[Scalar, "Node"]] = field(default_factory=list)


Node = Scalar | Items | Group


def parse(text: str) -> Node:
    """Parse one document; raise `TreeError`. An empty text is an empty scalar."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise TreeError(FieldError("", "draft_too_large", {"most": MAX_BYTES}, 1, 1))
    try:
        return _build(YAML(typ="safe", pure=True).parse(text))
    except YAMLError as wrong:
        raise TreeError(_said(wrong, text)) from None
    except (ValueError, OverflowError) as wrong:  # a directive or an escape that the parser converts without a check
        raise TreeError(FieldError("", "yaml", {"problem": _short(str(wrong))}, 1, 1)) from None


def _build(events: Iterator[Any]) -> Node:
    """Build the tree from the events; iterative, so that nesting needs no stack."""
    root: Node = Scalar("", null=True, line=1, column=1)
    documents = nodes = 0
    open_nodes: list[Items | Group] = []
    keys: list[Scalar | None] = []  # per open node: the key without a value yet
    for event in events:
        place = event.start_mark.line + 1, event.start_mark.column + 1
        node: Node
        match event:
            case DocumentStartEvent():
                documents += 1
                if documents > 1:
                    raise _wrong("yaml", place, problem="---")
                continue
            case SequenceEndEvent() | MappingEndEvent():
                open_nodes.pop()
                keys.pop()
                continue
            case AliasEvent():
                raise _wrong("yaml_alias", place)
            case ScalarEvent():
                if problem := unencodable_problem(event.value):  # an escape such as "\ud800"
                    raise _wrong(problem[0], place, **problem[1])
                plain = event.style is None and event.value in _NULLS
                node = Scalar(event.value, plain, *place)
            case SequenceStartEvent():
                node = Items(*place)
            case MappingStartEvent():
                node = Group(*place)
            case _:
                continue
        nodes += 1
        if nodes > MAX_NODES:
            raise _wrong("too_many", place, most=MAX_NODES)
        _refuse_marks(event, place)
        _attach(node, open_nodes, keys, place)
        if not open_nodes:
            root = node
        if not isinstance(node, Scalar):
            if len(open_nodes) >= MAX_DEPTH:
                raise _wrong("yaml_depth", place, most=MAX_DEPTH)
            open_nodes.append(node)
            keys.append(None)
    return root


def _attach(node: Node, open_nodes: list[Items | Group], keys: list[Scalar | None], place: tuple[int, int]) -> None:
    if not open_nodes:
        return
    parent, key = open_nodes[-1], keys[-1]
    if isinstance(parent, Items):
        parent.nodes.append(node)
    elif key is not None:
        parent.entries.append((key, node))
        keys[-1] = None
    elif isinstance(node, Scalar):
        keys[-1] = node
    else:
        raise _wrong("expected_value", place)


def _refuse_marks(event: Any, place: tuple[int, int]) -> None:
    if event.anchor is not None:
        raise _wrong("yaml_alias", place)
    if event.ctag is not None:
        raise _wrong("yaml_tag", place)


def _wrong(code: str, place: tuple[int, int], **values: object) -> TreeError:
    return TreeError(FieldError("", code, values, *place))


def _said(wrong: YAMLError, text: str) -> FieldError:
    mark = getattr(wrong, "problem_mark", None)
    problem = _short(getattr(wrong, "problem", None) or str(wrong))
    code = next((code for code, known in _KNOWN.items() if known in problem), "yaml")
    if code in _OPENED:
        mark = getattr(wrong, "context_mark", None) or mark
    if code == "yaml_colon" and mark is not None and ": " not in text_lines(text)[mark.line][: mark.column]:
        code = "yaml_indent"  # the first field of its line: the line before is a value and cannot hold fields
    values = {"problem": problem} if code == "yaml" else {}
    if mark is not None:
        return FieldError("", code, values, mark.line + 1, mark.column + 1)
    before = text[: getattr(wrong, "position", 0) or 0]  # a character that YAML does not allow
    return FieldError("", "yaml", {"problem": problem}, before.count("\n") + 1, len(before) - before.rfind("\n"))


def text_lines(text: str) -> list[str]:
    """Return the lines of a text as YAML counts them (YAML 1.2, 5.4): a carriage return alone ends one too."""
    return _LINE_END.split(text)


def _short(problem: str) -> str:
    return " ".join(problem.split())[:_MAX_PROBLEM]
