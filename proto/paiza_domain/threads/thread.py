"""Threads: signed messages with the time of their release, opened or not.

Only data that every holder can see count here: headers, contents and times of release. The order is by time of release,
then by digest, so that all holders of the same messages get the same result.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from google.protobuf.message import Message

from paiza.core.v1.message_pb2 import Header
from paiza_domain import kinds

RECALL: Final = "recall"
CORRECTION: Final = "correction"
ERASURE: Final = "erasure-request"


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """One message of a thread. ``content`` is None if it was not opened.

    ``recalled``: the node knows of a recall of it, in this thread or another.
    """

    digest: bytes
    header: Header
    time: datetime
    content: Message | None = None
    recalled: bool = False

    @property
    def author(self) -> str:
        """Return the author's member id."""
        return self.header.author


@dataclass(frozen=True, slots=True)
class Amendments:
    """The later recalls and corrections of a message by its author, by their digests."""

    recalled_by: tuple[bytes, ...] = ()
    corrected_by: tuple[bytes, ...] = ()
    replaced_by: bytes = b""


UNAMENDED: Final = Amendments()


def affected_digests(header: Header) -> tuple[bytes, ...]:
    """Return the digests of the messages that a header recalls or corrects; none for any other kind."""
    if header.kind == RECALL:
        return tuple(header.parent_digests)
    return tuple(header.parent_digests[:1]) if header.kind == CORRECTION else ()


def to_be_erased(header: Header) -> tuple[bytes, ...]:
    """Return the digests of the messages that a header asks to erase; none for any other kind."""
    return tuple(dict.fromkeys(header.parent_digests)) if header.kind == ERASURE else ()


def erases(requester: str, author: str, kind: str) -> bool:
    """Return whether a member's erasure request takes effect on a message of that author and kind.

    Only the author can request the erasure of its own messages. A request is not erased, since it documents the reason;
    nor is a step of a workflow, since other steps depend on it: each holder erases its copy at the review date.
    """
    return requester == author and kind != ERASURE and not is_step(kind)


def takes_effect(header: Header, author: str, kind: str) -> bool:
    """Return whether a recall or correction takes effect on a message of that author and kind.

    Only the author can recall or correct its own messages; a recall is final, so that nobody can undo one unnoticed. A
    step of a workflow is not recalled: another step undoes it, so that the rules of the workflow apply.
    """
    if header.author != author or kind == RECALL:
        return False
    return header.kind != RECALL or not is_step(kind)


def is_step(kind: str) -> bool:
    """Return whether messages of a kind are steps of a workflow."""
    known = kinds.all_kinds().get(kind)
    return known is not None and bool(known.workflow)


def in_order(messages: Iterable[ThreadMessage]) -> list[ThreadMessage]:
    """Return each message once, by time of release, then by digest."""
    return sorted({each.digest: each for each in messages}.values(), key=lambda each: (each.time, each.digest))


def amendments(messages: Iterable[ThreadMessage]) -> Mapping[bytes, Amendments]:
    """Return the amendments of the messages of a thread by recalls and corrections among them, by digest.

    Messages without amendments are left out. A recalled correction has no effect.
    """
    ordered = in_order(messages)
    by_digest = {each.digest: each for each in ordered}
    recalls: dict[bytes, list[bytes]] = {}
    corrections: dict[bytes, list[ThreadMessage]] = {}
    for message in ordered:
        for digest in affected_digests(message.header):
            target = by_digest.get(digest)
            if target is None or not takes_effect(message.header, target.author, target.header.kind):
                continue
            if message.header.kind == RECALL:
                recalls.setdefault(digest, []).append(message.digest)
            else:
                corrections.setdefault(digest, []).append(message)
    found: dict[bytes, Amendments] = {}
    for digest in recalls.keys() | corrections.keys():
        in_force = [each for each in corrections.get(digest, ()) if each.digest not in recalls and not each.recalled]
        replacements = [each.header.parent_digests[1] for each in in_force if len(each.header.parent_digests) > 1]
        found[digest] = Amendments(
            recalled_by=tuple(recalls.get(digest, ())),
            corrected_by=tuple(each.digest for each in in_force),
            replaced_by=replacements[-1] if replacements else b"",
        )
    return MappingProxyType({digest: each for digest, each in found.items() if each != UNAMENDED})


def is_recalled(message: ThreadMessage, known: Mapping[bytes, Amendments]) -> bool:
    """Return whether a message was recalled."""
    return message.recalled or bool(known.get(message.digest, UNAMENDED).recalled_by)
