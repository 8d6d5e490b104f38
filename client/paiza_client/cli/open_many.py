"""Messages chosen for an export or for statistics, opened together through the node, which logs what was opened."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import Message

from paiza.core.v1 import message_pb2
from paiza_client.cli import messages
from paiza_client.cli.terminal import Terminal
from paiza_client.data.exports.records import Record
from paiza_client.errors import Misused, Refused, located
from paiza_client.language import _
from paiza_client.sdk import find_messages
from paiza_client.sdk.model import Box, MessageSummary
from paiza_client.verify.model import OpenedPart
from paiza_wire.message import parse_strictly

if TYPE_CHECKING:
    from paiza_client.sdk import Session

MAX_TOGETHER: Final = 256  # messages opened between two looks at the progress
MAX_GATHERED: Final = 10_000  # messages of one export or count; more are asked for by time


async def chosen(
    session: "Session", ids: Iterable[str], *, kind: str, author: str, since: datetime | None, box: Box = "both"
) -> list[MessageSummary]:
    """Return the messages an officer names, or those that fit; Refused where a named one is of another kind."""
    named = [await find_messages.one(session, each) for each in ids]
    if not named:
        return await find_messages.listed(session, MAX_GATHERED, box=box, kind=kind, author=author, since=since)
    for each in named:
        if kind and each.header.kind != kind:
            what = _("it is of the kind {found}, and this form takes {wanted}")
            raise Misused("usage", each.id, what.format(found=each.header.kind, wanted=kind))
    return list({each.digest: each for each in named}.values())


async def opened(
    terminal: Terminal, session: "Session", found: Sequence[MessageSummary], reason: str, *, annex: bool
) -> list[tuple[Record, OpenedPart]]:
    """Open the main parts together, and the nominal annexes where they are wanted one by one; all is proven and logged.

    The first that is refused ends it.
    """
    records = []
    with terminal.progress() as progress:
        for first in progress.track(range(0, len(found), MAX_TOGETHER), description=_("Messages")):
            some = found[first : first + MAX_TOGETHER]
            mains = await session.open_together([each.digest for each in some], reason)
            for message in some:
                main = mains[message.digest]
                if not isinstance(main, OpenedPart):
                    raise main
                number = _annex_number(message.header) if annex else None
                besides = None if number is None else await session.open_part(message.digest, number, reason)
                records.append((record(main, besides), main))
    return records


def record(main: OpenedPart, annex: OpenedPart | None = None) -> Record:
    """Return an opened message as an export takes it."""
    header = main.message.header
    kind = messages.kind_of(header)
    return Record(
        header=header,
        digest=main.message.digest,
        thread_name=main.thread_name,
        kind=kind,
        content=_parsed(kind.content, main),
        annex=None if annex is None or kind.annex is None else _parsed(kind.annex, annex),
        proofs=messages.proof_rows(main),
    )


def header_rows(record: Record) -> list[tuple[str, str]]:
    """Describe a record's header for reading."""
    return messages.header_rows(record.header, record.thread_name)


def standing(terminal: Terminal, found: Sequence[MessageSummary]) -> list[MessageSummary]:
    """Leave out what its author recalled or replaced: the one no longer holds, the other would count twice."""
    kept = [each for each in found if not each.recalled_by and not each.replaced_by]
    if len(kept) < len(found):
        terminal.note(_("Left out, because recalled or replaced: {n}").format(n=len(found) - len(kept)))
    return kept


def stored_until(found: Sequence[MessageSummary], until: datetime | None) -> list[MessageSummary]:
    """Leave out what was stored later."""
    return [each for each in found if until is None or each.stored_time.astimezone(UTC) <= until]


def _parsed(content: type[Message], part: OpenedPart) -> Any:
    with located(part.message.header.message_id.hex()):
        return parse_strictly(content, part.plaintext, "the content")


def _annex_number(header: message_pb2.Header) -> int | None:
    for number, part in enumerate(header.parts):
        if part.kind == message_pb2.PART_KIND_NOMINAL_ANNEX:
            return number
    return None


def none_found() -> Refused:
    """Return that nothing fits what was asked for."""
    return Refused("unknown_id", _("no message fits"))
