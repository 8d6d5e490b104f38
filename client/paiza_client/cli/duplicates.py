"""Before a request goes out, its officer is told whether a colleague asked the same, or an answer is still owed.

Two questions to the own node: which of our requests of the last year share an identifier or the subject (its search
index answers), and which of the same kind to the same addressees are still without an answer (headers say). What is
found is told; whether to send all the same is the officer's decision.
"""

import sys
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from paiza_client.cli import display
from paiza_client.cli.terminal import Terminal
from paiza_client.errors import Refused
from paiza_client.language import N_, _
from paiza_client.sdk import threads
from paiza_client.sdk.drafts import Prepared
from paiza_client.sdk.search import Criterion
from paiza_domain.terms import index_terms
from paiza_domain.threads import request_status
from paiza_wire.errors import PaizaError

if TYPE_CHECKING:
    from paiza_client.sdk import Session

MAX_CRITERIA: Final = 200  # things compared; a request speaks of fewer
MAX_LOOKED_AT: Final = 20  # requests of the same kind, the newest, whose threads are looked at
MAX_TOLD: Final = 10  # found requests that are told one by one

_SAME: Final = N_("asks about the same: {fields}")
_OPEN: Final = N_("not answered yet by {members}")


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier request worth telling of, and why."""

    digest: bytes
    thread_name: str
    time: datetime
    officer: str
    why: str


async def warn(terminal: Terminal, session: "Session", prepared: Prepared) -> None:
    """Tell of earlier requests before a new one goes out; on a terminal, ask whether to send it all the same.

    Where the node cannot say, the request goes out: a warning is no condition. The message it follows from is not told.
    """
    if not prepared.kind.answered_by or prepared.kind.needs_parent or prepared.kind.workflow:
        return
    try:
        found = await find(session, prepared)
    except PaizaError as error:
        terminal.note(
            _("Whether a colleague asked the same could not be found out: {reason}").format(reason=error.reason)
        )
        return
    if not found:
        return
    terminal.warn(_("Before you send it: requests of your member that may be the same."))
    for each in found[:MAX_TOLD]:
        line = (
            each.thread_name,
            each.digest.hex()[: display.SHORT_ID],
            display.when(each.time),
            each.officer,
            each.why,
        )
        terminal.warn("  " + "  ".join(filter(None, line)))
    asking = sys.stdin.isatty() and sys.stderr.isatty() and not terminal.wants_json
    if asking and not click.confirm(_("Send it all the same?"), err=True):
        raise Refused("interrupted", prepared.source)


async def find(session: "Session", prepared: Prepared) -> list[Earlier]:
    """Return the earlier requests, those about the same first, each once."""
    same = [
        Earlier(
            each.digest,
            each.thread_name,
            each.stored_time,
            each.officer_id,
            _(_SAME).format(fields=", ".join(each.fields)),
        )
        for each in await session.search.similar(prepared.kind.name, _criteria(prepared))
    ]
    known = {each.digest for each in same}
    still_open = [each for each in await _still_open(session, prepared) if each.digest not in known]
    return [each for each in (*same, *still_open) if each.digest not in prepared.envelope.parent_digests]


def _criteria(prepared: Prepared) -> list[Criterion]:
    found = index_terms.terms(prepared.kind, prepared.content, prepared.annex)
    return [(each.field, each.text) for each in sorted(found) if each.links or each.field == "subject"][:MAX_CRITERIA]


async def _still_open(session: "Session", prepared: Prepared) -> list[Earlier]:
    """Return our requests of this kind to one of these addressees that it has not answered with a word."""
    addressed = {each.member for each in prepared.envelope.recipients}
    page = await session.list_messages(box="sent", kind=prepared.kind.name, page_size=MAX_LOOKED_AT)
    found: list[Earlier] = []
    for request in page.messages:
        if not addressed & {each.member for each in request.header.recipients}:
            continue
        thread = await threads.open_messages(session, await threads.list_messages(session, request.header.thread_id))
        asked = next(each for each in thread if each.digest == request.digest)
        status = request_status.of_request(asked, thread)
        if status is None or status.withdrawn or not addressed & set(status.without_answer):
            continue
        why = _(_OPEN).format(members=", ".join(sorted(addressed & set(status.without_answer))))
        officer = request.header.required_signers[0].id
        found.append(Earlier(request.digest, request.thread_name, request.stored_time, officer, why))
    return found
