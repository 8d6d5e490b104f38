"""A correction in the words of the page: what it corrects by its label, and both values as a reader sees them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from google.protobuf.message import Message

from paiza.content.v1.recall_pb2 import CorrectedField, Correction
from paiza_client.sdk import Session, messages
from paiza_client.sdk.model import MessageSummary
from paiza_client.web.console import Console
from paiza_client.web.language import language
from paiza_domain import kinds
from paiza_domain.forms import layout
from paiza_domain.forms.description import Description, Input, describe
from paiza_domain.schema.diff import shown_text
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_officer.errors import NotProven
from paiza_wire.errors import PaizaError

_INDEX: Final = re.compile(r"\[(\d{1,4})\]\Z", re.ASCII)
MOST: Final = 10
"""Corrections of one message that its page shows, the newest; the others are linked."""


@dataclass(frozen=True, slots=True)
class CorrectedSince:
    """One correction of a message: its id and time, why, and the fields with both values, in words."""

    id: str
    time: datetime
    why: str
    changes: Sequence[CorrectedField]


async def since(console: Console, message: MessageSummary) -> list[CorrectedSince]:
    """Return the newest corrections of a message, the newest first; each is opened, which the node logs.

    What this officer may not open is left out.
    """
    session, corrects, found = console.session, kinds.all_kinds().get(message.header.kind), list[CorrectedSince]()
    for digest in message.corrected_by[-MOST:][::-1]:
        try:
            correction = await messages.find(session, digest.hex())
            part = await console.opened.open(session, correction)
            content = in_words(messages.content(part), corrects)
        except NotProven:
            raise
        except PaizaError:
            continue
        assert isinstance(content, Correction)
        why = f"{code_text('correction_reason', content.reason, language())}: {content.explanation}"
        found.append(CorrectedSince(correction.id, correction.stored_time, why, content.changes))
    return found


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
    index = _INDEX.search(step)  # another member may have written anything
    return f"{label} {int(index[1]) + 1}" if index is not None and int(index[1]) else label
