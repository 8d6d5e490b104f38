"""A correction in the words of the page: what it corrects by its label, and both values as a reader sees them."""

from google.protobuf.message import Message

from paiza.content.v1.recall_pb2 import Correction
from paiza_client.sdk import Session, messages
from paiza_client.web.language import language
from paiza_domain import kinds
from paiza_domain.forms import layout
from paiza_domain.forms.description import Description, Input, describe
from paiza_domain.schema.diff import shown_text
from paiza_domain.schema.kind import Kind
from paiza_wire.errors import PaizaError


async def kind_of_corrected(session: Session, kind: str, first_parent: str) -> Kind | None:
    """Return the kind of what a message corrects; None for what is no correction, or where it is not held here.

    ``first_parent`` is the hexadecimal digest of its first parent, empty where it has none.
    """
    if kind != "correction" or not first_parent:
        return None
    try:
        found = await messages.find(session, first_parent)
    except PaizaError:
        return None
    return kinds.all_kinds().get(found.header.kind)


def in_words(content: Message, corrected: Kind | None) -> Message:
    """Return a correction to be shown: labels for paths, and values for a reader; any other content as it is."""
    if corrected is None or not isinstance(content, Correction):
        return content
    shown, description = Correction(), describe(corrected, language())
    shown.CopyFrom(content)
    for change in shown.changes:
        change.before = shown_text(corrected.shape, change.path, change.before, language())
        change.after = shown_text(corrected.shape, change.path, change.after, language())
        change.path = label_of(description, change.path)
    return shown


def field_at(description: Description, path: str) -> Input | None:
    """Return the field at a path of a correction, None where the form has none."""
    *groups, last = path.split(".")
    return layout.find_input(description, ".".join([*_rooted(groups), last.partition("[")[0]]))


def label_of(description: Description, path: str) -> str:
    """Return the label of a field at a path of a correction, below those of its groups; an unknown path as it is."""
    field = field_at(description, path)
    if field is None:
        return path
    *groups, last = path.split(".")
    root, *named = _rooted(groups)
    words = [_numbered(_group(description, [root, *named[: n + 1]]), step) for n, step in enumerate(named)]
    return " · ".join([*words, _numbered(field.label, last)])


def _rooted(groups: list[str]) -> list[str]:
    return groups if groups[:1] == ["annex"] else ["content", *groups]


def _group(description: Description, steps: list[str]) -> str:
    group = layout.find(description, ".".join(steps))
    return group.label if group is not None else steps[-1]


def _numbered(label: str, step: str) -> str:
    index = step.partition("[")[2].rstrip("]")
    return f"{label} {int(index) + 1}" if index.isdecimal() and int(index) else label
