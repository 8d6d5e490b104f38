"""Messages chosen together and opened together, for an export or a count. The node logs what it opens, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from paiza.core.v1 import message_pb2
from paiza_client.language import _
from paiza_client.sdk import fitting, messages
from paiza_client.sdk.model import Box, MessageSummary, OnProgress
from paiza_client.sdk.session import MAX_TOGETHER, Session
from paiza_client.verify.model import OpenedPart
from paiza_officer.errors import Misused, Refused

MAX_CHOSEN: Final = 10_000  # messages of one export or count: all of them are in memory at once


@dataclass(frozen=True, slots=True)
class Chosen:
    """Messages that were chosen, and those left out because their authors recalled or replaced them."""

    messages: tuple[MessageSummary, ...]
    superseded: tuple[MessageSummary, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """The main part of a message and, where it was wanted and there is one, its nominal annex; both proven."""

    main: OpenedPart
    annex: OpenedPart | None = None

    @property
    def header(self) -> message_pb2.Header:
        """The signed header."""
        return self.main.message.header

    @property
    def digest(self) -> bytes:
        """Digest of the message, 32 bytes."""
        return self.main.message.digest


async def choose(
    session: Session,
    names: Iterable[str] = (),
    *,
    kind: str = "",
    author: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    box: Box = "both",
) -> Chosen:
    """Return the messages that ``names`` name, each once, in that order; without names all that fit, newest first.

    A name is (the beginning of) an id or digest, or a thread's short name. ``kind`` is a kind's name, ``author`` a
    member's id; ``since`` and ``until`` are aware times between which the own node stored the message. A recalled or
    replaced message is left out unless it is named: the one no longer holds, the other would count twice.

    Nothing is opened, and nothing is logged. Refused("unknown_id") or ("ambiguous_id") for a name, Misused("usage") for
    a named message of another kind, Refused("too_large") where more than `MAX_CHOSEN` fit: no list is cut silently.
    """
    named = [await messages.find(session, each, fitting.of_kind(kind)) for each in names]
    for each in named:
        if kind and each.header.kind != kind:
            what = _("it is of the kind {found}, and this form takes {wanted}")
            raise Misused("usage", each.id, what.format(found=each.header.kind, wanted=kind))
    if named:
        return Chosen(tuple({each.digest: each for each in named}.values()))
    found = []
    async for each in messages.walk(session, box=box, kind=kind, author=author, since=since):
        if until is None or each.stored_time <= until:
            found.append(each)
            if len(found) > MAX_CHOSEN:
                raise Refused("too_large", detail=_("more than {n} messages").format(n=MAX_CHOSEN))
    superseded = {each.digest: each for each in found if each.recalled_by or each.replaced_by}
    return Chosen(tuple(each for each in found if each.digest not in superseded), tuple(superseded.values()))


async def open_many(
    session: Session,
    messages: Sequence[MessageSummary],
    reason: str,
    *,
    annex: bool = False,
    on_progress: OnProgress | None = None,
) -> list[OpenedMessage]:
    """Open messages for one reason, in order, everything proven; ``annex`` opens their nominal annexes as well.

    The node logs one OPENED_TOGETHER entry for up to 256 main parts, and one OPENED entry for each annex, all with the
    reason; nothing is marked as read. ``on_progress`` is called with the messages opened and the messages in all.

    The first message that the node does not open ends it: Refused or Unreachable with the node's reason. NotProven
    where a signature or a proof does not hold. What was opened before stays logged.
    """
    opened = []
    for first in range(0, len(messages), MAX_TOGETHER):
        some = messages[first : first + MAX_TOGETHER]
        mains = await session.open_together([each.digest for each in some], reason)
        for message in some:
            main = mains[message.digest]
            if not isinstance(main, OpenedPart):
                raise main
            number = _annex_number(message.header) if annex else None
            besides = None if number is None else await session.open_part(message.digest, number, reason)
            opened.append(OpenedMessage(main, besides))
        if on_progress is not None:
            on_progress(len(opened), len(messages))
    return opened


def _annex_number(header: message_pb2.Header) -> int | None:
    for number, part in enumerate(header.parts):
        if part.kind == message_pb2.PART_KIND_NOMINAL_ANNEX:
            return number
    return None
