"""Before a request goes out, its officer is told of earlier ones that may be the same."""

import sys
from typing import TYPE_CHECKING, Final

from paiza_cli.confirmation import confirm
from paiza_client.cli import display
from paiza_client.cli.terminal import Terminal
from paiza_client.language import _
from paiza_client.sdk import duplicates
from paiza_client.sdk.drafts import Prepared
from paiza_client.sdk.duplicates import Earlier
from paiza_officer.errors import Refused
from paiza_wire.errors import PaizaError

if TYPE_CHECKING:
    from paiza_client.sdk import Session

MAX_TOLD: Final = 10  # found requests that are told one by one


async def warn(terminal: Terminal, session: "Session", prepared: Prepared) -> None:
    """Print earlier requests before a new one is sent; on a terminal, ask whether to send it anyway.

    Where the node cannot say, the request goes out: a warning is no condition. The message it follows from is not told.
    """
    try:
        found = await duplicates.find(session, prepared)
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
            each.id[: display.SHORT_ID],
            display.when(each.time),
            each.officer,
            _why(each),
        )
        terminal.warn("  " + "  ".join(filter(None, line)))
    asking = sys.stdin.isatty() and sys.stderr.isatty() and not terminal.wants_json
    if asking and not confirm(_("Send it all the same?")):
        raise Refused("interrupted", prepared.source)


def _why(earlier: Earlier) -> str:
    if earlier.silent:
        return _("not answered yet by {members}").format(members=", ".join(earlier.silent))
    return _("asks about the same: {fields}").format(fields=", ".join(earlier.same))
